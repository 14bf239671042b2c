"""Variation and selection on integer genomes, vectorised."""

import numpy as np
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError
from moo_nas.spaces import SearchSpace


class Mutation:
    """Changes genes: at least one, each with a probability; a categorical gene is redrawn, an ordinal steps.

    An ordinal gene moves d choices away with a probability in proportion to 2**-d, so mostly to a
    neighbour, from either end as easily as from the middle; a changed gene always differs.

    Args:
        space: The space of the genomes.
        probability: Of each gene to change; by default one gene in ``n_var``.
    """

    def __init__(self, space: SearchSpace, probability: float | None = None) -> None:
        self.probability = 1 / space.n_var if probability is None else probability
        if not 0 <= self.probability <= 1:
            raise InputError(f"A mutation probability lies in [0, 1]; got {self.probability}.")
        most = int(space.n_choices.max())
        # cumulative[gene, current, k]: the probability that the new choice is at most k.
        cumulative = np.ones((space.n_var, most, most))
        for gene, (n, categorical) in enumerate(zip(space.n_choices, space.categorical, strict=True)):
            distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
            weight = np.where(distance == 0, 0.0, 1.0 if categorical else 2.0**-distance)
            cumulative[gene, :n, :n] = np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1)
            # Exactly: a sum may round to just below, and the last choice never becomes itself.
            cumulative[gene, :n, n - 1 :] = 1.0
            cumulative[gene, n - 1, n - 2] = 1.0
        self._cumulative = cumulative

    def __call__(self, genomes: IntArray, rng: np.random.Generator) -> IntArray:
        """Return mutated copies of genomes ``(n, n_var)``; each differs from its original."""
        changed = rng.random(genomes.shape) < self.probability
        changed[np.arange(len(genomes)), rng.integers(0, genomes.shape[1], len(genomes))] = True
        rows, genes = np.nonzero(changed)
        draws = rng.random(len(rows))[:, None]
        mutated = genomes.copy()
        mutated[rows, genes] = (draws >= self._cumulative[genes, genomes[rows, genes]]).sum(axis=1)
        return mutated


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

    With one objective, rank is the objective itself; with several, infeasible rows are placed by
    their violation alone. Ties are broken at random.

    Args:
        f: Objectives to be minimised, ``(n, n_obj)``.
        violation: Summed constraint violation, ``(n,)``; 0 where feasible.
        rng: What breaks ties.
    """
    n, crowding = len(f), np.zeros(len(f))
    if f.shape[1] == 1:
        rank = f[:, 0]
    else:
        # The feasible alone: what breaks a limit must not push back what it dominates.
        rank, feasible = np.zeros(n), np.flatnonzero(violation <= 0)
        for level, front in enumerate(NonDominatedSorting().do(f[feasible]) if len(feasible) else ()):
            rank[feasible[front]] = level
            crowding[feasible[front]] = calc_crowding_distance(f[feasible[front]])
    return places((violation, rank, -crowding), rng)


def places(keys: tuple[FloatArray, ...], rng: np.random.Generator) -> IntArray:
    """Return each row's place ``(n,)`` by several keys, the first counting most; ties at random."""
    order = np.lexsort((rng.random(len(keys[0])), *reversed(keys)))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place
