"""NSGA-II on integer genomes."""

from typing import Any

import numpy as np

from moo_nas.algorithms.genetic import Genetic, offsprings_of
from moo_nas.algorithms.operators import crowding_distances, most_crowded, places, ranks
from moo_nas.arrays import IntArray


class NSGA2(Genetic):
    """NSGA-II: non-dominated fronts and crowding distance, with operators made for genomes.

    Feasible networks survive by rank, then by crowding distance, which is taken anew after each
    that is left out; infeasible ones by their violation. Parents win binary tournaments by the
    same. The population is small and steps are of a few children, as budgets are hundreds of
    evaluations and the front is of all that was evaluated; a search of tens of thousands wants
    larger ones.

    Args:
        pop_size: How many survive a step.
        n_offsprings: How many children a step; by default a quarter of ``pop_size``, or half of more
            than 32: small steps find more, large ones take less time for a child.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change beside the one that does for sure.

    References:
        K. Deb, A. Pratap, S. Agarwal, T. Meyarivan. A Fast and Elitist Multiobjective Genetic
        Algorithm: NSGA-II. IEEE Transactions on Evolutionary Computation 6(2), 2002.
    """

    def __init__(
        self,
        pop_size: int = 16,
        n_offsprings: int | None = None,
        crossover_probability: float = 0.9,
        mutation_probability: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            pop_size,
            offsprings_of(pop_size) if n_offsprings is None else n_offsprings,
            crossover_probability,
            mutation_probability,
            **kwargs,
        )

    def _survivors(self) -> IntArray:
        rank = ranks(self.f, self.violation)
        kept = self._without_infeasible(len(rank) - self.pop_size)
        surplus = len(kept) - self.pop_size
        # By rank, so that the last front is at the end.
        kept = kept[np.argsort(rank[kept], kind="stable")] if surplus > 0 else kept
        while surplus > 0:
            n_before = int(np.searchsorted(rank[kept], rank[kept[-1]]))
            last, kept = kept[n_before:], kept[:n_before]
            if len(last) > surplus:
                crowded = most_crowded(self.f[last], surplus, self.random_state)
                kept = np.sort(np.concatenate([kept, np.delete(last, crowded)]))
            surplus -= len(last)
        self._rank = rank[kept]
        return kept

    def _places(self) -> IntArray:
        crowding = crowding_distances(self.f, self._rank)
        spread = np.where(np.isfinite(self._rank), crowding, 0.0)
        return places((self.violation, self._rank, -spread), self.random_state)

    def _front(self) -> IntArray:
        return np.flatnonzero(self._rank == 0)
