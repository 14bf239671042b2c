"""What a model sees of a genome: its genes, the network's structure, and what is known of it for free."""

from itertools import combinations, pairwise

import numpy as np

from moo_nas.arrays import BoolArray, FloatArray, IntArray
from moo_nas.spaces import CellSpace, SearchSpace, StageSpace
from moo_nas.spaces.graph import operation, pairs

_ALIKE = 0.999  # correlation from which on a metric says nothing that another does not
_FAR = 6.0  # spreads from the median that a metric is taken to be at most


class Features:
    """Features of genomes as a matrix, in groups of columns that a model weighs together.

    Genes: of all categorical ones together a column a choice, of each ordinal one its number.
    Structure: of cells, genes and operations of the edges that lie on a path from input to output,
    how many paths there are and the longest; of stages, each attribute summed over them. Metrics
    known before evaluation, as logarithms where all are positive; one that tells nothing beside
    another is left out. Each group has a mean squared length of one over the population.

    Args:
        space: Of the genomes.
        population: Genomes ``(n, n_var)`` that the features are standardised on.
        free: The known metrics of the population, ``(n, n_free)``; NaN where there is none.

    Attributes:
        groups: The columns of each group.
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
        categorical = np.flatnonzero(self._space.categorical)
        blocks = [
            *(
                [_choices(genomes[:, categorical], self._space.n_choices[categorical])]
                if len(categorical)
                else []
            ),
            *(genomes[:, [gene]].astype(np.float64) for gene in np.flatnonzero(~self._space.categorical)),
        ]
        if isinstance(self._space, CellSpace):
            blocks += _cell_blocks(self._space, genomes)
        elif isinstance(self._space, StageSpace):
            blocks.append(_stage_sums(self._space, genomes))
        return [*blocks, *self._metrics(free)]


class _Metrics:
    """Known metrics as columns, each on a scale of its own, without those that repeat another."""

    def __init__(self, free: FloatArray) -> None:
        finite = np.where(np.isfinite(free), free, np.nan)
        self._columns = np.flatnonzero(np.isfinite(finite).any(axis=0))
        finite = finite[:, self._columns]
        self._log = np.array([bool((c[np.isfinite(c)] > 0).all()) for c in finite.T], dtype=bool)
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

    def __call__(self, free: FloatArray) -> list[FloatArray]:
        standard = self._standard(self._on_scale(free[:, self._columns]))
        return [standard[:, [column]] for column in self._kept]

    def _on_scale(self, free: FloatArray) -> FloatArray:
        scaled = np.where(np.isfinite(free), free, np.nan)
        # What is not positive, where all of the population were, is as good as unknown.
        positive = np.where(scaled > 0, scaled, np.nan)
        return np.where(self._log, np.log(positive), scaled)

    def _standard(self, scaled: FloatArray) -> FloatArray:
        standard = np.clip((scaled - self._median) / self._spread, -_FAR, _FAR)
        return np.where(np.isnan(standard), 0.0, standard)


def _choices(genes: IntArray, n_choices: IntArray) -> FloatArray:
    """Return genes ``(n, n_genes)`` as a column a choice of each."""
    return np.hstack(
        [(genes[:, [gene]] == np.arange(n)).astype(np.float64) for gene, n in enumerate(n_choices)]
    )


def _cell_blocks(space: CellSpace, genomes: IntArray) -> list[FloatArray]:
    """Return features of what of a cell is live: on a path from its input to its output.

    The operation of each edge that is live; how many edges have each; paths.
    """
    kinds = [operation(name).kind for name in space.operators]
    layers = np.array([operation(name).is_layer for name in space.operators])
    convolutions = np.array([kind == "conv" for kind in kinds])
    number = {pair: edge for edge, pair in enumerate(pairs(space.n_nodes))}
    present: BoolArray = np.isin(genomes, [i for i, kind in enumerate(kinds) if kind != "none"])
    live = np.zeros_like(present)
    n_paths, longest, layered, convolved = np.zeros((4, len(genomes)))
    between, most = range(2, space.n_nodes), space.n_nodes - 1
    for n_between in range(len(between) + 1):
        for nodes in combinations(between, n_between):
            way = [1, *nodes, space.n_nodes]
            path = [number[pair] for pair in pairwise(way)]
            whole: BoolArray = np.asarray(present[:, path].all(axis=1))
            live[:, path] |= whole[:, None]
            n_paths += whole
            longest = np.maximum(longest, np.where(whole, len(path), 0))
            layered = np.maximum(layered, np.where(whole, layers[genomes[:, path]].sum(axis=1), 0))
            convolved = np.maximum(convolved, np.where(whole, convolutions[genomes[:, path]].sum(axis=1), 0))
    n = len(space.operators)
    operations = np.where(live, genomes, n)  # one more, for none
    edges = _choices(operations, np.full(genomes.shape[1], n + 1))
    counts = np.column_stack([(operations == choice).mean(axis=1) for choice in range(n)])
    share = n_paths / 2 ** len(between)
    paths = np.column_stack([share, longest / most, layered / most, convolved / most, live.mean(axis=1)])
    return [edges, counts, paths]


def _stage_sums(space: StageSpace, genomes: IntArray) -> FloatArray:
    """Return each attribute summed over the stages, as a share of the most it can be."""
    columns: dict[str, list[int]] = {}
    for column, gene in enumerate(space.genes):
        columns.setdefault(gene.name.partition(".")[2], []).append(column)
    return np.column_stack(
        [genomes[:, index].sum(axis=1) / (space.n_choices[index] - 1).sum() for index in columns.values()]
    )
