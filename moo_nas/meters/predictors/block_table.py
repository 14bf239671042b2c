"""Latency from a table of single blocks measured on a device, corrected on a few whole networks."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Self

import numpy as np
from scipy.optimize import nnls

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError, MeterError
from moo_nas.meters.base import BlockMeter, Memory, Metric
from moo_nas.meters.device.timer import StopWatch
from moo_nas.meters.predictors.sample import error_card, measured_networks
from moo_nas.meters.predictors.saved_table import BlockTable
from moo_nas.spaces import Architecture, Block, SearchSpace, StageSpace

_BATCH = 60  # blocks timed together, and kept together


class BlockTableLatency(BlockMeter):
    r"""Predicted latency of a network: its blocks' measured latencies and a fitted residual.

    A block alone finds its weights in the cache and costs one call; in a network it often does
    not, and costs what lies between calls too. So with :math:`t_b` the measured latency of block
    :math:`b`, :math:`l_b` its number of layers and :math:`p_b` its parameters in millions,

    .. math:: latency = \sum_b w_1 t_b + w_2 l_b + w_3 p_b, \qquad w \ge 0,

    fitted to a few whole networks by non-negative least squares on relative errors. Every distinct
    block of the space is measured (218 of HaeNAS), so no prediction leaves the table. What the
    prediction is worth, by leaving out each of the whole networks in turn, is kept with it.

    Args:
        timer: How networks and blocks are timed; its settings are those of the prediction.
        n_networks: How many whole networks the residual is fitted on; with 0 there is none, and
            :math:`w = (1, 0, 0)`.

    Example:
        A prepared meter's table goes to a file, and predicts without measuring wherever that goes:

        .. code-block:: python

            meter = BlockTableLatency(CpuLatency(96)).prepare(space, store, seed=0)
            meter.table.save("this_cpu.json")
            HaeNAS(latency="this_cpu.json")  # there
    """

    metrics = (Metric("latency_ms", "ms", "min"),)
    reductions = ("sum",)

    def __init__(self, timer: StopWatch, n_networks: int = 20) -> None:
        super().__init__(timer.image_size, timer.n_classes)
        if n_networks != 0 and n_networks < 5:
            raise InputError(
                f"The residual needs at least 5 whole networks, or 0 for none; got n_networks={n_networks}."
            )
        self.timer = timer
        self.uses_gpu = timer.uses_gpu
        self.n_networks = n_networks
        self._table: BlockTable | None = None

    @property
    def settings(self) -> dict[str, Any]:
        return {"timer": self.timer.settings, "n_networks": self.n_networks}

    @property
    def table(self) -> BlockTable:
        """The table that predictions are from, with its residual.

        Raises:
            MeterError: The meter is not prepared.
        """
        if self._table is None:
            raise MeterError("No block is measured yet: prepare the meter on the space first.")
        return self._table

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        if not isinstance(space, StageSpace):
            raise InputError(f"A block table needs a stage space; got a {space.name}.")
        meter = copy.copy(self)
        meter.timer = self.timer.prepare(space, memory, seed)
        kept = memory.recall(f"block table/{self.timer.key}", lambda: meter._measure_blocks(space))
        bare = BlockTable(
            {Block(**row): ms for row, ms in zip(kept["blocks"], kept["ms"], strict=True)},
            self.image_size,
            self.n_classes,
            device=self.timer.settings["machine"],
            settings={k: v for k, v in self.timer.settings.items() if k != "machine"},
            versions=kept.get("versions", {}),
            date=kept.get("date", ""),
        )
        if self.n_networks == 0:
            meter._table = bare
            return meter
        genomes, measured = measured_networks(space, meter.timer, self.n_networks, memory, seed)
        fit = memory.recall(
            f"latency residual/{self.key}/{seed}",
            lambda: fit_residual(bare, [space.decode(genome) for genome in genomes], measured),
        )
        meter._table = replace(bare, weights=tuple(fit["weights"]), left_out=fit["left_out"])
        return meter

    def block_cost(self, block: Block) -> FloatArray:
        return np.array([self.table.cost(block)])

    def _measure_blocks(self, space: StageSpace) -> dict[str, Any]:
        from moo_nas.networks import build_block

        blocks = space.blocks(self.image_size, self.n_classes)
        n_batches = -(-len(blocks) // _BATCH)
        ms = np.empty(len(blocks))
        for start in range(n_batches):
            some = blocks[start::n_batches]  # neighbours cost alike: a batch of them has no ranks to check
            timing = self.timer.time(
                [repr(block) for block in some],
                lambda some=some: [build_block(block) for block in some],  # type: ignore[misc]
                [(self.timer.batch_size, b.in_channels, b.in_size, b.in_size) for b in some],
            )
            ms[start::n_batches] = np.median(timing.latencies, axis=0)
        return {
            "blocks": [asdict(block) for block in blocks],
            "ms": ms.tolist(),
            "versions": {name: version(name) for name in ("moo_nas", "torch")},
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def fit_residual(
    table: BlockTable, architectures: Sequence[Architecture], latency_ms: FloatArray
) -> dict[str, Any]:
    """Return a table's ``weights`` fitted to whole networks, and their card, each ``left_out`` in turn."""
    features = np.array(
        [
            np.sum([table.features(block) for block in a.blocks(table.image_size, table.n_classes)], axis=0)
            for a in architectures
        ]
    )
    relative, ones = features / latency_ms[:, None], np.ones(len(latency_ms))
    left_out = [
        features[i] @ nnls(np.delete(relative, i, axis=0), np.delete(ones, i))[0]
        for i in range(len(latency_ms))
    ]
    return {
        "weights": nnls(relative, ones)[0].tolist(),
        "left_out": error_card(np.array(left_out), latency_ms),
    }
