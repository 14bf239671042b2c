"""HaeNAS's hardware-aware aging evolution: several children a parent, one kept by majority vote."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population

from moo_nas.algorithms.operators import Mutation, places, tournament
from moo_nas.algorithms.unseen import Unseen, next_step, population
from moo_nas.algorithms.vote import fittest, vote
from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import FormulationError, InputError, check_number, whole_number
from moo_nas.formulations import Formulation
from moo_nas.problem import NASProblem

VOTERS = ("jacob_cov", "grad_norm", "snip")  # the paper's


class HardwareAwareAging(Algorithm):  # type: ignore[misc]  # pymoo is untyped
    """Algorithm 1 of HaeNAS (HAE).

    Each step draws ``sample_size`` members of the population, mutates the fittest into
    ``n_children`` children, and evaluates them all. Each voter names the child that is fittest by
    its own score under the problem's formulation (the same limits, or latency and energy factors);
    most votes win, and the recorder's fitness breaks a tie. Only the winner joins the population,
    in place of the oldest; every child counts as an evaluation and is in the run's archive. Fitness
    in tournaments is the recorder's.

    The paper's setting is ``HardwareAwareAging(voters=VOTERS, recorder="jacob_cov")``. By default one
    score votes and records, the formulation's own: of four networks of stages the default score
    picked better ones than the three majorities that were tried (studies/proxy_correlation.py,
    ``pick_of_4``).

    Args:
        pop_size: How many are alive (P).
        sample_size: How many compete to be the parent (S).
        n_children: How many children a parent has.
        voters: The scores that vote; by default the formulation's own.
        recorder: The score whose fitness is recorded; by default the formulation's own.
        mutation_probability: Of each gene to change beside the one that does for sure.

    Raises:
        FormulationError: On setup, if the formulation makes no scalar fitness (Pareto).

    References:
        HaeNAS, section 2.3 and Algorithm 1.
    """

    def __init__(
        self,
        pop_size: int = 40,
        sample_size: int = 10,
        n_children: int = 4,
        voters: Sequence[str] | None = None,
        recorder: str | None = None,
        mutation_probability: float = 0.0,
    ) -> None:
        super().__init__()
        if voters is not None and (isinstance(voters, str) or not isinstance(voters, Sequence) or not voters):
            raise InputError(f"HAE needs a sequence of voters, at least one; got {voters!r}.")
        check_number("mutation_probability", mutation_probability, 0, 1)
        self.pop_size = whole_number("pop_size must be a whole number", pop_size, 1)
        self.sample_size = whole_number("sample_size must be a whole number", sample_size, 1)
        self.n_children = whole_number("n_children must be a whole number", n_children, 1)
        self.voters = None if voters is None else tuple(voters)
        self.recorder = recorder
        self.mutation_probability = mutation_probability
        self.pop: Population

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        if not isinstance(problem, NASProblem):
            raise InputError(f"HAE votes by scores of a NASProblem; got a {type(problem).__name__}.")
        if not problem.formulation.is_scalar:
            raise FormulationError(
                f"HAE keeps the fittest child, and '{problem.formulation.name}' makes no scalar fitness. Use "
                "the formulation single, constrained or product, or the algorithm aging or nsga2."
            )
        named = (*(self.voters or ()), *([] if self.recorder is None else [self.recorder]))
        self.problem: NASProblem = problem.also_measuring(dict.fromkeys(named))
        self._unseen = Unseen(problem, warm_start)
        self._mutation = Mutation(problem.space, self.mutation_probability)

    def _initialize_infill(self) -> Population | None:
        return population(self._unseen.first(self.pop_size, self.random_state))

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is not None:
            self._record(infills)

    def _infill(self) -> Population | None:
        rng = self.random_state
        place = places((self.pop.get("violation"), self.pop.get("fitness")), rng)
        parent = self.pop.get("X")[tournament(place, 1, self.sample_size, rng)]
        children = self._unseen.fresh(
            self.n_children, lambda n: self._mutation(np.repeat(parent, n, axis=0), rng), rng
        )
        return next_step(self, children)

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is None:
            return
        self._record(infills)
        table = self.problem.evaluations(infills.get("X"))
        ballots = [fittest(*self._fitness(voter, table)) for voter in self.voters or (None,)]
        recorded = (infills.get("fitness"), infills.get("violation"))
        kept = vote(np.array(ballots), *recorded)
        self.pop = Population.merge(self.pop, infills[[kept]])[-self.pop_size :]

    def _record(self, infills: Population) -> None:
        fitness, violation = self._fitness(self.recorder, self.problem.evaluations(infills.get("X")))
        infills.set("fitness", fitness, "violation", violation)

    def _fitness(self, score: str | None, table: Any) -> tuple[FloatArray, FloatArray]:
        """Return what is minimised and the summed violation, each ``(n,)``, on one score."""
        # Of the fitted one, so that all share its limits, or its latency and energy factors.
        formulation: Formulation = self.problem.fitted()
        if score is not None:
            formulation = self.problem.fitted(formulation.with_score(score))
        f, g = formulation.apply(table)
        # Without limits a failed row has only its fitness to be told by, which is the worst.
        return f[:, 0], np.maximum(g, 0).sum(axis=1)
