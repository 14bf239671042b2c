"""SMS-EMOA on integer genomes."""

import moocore
import numpy as np

from moo_nas.algorithms.decomposition import scaled
from moo_nas.algorithms.genetic import Elitist
from moo_nas.arrays import IntArray

# Of the last front, scaled to [0, 1]: far enough for its ends to count.
_REFERENCE = 2.0


class SMSEMOA(Elitist):
    """SMS-EMOA: of the worst front, what adds least to the dominated hypervolume goes first.

    For a front with as large a hypervolume as a small population can have; with more than five or
    six objectives its time grows beyond that of all others. Objectives are scaled by the front
    that is cut, so their units have no part in it.

    Args:
        pop_size: How many survive a step.
        n_offsprings: How many children a step; by default a quarter of ``pop_size``, half of a large one.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change beside the one that does for sure.
        n_even: How many of the first networks are spread evenly; by default ``pop_size`` / 4, at most 5.

    References:
        N. Beume, B. Naujoks, M. Emmerich. SMS-EMOA: Multiobjective Selection Based on Dominated
        Hypervolume. European Journal of Operational Research 181(3), 2007.
    """

    def _selected(self, feasible: IntArray, n: int) -> IntArray:
        whole, last = self._split(feasible, n)
        # Shuffled, so that chance says which of equals goes.
        last = self.random_state.permutation(last)
        f = scaled(self.f[last], self.f[last])
        while len(whole) + len(last) > n:
            least = 0
            if f.shape[1] > 1:
                least = int(moocore.hv_contributions(f, ref=np.full(f.shape[1], _REFERENCE)).argmin())
            f, last = np.delete(f, least, axis=0), np.delete(last, least)
        return np.sort(np.concatenate([whole, last]))
