"""NSGA-II on integer genomes."""

import numpy as np

from moo_nas.algorithms.genetic import Elitist
from moo_nas.algorithms.operators import crowding_distances, most_crowded, places
from moo_nas.arrays import IntArray


class NSGA2(Elitist):
    """NSGA-II: non-dominated fronts and crowding distance, with operators made for genomes.

    Feasible networks survive by rank, then by crowding distance, which is taken anew after each
    that is left out; infeasible ones by their violation. Parents win binary tournaments by the
    same. The population is small and a step is of a few children, as budgets are hundreds of
    evaluations and the front is of all that was evaluated; a search of tens of thousands wants a
    larger one. Crowding on ranks or logarithms of the objectives, in place of their values, was no
    better on tables of measured networks.

    Args:
        pop_size: See :class:`~moo_nas.algorithms.genetic.Genetic`, as of the others.
        n_offsprings: How many children a step; by default a quarter of ``pop_size``, half of a large one.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change beside the one that does for sure.
        n_even: How many of the first networks are spread evenly; by default ``pop_size`` / 4, at most 5.

    References:
        K. Deb, A. Pratap, S. Agarwal, T. Meyarivan. A Fast and Elitist Multiobjective Genetic
        Algorithm: NSGA-II. IEEE Transactions on Evolutionary Computation 6(2), 2002.
    """

    def _selected(self, feasible: IntArray, n: int) -> IntArray:
        whole, last = self._split(feasible, n)
        crowded = most_crowded(self.f[last], len(whole) + len(last) - n, self.random_state)
        return np.sort(np.concatenate([whole, np.delete(last, crowded)]))

    def _places(self) -> IntArray:
        crowding = crowding_distances(self.f, self.rank)
        spread = np.where(np.isfinite(self.rank), crowding, 0.0)
        return places((self.violation, self.rank, -spread), self.random_state)
