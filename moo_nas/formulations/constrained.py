"""One objective under limits."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.evaluation import Evaluations
from moo_nas.formulations.base import Formulation, check_limits, minimised, violations


@dataclass(frozen=True)
class Constrained(Formulation):
    """The best of one metric while others keep their limits; feasible comes first.

    A violation counts as a share of its limit, so that limits of different units weigh alike.
    The same metric may be the objective and have a limit.

    Args:
        score: The objective.
        limits: The most of a metric to be minimised, the least of one to be maximised; None leaves
            the limit to the median of the reference sample.

    Example:
        >>> Constrained("score", limits={"latency_ms": 5.0}).n_ieq_constr
        1
    """

    score: str
    limits: Mapping[str, float | None] = field(default_factory=lambda: {"latency_ms": None})
    name = "constrained"

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", dict(self.limits))
        check_limits(self._given)

    @property
    def _given(self) -> dict[str, float]:
        return {metric: float(limit) for metric, limit in self.limits.items() if limit is not None}

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.score, *self.limits)))

    @property
    def settings(self) -> dict[str, Any]:
        return {"formulation": self.name, "score": self.score, "limits": dict(self.limits)}

    @property
    def n_ieq_constr(self) -> int:
        return len(self.limits)

    @property
    def objective_names(self) -> tuple[str, ...]:
        return (self.score,)

    def objectives(self, evaluations: Evaluations) -> FloatArray:
        return minimised(evaluations, self.score)[:, None]

    def constraints(self, evaluations: Evaluations) -> FloatArray:
        return violations(evaluations, self._given)

    def with_score(self, metric: str) -> "Constrained":
        return replace(self, score=metric)

    @property
    def is_fitted(self) -> bool:
        return len(self._given) == len(self.limits)

    def fit(self, reference: Callable[[Iterable[str]], Evaluations]) -> Self:
        if self.is_fitted:
            return self
        missing = [metric for metric, limit in self.limits.items() if limit is None]
        sample = reference(missing)
        return replace(
            self, limits={**self.limits, **{metric: float(np.median(sample[metric])) for metric in missing}}
        )
