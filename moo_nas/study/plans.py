"""Plans: what takes several Runs on one budget, compared with formulations as an equal of theirs."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pymoo.core.algorithm import Algorithm

from moo_nas.arrays import IntArray
from moo_nas.errors import FormulationError, InputError, check_number, whole_number
from moo_nas.formulations import Constrained, Formulation, Pareto, Single, spread
from moo_nas.formulations.base import minimised
from moo_nas.formulations.normalisation import Range, check_ranges, robust_range
from moo_nas.problem import NASProblem
from moo_nas.spaces.neighbourhood import MOST, n_within, neighbourhood
from moo_nas.study.run import Run


@dataclass(frozen=True)
class Part:
    """One run of a plan.

    Args:
        problem: What is searched, under the part's formulation.
        warm_start: What is asked for first, ``(n, n_var)``.
        told: What the part depends on that earlier parts found, as JSON.
        prepare: What is set up beside the formulation, as part of the run.
    """

    problem: NASProblem
    warm_start: IntArray | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[], object] | None = None


class Plan(ABC):
    """A sequence of Runs on one budget and one store.

    Each part is a Run of its own, with its files, under the same algorithm and seed: so all parts that
    search the whole space begin with the same random networks. A network that an earlier part of the plan
    evaluated is told to a later one that asks for it, and neither paid for again nor listed in the later
    run: the evaluations of all parts are distinct networks, and together as many as the budget. What another
    run has in the store counts, as it does for a single run. What a part leaves of its share (as it
    stagnated) is the next part's.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called where nobody gives it a name."""

    @property
    @abstractmethod
    def formulations(self) -> tuple[Formulation, ...]:
        """The parts' formulations, one each; what an earlier part will have found may still be open."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What it was given, as JSON."""

    @abstractmethod
    def shares(self) -> Sequence[float]:
        """Return each part's share of the budget; their sum is 1."""

    @abstractmethod
    def part(self, number: int, problem: NASProblem, done: Sequence[Run], n_left: int) -> Part:
        """Return a part, counted from 0, after those that are done, with ``n_left`` evaluations for it."""

    def check(self, algorithm: Algorithm, problem: NASProblem) -> None:
        """Refuse an algorithm, or a problem, that the plan cannot be carried out with.

        Raises:
            FormulationError: It cannot be.
        """
        return

    def ends(self, budget: int) -> list[int]:
        """Return after how many evaluations of the plan each part ends.

        Raises:
            InputError: A budget that does not give each part an evaluation.
        """
        ends = [round(budget * share) for share in np.cumsum(self.shares())]
        ends[-1] = budget
        if min(np.diff([0, *ends])) < 1:
            raise InputError(
                f"'{self.name}' has {len(ends)} parts, and needs an evaluation for each; the budget is "
                f"{budget}."
            )
        return ends


@dataclass(frozen=True)
class Alone(Plan):
    """One formulation: one run."""

    formulation: Formulation

    @property
    def name(self) -> str:
        return self.formulation.name

    @property
    def formulations(self) -> tuple[Formulation, ...]:
        return (self.formulation,)

    @property
    def settings(self) -> dict[str, Any]:
        return self.formulation.settings

    def shares(self) -> Sequence[float]:
        return [1.0]

    def part(self, number: int, problem: NASProblem, done: Sequence[Run], n_left: int) -> Part:
        return Part(problem.under(self.formulation))


class Spread(Plan):
    """Several formulations, each with an equal share of the budget.

    Args:
        formulations: Two or more, such as one kind with many weight vectors.
        name: What it is called.

    Example:
        >>> from moo_nas import WeightedSum
        >>> plan = Spread.even(WeightedSum({"score": 1, "latency_ms": 1}), 5)
        >>> plan.name, plan.ends(200)
        ('weighted-sum-x5', [40, 80, 120, 160, 200])
    """

    def __init__(self, formulations: Iterable[Formulation], name: str | None = None) -> None:
        given = tuple(formulations) if isinstance(formulations, Iterable) else (formulations,)
        for one in given:
            if not isinstance(one, Formulation):
                raise FormulationError(
                    "A spread is of formulations, such as [Single('score'), Single('params')]; got "
                    f"{formulations if isinstance(formulations, str) else one!r}."
                )
        if len(given) < 2:
            raise FormulationError(f"A spread is of two formulations or more; got {len(given)}.")
        self._formulations = given
        kinds = dict.fromkeys(formulation.name for formulation in given)
        self._name = name or f"{'+'.join(kinds)}-x{len(given)}"

    @classmethod
    def even(cls, formulation: Formulation, n: int) -> "Spread":
        """Return the plan of ``n`` formulations of one kind, evenly spread.

        See :func:`~moo_nas.formulations.spread`.
        """
        return cls(spread(formulation, n))

    @property
    def name(self) -> str:
        return self._name

    @property
    def formulations(self) -> tuple[Formulation, ...]:
        return self._formulations

    @property
    def settings(self) -> dict[str, Any]:
        return {"plan": "spread", "formulations": [f.settings for f in self._formulations]}

    def shares(self) -> Sequence[float]:
        return [1 / len(self._formulations)] * len(self._formulations)

    def part(self, number: int, problem: NASProblem, done: Sequence[Run], n_left: int) -> Part:
        return Part(problem.under(self._formulations[number]))


@dataclass(frozen=True)
class TwoStage(Plan):
    r"""Accuracy first, cost afterwards: the survey's two-stage formulation.

    The first part of the budget searches for the best score alone. The rest searches the networks that differ
    from the best found, :math:`a^*`, in at most ``radius`` genes, for the least cost among those whose
    score is within a tolerance:

    .. math:: \min_a cost(a) \quad s.t. \quad d(a, a^*) \le radius, \;
              score(a) \ge score(a^*) - tolerance \, (high - low)

    (for a score to be minimised :math:`score(a) \le score(a^*) + ...`). Of several costs the trade-offs
    are searched for. Where fewer networks than the rest of the budget are within the radius, it grows until
    they are so many, or would be too many to hold, and the second run's record says how far. If the first
    part measured nothing valid, the rest goes on with it.

    Args:
        score: What the first part is after.
        costs: What the rest minimises, one metric or more.
        share: Of the budget, for the first part.
        radius: In how many genes a network may differ from the best of the first part.
        tolerance: How much worse its score may be, in widths of the score's range.
        score_range: ``(low, high)`` of the score; by default the 5th and the 95th percentile of the
            reference sample.

    Raises:
        FormulationError: No cost, the score among the costs, or a number that is none or not possible.

    Example:
        >>> TwoStage("score", ["latency_ms"]).ends(200)
        [100, 200]

    References:
        H. Benmeziane et al. A Comprehensive Survey on Hardware-Aware Neural Architecture Search.
        arXiv:2101.09336, 2021.
    """

    score: str
    costs: Sequence[str] = ("latency_ms",)
    share: float = 0.5
    radius: int = 3
    tolerance: float = 0.05
    score_range: Range | None = None
    name = "two-stage"

    def __post_init__(self) -> None:
        if isinstance(self.costs, str) or not isinstance(self.costs, Iterable):
            raise FormulationError(f"'two-stage': costs are metrics in a row: [{self.costs!r}].")
        costs = tuple(self.costs)
        if not all(isinstance(name, str) for name in (self.score, *costs)):
            raise FormulationError(
                f"'two-stage' takes a score and one cost or more, by name; got {self.score!r} and {costs!r}."
            )
        object.__setattr__(self, "costs", tuple(map(str, costs)))
        if not self.costs or self.score in self.costs or len(set(self.costs)) < len(self.costs):
            raise FormulationError(
                f"'two-stage' takes a score and one cost or more, all distinct; got '{self.score}' and "
                f"{', '.join(self.costs) or 'no cost'}."
            )
        try:
            check_number("The share of the first stage", self.share, 0, 1)
            check_number("The tolerance", self.tolerance)
            radius = whole_number("The radius must be a whole number of genes", self.radius, 1)
        except InputError as error:
            raise FormulationError(str(error)) from None
        if self.share in (0, 1):
            raise FormulationError(f"The share of the first stage lies between 0 and 1; got {self.share}.")
        ranges = check_ranges({self.score: self.score_range}, [self.score], "'two-stage'")
        # Numbers of numpy as Python's own: what defines a run is JSON.
        given = {"share": float(self.share), "tolerance": float(self.tolerance), "radius": radius}
        for name, value in {**given, "score_range": ranges[self.score]}.items():
            object.__setattr__(self, name, value)

    @property
    def formulations(self) -> tuple[Formulation, ...]:
        return Single(self.score), self._second(0.0)

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "plan": self.name,
            "score": self.score,
            "costs": list(self.costs),
            "share": self.share,
            "radius": self.radius,
            "tolerance": self.tolerance,
            "score_range": None if self.score_range is None else list(self.score_range),
        }

    def shares(self) -> Sequence[float]:
        return [self.share, 1 - self.share]

    def check(self, algorithm: Algorithm, problem: NASProblem) -> None:
        if "warm_start" not in inspect.signature(algorithm._setup).parameters:
            raise FormulationError(
                f"'two-stage' confines its second part to the neighbourhood of the best network found; "
                f"{type(algorithm).__name__} cannot be confined, algorithms of moo_nas can."
            )
        n = n_within(problem.space, self.radius)
        if problem.evaluator.pool is None and n > MOST:
            raise FormulationError(
                f"'two-stage' searches a neighbourhood of at most {MOST:,} networks; {n:,} genomes of "
                f"{problem.space.name} differ in at most {self.radius} genes. Choose a smaller radius."
            )

    def part(self, number: int, problem: NASProblem, done: Sequence[Run], n_left: int) -> Part:
        first = problem.under(Single(self.score))
        best = _best(done[0], self.score) if number else None
        if best is None:
            return Part(first, prepare=lambda: self._range(problem))
        genome, value = best
        low, high = self._range(problem)
        worse = 1.0 if problem.evaluator.metric(self.score).goal == "min" else -1.0
        limit = value + worse * self.tolerance * (high - low)
        evaluator = problem.evaluator
        pool = None if evaluator.pool is None else np.unique(problem.genomes(evaluator.pool), axis=0)
        known = {row.tobytes() for row in done[0].table.genomes}
        around, radius = neighbourhood(problem.space, genome, self.radius, n_left, known, pool)
        confined = problem.under(self._second(limit)).confined(around)
        told = {"best": genome.tolist(), "radius": radius, "n_networks": len(around)}
        return Part(confined, genome[None], told)

    def _second(self, limit: float) -> Formulation:
        """Return what the second part asks for, with the least (or most) that the score may be."""
        limits = {self.score: limit}
        if len(self.costs) == 1:
            return Constrained(self.costs[0], limits)
        return Pareto(*self.costs, limits=limits)

    def _range(self, problem: NASProblem) -> Range:
        return self.score_range or robust_range(problem.evaluator.reference((self.score,)), self.score)


def _best(run: Run, score: str) -> tuple[IntArray, float] | None:
    """Return the genome ``(n_var,)`` of a run's best score, of equals the first, and that score."""
    valid = np.flatnonzero(run.feasible)
    if len(valid) == 0:
        return None
    row = int(valid[np.argmin(minimised(run.table, score)[valid])])
    return run.table.genomes[row], float(run.table[score][row])


def two_stage(
    objectives: Sequence[str] | None, limits: Mapping[str, float], default: Sequence[str]
) -> TwoStage:
    """The best of the first objective, then the least cost near it within a tolerance of the score."""
    if limits:
        raise FormulationError("'two-stage' takes no limits: its tolerance is what limits the score.")
    score, *costs = objectives or default
    return TwoStage(score, costs)
