"""What a formulation is: the one place where signs flip and constraints are normalised."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import FormulationError
from moo_nas.evaluation import Evaluations
from moo_nas.meters import Metric

# What a failed row costs where it must be finite and worse than anything measured.
WORST = 1e30


class Formulation(ABC):
    """A pure function from an :class:`Evaluations` table to pymoo's F and G, row by row.

    Equal settings make equal formulations; a subclass that is a dataclass says ``eq=False``, or Python
    compares its fields instead. Those whose settings may
    be left to the reference sample (a limit, a target, a scale) fill them in :meth:`fit`.
    """

    name: ClassVar[str]
    is_scalar: ClassVar[bool] = True

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Formulation)
            and type(other) is type(self)
            and _frozen(other.settings) == _frozen(self.settings)
        )

    def __hash__(self) -> int:
        return hash(_frozen(self.settings))

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """The metrics it reads, without repetition."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What it was given and fitted to, as JSON."""

    @property
    def n_obj(self) -> int:
        """How many objectives it makes."""
        return 1

    @property
    def objective_names(self) -> tuple[str, ...]:
        """The metrics that are optimised each for itself; none where a fitness of several is."""
        return ()

    @property
    def n_ieq_constr(self) -> int:
        """How many constraints it makes."""
        return 0

    @abstractmethod
    def objectives(self, evaluations: Evaluations) -> FloatArray:
        """Return what is minimised, ``(n, n_obj)``, for rows that did not fail."""

    def constraints(self, evaluations: Evaluations) -> FloatArray:
        """Return violations ``(n, n_ieq_constr)``, at most 0 where met, for rows that did not fail."""
        return np.empty((len(evaluations), 0))

    def apply(self, evaluations: Evaluations) -> tuple[FloatArray, FloatArray]:
        """Return F ``(n, n_obj)`` and G ``(n, n_ieq_constr)``: finite, and the worst for failed rows.

        Raises:
            FormulationError: Something is left to the reference sample.
        """
        if not self.is_fitted:
            raise FormulationError(f"'{self.name}' has settings left to the reference sample: fit it first.")
        f = np.full((len(evaluations), self.n_obj), WORST)
        g = np.full((len(evaluations), self.n_ieq_constr), WORST)
        valid = ~evaluations.failed
        if valid.any():
            rows = evaluations.rows(valid)
            # Kept within what a failed row costs, so that nothing measured is worse than a failure.
            with np.errstate(over="ignore"):
                f[valid] = np.clip(self.objectives(rows), -WORST, WORST)
                g[valid] = np.clip(self.constraints(rows), -WORST, WORST)
        return f, g

    def with_score(self, metric: str) -> "Formulation":
        """Return the same fitness on another score.

        Raises:
            FormulationError: It makes no scalar fitness.
        """
        raise FormulationError(f"The formulation '{self.name}' has no scalar fitness to put a score in.")

    def resolve(self, available: Collection[str]) -> Self:
        """Return the formulation with what depends on the problem's metrics settled."""
        return self

    @property
    def is_fitted(self) -> bool:
        """Is nothing left to the reference sample?"""
        return True

    def fit(self, reference: Callable[[Iterable[str]], Evaluations]) -> Self:
        """Return the formulation with what was left open taken from a reference sample.

        Args:
            reference: Gives metrics of the reference sample.
        """
        return self


def minimised(evaluations: Evaluations, name: str) -> FloatArray:
    """Return a metric ``(n,)`` with its sign such that less is better."""
    values = evaluations[name]
    return values if evaluations.metric(name).goal == "min" else -values


def wished(
    wish: Mapping[str, float], formulation: Formulation, metric: Callable[[str], Metric]
) -> FloatArray:
    """Return a point in a formulation's objectives ``(n_obj,)``, as they are minimised.

    Args:
        wish: A value of each objective, in the metrics' own units.
        formulation: What makes the objectives.
        metric: Gives a metric's description by its name.

    Raises:
        FormulationError: The objectives are no metrics; one of them has no value, a value is of none of
            them, or is no finite number.
    """
    names = formulation.objective_names
    if not names:
        raise FormulationError(
            f"A wish is a value of each objective; '{formulation.name}' has a fitness of several metrics. "
            "Ask for Pareto(...)."
        )
    if set(wish) != set(names):
        raise FormulationError(
            f"A wish has a value of each objective, {', '.join(names)}; got {', '.join(wish) or 'none'}."
        )
    for name, value in as_numbers("wish", wish).items():
        if not np.isfinite(value):
            raise FormulationError(f"The wish of '{name}' must be a finite number; got {value}.")
    return np.array([wish[n] if metric(n).goal == "min" else -wish[n] for n in names], dtype=np.float64)


def as_numbers(what: str, given: Any, left_open: tuple[type, ...] = ()) -> dict[str, Any]:
    """Return what was given by metric with its numbers as Python's own.

    Args:
        what: What it is, one of them: ``limit``.
        given: The numbers by metric.
        left_open: Kinds of what may stand for a number; it stays as it is.

    Raises:
        FormulationError: They are not given by metric, or one of them is no number.

    Example:
        >>> as_numbers("limit", {"latency_ms": np.int64(5)})
        {'latency_ms': 5.0}
    """
    if not isinstance(given, Mapping):
        article = "An" if what[0] in "aeiou" else "A"
        raise FormulationError(
            f"{article} {what} is given by metric, such as {{'latency_ms': 5.0}}; got {given!r}."
        )
    return {
        metric: value if isinstance(value, left_open) else as_number(f"The {what} of '{metric}'", value)
        for metric, value in given.items()
    }


def as_number(what: str, given: Any) -> float:
    """Return a number that was given, as Python's own.

    Args:
        what: What it is of, the beginning of the message: ``The share``.
        given: What was given; numbers of numpy will do, truth values will not.

    Raises:
        FormulationError: It is no number.

    Example:
        >>> as_number("rho", np.float32(0.5))
        0.5
    """
    if isinstance(given, bool) or not isinstance(given, Real):
        raise FormulationError(f"{what} must be a number; got {given!r}.")
    return float(given)


def _frozen(value: Any) -> Any:
    """Return settings as something that can be hashed, alike where they are equal."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return frozenset((key, _frozen(item)) for key, item in value.items())
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def check_limits(limits: Mapping[str, float]) -> None:
    """Refuse limits that are not finite numbers."""
    for metric, limit in limits.items():
        if not np.isfinite(limit):
            raise FormulationError(f"The limit of '{metric}' must be a finite number; got {limit}.")


def violations(evaluations: Evaluations, limits: Mapping[str, float]) -> FloatArray:
    """Return how far each metric is beyond its limit, as a share of the limit, ``(n, n_limits)``.

    A metric to be minimised must not exceed its limit, one to be maximised must not fall below
    it. A limit of 0 has no share: its violation is in the metric's own unit.
    """
    columns = [
        (minimised(evaluations, name) - (limit if evaluations.metric(name).goal == "min" else -limit))
        / (abs(limit) or 1.0)
        for name, limit in limits.items()
    ]
    return np.column_stack(columns) if columns else np.empty((len(evaluations), 0))
