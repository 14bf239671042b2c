"""What a search space is: named genes, and the architectures that their values stand for."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from moo_nas.arrays import IntArray, SeedLike
from moo_nas.errors import SpaceError
from moo_nas.spaces.architecture import Architecture
from moo_nas.spaces.gene import Choice, Gene
from moo_nas.spaces.tables import BlockCost, Tabulated


class SearchSpace(ABC):
    """A finite product of named genes, with a decoder.

    A genome is an int64 row of shape ``(n_var,)`` holding *indices* into each gene's choices;
    genomes are handled as matrices ``(n, n_var)``. Subclasses give ``genes``, ``decode`` and
    ``encode``; where several genomes stand for one network they also give ``canonical``.
    """

    name: ClassVar[str]
    genes: tuple[Gene, ...]

    @abstractmethod
    def decode(self, genome: IntArray) -> Architecture:
        """Return the architecture of one genome ``(n_var,)``.

        Raises:
            SpaceError: The genome is not of this space.
        """

    @abstractmethod
    def encode(self, architecture: Architecture) -> IntArray:
        """Return the canonical genome ``(n_var,)`` of an architecture.

        Raises:
            SpaceError: The architecture is not of this space.
        """

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What the space depends on, as JSON: two spaces with equal settings are equal."""

    def canonical(self, genomes: IntArray) -> IntArray:
        """Return genomes ``(n, n_var)`` with one form for each network; idempotent."""
        return genomes

    def tabulate(self, cost: BlockCost) -> Tabulated | None:
        """Return a cost over blocks as a function of genomes that looks it up; None where there is none."""
        return None

    @property
    def whole(self) -> "SearchSpace":
        """The space that this one is a part of, and shares its genomes with: measurements are kept by it."""
        return self

    @property
    def architectures(self) -> "SearchSpace":
        """The space of the architectures alone, where genomes have a hardware configuration after them."""
        return self

    @property
    def n_var(self) -> int:
        """How many genes there are."""
        return len(self.genes)

    @cached_property
    def n_choices(self) -> IntArray:
        """How many choices each gene has, ``(n_var,)``."""
        return np.array([len(gene.choices) for gene in self.genes], dtype=np.int64)

    @cached_property
    def categorical(self) -> npt.NDArray[np.bool_]:
        """Which genes are categorical, ``(n_var,)``."""
        return np.array([gene.kind == "categorical" for gene in self.genes])

    @cached_property
    def size(self) -> int:
        """How many genomes there are, exactly."""
        return math.prod(len(gene.choices) for gene in self.genes)

    def sample(self, n: int, seed: SeedLike) -> IntArray:
        """Return ``n`` genomes ``(n, n_var)`` drawn uniformly, with replacement.

        Example:
            >>> from moo_nas.spaces import StageSpace
            >>> StageSpace.haenas().sample(100, seed=0).shape
            (100, 26)
        """
        if n < 0:
            raise SpaceError(f"A sample needs n >= 0 genomes; got {n}.")
        rng = np.random.default_rng(seed)
        return rng.integers(0, self.n_choices, size=(n, self.n_var), dtype=np.int64)

    def genome_at(self, index: int) -> IntArray:
        """Return genome number ``index`` of the ``size`` there are, last gene fastest."""
        genome = np.empty(self.n_var, dtype=np.int64)
        for position in reversed(range(self.n_var)):
            index, genome[position] = divmod(index, int(self.n_choices[position]))
        return genome

    @property
    def n_distinct(self) -> int:
        """How many networks there are: what :meth:`distinct_at` counts; ``size`` where that is not known."""
        return self.size

    def distinct_at(self, index: int) -> IntArray:
        """Return canonical genome ``(n_var,)`` number ``index`` of ``n_distinct``; all there are come up."""
        canonical: IntArray = self.canonical(self.genome_at(index)[None])[0]
        return canonical

    def check(self, genomes: npt.ArrayLike) -> IntArray:
        """Return genomes as an int64 matrix ``(n, n_var)``.

        Raises:
            SpaceError: Not integers, of another width, or an index that a gene does not have.
        """
        matrix = np.atleast_2d(np.asarray(genomes))
        if not np.issubdtype(matrix.dtype, np.integer):
            raise SpaceError(f"Genomes of {self.name} must be integers; got {matrix.dtype}.")
        if matrix.ndim != 2 or matrix.shape[1] != self.n_var:
            raise SpaceError(f"Genomes of {self.name} have {self.n_var} genes; got shape {matrix.shape}.")
        wrong = (matrix < 0) | (matrix >= self.n_choices)
        if wrong.any():
            row, position = map(int, np.argwhere(wrong)[0])
            gene = self.genes[position]
            raise SpaceError(
                f"Gene '{gene.name}' has choices {gene.choices}, indices 0 to {len(gene.choices) - 1}; "
                f"got index {matrix[row, position]} in genome {row}."
            )
        return matrix.astype(np.int64, copy=False)

    def choices(self, genomes: IntArray) -> pd.DataFrame:
        """Return genomes as a table of *choices*, one column a gene."""
        return pd.DataFrame(
            {
                gene.name: np.array(gene.choices)[genomes[:, position]]
                for position, gene in enumerate(self.genes)
            }
        )

    def genome_of(self, choices: Sequence[Choice]) -> IntArray:
        """Return the genome ``(n_var,)`` of one choice a gene, in the genes' order.

        Raises:
            SpaceError: A gene has no such choice.
        """
        return np.array(
            [gene.index(choice) for gene, choice in zip(self.genes, choices, strict=True)], dtype=np.int64
        )
