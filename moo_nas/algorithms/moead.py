"""MOEA/D on integer genomes."""

from typing import Any

import numpy as np

from moo_nas.algorithms.decomposition import directions, scaled, tchebycheff
from moo_nas.algorithms.genetic import Genetic
from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import check_number, whole_number


class MOEAD(Genetic):
    """MOEA/D: one scalar problem a weight, each solved with the help of its neighbours.

    Neighbours mate, and a child takes the place of the networks of the problem that it solves best
    and of the neighbours of this problem, where it is better than they are (at most
    ``n_replaced``). The scalar is Tchebycheff's, of objectives scaled by the front so far. Better is
    first the smaller violation, so limits and failures are heeded, which the original and pymoo's
    do not.

    Args:
        pop_size: About how many weights there are, each with a network of its own.
        n_offsprings: How many children a step; by default a quarter of ``pop_size``, half of a large one.
        n_neighbours: How many weights, itself among them, a weight's neighbourhood has.
        neighbour_probability: Of parents to be neighbours rather than any two.
        n_replaced: How many networks a child can replace.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change beside the one that does for sure.
        n_even: How many of the first networks are spread evenly; by default ``pop_size`` / 4, at most 5.

    References:
        Q. Zhang, H. Li. MOEA/D: A Multiobjective Evolutionary Algorithm Based on Decomposition.
        IEEE Transactions on Evolutionary Computation 11(6), 2007. Replacement: Z. Wang, Q. Zhang,
        A. Zhou, M. Gong, L. Jiao. Adaptive Replacement Strategies for MOEA/D. IEEE Transactions on
        Cybernetics 46(2), 2016.
    """

    def __init__(
        self,
        pop_size: int = 16,
        n_offsprings: int | None = None,
        n_neighbours: int = 5,
        neighbour_probability: float = 0.9,
        n_replaced: int = 2,
        crossover_probability: float = 0.5,
        mutation_probability: float = 0.0,
        n_even: int | None = None,
    ) -> None:
        super().__init__(pop_size, n_offsprings, crossover_probability, mutation_probability, n_even)
        check_number("neighbour_probability", neighbour_probability, 0, 1)
        self.n_neighbours = whole_number("n_neighbours must be a whole number", n_neighbours, 1)
        self.neighbour_probability = neighbour_probability
        self.n_replaced = whole_number("n_replaced must be a whole number", n_replaced, 1)

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        super()._setup(problem, warm_start, **kwargs)
        self._weights = directions(problem.n_obj, self.pop_size)
        if problem.n_obj == 1:
            # One scalar problem, the objective itself, as often as the population is large.
            self._weights = np.ones((self.pop_size, 1))
        apart = np.linalg.norm(self._weights[:, None] - self._weights[None], axis=2)
        self._neighbours = np.argsort(apart, axis=1, kind="stable")[:, : self.n_neighbours]

    def _survivors(self) -> IntArray:
        values = tchebycheff(scaled(self.f, self.f[self.rank == 0]), self._weights)
        n_weights = len(self._weights)
        if not self.is_initialized:
            return self._dealt(values)
        kept = np.arange(n_weights)
        for child in range(n_weights, len(self.f)):
            best = int(self.random_state.permutation(n_weights)[0])
            if self.violation[child] <= 0:
                best = int(values[child].argmin())
            n_left = self.n_replaced
            # The best problem first, then its neighbours in random order.
            others = self._neighbours[best]
            for weight in (best, *self.random_state.permutation(others[others != best])):
                theirs = (self.violation[kept[weight]], values[kept[weight], weight])
                if n_left and (self.violation[child], values[child, weight]) < theirs:
                    kept[weight] = child
                    n_left -= 1
        return kept

    def _dealt(self, values: FloatArray) -> IntArray:
        """Return the first networks, the best for each weight, none twice while there are others."""
        kept = np.zeros(len(self._weights), dtype=np.int64)
        left: list[int] = []
        for weight in self.random_state.permutation(len(self._weights)):
            left = left or list(range(len(values)))
            kept[weight] = min(left, key=lambda i: (self.violation[i], values[i, weight]))
            left.remove(int(kept[weight]))
        return kept

    def _parents(self, n: int) -> IntArray:
        rng = self.random_state
        n_weights = len(self._weights)
        near = self._neighbours[rng.integers(0, n_weights, n)]
        of_near = near[np.arange(n), rng.integers(0, near.shape[1], (2, n))]
        of_all = rng.integers(0, n_weights, (2, n))
        pairs: IntArray = np.where(rng.random(n) < self.neighbour_probability, of_near, of_all)
        return pairs
