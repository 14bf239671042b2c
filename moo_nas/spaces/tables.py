"""Costs as tables over genes: written once on blocks, looked up for millions of genomes a second."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.spaces.architecture import Architecture, Stage
from moo_nas.spaces.block import Block

# Genomes handled at a time: small enough that a chunk's columns stay in the processor's cache.
_CHUNK = 8192

Reduction = Literal["sum", "max"]
Tabulated = Callable[[IntArray], FloatArray]  # genomes (n, n_var) to their metrics (n, n_metrics)


class Cost(Protocol):
    """Costs of a network's parts, each summed or maximised over the parts.

    What is no sum (a ratio of sums) is derived from the whole network's costs.
    """

    @property
    def reductions(self) -> tuple[Reduction, ...]:
        """How each cost of the parts makes that of the network, ``(n_costs,)``."""

    def derive(self, costs: FloatArray) -> FloatArray:
        """Return the metrics ``(n, n_metrics)`` of networks with these costs ``(n, n_costs)``."""


class StageCost(Cost, Protocol):
    """Costs of whole stages, whatever comes into them."""

    def stage_cost(self, number: int, stage: Stage) -> Sequence[float] | FloatArray:
        """Return the costs ``(n_costs,)`` of a stage, counted from 1."""


class BlockCost(Cost, Protocol):
    """Costs of single blocks."""

    image_size: int
    n_classes: int
    of_layers: bool
    """Are a block's costs those of its layers, each summed or maximised like those of blocks?"""

    def block_cost(self, block: Block) -> Sequence[float] | FloatArray:
        """Return one block's costs, ``(n_costs,)``."""

    def reduce(self, costs: FloatArray) -> FloatArray:
        """Return the costs ``(n_costs,)`` of blocks ``(n_blocks, n_costs)`` together."""


def reduce_costs(costs: FloatArray, reductions: Sequence[Reduction]) -> FloatArray:
    """Sum or maximise each column of ``(n_blocks, n_costs)``, to ``(n_costs,)``; of no rows, zeros.

    Raises:
        ValueError: There are more or fewer columns than reductions.
    """
    if len(costs) == 0:
        return np.zeros(len(reductions))
    if costs.shape[1:] != (len(reductions),):
        raise ValueError(f"a block has {len(reductions)} costs, one a reduction; got {costs.shape[1:]}")
    maximised = np.array([reduction == "max" for reduction in reductions])
    reduced: FloatArray = np.where(maximised, costs.max(axis=0), costs.sum(axis=0))
    return reduced


@dataclass(frozen=True)
class StageTable:
    """One stage's costs by the values of the genes it depends on.

    Args:
        columns: Which columns of a genome the stage depends on.
        strides: What each of them counts in the table's row number.
        values: Costs, ``(product of the columns' choices, n_costs)``.
    """

    columns: IntArray
    strides: IntArray
    values: FloatArray

    @classmethod
    def build(cls, columns: Sequence[int], n_choices: IntArray, values: Sequence[FloatArray]) -> "StageTable":
        """Lay out values given in the order of the columns, last fastest; -1 is a fixed one."""
        genes = np.array([column for column in columns if column >= 0], dtype=np.int64)
        counts = n_choices[genes]
        strides = np.append(np.cumprod(counts[::-1])[::-1][1:], 1)[: len(genes)].astype(np.int64)
        return cls(genes, strides, np.array(values))

    def row(self, genomes: IntArray) -> IntArray:
        """Return which row of the table each genome ``(n, n_var)`` means, ``(n,)``."""
        row = np.zeros(len(genomes), dtype=np.int64)
        for column, stride in zip(self.columns, self.strides, strict=True):
            row += genomes[:, column] * stride
        return row


class CostTables:
    """A chain of stage tables; calling it on genomes gives their metrics.

    Args:
        constant: What every architecture costs, ``(n_costs,)``.
        tables: One table a stage.
        cost: Whose tables these are: it says how costs are gathered over the stages, and what is
            derived from them.
    """

    def __init__(self, constant: FloatArray, tables: Sequence[StageTable], cost: Cost) -> None:
        self.constant = constant
        self.tables = tuple(tables)
        self.reductions = tuple(cost.reductions)
        self.derive = cost.derive
        # Each kind of cost has its own contiguous tables: whole rows are looked up and gathered.
        self._gather = [
            (gather, columns, [np.ascontiguousarray(table.values[:, columns]) for table in self.tables])
            for gather, reduction in ((np.add, "sum"), (np.maximum, "max"))
            if (columns := [i for i, r in enumerate(self.reductions) if r == reduction])
        ]

    def __call__(self, genomes: IntArray) -> FloatArray:
        """Return the metrics ``(n, n_metrics)`` of genomes ``(n, n_var)``."""
        first = self.derive(self._costs(genomes[:_CHUNK]))
        if len(genomes) <= _CHUNK:
            return first
        metrics = np.empty((len(genomes), first.shape[1]))
        metrics[:_CHUNK] = first
        for start in range(_CHUNK, len(genomes), _CHUNK):
            end = start + _CHUNK
            metrics[start:end] = self.derive(self._costs(genomes[start:end]))
        return metrics

    def _costs(self, genomes: IntArray) -> FloatArray:
        costs = np.empty((len(genomes), len(self.constant)))
        rows = [table.row(genomes) for table in self.tables]
        for gather, columns, values in self._gather:
            total = np.tile(self.constant[columns], (len(genomes), 1))
            for row, value in zip(rows, values, strict=True):
                gather(total, value.take(row, axis=0), out=total)
            costs[:, columns] = total
        return costs


class NetworkTable:
    """The costs of whole networks, for a space of few: a row is filled when its network is first met.

    Args:
        n_choices: How many choices each gene has, ``(n_var,)``.
        decode: Returns the architecture of a genome.
        cost: What is tabulated.
        layers: Returns of a genome something that is equal only where all layers are, in whatever order:
            costs of layers are then found once for many networks.
    """

    def __init__(
        self,
        n_choices: IntArray,
        decode: Callable[[IntArray], Architecture],
        cost: BlockCost,
        layers: Callable[[IntArray], Hashable],
    ) -> None:
        self._n_choices = tuple(map(int, n_choices))
        self._decode = decode
        self._cost = cost
        self._layers = layers if cost.of_layers else None
        self._found: dict[Hashable, FloatArray] = {}
        n = int(np.prod(self._n_choices))
        self._costs = np.empty((n, len(cost.reductions)))
        self._known = np.zeros(n, dtype=bool)

    def __call__(self, genomes: IntArray) -> FloatArray:
        """Return the metrics ``(n, n_metrics)`` of genomes ``(n, n_var)``."""
        rows = np.ravel_multi_index(tuple(genomes.T), self._n_choices)
        met = np.zeros_like(self._known)
        met[rows] = True
        for row in np.flatnonzero(met & ~self._known):
            self._costs[row] = self._measured(
                np.array(np.unravel_index(row, self._n_choices), dtype=np.int64)
            )
            self._known[row] = True
        return self._cost.derive(self._costs[rows])

    def _measured(self, genome: IntArray) -> FloatArray:
        if self._layers is None:
            return self._summed(genome)
        layers = self._layers(genome)
        if layers not in self._found:
            self._found[layers] = self._summed(genome)
        return self._found[layers]

    def _summed(self, genome: IntArray) -> FloatArray:
        blocks = self._decode(genome).blocks(self._cost.image_size, self._cost.n_classes)
        # A cell that is repeated is one object: costed once.
        costs = {id(block): self._cost.block_cost(block) for block in {id(b): b for b in blocks}.values()}
        return self._cost.reduce(np.array([costs[id(block)] for block in blocks]))
