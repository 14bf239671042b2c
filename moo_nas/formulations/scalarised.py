"""One fitness of several metrics on one scale: weighted sum, Tchebycheff, reference point."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Any, ClassVar, Self

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import FormulationError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations.base import Formulation, as_number, as_numbers, check_limits, violations
from moo_nas.formulations.normalisation import Range, as_json, check_ranges, normalised, robust_range

# How far beyond the reference sample's best the ideal is put, in widths of the robust range: a search
# finds better than a sample, and what is better than the ideal in one metric only is out of reach; but the
# farther the ideal, the more of evenly spread weights pick the same.
_UTOPIA = 0.25


@dataclass(frozen=True, eq=False)
class Scalarised(Formulation):
    r"""A fitness :math:`s(z)` of normalised metrics with a weight each, the first being the score.

    .. math:: z_i = \frac{m_i - o_i}{high_i - low_i}

    with the sign of what is maximised turned, the range of each metric stated or the 5th to the 95th
    percentile of the reference sample, and the origin :math:`o` what the kind of fitness says. All of
    it is recorded with the run.

    Args:
        weights: The weight of each metric, two metrics or more; they are scaled to a sum of 1.
        ranges: ``(low, high)`` of metrics in their own units; what is left out is fitted.
        limits: The most of a metric to be minimised, the least of one to be maximised: constraints.

    Raises:
        FormulationError: Fewer than two metrics; weights that are negative or all 0; a range that is
            none.
    """

    weights: Mapping[str, float]
    ranges: Mapping[str, Range | None] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    # Which settings have a value of each metric that the reference sample can fill in.
    _fitted: ClassVar[tuple[str, ...]] = ("ranges",)

    def __post_init__(self) -> None:
        weights = as_numbers("weight", self.weights)
        if len(weights) < 2:
            raise FormulationError(
                f"'{self.name}' weighs two metrics at least; got {', '.join(weights) or 'none'}. For one use "
                "Single."
            )
        if not all(np.isfinite(w) and w >= 0 for w in weights.values()) or not any(weights.values()):
            raise FormulationError(
                f"The weights of '{self.name}' are finite, not negative and not all 0; got {weights}."
            )
        total = sum(weights.values())
        limits = as_numbers("limit", self.limits)
        check_limits(limits)
        object.__setattr__(self, "weights", {metric: weight / total for metric, weight in weights.items()})
        object.__setattr__(self, "ranges", check_ranges(self.ranges, weights, f"'{self.name}'"))
        object.__setattr__(self, "limits", limits)

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.weights, *self.limits)))

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "formulation": self.name,
            "weights": dict(self.weights),
            "ranges": as_json(self.ranges),
            "limits": dict(self.limits),
        }

    @property
    def n_ieq_constr(self) -> int:
        return len(self.limits)

    @property
    def origin(self) -> Mapping[str, float | None]:
        """Where each metric counts 0; None is the better end of its range."""
        return dict.fromkeys(self.weights)

    @abstractmethod
    def fitness(self, z: list[FloatArray]) -> FloatArray:
        """Return what is minimised ``(n,)`` of normalised metrics, ``(n,)`` each."""

    def objectives(self, evaluations: Evaluations) -> FloatArray:
        z = []
        for metric, origin in self.origin.items():
            ends = self.ranges[metric]
            assert ends is not None
            z.append(normalised(evaluations, metric, ends, origin))
        return self.fitness(z)[:, None]

    def constraints(self, evaluations: Evaluations) -> FloatArray:
        return violations(evaluations, self.limits)

    def with_score(self, metric: str) -> Self:
        score = next(iter(self.weights))
        if metric == score:
            return self
        if metric in self.weights:
            raise FormulationError(
                f"'{metric}' has a weight in '{self.name}' already: it cannot be its score too."
            )
        weights = {metric if name == score else name: weight for name, weight in self.weights.items()}
        # Another score has a range of its own.
        others = {
            setting: {name: value for name, value in getattr(self, setting).items() if name != score}
            for setting in self._fitted
        }
        return replace(self, weights=weights, **others)

    @property
    def is_fitted(self) -> bool:
        return None not in self.ranges.values()

    def fit(self, reference: Callable[[Iterable[str]], Evaluations]) -> Self:
        missing = [metric for metric, ends in self.ranges.items() if ends is None]
        if not missing:
            return self
        sample = reference(missing)
        fitted = {metric: robust_range(sample, metric) for metric in missing}
        return replace(self, ranges={**self.ranges, **fitted})


@dataclass(frozen=True, eq=False)
class WeightedSum(Scalarised):
    r"""The weighted sum of normalised metrics.

    .. math:: minimise\; \sum_i w_i z_i

    Whatever the weights, it reaches those points of a front only that lie on its convex hull: none in
    a concave part. :class:`Tchebycheff` reaches them all.

    Args:
        weights: The weight of each metric, the score first; they are scaled to a sum of 1.
        ranges: ``(low, high)`` of metrics in their own units, which count 0 and 1; by default the 5th
            and the 95th percentile of the reference sample.
        limits: The most of a metric to be minimised, the least of one to be maximised: constraints.

    Example:
        >>> WeightedSum({"score": 3, "latency_ms": 1}).weights
        {'score': 0.75, 'latency_ms': 0.25}
        >>> WeightedSum({"score": 1, "latency_ms": 1}, ranges={"latency_ms": (2.0, 30.0)}).is_fitted
        False

    References:
        K. Miettinen. Nonlinear Multiobjective Optimization, section 3.1. Kluwer 1999.
    """

    name = "weighted-sum"

    def fitness(self, z: list[FloatArray]) -> FloatArray:
        total = np.zeros(len(z[0]))
        for weight, column in zip(self.weights.values(), z, strict=True):
            total = total + weight * column
        return total


class _Augmented(Scalarised):
    """The largest weighted distance from a point, and a little of the sum of all."""

    rho: float

    def __post_init__(self) -> None:
        super().__post_init__()
        given = as_numbers(self._point, self.origin, (NoneType,))
        for metric, value in given.items():
            if metric not in self.weights:
                raise FormulationError(
                    f"The {self._point} has '{metric}', which has no weight: {', '.join(self.weights)} have."
                )
            if value is not None and not np.isfinite(value):
                raise FormulationError(f"The {self._point} must be finite; got {metric} = {value}.")
        rho = as_number("rho", self.rho)
        if not (np.isfinite(rho) and rho > 0):
            raise FormulationError(
                f"rho must be positive and finite, or dominated points could be as good; got {rho}."
            )
        object.__setattr__(self, "rho", rho)
        object.__setattr__(self, self._point, {metric: given.get(metric) for metric in self.weights})

    @property
    def _point(self) -> str:
        return self._fitted[-1]

    @property
    def origin(self) -> Mapping[str, float | None]:
        point: Mapping[str, float | None] = getattr(self, self._point)
        return point

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, self._point: dict(self.origin), "rho": self.rho}

    def fitness(self, z: list[FloatArray]) -> FloatArray:
        largest, total = np.full(len(z[0]), -np.inf), np.zeros(len(z[0]))
        for weight, column in zip(self.weights.values(), z, strict=True):
            # Weight 0 is no claim on the largest: 0 would hide what is better than the point.
            if weight > 0:
                largest = np.maximum(largest, weight * column)
            total = total + column
        return largest + self.rho * total

    @property
    def is_fitted(self) -> bool:
        return super().is_fitted and None not in self.origin.values()

    @abstractmethod
    def _coordinate(self, sample: Evaluations, metric: str) -> float:
        """Return a metric's part of the point, from the reference sample and the metric's range."""

    def fit(self, reference: Callable[[Iterable[str]], Evaluations]) -> Self:
        fitted = super().fit(reference)
        missing = [metric for metric, value in self.origin.items() if value is None]
        if not missing:
            return fitted
        sample = reference(missing)
        found = {metric: fitted._coordinate(sample, metric) for metric in missing}
        point: dict[str, Any] = {self._point: {**fitted.origin, **found}}
        return replace(fitted, **point)


@dataclass(frozen=True, eq=False)
class Tchebycheff(_Augmented):
    r"""The largest weighted distance from the ideal, augmented by a little of the sum of all.

    .. math:: minimise\; \max_{i: w_i > 0} w_i z_i + \rho \sum_i z_i

    with distances from the ideal point in widths of the metrics' ranges. Each point of a front that
    lies beyond the ideal in all metrics is reached by some weights, in a concave part too (but for
    trade-offs of less than about :math:`\rho`); the sum keeps dominated points from being as good.

    Args:
        weights: The weight of each metric, the score first; they are scaled to a sum of 1.
        ranges: ``(low, high)`` of metrics in their own units, whose widths are units of distance; by
            default the 5th and the 95th percentile of the reference sample.
        limits: The most of a metric to be minimised, the least of one to be maximised: constraints.
        ideal: The ideal point, in the metrics' own units; by default a quarter of a width better than
            the best of the reference sample, as a search finds better than that.
        rho: The weight of the sum.

    Example:
        >>> Tchebycheff({"score": 1, "latency_ms": 1}, ideal={"latency_ms": 0.0}).ideal
        {'score': None, 'latency_ms': 0.0}

    References:
        R. Steuer, E.-U. Choo. An Interactive Weighted Tchebycheff Procedure for Multiple Objective
        Programming. Mathematical Programming 26, 1983.
    """

    ideal: Mapping[str, float | None] = field(default_factory=dict)
    rho: float = 1e-3
    name = "tchebycheff"
    _fitted = ("ranges", "ideal")

    def _coordinate(self, sample: Evaluations, metric: str) -> float:
        ends = self.ranges[metric]
        assert ends is not None
        beyond = _UTOPIA * (ends[1] - ends[0])
        if sample.metric(metric).goal == "min":
            return float(sample[metric].min()) - beyond
        return float(sample[metric].max()) + beyond


@dataclass(frozen=True, eq=False)
class ReferencePoint(_Augmented):
    r"""What comes closest to a stated point, or exceeds it most: an achievement scalarising function.

    .. math:: minimise\; \max_{i: w_i > 0} w_i z_i + \rho \sum_i z_i

    with distances from the aspiration point, negative where a metric is better. The point need not be
    one that can be reached, nor one that cannot: an answer of at most 0 fulfils all aspirations.

    Args:
        weights: The weight of each metric, the score first; they are scaled to a sum of 1.
        ranges: ``(low, high)`` of metrics in their own units, whose widths are units of distance; by
            default the 5th and the 95th percentile of the reference sample.
        limits: The most of a metric to be minimised, the least of one to be maximised: constraints.
        aspiration: The point that is aspired to, in the metrics' own units; by default the medians of
            the reference sample.
        rho: The weight of the sum.

    Example:
        >>> ReferencePoint.at({"val_error": 6.0, "latency_ms": 5.0}).weights
        {'val_error': 0.5, 'latency_ms': 0.5}

    References:
        A. Wierzbicki. The Use of Reference Objectives in Multiobjective Optimization. In: Multiple
        Criteria Decision Making Theory and Application. Springer 1980.
    """

    aspiration: Mapping[str, float | None] = field(default_factory=dict)
    rho: float = 1e-3
    name = "reference-point"
    _fitted = ("ranges", "aspiration")

    @classmethod
    def at(cls, aspiration: Mapping[str, float | None], **settings: Any) -> "ReferencePoint":
        """Return the one that aspires to a point, the score first, all metrics weighing alike."""
        return cls(dict.fromkeys(aspiration, 1.0), aspiration=aspiration, **settings)

    def _coordinate(self, sample: Evaluations, metric: str) -> float:
        return float(np.median(sample[metric]))
