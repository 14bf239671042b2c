"""What a model sees of a genome: its genes, the network's structure, and what is known of it for free."""

from functools import cache
from typing import Any

import numpy as np

from moo_nas.algorithms.surrogate.scale import least_positive, logarithm
from moo_nas.arrays import BoolArray, FloatArray, IntArray
from moo_nas.spaces import CellSpace, SearchSpace
from moo_nas.spaces.graph import operation, pairs

_ALIKE = 0.999  # correlation from which on a metric says nothing that another does not
_MANY, _DIRECTIONS = 256, 64  # choices from which on they are that many numbers
_FAR = 6.0  # spreads from the median that a metric is taken to be at most


class Features:
    """Features of genomes as a matrix, in groups of columns that a model weighs together.

    Genes: of a categorical one a column a choice (of very many, 64 random numbers a choice), of an ordinal
    one its number. Genes with the same choices together: how many have each choice, or their mean. Of
    cells, the operations of edges that matter, and the paths from input to output. Metrics known before
    evaluation, as logarithms where none is negative and most are positive; one that tells nothing beside
    another is left out. Each group has a mean squared length of one over the population.

    Args:
        space: Of the genomes.
        population: Genomes ``(n, n_var)`` that the features are standardised on.
        free: The known metrics of the population, ``(n, n_free)``; NaN where there is none.

    Attributes:
        groups: The columns of each group.
        n_metrics: How many of the groups, the last ones, are of metrics.
    """

    def __init__(self, space: SearchSpace, population: IntArray, free: FloatArray) -> None:
        self._space = space
        self._metrics = _Metrics(free)
        self._scales: list[tuple[IntArray, FloatArray, float]] = []
        self.groups: list[IntArray] = []
        position = 0
        for block in self._blocks(population, free):
            spread = block.std(axis=0)
            varies = np.flatnonzero(spread > 1e-9)
            length = float(np.sqrt((spread[varies] ** 2).sum()))
            self._scales.append((varies, block[:, varies].mean(axis=0), length))
            if len(varies):
                self.groups.append(np.arange(position, position + len(varies)))
                position += len(varies)
        self.n_metrics = self._metrics.n_kept

    def __call__(self, genomes: IntArray, free: FloatArray) -> FloatArray:
        """Return the features ``(n, d)`` of genomes ``(n, n_var)`` with known metrics ``(n, n_free)``."""
        return np.column_stack(
            [
                (block[:, varies] - mean) / (length or 1.0)
                for block, (varies, mean, length) in zip(
                    self._blocks(genomes, free), self._scales, strict=True
                )
            ]
        )

    def _blocks(self, genomes: IntArray, free: FloatArray) -> list[FloatArray]:
        genes = [_gene(self._space, gene, genomes) for gene in range(self._space.n_var)]
        together = _alike(self._space, genomes)
        cell = self._space.architectures  # of a joint space; genes of the hardware come after it
        if isinstance(cell, CellSpace):
            # One group: which edge has an operation says less than what becomes of it.
            of_cell, others = genes[: cell.n_var], genes[cell.n_var :]
            blocks = _cell_blocks(cell, genomes[:, : cell.n_var])
            return [np.hstack(of_cell), *others, *together, *blocks, *self._metrics(free)]
        return [*genes, *together, *self._metrics(free)]


class _Metrics:
    """Known metrics as columns, each on a scale of its own, without those that repeat another."""

    def __init__(self, free: FloatArray) -> None:
        finite = np.where(np.isfinite(free), free, np.nan)
        self._columns = np.flatnonzero(np.isfinite(finite).any(axis=0))
        finite = finite[:, self._columns]
        least = [least_positive(column[np.isfinite(column)]) for column in finite.T]
        self._least = np.array([np.nan if value is None else value for value in least])
        scaled = self._on_scale(finite)
        self._median = np.nanmedian(scaled, axis=0) if len(self._columns) else np.empty(0)
        self._spread = np.nanstd(scaled, axis=0) if len(self._columns) else np.empty(0)
        self._spread[self._spread <= 1e-12] = 1.0
        standard = self._standard(scaled)
        self._kept: list[int] = []
        for column in range(standard.shape[1]):
            if standard[:, column].std() > 1e-9 and all(
                abs(np.corrcoef(standard[:, column], standard[:, other])[0, 1]) < _ALIKE
                for other in self._kept
            ):
                self._kept.append(column)

    @property
    def n_kept(self) -> int:
        """How many are columns."""
        return len(self._kept)

    def __call__(self, free: FloatArray) -> list[FloatArray]:
        standard = self._standard(self._on_scale(free[:, self._columns]))
        return [standard[:, [column]] for column in self._kept]

    def _on_scale(self, free: FloatArray) -> FloatArray:
        scaled = np.where(np.isfinite(free), free, np.nan)
        is_linear = np.isnan(self._least) | np.isnan(scaled)
        return np.where(is_linear, scaled, logarithm(scaled, self._least))

    def _standard(self, scaled: FloatArray) -> FloatArray:
        standard = np.clip((scaled - self._median) / self._spread, -_FAR, _FAR)
        return np.where(np.isnan(standard), 0.0, standard)


def _gene(space: SearchSpace, gene: int, genomes: IntArray) -> FloatArray:
    """Return a gene as columns: a categorical one's choices, an ordinal one's number."""
    column, n = genomes[:, [gene]], int(space.n_choices[gene])
    if space.categorical[gene] and n > _MANY:
        return _directions(n)[genomes[:, gene]]
    if space.categorical[gene]:
        column = column == np.arange(n)
    return column.astype(np.float64)


@cache
def _directions(n: int) -> FloatArray:
    """Return a row of random numbers a choice: all about as far from each other as columns of their own."""
    return np.random.default_rng(0).standard_normal((n, _DIRECTIONS))


def _alike(space: SearchSpace, genomes: IntArray) -> list[FloatArray]:
    """Return a block for all genes with the same choices: how many have each; of ordinal ones, their mean."""
    found: dict[Any, list[int]] = {}
    for position, gene in enumerate(space.genes):
        found.setdefault((gene.kind, tuple(gene.choices)), []).append(position)
    return [
        np.mean([_gene(space, gene, genomes) for gene in positions], axis=0)
        for positions in found.values()
        if len(positions) > 1
    ]


def _cell_blocks(space: CellSpace, genomes: IntArray) -> list[FloatArray]:
    """Return what becomes of a cell's edges, each number as a share of the most it can be.

    How many edges have each operation, of those that lead to the output and of those that lie on a
    path from the input to it; the paths: how many, and the most edges, layers and convolutions on one.
    """
    n, edges = len(space.operators), list(enumerate(pairs(space.n_nodes)))
    operations = [operation(name) for name in space.operators]
    present: BoolArray = np.array([one.kind != "none" for one in operations])[genomes]
    nodes = range(1, space.n_nodes + 1)
    leads = {node: np.full(len(genomes), node == space.n_nodes) for node in nodes}
    reached = {node: np.full(len(genomes), node == 1) for node in nodes}
    for edge, (source, target) in sorted(edges, key=lambda item: -item[1][0]):
        leads[source] = leads[source] | (present[:, edge] & leads[target])
    for edge, (source, target) in sorted(edges, key=lambda item: item[1][1]):
        reached[target] = reached[target] | (present[:, edge] & reached[source])
    needed = np.column_stack([present[:, edge] & leads[target] for edge, (_, target) in edges])
    live = needed & np.column_stack([reached[source] for _, (source, _) in edges])
    blocks = [
        np.column_stack([((genomes == choice) & kept).mean(axis=1) for choice in range(n)])
        for kept in (needed, live)
    ]
    lengths = [
        np.ones(n),
        np.array([float(one.is_layer) for one in operations]),
        np.array([float(one.kind == "conv") for one in operations]),
    ]
    n_paths = {node: np.full(len(genomes), float(node == 1)) for node in nodes}
    longest = {node: np.zeros((len(lengths), len(genomes))) for node in nodes}
    for edge, (source, target) in sorted(edges, key=lambda item: item[1][1]):
        n_paths[target] = n_paths[target] + live[:, edge] * n_paths[source]
        with_it = longest[source] + np.array([length[genomes[:, edge]] for length in lengths])
        longest[target] = np.maximum(longest[target], live[:, edge] * with_it)
    share = n_paths[space.n_nodes] / 2 ** (space.n_nodes - 2)
    paths = np.column_stack([share, *longest[space.n_nodes] / (space.n_nodes - 1), live.mean(axis=1)])
    return [*blocks, paths]
