"""What the algorithms with a population share: mating on integer genomes, one step a few children."""

from abc import abstractmethod
from typing import Any

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population

from moo_nas.algorithms.operators import Mutation, ranks, tournament, uniform_crossover
from moo_nas.algorithms.unseen import Unseen, population
from moo_nas.arrays import IntArray
from moo_nas.errors import InputError


class Genetic(Algorithm):  # type: ignore[misc]  # pymoo is untyped
    """A population of genomes that mate; subclasses say which survive, and which of two mates.

    Each step makes ``n_offsprings`` children: parents win binary tournaments, a child is the
    uniform crossover of two (or a copy of one) that is then mutated, and no network is proposed
    twice. The first step is the warm start, filled up with random networks to ``pop_size``.

    Args:
        pop_size: How many survive a step.
        n_offsprings: How many children a step, evaluated in parallel.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change beside the one that does for sure.

    Attributes:
        genomes: The population's, ``(n, n_var)``.
        f: Its objectives ``(n, n_obj)``.
        violation: Its summed constraint violation ``(n,)``, 0 where feasible.
    """

    def __init__(
        self,
        pop_size: int,
        n_offsprings: int,
        crossover_probability: float,
        mutation_probability: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        least = 2 if crossover_probability > 0 else 1
        if pop_size < least or n_offsprings < 1:
            raise InputError(
                f"{type(self).__name__} needs pop_size >= {least} and n_offsprings >= 1; got {pop_size}, "
                f"{n_offsprings}."
            )
        if not 0 <= crossover_probability <= 1:
            raise InputError(f"crossover_probability lies in [0, 1]; got {crossover_probability}.")
        self.pop_size = pop_size
        self.n_offsprings = n_offsprings
        self.crossover_probability = crossover_probability
        self.mutation_probability = mutation_probability
        self.pop: Population

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        self._unseen = Unseen(problem, warm_start)
        self._mutation = Mutation(problem.space, self.mutation_probability)
        self.genomes = np.empty((0, problem.space.n_var), dtype=np.int64)
        self.f, self.violation = np.empty((0, problem.n_obj)), np.empty(0)

    def _initialize_infill(self) -> Population | None:
        self.pop = Population.empty()
        return population(self._unseen.first(self.pop_size, self.random_state))

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        self.pop = Population.empty()
        self._advance(infills)

    def _infill(self) -> Population | None:
        self._place = self._places()
        infills = population(self._unseen.fresh(self.n_offsprings, self._offspring, self.random_state))
        if infills is None:
            self.termination.force_termination = True
        return infills

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is None:
            return
        pop = Population.merge(self.pop, infills)
        self.genomes = np.concatenate([self.genomes, infills.get("X")])
        self.f = np.concatenate([self.f, infills.get("F")])
        self.violation = np.concatenate([self.violation, infills.get("CV")[:, 0]])
        kept = self._survivors()
        self.pop, self.genomes = pop[kept], self.genomes[kept]
        self.f, self.violation = self.f[kept], self.violation[kept]

    def _without_infeasible(self, n: int) -> IntArray:
        """Return the positions of all but the ``n`` most infeasible, or as many of them as there are."""
        infeasible = np.flatnonzero(self.violation > 0)
        worst = infeasible[np.argsort(-self.violation[infeasible], kind="stable")][: max(n, 0)]
        return np.delete(np.arange(len(self.violation)), worst)

    def _set_optimum(self) -> None:
        # What pymoo looks for anew by sorting all: the front, or the least infeasible.
        front = self._front()
        self.opt = self.pop[front if len(front) else [int(self.violation.argmin())]]

    def _front(self) -> IntArray:
        """Return the positions of the feasible that no other member dominates."""
        return np.flatnonzero(ranks(self.f, self.violation) == 0)

    def _offspring(self, n: int) -> IntArray:
        """Return ``n`` children."""
        rng = self.random_state
        first, second = self._parents(n)
        mated = rng.random((n, 1)) < self.crossover_probability
        a, b = self.genomes[first], self.genomes[second]
        return self._mutation(np.where(mated, uniform_crossover(a, b, rng), a), rng)

    def _parents(self, n: int) -> IntArray:
        """Return positions of pairs of parents, ``(2, n)``."""
        return tournament(self._place, 2 * n, 2, self.random_state).reshape(2, n)

    @abstractmethod
    def _survivors(self) -> IntArray:
        """Return which of the population and its children survive, at most ``pop_size``: positions."""

    @abstractmethod
    def _places(self) -> IntArray:
        """Return each one's place in tournaments ``(n,)``, 0 the best."""


def offsprings_of(pop_size: int) -> int:
    """Return how many children a step a population of this size has by default.

    Example:
        >>> offsprings_of(16), offsprings_of(100)
        (4, 50)
    """
    return max(pop_size // (4 if pop_size <= 32 else 2), 1)
