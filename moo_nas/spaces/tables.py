"""Costs as tables over genes: written once on blocks, looked up for millions of genomes a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.spaces.block import Block

# Genomes handled at a time: small enough that a chunk's columns stay in the processor's cache.
_CHUNK = 8192

Reduction = Literal["sum", "max"]


class BlockCost(Protocol):
    """What a space can tabulate: costs of single blocks, each summed or maximised over blocks."""

    image_size: int
    n_classes: int

    @property
    def reductions(self) -> tuple[Reduction, ...]:
        """How each cost of the blocks makes that of the network, ``(n_costs,)``."""

    def block_cost(self, block: Block) -> Sequence[float] | FloatArray:
        """Return one block's costs, ``(n_costs,)``."""

    def reduce(self, costs: FloatArray) -> FloatArray:
        """Return the costs ``(n_costs,)`` of blocks ``(n_blocks, n_costs)`` together."""


def reduce_costs(costs: FloatArray, reductions: Sequence[Reduction]) -> FloatArray:
    """Sum or maximise each column of ``(n_blocks, n_costs)``, to ``(n_costs,)``; of no rows, zeros."""
    if len(costs) == 0:
        return np.zeros(len(reductions))
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
    """A chain of stage tables; calling it on genomes gives their costs.

    Args:
        constant: What every architecture costs, ``(n_costs,)``.
        tables: One table a stage.
        reductions: How each cost is gathered over the stages.
    """

    def __init__(
        self, constant: FloatArray, tables: Sequence[StageTable], reductions: Sequence[Reduction]
    ) -> None:
        self.constant = constant
        self.tables = tuple(tables)
        self.reductions = tuple(reductions)
        self._gather = [
            (gather, columns)
            for gather, reduction in ((np.add, "sum"), (np.maximum, "max"))
            if (columns := [i for i, r in enumerate(reductions) if r == reduction])
        ]

    def __call__(self, genomes: IntArray) -> FloatArray:
        """Return the costs ``(n, n_costs)`` of genomes ``(n, n_var)``."""
        costs = np.empty((len(genomes), len(self.constant)))
        for gather, columns in self._gather:
            # Each kind of cost has its own contiguous table: whole rows are looked up and added.
            values = [np.ascontiguousarray(table.values[:, columns]) for table in self.tables]
            for start in range(0, len(genomes), _CHUNK):
                chunk = genomes[start : start + _CHUNK]
                total = np.tile(self.constant[columns], (len(chunk), 1))
                for table, value in zip(self.tables, values, strict=True):
                    gather(total, value.take(table.row(chunk), axis=0), out=total)
                costs[start : start + _CHUNK, columns] = total
        return costs
