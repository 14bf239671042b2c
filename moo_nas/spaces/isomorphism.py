"""Which cells are the same network: one canonical genome for each."""

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np

from moo_nas.arrays import IntArray
from moo_nas.spaces.graph import pairs

# Numbers that stand for a sorted collection of numbers under a label.
_Names = dict[tuple[str, tuple[int, ...]], int]


@functools.cache
def canonical_numbers(n_nodes: int, operators: tuple[str, ...]) -> IntArray:
    """Return the number of the canonical genome of every genome, ``(n_genomes,)``.

    Genomes are numbered as :meth:`~moo_nas.spaces.space.SearchSpace.genome_at` does; an edge holds
    the index of its operator. See :class:`~moo_nas.spaces.cell.CellSpace` for what is the same.
    """
    genomes = all_genomes(len(pairs(n_nodes)), len(operators))
    live = without_dead_edges(genomes, n_nodes, operators)
    numbers = number(live, len(operators))
    names: _Names = {}
    chosen: dict[tuple[object, ...], tuple[int, int]] = {}
    graph: dict[int, tuple[object, ...]] = {}
    none = operators.index("none") if "none" in operators else -1
    kept, first = np.unique(numbers, return_index=True)
    for n, row in zip(kept.tolist(), live[first].tolist(), strict=True):
        graph[n] = computation(row, n_nodes, operators, names)
        # The form with the fewest edges, the first of several.
        rank = (sum(gene != none for gene in row), n)
        chosen[graph[n]] = min(rank, chosen.get(graph[n], rank))
    canonical = np.array([chosen[graph[n]][1] for n in kept.tolist()], dtype=np.int64)
    return canonical[np.searchsorted(kept, numbers)]


def all_genomes(n_var: int, n_choices: int) -> IntArray:
    """Return every genome of so many genes of so many choices, last gene fastest."""
    return np.indices((n_choices,) * n_var, dtype=np.int64).reshape(n_var, -1).T.copy()


def number(genomes: IntArray, n_choices: int) -> IntArray:
    """Return each genome's number ``(n,)``, the inverse of :func:`all_genomes`."""
    numbers: IntArray = genomes @ n_choices ** np.arange(genomes.shape[1] - 1, -1, -1)
    return numbers


def without_dead_edges(genomes: IntArray, n_nodes: int, operators: Sequence[str]) -> IntArray:
    """Return genomes ``(n, n_edges)`` with every edge that no path from input to output takes ``none``."""
    genomes = genomes.copy()
    if "none" not in operators:
        return genomes
    none = operators.index("none")
    edges = pairs(n_nodes)
    present = genomes != none
    reached = np.zeros((n_nodes + 1, len(genomes)), dtype=bool)
    leads = reached.copy()
    reached[1] = leads[n_nodes] = True
    for column, (source, target) in enumerate(edges):  # sources in their order
        reached[target] |= present[:, column] & reached[source]
    for column, (source, target) in reversed(list(enumerate(edges))):
        leads[source] |= present[:, column] & leads[target]
    for column, (source, target) in enumerate(edges):
        genomes[~(reached[source] & leads[target]), column] = none
    return genomes


def computation(
    genome: Sequence[int], n_nodes: int, operators: Sequence[str], names: _Names
) -> tuple[object, ...]:
    """Return what a genome without dead edges computes, the same for isomorphic computations.

    A computation is its operations, each applied to a sum of the input and of other operations'
    results, and the sum that is put out. A skip passes a sum on; ``none`` adds nothing. Two are
    isomorphic if one operation can be matched to each of the other, with the same sums.

    Args:
        genome: An operator's index an edge.
        n_nodes: Nodes of the cell.
        operators: What the indices stand for.
        names: Numbers given to collections so far; computations that are compared share it.
    """
    sums: dict[int, tuple[int, ...]] = {1: (0,)}  # of a node: 0 for the input, i + 1 for operation i
    labels: list[str] = []
    inputs: list[tuple[int, ...]] = []
    edges = list(zip(pairs(n_nodes), genome, strict=True))
    for node in range(2, n_nodes + 1):
        terms: list[int] = []
        for (source, target), gene in edges:
            if target != node or operators[gene] == "none":
                continue
            if operators[gene] == "skip_connect":
                terms += sums[source]
            else:
                labels.append(operators[gene])
                inputs.append(sums[source])
                terms.append(len(labels))
        sums[node] = tuple(terms)
    # An operation's name is its label and the names of what it is applied to, all the way to the input.
    named = [0]
    for label, terms_in in zip(labels, inputs, strict=True):
        expanded = (label, tuple(sorted(named[term] for term in terms_in)))
        named.append(names.setdefault(expanded, len(names) + 1))
    # Operations of one name may still be shared differently: the least numbering tells.
    groups: dict[int, list[int]] = {}
    for i in range(1, len(named)):
        groups.setdefault(named[i], []).append(i)
    ordered = [groups[name] for name in sorted(groups)]
    written = []
    for orders in itertools.product(*(itertools.permutations(group) for group in ordered)):
        place = {0: 0, **{i: k for k, i in enumerate(itertools.chain(*orders), start=1)}}
        written.append(
            (
                tuple(tuple(sorted(place[t] for t in inputs[i - 1])) for i in itertools.chain(*orders)),
                tuple(sorted(place[t] for t in sums[n_nodes])),
            )
        )
    return (tuple(sorted(named[1:])), *min(written))


def n_genomes(n_nodes: int, n_operators: int) -> int:
    """Return how many genomes cells of so many nodes and operators have."""
    return int(n_operators ** math.comb(n_nodes, 2))
