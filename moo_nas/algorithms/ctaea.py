"""C-TAEA on integer genomes."""

from typing import Any

import numpy as np

from moo_nas.algorithms.decomposition import angles, directions, scaled, tchebycheff
from moo_nas.algorithms.genetic import Genetic
from moo_nas.algorithms.operators import places, ranks, tournament
from moo_nas.arrays import FloatArray, IntArray
from moo_nas.formulations.base import WORST


class CTAEA(Genetic):
    """C-TAEA: one archive for convergence under the limits, one for what lies beyond them.

    For tight limits: the archive of convergence keeps the feasible (and the least infeasible that
    are good, while there are too few), that of diversity keeps, whether feasible or not, others that
    are the best about directions where it has few; parents come from both, more from the one
    that is ahead. Networks that could not be measured are in neither, but to fill up the first.

    Args:
        pop_size: About how many each archive has.
        n_offsprings: How many children a step; by default a quarter of ``pop_size``, half of a large one.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change beside the one that does for sure.
        n_even: How many of the first networks are spread evenly; by default ``pop_size`` / 4, at most 5.

    References:
        K. Li, R. Chen, G. Fu, X. Yao. Two-Archive Evolutionary Algorithm for Constrained
        Multiobjective Optimization. IEEE Transactions on Evolutionary Computation 23(2), 2019.
    """

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        super()._setup(problem, warm_start, **kwargs)
        self._directions = directions(problem.n_obj, self.pop_size)

    def _survivors(self) -> IntArray:
        measured = np.flatnonzero((self.f < WORST).all(axis=1))
        f = scaled(self.f, self.f[self.rank == 0 if np.isfinite(self.rank).any() else measured])
        niche = angles(f, self._directions).argmin(axis=1)
        fitness = tchebycheff(f, self._directions)[np.arange(len(f)), niche]
        convergence = self._converged(f, niche, fitness)
        diversity = self._diverse(f, niche, fitness, convergence, measured)
        kept = np.union1d(convergence, diversity)
        self._convergence = np.searchsorted(kept, convergence)
        self._diversity = np.searchsorted(kept, diversity)
        return kept

    def _converged(self, f: FloatArray, niche: IntArray, fitness: FloatArray) -> IntArray:
        """Return the archive of convergence."""
        feasible = np.flatnonzero(self.violation <= 0)
        others = np.flatnonzero(self.violation > 0)
        missing = self.pop_size - len(feasible)
        if missing >= 0:
            # By violation and fitness, as two objectives.
            both = np.column_stack([self.violation[others], fitness[others]])
            order = np.lexsort((self.violation[others], ranks(both, np.zeros(len(both)))))
            return np.concatenate([feasible, others[order[:missing]]])
        whole, last = self._split(feasible, self.pop_size)
        kept = np.concatenate([whole, last])
        while len(kept) > self.pop_size:
            # The worst of the fullest niche, of the last front if the niche has any of it.
            count = np.bincount(niche[kept], minlength=len(self._directions))
            full = kept[count[niche[kept]] == count.max()]
            worst = full[np.lexsort((fitness[full], self.rank[full]))[-1]]
            kept = kept[kept != worst]
        return kept

    def _diverse(
        self, f: FloatArray, niche: IntArray, fitness: FloatArray, convergence: IntArray, measured: IntArray
    ) -> IntArray:
        """Return the archive of diversity: in rounds, the best of niches that convergence lacks."""
        count = np.bincount(niche[convergence], minlength=len(self._directions))
        measured = np.setdiff1d(measured, convergence)
        # In each niche the non-dominated first, whatever limits they break, then by fitness.
        queue = measured[np.lexsort((fitness[measured], ranks(f[measured], np.zeros(len(measured)))))]
        by_niche = [queue[niche[queue] == k].tolist() for k in range(len(self._directions))]
        kept: list[int] = []
        for turn in range(1, len(measured) + 1):
            for k, waiting in enumerate(by_niche):
                if count[k] < turn and waiting and len(kept) < self.pop_size:
                    kept.append(waiting.pop(0))
            if len(kept) == self.pop_size:
                break
        return np.array(kept, dtype=np.int64)

    def _parents(self, n: int) -> IntArray:
        rng = self.random_state
        diversity = self._diversity if len(self._diversity) else self._convergence
        ahead = ranks(self.f, np.zeros(len(self.f))) == 0
        of_convergence, of_diversity = ahead[self._convergence].mean(), ahead[diversity].mean()
        from_convergence = np.array(
            [np.full(n, of_convergence > of_diversity), rng.random(n) < of_convergence]
        ).ravel()
        one = self._convergence[tournament(self._place[self._convergence], 2 * n, 2, rng)]
        other = diversity[tournament(self._place[diversity], 2 * n, 2, rng)]
        return np.where(from_convergence, one, other).reshape(2, n)

    def _places(self) -> IntArray:
        return places((self.violation, self.rank), self.random_state)
