"""Aging (regularised) evolution."""

from typing import Any

from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population

from moo_nas.algorithms.operators import Mutation, priority, tournament
from moo_nas.algorithms.unseen import Unseen, population
from moo_nas.arrays import IntArray
from moo_nas.errors import InputError


class AgingEvolution(Algorithm):  # type: ignore[misc]  # pymoo is untyped
    """Evolution in which the oldest die, not the worst.

    Each step draws ``sample_size`` members of the population (with replacement), mutates the best
    of them, and puts the child in place of the oldest. Best is the least constraint violation,
    then the least objective; with several objectives, the least non-dominated rank and then the
    largest crowding distance within the population.

    Args:
        pop_size: How many are alive.
        sample_size: How many compete to be a parent.
        batch_size: How many children a step, each of a tournament of its own, evaluated in
            parallel; 1 is the algorithm as printed.
        mutation_probability: Of each gene to change; by default one gene in ``n_var``.

    References:
        E. Real, A. Aggarwal, Y. Huang, Q. Le. Regularized Evolution for Image Classifier
        Architecture Search. AAAI 2019.
    """

    def __init__(
        self,
        pop_size: int = 40,
        sample_size: int = 10,
        batch_size: int = 4,
        mutation_probability: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if min(pop_size, sample_size, batch_size) < 1:
            raise InputError(
                "pop_size, sample_size and batch_size must be positive; got "
                f"{pop_size}, {sample_size}, {batch_size}."
            )
        self.pop_size = pop_size
        self.sample_size = sample_size
        self.batch_size = batch_size
        self.mutation_probability = mutation_probability
        self.pop: Population

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        self._unseen = Unseen(problem, warm_start)
        self._mutation = Mutation(problem.space, self.mutation_probability)

    def _initialize_infill(self) -> Population | None:
        return population(self._unseen.first(self.pop_size, self.random_state))

    def _infill(self) -> Population | None:
        rng = self.random_state
        place = priority(self.pop.get("F"), self.pop.get("CV")[:, 0], rng)
        genomes = self.pop.get("X")
        infills = population(
            self._unseen.fresh(
                self.batch_size,
                lambda n: self._mutation(genomes[tournament(place, n, self.sample_size, rng)], rng),
                rng,
            )
        )
        if infills is None:
            self.termination.force_termination = True
        return infills

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is not None:
            self.pop = Population.merge(self.pop, infills)[-self.pop_size :]
