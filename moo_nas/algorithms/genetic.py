"""What the algorithms with a population share: mating on integer genomes, one step a few children."""

from abc import abstractmethod
from typing import Any

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population

from moo_nas.algorithms.operators import Mutation, places, ranks, tournament, uniform_crossover
from moo_nas.algorithms.unseen import Unseen, next_step, population
from moo_nas.arrays import IntArray
from moo_nas.errors import check_number, whole_number
from moo_nas.formulations.base import WORST


class Genetic(Algorithm):  # type: ignore[misc]  # pymoo is untyped
    """A population of genomes that mate; subclasses say which survive.

    Each step makes ``n_offsprings`` children: parents win binary tournaments, a child is the
    uniform crossover of two (or a copy of one) that is then mutated, and no network is proposed
    twice. The first step is the warm start, filled up to ``pop_size``: with ``n_even`` networks of which
    all genes are at their first choice, all at their last, or all equally far between (in many spaces
    the cheapest, the dearest, and what one operator makes alone), then with random ones.

    Args:
        pop_size: How many survive a step.
        n_offsprings: How many children a step, evaluated in parallel; by default a quarter of
            ``pop_size``, or half of more than 32: small steps find more, large ones take less time
            for a child.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change beside the one that does for sure.
        n_even: How many of the first networks are spread evenly; by default ``pop_size`` / 4, at most 5.

    Attributes:
        genomes: The population's, ``(n, n_var)``.
        f: Its objectives ``(n, n_obj)``.
        violation: Its summed constraint violation ``(n,)``, 0 where feasible.
        rank: Its non-dominated ranks among the feasible ``(n,)``, infinite for the others.
    """

    def __init__(
        self,
        pop_size: int = 16,
        n_offsprings: int | None = None,
        crossover_probability: float = 0.5,
        mutation_probability: float = 0.0,
        n_even: int | None = None,
    ) -> None:
        super().__init__()
        check_number("crossover_probability", crossover_probability, 0, 1)
        check_number("mutation_probability", mutation_probability, 0, 1)
        least = 2 if crossover_probability > 0 else 1  # parents
        self.pop_size = whole_number("pop_size must be a whole number", pop_size, least)
        if n_offsprings is None:
            n_offsprings = max(self.pop_size // (4 if self.pop_size <= 32 else 2), 1)
        self.n_offsprings = whole_number("n_offsprings must be a whole number", n_offsprings, 1)
        if n_even is None:
            n_even = min(self.pop_size // 4, 5)
        self.n_even = whole_number("n_even must be a whole number", n_even, 0)
        self.crossover_probability = crossover_probability
        self.mutation_probability = mutation_probability
        self.pop: Population

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        self._unseen = Unseen(problem, warm_start)
        self._mutation = Mutation(problem.space, self.mutation_probability)
        self.genomes = np.empty((0, problem.space.n_var), dtype=np.int64)
        self.f, self.violation = np.empty((0, problem.n_obj)), np.empty(0)

    def _initialize_infill(self) -> Population | None:
        return population(self._unseen.first(self.pop_size, self.random_state, self.n_even))

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        self.pop = Population.empty()
        self._advance(infills)

    def _infill(self) -> Population | None:
        self._place = self._places()
        return next_step(self, self._unseen.fresh(self.n_offsprings, self._offspring, self.random_state))

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is None:
            return
        self.pop = Population.merge(self.pop, infills)
        f = infills.get("F")
        # Where failures are no constraint they are told by their objectives, which are the worst.
        violation = np.where((f >= WORST).any(axis=1), WORST, 0.0)
        if self.problem.has_constraints():
            violation = np.maximum(violation, infills.get("CV")[:, 0])
        self.genomes = np.concatenate([self.genomes, infills.get("X")])
        self.f = np.concatenate([self.f, f])
        self.violation = np.concatenate([self.violation, violation])
        self.rank = ranks(self.f, self.violation)
        self._keep(self._survivors())

    def _keep(self, kept: IntArray) -> None:
        self.pop, self.genomes = self.pop[kept], self.genomes[kept]
        self.f, self.violation, self.rank = self.f[kept], self.violation[kept], self.rank[kept]

    @abstractmethod
    def _survivors(self) -> IntArray:
        """Return which of the population and its children survive: positions."""

    def _split(self, feasible: IntArray, n: int) -> tuple[IntArray, IntArray]:
        """Return those of the ranks that survive whole, and the front of which only some do."""
        feasible = feasible[np.argsort(self.rank[feasible], kind="stable")]
        rank = self.rank[feasible]
        begin, end = np.searchsorted(rank, rank[n - 1], "left"), np.searchsorted(rank, rank[n - 1], "right")
        return feasible[:begin], feasible[begin:end]

    def _set_optimum(self) -> None:
        # What pymoo looks for anew by sorting all: the front, or the least infeasible.
        front = np.flatnonzero(self.rank == 0)
        self.opt = self.pop[front if len(front) else [int(self.violation.argmin())]]

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

    def _places(self) -> IntArray:
        """Return each one's place in tournaments ``(n,)``, 0 the best."""
        return places((self.violation, self.rank), self.random_state)


class Elitist(Genetic):
    """Of whom the feasible survive first, as a subclass selects them, then the least infeasible."""

    def _survivors(self) -> IntArray:
        """Return which of the population and its children survive: positions."""
        infeasible = np.flatnonzero(self.violation > 0)
        surplus = max(len(self.f) - self.pop_size, 0)
        worst = infeasible[np.argsort(-self.violation[infeasible], kind="stable")][:surplus]
        kept = np.delete(np.arange(len(self.f)), worst)
        return kept if len(kept) <= self.pop_size else self._selected(kept, self.pop_size)

    @abstractmethod
    def _selected(self, feasible: IntArray, n: int) -> IntArray:
        """Return ``n`` of more feasible ones, or fewer: those that survive."""
