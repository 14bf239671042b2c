"""NSGA-III on integer genomes."""

import warnings
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga3 import ReferenceDirectionSurvival

from moo_nas.algorithms.decomposition import directions
from moo_nas.algorithms.genetic import Elitist
from moo_nas.arrays import IntArray


class NSGA3(Elitist):
    """NSGA-III: non-dominated fronts, and niches about reference directions in place of crowding.

    For three objectives and more. Survival among the feasible is pymoo's; tournaments are ours, as
    those of pymoo 0.6.2 draw from a generator without a seed where there are limits, so that its
    runs do not repeat. Directions are as many as the population, nearly, and made for the number
    of objectives.

    Args:
        pop_size: How many survive a step.
        n_offsprings: How many children a step; by default a quarter of ``pop_size``, half of a large one.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change beside the one that does for sure.
        n_even: How many of the first networks are spread evenly; by default ``pop_size`` / 4, at most 5.

    References:
        K. Deb, H. Jain. An Evolutionary Many-Objective Optimization Algorithm Using
        Reference-Point-Based Nondominated Sorting Approach, Part I. IEEE Transactions on
        Evolutionary Computation 18(4), 2014.
    """

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        super()._setup(problem, warm_start, **kwargs)
        self._niches = ReferenceDirectionSurvival(directions(problem.n_obj, self.pop_size))

    def _selected(self, feasible: IntArray, n: int) -> IntArray:
        # Each marked with its position, as survivors come back as individuals.
        members = self.pop[feasible]
        for position, member in zip(feasible, members, strict=True):
            member.set("position", int(position))
        with warnings.catch_warnings():
            # It divides by what may be 0, and turns warnings off for good.
            warnings.simplefilter("ignore")
            with np.errstate(all="ignore"):
                kept = self._niches._do(self.problem, members, n, random_state=self.random_state)
        return np.sort(kept.get("position").astype(np.int64))
