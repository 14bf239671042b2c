"""Aging (regularised) evolution, of one objective or several."""

import numpy as np

from moo_nas.algorithms.genetic import Genetic
from moo_nas.algorithms.operators import priority, tournament
from moo_nas.arrays import IntArray
from moo_nas.errors import whole_number


class AgingEvolution(Genetic):
    """Evolution in which the old die, not the worst.

    Each step draws ``sample_size`` members of the population (with replacement), mutates the best
    of them, and puts the child in place of the oldest. Best is the least constraint violation,
    then the least objective; with several objectives, the least non-dominated rank and then the
    largest crowding distance within the population.

    With several objectives it is the oldest that is infeasible or dominated that dies, and the
    oldest of all where there is none: what is on the front of the population was not surpassed, and
    it alone keeps that part of the front. Over seven problems of NAS-Bench-201's and
    Accel-NASBench's tables (20 seeds) regret was 0.78 of that of letting the oldest die, whatever
    it is, at 200 evaluations and at 400, and alike at 100; letting the worst die came between.

    Args:
        pop_size: How many are alive.
        sample_size: How many compete to be a parent.
        batch_size: How many children a step, each of a tournament of its own, evaluated in
            parallel; 1 is the algorithm as printed.
        mutation_probability: Of each gene to change beside the one that does for sure.
        n_even: How many of the first networks are spread evenly; by default a quarter of ``pop_size``, 5 at
            most. With 0 all are random, as printed.

    References:
        E. Real, A. Aggarwal, Y. Huang, Q. Le. Regularized Evolution for Image Classifier
        Architecture Search. AAAI 2019.
    """

    def __init__(
        self,
        pop_size: int = 20,
        sample_size: int = 10,
        batch_size: int = 4,
        mutation_probability: float = 0.0,
        n_even: int | None = None,
    ) -> None:
        self.sample_size = whole_number("sample_size must be a whole number", sample_size, 1)
        self.batch_size = whole_number("batch_size must be a whole number", batch_size, 1)
        super().__init__(pop_size, batch_size, 0.0, mutation_probability, n_even)

    def _survivors(self) -> IntArray:
        n = len(self.f)  # in the order they were born
        if not self.is_initialized:
            # All are of one age: of a warm start larger than the population the best live on.
            place = priority(self.f, self.violation, self.random_state)
            return np.flatnonzero(place < self.pop_size)
        lasting = np.zeros(n, dtype=bool)
        if self.f.shape[1] > 1:
            lasting = self.rank == 0
        order = np.lexsort((np.arange(n), lasting))
        return np.sort(order[max(n - self.pop_size, 0) :])

    def _places(self) -> IntArray:
        return priority(self.f, self.violation, self.random_state)

    def _offspring(self, n: int) -> IntArray:
        rng = self.random_state
        return self._mutation(self.genomes[tournament(self._place, n, self.sample_size, rng)], rng)
