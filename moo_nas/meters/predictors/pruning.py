"""Which options of a stage space are never worth it on a device, by its table of blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.arrays import BoolArray, FloatArray, IntArray
from moo_nas.errors import InputError
from moo_nas.meters.analytic import COSTS, Analytic
from moo_nas.meters.predictors.saved_table import BlockTable
from moo_nas.spaces import Block, PrunedSpace, StageChoices, StageSpace
from moo_nas.spaces.pruned import Option
from moo_nas.spaces.stage import KINDS

DOMINATED = "dominated"
INEFFICIENT = "inefficient"
_ORDERED = ("kernel", "depth", "se")
_CHANNELS = list(KINDS).index("channels")
_PARAMS, _MACS = (list(COSTS).index(name) for name in ("params", "macs"))


@dataclass(frozen=True)
class Pruned:
    """What pruning left, and what it dropped.

    Attributes:
        space: What is left.
        dropped: One row an option that was dropped, by stage: its choices, ``reason`` (``dominated``
            or ``inefficient``), ``latency_ms``, what stands for it (``taken``) and the latency of that
            (``taken_latency_ms``), of the stage where the narrowest width comes in, on the first device.
        devices: The devices that it is of.
        slower_than: The factor beyond which options were inefficient; None where that was not asked.
    """

    space: PrunedSpace
    dropped: pd.DataFrame
    devices: tuple[str, ...]
    slower_than: float | None

    @property
    def sentence(self) -> str:
        """What was pruned, in words."""
        whole, left = self.space.whole.size, self.space.n_architectures
        n = sum(len(row.options()) for row in self.space.stages)
        of = " and ".join(self.devices)
        if not len(self.dropped):
            return f"Nothing was pruned by the block table of {of}: each of {n} stage options is worth it."
        counts = self.dropped["reason"].value_counts()
        why = [f"{counts.get(DOMINATED, 0)} are no faster than another that is no smaller"]
        if self.slower_than is not None:
            why.append(f"{counts.get(INEFFICIENT, 0)} take over {self.slower_than:g} times the median ms/MAC")
        return (
            f"{len(self.dropped)} of {n} stage options were pruned by the block table of {of} "
            f"({', '.join(why)}): {left:,} of {whole:,} architectures are left."
        )

    @property
    def record(self) -> dict[str, Any]:
        """All of it as JSON, by stage and option."""
        stages: dict[str, dict[str, str]] = {}
        for row in self.dropped.to_dict("records"):
            stages.setdefault(f"stage{row['stage']}", {})[row["option"]] = (
                f"{row['reason']}: {row['latency_ms']:.4g} ms; {row['taken']} stands for it, "
                f"{row['taken_latency_ms']:.4g} ms"
            )
        return {"sentence": self.sentence, "slower_than": self.slower_than, "dropped": stages}


def pruned(
    space: StageSpace, tables: BlockTable | Sequence[BlockTable], slower_than: float | None = None
) -> Pruned:
    r"""Return a space without the options that are never worth it on a device.

    An option (operator, kernel, expansion, depth) of a stage is dropped, and another of the same
    stage and channels stands for it, if that one has at most its latency and at least its parameters,
    multiply-accumulates, kernel, depth and squeeze-and-excite, whatever width comes in: it is
    *dominated* in all that a score can profit from. As latency adds up over stages, no network is lost
    for which there is none as fast and as large, kernel by kernel.

    With ``slower_than`` goes also what is *inefficient*: what takes more than so many times the
    stage's median of ms per multiply-accumulate, whatever comes in. This is a rule of thumb: it may
    drop what a score would have wanted, such as depthwise convolutions where dense ones are fast.

    Args:
        space: The space.
        tables: The block table of the device; of several devices, an option is dropped if it is so on
            all of them, with one and the same in its place.
        slower_than: A factor above 1.

    Raises:
        InputError: A table is of another space; tables of other pixels or classes; a factor of 1 or less.

    Example:
        >>> from problems.additive import own_table
        >>> found = pruned(StageSpace.haenas(), own_table())
        >>> print(found.sentence)
        55 of 306 stage options were pruned by the block table of AMD EPYC, torch 2.13.0+cpu (55 are no faster
        than another that is no smaller): 31,785,858,000 of 148,769,467,776 architectures are left.
        >>> found.dropped.loc[0, ["option", "taken"]].tolist()
        ['ibn_d1_k3_s1_e4_c16', 'ibn_d1_k5_s1_e3_c16']
    """
    tables = [tables] if isinstance(tables, BlockTable) else list(tables)
    if not tables:
        raise InputError("A space is pruned by at least one block table; got none.")
    if slower_than is not None and not slower_than > 1:
        raise InputError(f"slower_than must be a factor above 1; got {slower_than}.")
    for table in tables:
        table.check(space, tables[0].image_size, tables[0].n_classes)
    rows: list[dict[str, Any]] = []
    replaced = {}
    _, *parts, _ = space.parts(tables[0].image_size, tables[0].n_classes)
    for number, (row, part) in enumerate(zip(space.stages, parts, strict=True), start=1):
        stage = _Stage.of(row, part, tables)
        stands, reasons = stage.pruned(slower_than)
        replaced[number] = {stage.options[i]: stage.options[j] for i, j in stands.items()}
        rows += [
            {
                "stage": number,
                **dict(zip(KINDS, stage.options[i], strict=True)),
                "option": str(row.stage(stage.options[i])),
                "reason": reasons[i],
                "latency_ms": stage.ms[i, 0],
                "taken": str(row.stage(stage.options[j])),
                "taken_latency_ms": stage.ms[j, 0],
            }
            for i, j in stands.items()
        ]
    columns = ["stage", *KINDS, "option", "reason", "latency_ms", "taken", "taken_latency_ms"]
    return Pruned(
        PrunedSpace(space, replaced),
        pd.DataFrame(rows, columns=columns),
        tuple(table.device_name for table in tables),
        slower_than,
    )


@dataclass(frozen=True)
class _Stage:
    """What the options of a stage cost and offer, for each width that comes in.

    Attributes:
        options: All of them, n.
        ms: Their latencies ``(n, n_widths * n_tables)``.
        macs: Their multiply-accumulates, of the same shape.
        offers: What a score can profit from, ``(n, n_offers)``.
    """

    options: list[Option]
    ms: FloatArray
    macs: FloatArray
    offers: FloatArray

    @classmethod
    def of(
        cls, row: StageChoices, part: Mapping[Option, Sequence[Block]], tables: Sequence[BlockTable]
    ) -> "_Stage":
        options, widths = row.options(), list(dict.fromkeys(key[0] for key in part))
        cost = Analytic(tables[0].image_size, tables[0].n_classes)
        ms, macs, offers = [], [], []
        for option in options:
            blocks = [part[width, *option] for width in widths]
            ms.append([table.summed(some) for some in blocks for table in tables])
            costs = np.array([np.sum([cost.block_cost(block) for block in some], axis=0) for some in blocks])
            macs.append(np.repeat(costs[:, _MACS], len(tables)))
            chosen = dict(zip(KINDS, option, strict=True))
            offers.append([*costs[:, _PARAMS], *costs[:, _MACS], *(float(chosen[name]) for name in _ORDERED)])
        return cls(options, np.array(ms), np.array(macs), np.array(offers))

    def pruned(self, slower_than: float | None) -> tuple[dict[int, int], dict[int, str]]:
        """Return by its position what stands for each option that is dropped, and why it is."""
        channels = np.array([option[_CHANNELS] for option in self.options])
        same = channels[:, None] == channels
        # Row i, column j: is j at least as good as i in everything?
        as_good = same & (self.ms <= self.ms[:, None]).all(2) & (self.offers >= self.offers[:, None]).all(2)
        # Of equals the first counts as better.
        better = as_good & (~as_good.T | np.tri(len(channels), k=-1, dtype=bool))
        dominated = better.any(axis=1)
        kept: BoolArray = ~dominated & ~self._inefficient(slower_than)
        # Where nothing else has these channels, what is inefficient stays.
        kept[~dominated & ~(same & kept).any(axis=1)] = True
        stands, reasons = {}, {}
        for i in np.flatnonzero(~kept).tolist():
            candidates = np.flatnonzero(kept & better[i])
            if not len(candidates):
                candidates = np.flatnonzero(kept & same[i])
            stands[i] = self._nearest(i, candidates)
            reasons[i] = DOMINATED if dominated[i] else INEFFICIENT
        return stands, reasons

    def _inefficient(self, slower_than: float | None) -> BoolArray:
        if slower_than is None:
            return np.zeros(len(self.options), dtype=bool)
        each = self.ms / self.macs
        slow: BoolArray = np.all(each > slower_than * np.median(each, axis=0), axis=1)
        return slow

    def _nearest(self, i: int, candidates: IntArray) -> int:
        """Return which of other options differs in the fewest choices, of those the fastest."""
        apart = [
            sum(a != b for a, b in zip(self.options[i], self.options[j], strict=True)) for j in candidates
        ]
        return int(candidates[np.lexsort((self.ms[candidates].sum(axis=1), apart))[0]])
