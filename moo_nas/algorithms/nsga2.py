"""NSGA-II on integer genomes."""

from typing import Any

import numpy as np
from pymoo.algorithms.moo import nsga2
from pymoo.core.population import Population
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from moo_nas.algorithms.operators import Mutation, places, tournament, uniform_crossover
from moo_nas.algorithms.unseen import Unseen, population
from moo_nas.arrays import IntArray
from moo_nas.errors import InputError


class NSGA2(nsga2.NSGA2):  # type: ignore[misc]  # pymoo is untyped
    """NSGA-II: non-dominated fronts and crowding distance, with operators made for genomes.

    Survival is pymoo's. Parents win binary tournaments by constraint violation, rank and crowding
    distance; children are uniform crossovers that are then mutated; no network is proposed twice.

    Args:
        pop_size: How many survive a generation.
        n_offsprings: How many children a generation; by default ``pop_size``.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change; by default one gene in ``n_var``.

    References:
        K. Deb, A. Pratap, S. Agarwal, T. Meyarivan. A Fast and Elitist Multiobjective Genetic
        Algorithm: NSGA-II. IEEE Transactions on Evolutionary Computation 6(2), 2002.
    """

    def __init__(
        self,
        pop_size: int = 40,
        n_offsprings: int | None = None,
        crossover_probability: float = 0.9,
        mutation_probability: float | None = None,
        **kwargs: Any,
    ) -> None:
        # A survival of its own: pymoo's default object is shared by all its instances.
        super().__init__(pop_size=pop_size, n_offsprings=n_offsprings, survival=RankAndCrowding(), **kwargs)
        if pop_size < 2 or self.n_offsprings < 1:
            raise InputError(
                f"NSGA-II needs pop_size >= 2 and n_offsprings >= 1; got {pop_size}, {n_offsprings}."
            )
        if not 0 <= crossover_probability <= 1:
            raise InputError(f"crossover_probability lies in [0, 1]; got {crossover_probability}.")
        self.crossover_probability = crossover_probability
        self.mutation_probability = mutation_probability

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        self._unseen = Unseen(problem, warm_start)
        self._mutation = Mutation(problem.space, self.mutation_probability)

    def _initialize_infill(self) -> Population | None:
        return population(self._unseen.first(self.pop_size, self.random_state))

    def _infill(self) -> Population | None:
        rng = self.random_state
        genomes = self.pop.get("X")
        feasible = self.pop.get("feas").ravel()
        rank = np.where(feasible, _numbers(self.pop, "rank"), 0.0)
        crowding = np.where(feasible, _numbers(self.pop, "crowding"), 0.0)
        place = places((self.pop.get("CV")[:, 0], rank, -crowding), rng)

        def offspring(n: int) -> IntArray:
            first, second = tournament(place, 2 * n, 2, rng).reshape(2, n)
            mated = rng.random((n, 1)) < self.crossover_probability
            children = uniform_crossover(genomes[first], genomes[second], rng)
            return self._mutation(np.where(mated, children, genomes[first]), rng)

        infills = population(self._unseen.fresh(self.n_offsprings, offspring, rng))
        if infills is None:
            self.termination.force_termination = True
        return infills


def _numbers(pop: Population, key: str) -> Any:
    # pymoo ranks the feasible only; the others have None.
    return np.array([np.nan if value is None else value for value in pop.get(key)], dtype=np.float64)
