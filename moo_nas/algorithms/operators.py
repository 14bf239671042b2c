"""Variation and selection on integer genomes, vectorised."""

import moocore
import numpy as np

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import check_number
from moo_nas.spaces import SearchSpace

_TINY = 2.0**-60  # where a logarithm would be of 0


class Mutation:
    """Changes one gene, and each other with a probability; a categorical is redrawn, an ordinal steps.

    An ordinal gene moves d choices away with a probability in proportion to 2**-d, so mostly to a
    neighbour, from either end as easily as from the middle; a changed gene always differs.

    Args:
        space: The space of the genomes.
        probability: Of each gene to change beside the one that does for sure.
    """

    def __init__(self, space: SearchSpace, probability: float = 0.0) -> None:
        self.probability = probability
        check_number("A mutation probability", probability, 0, 1)
        self._n_choices, self._categorical = space.n_choices, space.categorical

    def __call__(self, genomes: IntArray, rng: np.random.Generator) -> IntArray:
        """Return mutated copies of genomes ``(n, n_var)``; each differs from its original."""
        changed = rng.random(genomes.shape) < self.probability
        changed[np.arange(len(genomes)), rng.integers(0, genomes.shape[1], len(genomes))] = True
        rows, genes = np.nonzero(changed)
        draws, current, n = rng.random(len(rows)), genomes[rows, genes], self._n_choices[genes]
        mutated = genomes.copy()
        mutated[rows, genes] = np.where(
            self._categorical[genes], _redrawn(draws, current, n), _stepped(draws, current, n)
        )
        return mutated


def _redrawn(draws: FloatArray, current: IntArray, n: IntArray) -> IntArray:
    """Return which of the ``n - 1`` other choices draws from [0, 1) stand for, all as likely."""
    other = np.minimum((draws * (n - 1)).astype(np.int64), n - 2)
    return other + (other >= current)


def _stepped(draws: FloatArray, current: IntArray, n: IntArray) -> IntArray:
    r"""Return which of the other choices draws from [0, 1) stand for, as likely as 2**-d of the distance d.

    The choices up to :math:`k` below the current :math:`c` weigh :math:`2^{k - c + 1} - 2^{-c}`, and those
    up to :math:`d` above it :math:`1 - 2^{-d}`: the first sum beyond a draw is found by logarithms.
    """
    least = np.exp2(-current.astype(np.float64))
    below, above = 1 - least, 1 - np.exp2(current + 1.0 - n)
    weight = draws * (below + above)
    down = current + np.floor(np.log2(np.maximum(weight + least, _TINY))).astype(np.int64)
    up = current + 1 + np.floor(-np.log2(np.clip(1 - (weight - below), _TINY, 1))).astype(np.int64)
    stepped: IntArray = np.where(
        weight < below, np.clip(down, 0, current - 1), np.clip(up, current + 1, n - 1)
    )
    return stepped


def uniform_crossover(a: IntArray, b: IntArray, rng: np.random.Generator) -> IntArray:
    """Return one child ``(n, n_var)`` a pair of parents, each gene from either with equal chance."""
    return np.where(rng.random(a.shape) < 0.5, a, b)


def tournament(priority: IntArray, n: int, size: int, rng: np.random.Generator) -> IntArray:
    """Return the winners ``(n,)`` of tournaments among ``size`` drawn with replacement; least wins."""
    drawn = rng.integers(0, len(priority), size=(n, size))
    winners: IntArray = drawn[np.arange(n), priority[drawn].argmin(axis=1)]
    return winners


def priority(f: FloatArray, violation: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return each row's place ``(n,)``, 0 the best: least violation, then rank, then crowding distance.

    Infeasible rows are placed by their violation; with one objective, by the objective after it. Ties
    are broken at random.

    Args:
        f: Objectives to be minimised, ``(n, n_obj)``.
        violation: Summed constraint violation, ``(n,)``; 0 where feasible.
        rng: What breaks ties.
    """
    if f.shape[1] == 1:
        return places((violation, f[:, 0]), rng)
    rank = ranks(f, violation)
    crowding = np.where(np.isfinite(rank), crowding_distances(f, rank), 0.0)
    return places((violation, rank, -crowding), rng)


def ranks(f: FloatArray, violation: FloatArray) -> FloatArray:
    """Return each row's non-dominated rank among the feasible ``(n,)``, 0 the best; else infinity.

    What breaks a limit has no part in it, so it never pushes back what it dominates.
    """
    rank, feasible = np.full(len(f), np.inf), violation <= 0
    if feasible.any():
        if f.shape[1] == 1:
            rank[feasible] = np.unique(f[feasible, 0], return_inverse=True)[1].ravel()
        else:
            rank[feasible] = moocore.pareto_rank(f[feasible])
    return rank


def crowding_distances(f: FloatArray, rank: FloatArray) -> FloatArray:
    r"""Return each row's crowding distance ``(n,)`` within its front: those of equal rank.

    The distance is :math:`\sum_k (f_k^{next} - f_k^{previous}) / (f_k^{max} - f_k^{min})`, of the
    neighbours in the front by each objective; infinite for its extremes.

    References:
        K. Deb, A. Pratap, S. Agarwal, T. Meyarivan. A Fast and Elitist Multiobjective Genetic
        Algorithm: NSGA-II. IEEE Transactions on Evolutionary Computation 6(2), 2002.
    """
    distance = np.zeros(len(f))
    for values in f.T:
        order = np.lexsort((values, rank))
        ordered, front = values[order], rank[order]
        starts = np.flatnonzero(np.concatenate([[True], front[1:] != front[:-1]]))
        ends = np.concatenate([starts[1:], [len(f)]]) - 1
        width = np.repeat(ordered[ends] - ordered[starts], ends - starts + 1)
        gap = np.full(len(f), np.inf)
        inside = np.flatnonzero(front[2:] == front[:-2]) + 1
        gap[inside] = (ordered[inside + 1] - ordered[inside - 1]) / np.where(width > 0, width, 1.0)[inside]
        distance[order] += gap
    return distance


def most_crowded(f: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Return ``n`` rows of a front ``(m, n_obj)``: the most crowded, then of those left, and so on.

    Equals are told apart at random.
    """
    shuffled = rng.permutation(len(f))
    size, infinite = len(f), float("inf")
    # Neighbours by each objective, which close up when a row is taken; beyond the ends is row `size`.
    # Lists, as one at a time is taken: on so few numbers arrays are slower.
    chains: list[tuple[list[int], list[int], list[float], list[float]]] = []
    for values in f[shuffled].T:
        order = values.argsort(kind="stable")
        before, after = np.full(size + 1, size), np.full(size + 1, size)
        before[order[1:]], after[order[:-1]] = order[:-1], order[1:]
        scaled = values / (float(values[order[-1]] - values[order[0]]) or 1.0)
        gaps = np.full(size, np.inf)
        gaps[order[1:-1]] = scaled[order[2:]] - scaled[order[:-2]]
        chains.append((before.tolist(), after.tolist(), scaled.tolist(), gaps.tolist()))
    crowding = [sum(parts) for parts in zip(*(chain[3] for chain in chains), strict=True)]
    left, taken = set(range(size)), []
    for _ in range(n):
        least = min(crowding)
        row = crowding.index(least) if least < infinite else min(left)  # only ends are left
        left.remove(row)
        taken.append(row)
        for back, on, at, open_ in chains:
            i, j = back[row], on[row]
            on[i], back[j] = j, i
            for near in (i, j):
                if near < size:
                    inside = back[near] < size and on[near] < size
                    open_[near] = at[on[near]] - at[back[near]] if inside else infinite
                    crowding[near] = sum(chain[3][near] for chain in chains)
        crowding[row] = infinite
    return shuffled[taken]


def places(keys: tuple[FloatArray, ...], rng: np.random.Generator) -> IntArray:
    """Return each row's place ``(n,)`` by several keys, the first counting most; ties at random."""
    order = np.lexsort((rng.random(len(keys[0])), *reversed(keys)))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place
