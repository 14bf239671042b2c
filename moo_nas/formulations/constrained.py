"""One objective under limits: feasible first, epsilon-constraint, or a penalty."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Any, Literal, Self, get_args

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import FormulationError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations.base import (
    Formulation,
    as_number,
    as_numbers,
    check_limits,
    minimised,
    violations,
)
from moo_nas.formulations.normalisation import Range, as_json, check_ranges, normalised, robust_range

Method = Literal["feasibility", "epsilon", "penalty"]


@dataclass(frozen=True)
class Quantile:
    """A limit that a share of the reference sample keeps.

    Args:
        share: Between 0 and 1; a half is the median.

    Example:
        >>> Constrained("score", {"latency_ms": Quantile(0.25)}).is_fitted
        False
    """

    share: float

    def __post_init__(self) -> None:
        share = as_number("A quantile's share", self.share)
        if not 0 <= share <= 1:
            raise FormulationError(f"A quantile's share lies between 0 and 1; got {share}.")
        object.__setattr__(self, "share", share)

    def of(self, sample: Evaluations, metric: str) -> float:
        """Return the limit: of a metric to be maximised, what this share reaches."""
        share = self.share if sample.metric(metric).goal == "min" else 1 - self.share
        return float(np.quantile(sample[metric], share))


Limit = float | Quantile | None


@dataclass(frozen=True, eq=False)
class Constrained(Formulation):
    r"""The best of one metric while others keep their limits.

    A violation :math:`v_j` counts as a share of its limit, so that limits of different units weigh
    alike. The same metric may be the objective and have a limit. By ``method``, with :math:`z` a
    metric in widths of its range:

    - ``feasibility``: the objective as it is, and constraints; algorithms put feasible rows first.
    - ``epsilon``: the augmented epsilon-constraint method, constraints and
      :math:`z_{score} + \rho \sum_j z_j` over the limited metrics, so that of equal scores the cheaper
      is better and nothing dominated is as good as what dominates it. Several levels of the limits
      (:func:`~moo_nas.formulations.spread`) reach every point of a front, in a concave part too.
    - ``penalty``: no constraint but :math:`z_{score} + c \sum_j \max(v_j, 0)^2`, for algorithms that
      take no constraints. The penalty does not change while a search lasts, and the best may be a
      little beyond a limit: with c = 100 one tenth too much costs a range of the score.

    Args:
        score: The objective.
        limits: The most of a metric to be minimised, the least of one to be maximised; a
            :class:`Quantile` or None (its median) leaves the limit to the reference sample.
        method: What is made of the limits.
        coefficient: c of the penalty.
        rho: The weight of limited metrics in the epsilon method.
        ranges: ``(low, high)`` of the metrics that ``epsilon`` and ``penalty`` normalise, in their own
            units; by default the 5th and the 95th percentile of the reference sample.

    Raises:
        FormulationError: An unknown method, a limit that is no finite number, a coefficient or rho
            that is not positive, a range that is none.

    Example:
        >>> Constrained("score", limits={"latency_ms": 5.0}).n_ieq_constr
        1
        >>> Constrained("score", limits={"latency_ms": 5.0}, method="penalty").n_ieq_constr
        0

    References:
        G. Mavrotas. Effective Implementation of the Epsilon-Constraint Method in Multi-Objective
        Mathematical Programming Problems. Applied Mathematics and Computation 213, 2009.
        C. Coello Coello. Theoretical and Numerical Constraint-Handling Techniques Used with
        Evolutionary Algorithms. Computer Methods in Applied Mechanics and Engineering 191, 2002.
    """

    score: str
    limits: Mapping[str, Limit] = field(default_factory=lambda: {"latency_ms": None})
    method: Method = "feasibility"
    coefficient: float = 100.0
    rho: float = 1e-3
    ranges: Mapping[str, Range | None] = field(default_factory=dict)
    name = "constrained"

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise FormulationError(
                f"The method of limits is one of {', '.join(get_args(Method))}; got '{self.method}'."
            )
        for setting in ("coefficient", "rho"):
            value = as_number(setting, getattr(self, setting))
            if not (np.isfinite(value) and value > 0):
                raise FormulationError(f"{setting} must be positive and finite; got {value}.")
            object.__setattr__(self, setting, value)
        object.__setattr__(self, "limits", as_numbers("limit", self.limits, (Quantile, NoneType)))
        check_limits(self._given)
        ranges = check_ranges(self.ranges, self._normalised, f"The method '{self.method}'")
        object.__setattr__(self, "ranges", ranges)

    @property
    def _given(self) -> dict[str, float]:
        return {
            metric: limit
            for metric, limit in self.limits.items()
            if not (limit is None or isinstance(limit, Quantile))
        }

    @property
    def _normalised(self) -> tuple[str, ...]:
        """The metrics that are put on one scale."""
        return {"feasibility": (), "epsilon": self.metrics, "penalty": (self.score,)}[self.method]

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.score, *self.limits)))

    @property
    def settings(self) -> dict[str, Any]:
        told = {
            "formulation": self.name,
            "score": self.score,
            "limits": {
                metric: {"quantile": limit.share} if isinstance(limit, Quantile) else limit
                for metric, limit in self.limits.items()
            },
            "method": self.method,
        }
        if self.method == "feasibility":
            return told
        how = {"epsilon": {"rho": self.rho}, "penalty": {"coefficient": self.coefficient}}
        return {**told, **how[self.method], "ranges": as_json(self.ranges)}

    @property
    def n_ieq_constr(self) -> int:
        return 0 if self.method == "penalty" else len(self.limits)

    @property
    def objective_names(self) -> tuple[str, ...]:
        return (self.score,) if self.method == "feasibility" else ()

    def objectives(self, evaluations: Evaluations) -> FloatArray:
        if self.method == "feasibility":
            return minimised(evaluations, self.score)[:, None]
        fitness = self._z(evaluations, self.score)
        if self.method == "epsilon":
            for metric in self._normalised[1:]:
                fitness = fitness + self.rho * self._z(evaluations, metric)
        else:
            for violation in violations(evaluations, self._given).T:
                fitness = fitness + self.coefficient * np.maximum(violation, 0) ** 2
        return fitness[:, None]

    def _z(self, evaluations: Evaluations, metric: str) -> FloatArray:
        ends = self.ranges[metric]
        assert ends is not None
        return normalised(evaluations, metric, ends)

    def constraints(self, evaluations: Evaluations) -> FloatArray:
        if self.method == "penalty":
            return super().constraints(evaluations)
        return violations(evaluations, self._given)

    def with_score(self, metric: str) -> "Constrained":
        if metric == self.score:
            return self
        # Another score has a range of its own.
        ranges = {name: ends for name, ends in self.ranges.items() if name in self.limits}
        return replace(self, score=metric, ranges=ranges if self.method == "epsilon" else {})

    @property
    def is_fitted(self) -> bool:
        return len(self._given) == len(self.limits) and None not in self.ranges.values()

    def fit(self, reference: Callable[[Iterable[str]], Evaluations]) -> Self:
        if self.is_fitted:
            return self
        quantiles = {
            metric: limit if isinstance(limit, Quantile) else Quantile(0.5)
            for metric, limit in self.limits.items()
            if metric not in self._given
        }
        unscaled = [metric for metric, ends in self.ranges.items() if ends is None]
        sample = reference(dict.fromkeys((*quantiles, *unscaled)))
        return replace(
            self,
            limits={**self.limits, **{m: quantile.of(sample, m) for m, quantile in quantiles.items()}},
            ranges={**self.ranges, **{metric: robust_range(sample, metric) for metric in unscaled}},
        )
