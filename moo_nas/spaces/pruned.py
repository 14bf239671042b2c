"""A stage space without those options that are never worth it on some hardware."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from moo_nas.arrays import IntArray
from moo_nas.errors import SpaceError
from moo_nas.spaces.architecture import Architecture
from moo_nas.spaces.gene import Choice
from moo_nas.spaces.stage import KINDS, StageSpace

Option = tuple[Choice, ...]  # operator, kernel, expansion, depth, channels, se


class PrunedSpace(StageSpace):
    """A stage space in which another option of its stage stands for each option that was dropped.

    Genes and genomes are those of the whole space, so a measurement, a front or a warm start of one
    is one of the other; but a genome with a dropped option is another spelling of the genome with
    what stands for it: :meth:`canonical` makes them one, and no dropped option is ever decoded.

    Args:
        whole: The space that is pruned.
        replaced: For stages, counted from 1, what stands for each option that is dropped; options are
            those of :meth:`~moo_nas.spaces.StageChoices.options`.

    Raises:
        SpaceError: The space is pruned already; no such stage or option; what stands for an option has
            other channels (which the next stage takes in), or is dropped itself.

    Example:
        >>> whole = StageSpace.haenas()
        >>> slow, fast = ("ibn", 3, 3, 1, 16, 0.0), ("fused", 3, 3, 1, 16, 0.0)
        >>> space = PrunedSpace(whole, {1: {slow: fast}})
        >>> whole.size - space.n_architectures == whole.size // 18
        True
        >>> str(space.decode(space.genome_at(0))).split()[1]
        'fused_d1_k3_s1_e3_c16'
    """

    name = "pruned stage space"

    def __init__(self, whole: StageSpace, replaced: Mapping[int, Mapping[Option, Option]]) -> None:
        if isinstance(whole, PrunedSpace):
            raise SpaceError("This space is pruned already: prune the whole one, of all at once.")
        super().__init__(whole.stages, whole.stem, whole.head, whole.image_size)
        self._whole = whole
        self.replaced = {
            number: dict(options) for number, options in sorted(replaced.items()) if len(options)
        }
        for number, options in self.replaced.items():
            if not 1 <= number <= len(self.stages):
                raise SpaceError(f"The space has stages 1 to {len(self.stages)}; got {number}.")
            known = set(self.stages[number - 1].options())
            for dropped, kept in options.items():
                for option in (dropped, kept):
                    if option not in known:
                        raise SpaceError(f"Stage {number} has no option {option}.")
                if kept in options or kept[4] != dropped[4]:
                    why = "is dropped too" if kept in options else "has other channels"
                    raise SpaceError(f"In stage {number} {kept} cannot stand for {dropped}: it {why}.")
        # Of each stage that is pruned, the number of the option that each option is spelt as.
        self._spelt: list[tuple[list[int], tuple[int, ...], IntArray]] = []
        for number, options in self.replaced.items():
            row = self.stages[number - 1]
            numbers = {option: i for i, option in enumerate(row.options())}
            spelt = np.array([numbers[options.get(option, option)] for option in numbers], dtype=np.int64)
            shape = tuple(len(getattr(row, name)) for name in KINDS)
            self._spelt.append((self._columns[number - 1], shape, spelt))

    @property
    def whole(self) -> StageSpace:
        return self._whole

    @property
    def n_architectures(self) -> int:
        """How many architectures are left."""
        return math.prod(
            len(row.options()) - len(self.replaced.get(number, ()))
            for number, row in enumerate(self.stages, start=1)
        )

    @property
    def n_distinct(self) -> int:
        return self.n_architectures

    def distinct_at(self, index: int) -> IntArray:
        genome, others = np.empty(self.n_var, dtype=np.int64), np.ones(self.n_var, dtype=bool)
        for columns, shape, spelt in self._spelt:
            kept = np.unique(spelt)
            index, position = divmod(index, len(kept))
            taken = np.unravel_index(int(kept[position]), shape)
            for column, choice in zip(columns, taken, strict=True):
                if column >= 0:
                    genome[column], others[column] = int(choice), False
        for column in np.flatnonzero(others).tolist():
            index, genome[column] = divmod(index, int(self.n_choices[column]))
        return genome

    @property
    def settings(self) -> dict[str, Any]:
        replaced = [
            [number, list(dropped), list(kept)]
            for number, options in self.replaced.items()
            for dropped, kept in sorted(options.items(), key=repr)
        ]
        return {**super().settings, "replaced": replaced}

    def canonical(self, genomes: IntArray) -> IntArray:
        """Return genomes ``(n, n_var)`` with what stands for them in place of dropped options."""
        canonical = genomes.copy()
        for columns, shape, spelt in self._spelt:
            chosen = tuple(genomes[:, column] if column >= 0 else 0 for column in columns)
            taken = np.unravel_index(spelt[np.ravel_multi_index(chosen, shape)], shape)
            for column, index in zip(columns, taken, strict=True):
                if column >= 0:
                    canonical[:, column] = index
        return canonical

    def decode(self, genome: IntArray) -> Architecture:
        return super().decode(self.canonical(self.check(genome))[0])

    def encode(self, architecture: Architecture) -> IntArray:
        genome = super().encode(architecture)
        canonical: IntArray = self.canonical(genome[None])[0]
        if (genome != canonical).any():
            raise SpaceError(
                f"'{architecture}' was pruned from this space; '{self.decode(genome)}' stands for it."
            )
        return genome

    def _taken(self, number: int, option: Option) -> Option:
        return self.replaced.get(number, {}).get(option, option)
