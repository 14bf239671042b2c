"""Pareto local search: the neighbours of the front, the least explored of it first."""

from typing import Any

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population

from moo_nas.algorithms.operators import ranks
from moo_nas.algorithms.unseen import Unseen, next_step, population
from moo_nas.arrays import IntArray
from moo_nas.errors import whole_number


class LocalSearch(Algorithm):  # type: ignore[misc]  # pymoo is untyped
    """Pareto local search: evaluates networks that differ in one gene from those on the front.

    The front is of all that was evaluated (while nothing is feasible, the least violating), and
    its least explored networks come first. Where the neighbours of all of them are known the
    front is locally optimal, and random networks are drawn until it moves. Strong where good
    networks are alike, as on most tables, and without a parameter that matters; on a rugged space
    an evolution is safer.

    Args:
        n_initial: How many networks it starts from: a quarter, 5 at most, spread evenly, the rest random.
        batch_size: How many neighbours a step, evaluated in parallel.

    References:
        L. Paquete, M. Chiarandini, T. Stuetzle. Pareto Local Optimum Sets in the Biobjective
        Traveling Salesman Problem: An Experimental Study. In: Metaheuristics for Multiobjective
        Optimisation, 2004. C. White, S. Nolen, Y. Savani. Exploring the Loss Landscape in Neural
        Architecture Search. UAI 2021.
    """

    def __init__(self, n_initial: int = 16, batch_size: int = 4) -> None:
        super().__init__()
        self.n_initial = whole_number("n_initial must be a whole number", n_initial, 1)
        self.batch_size = whole_number("batch_size must be a whole number", batch_size, 1)
        self.pop: Population

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        self._unseen = Unseen(problem, warm_start)
        self._n_choices = problem.space.n_choices
        self._waiting: dict[bytes, list[IntArray]] = {}  # neighbours not yet looked at, of each on the front
        self._explored: dict[bytes, int] = {}

    def _initialize_infill(self) -> Population | None:
        return population(self._unseen.first(self.n_initial, self.random_state, min(self.n_initial // 4, 5)))

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        self.pop = Population.empty()
        self._advance(infills)

    def _infill(self) -> Population | None:
        return next_step(self, self._unseen.fresh(self.batch_size, self._neighbours, self.random_state))

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is None:
            return
        pop = Population.merge(self.pop, infills)
        f, violation = pop.get("F"), pop.get("CV")[:, 0]
        front = ranks(f, violation) == 0
        if not front.any():
            front = violation == violation.min()
        self.pop = pop[front]

    def _set_optimum(self) -> None:
        self.opt = self.pop

    def _neighbours(self, n: int) -> IntArray:
        """Return up to ``n`` neighbours of the front not yet proposed; fewer where there are no more."""
        rng = self.random_state
        found: list[IntArray] = []
        front = {genome.tobytes(): genome for genome in self.pop.get("X")}
        order = [list(front)[i] for i in rng.permutation(len(front))]  # chance tells equals apart
        while len(found) < n:
            open_ones = [key for key in order if self._next(key, front[key])]
            if not open_ones:
                break
            key = min(open_ones, key=self._explored.__getitem__)
            self._explored[key] += 1
            found.append(self._waiting[key].pop())
        return np.array(found, dtype=np.int64).reshape(-1, len(self._n_choices))

    def _next(self, key: bytes, genome: IntArray) -> bool:
        """Has a network on the front neighbours that are left to look at? Known ones are passed over."""
        if key not in self._waiting:
            around = self._around(genome)
            self._waiting[key] = list(around[self.random_state.permutation(len(around))])
            self._explored[key] = 0
        waiting = self._waiting[key]
        while waiting and not self._unseen.worth(waiting[-1]):
            waiting.pop()
        return bool(waiting)

    def _around(self, genome: IntArray) -> IntArray:
        """Return all canonical genomes that differ in one gene's choice, ``(n, n_var)``."""
        changed = [
            (gene, choice)
            for gene, n in enumerate(self._n_choices)
            for choice in range(int(n))
            if choice != genome[gene]
        ]
        around = np.repeat(genome[None], len(changed), axis=0)
        for row, (gene, choice) in enumerate(changed):
            around[row, gene] = choice
        return self._unseen.space.canonical(around)
