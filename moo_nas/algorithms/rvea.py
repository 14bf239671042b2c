"""RVEA on integer genomes."""

from typing import Any

import numpy as np

from moo_nas.algorithms.decomposition import angles, directions, scaled
from moo_nas.algorithms.genetic import Elitist
from moo_nas.arrays import IntArray
from moo_nas.errors import check_number, whole_number


class RVEA(Elitist):
    r"""RVEA: one network a reference vector, by a distance that punishes straying from it more and more.

    The angle-penalised distance of a network at an angle :math:`\theta` from its vector is
    :math:`(1 + m (t / t_{max})^\alpha \, \theta / \gamma) \, |f|`, with m objectives and
    :math:`\gamma` the angle to the nearest other vector; :math:`t / t_{max}` is the share of
    ``horizon`` that was evaluated, 1 beyond it. For three objectives and more. Objectives are
    scaled by the front at every step, in place of adapting the vectors now and then; where vectors
    have no network, the best of the others by rank fill up the population.

    Args:
        pop_size: About how many vectors there are, and how many survive a step.
        n_offsprings: How many children a step; by default a quarter of ``pop_size``, half of a large one.
        alpha: How late straying is punished.
        horizon: After how many evaluations it is punished in full.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change beside the one that does for sure.
        n_even: How many of the first networks are spread evenly; by default ``pop_size`` / 4, at most 5.

    References:
        R. Cheng, Y. Jin, M. Olhofer, B. Sendhoff. A Reference Vector Guided Evolutionary Algorithm
        for Many-Objective Optimization. IEEE Transactions on Evolutionary Computation 20(5), 2016.
    """

    def __init__(
        self,
        pop_size: int = 16,
        n_offsprings: int | None = None,
        alpha: float = 2.0,
        horizon: int = 200,
        crossover_probability: float = 0.5,
        mutation_probability: float = 0.0,
        n_even: int | None = None,
    ) -> None:
        super().__init__(pop_size, n_offsprings, crossover_probability, mutation_probability, n_even)
        check_number("alpha", alpha)
        self.alpha = alpha
        self.horizon = whole_number("horizon must be a whole number", horizon, 1)

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        super()._setup(problem, warm_start, **kwargs)
        self._vectors = directions(problem.n_obj, self.pop_size)
        between = angles(self._vectors, self._vectors)
        np.fill_diagonal(between, np.pi / 2)
        self._gamma = between.min(axis=1)

    def _selected(self, feasible: IntArray, n: int) -> IntArray:
        f = np.maximum(scaled(self.f[feasible], self.f[self.rank == 0]), 0.0)
        angle = angles(f, self._vectors)
        vector = angle.argmin(axis=1)
        rows = np.arange(len(f))
        share = min(len(self._unseen) / self.horizon, 1.0) ** self.alpha
        strayed = angle[rows, vector] / self._gamma[vector]
        distance = (1 + f.shape[1] * share * strayed) * np.linalg.norm(f, axis=1)
        by_distance = np.argsort(distance, kind="stable")
        _, first = np.unique(vector[by_distance], return_index=True)
        best = by_distance[first]
        others = np.setdiff1d(rows, best)
        others = others[np.lexsort((distance[others], self.rank[feasible[others]]))]
        best = best[np.argsort(distance[best], kind="stable")]
        return np.sort(feasible[np.concatenate([best, others])[:n]])
