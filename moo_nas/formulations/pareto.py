"""Several objectives at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import FormulationError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations.base import Formulation, as_numbers, check_limits, minimised, violations


class Pareto(Formulation):
    """The best trade-offs of two or more metrics: the survey's eq. 2.

    Args:
        objectives: The metrics, two or more.
        limits: The most of a metric to be minimised, the least of one to be maximised; an
            objective may have one too.

    Example:
        >>> Pareto("score", "latency_ms").n_obj
        2
    """

    name = "pareto"
    is_scalar = False

    def __init__(self, *objectives: str, limits: Mapping[str, float] | None = None) -> None:
        if len(objectives) < 2:
            raise FormulationError(f"Pareto needs at least two objectives; got {objectives}.")
        if len(set(objectives)) != len(objectives):
            raise FormulationError(f"Pareto has an objective twice: {objectives}.")
        self._names = objectives
        self.limits = as_numbers("limit", {} if limits is None else limits)
        check_limits(self.limits)

    def __repr__(self) -> str:
        limits = f", limits={self.limits}" if self.limits else ""
        return f"Pareto({', '.join(map(repr, self._names))}{limits})"

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._names, *self.limits)))

    @property
    def settings(self) -> dict[str, Any]:
        return {"formulation": self.name, "objectives": list(self._names), "limits": dict(self.limits)}

    @property
    def n_obj(self) -> int:
        return len(self._names)

    @property
    def n_ieq_constr(self) -> int:
        return len(self.limits)

    @property
    def objective_names(self) -> tuple[str, ...]:
        return self._names

    def objectives(self, evaluations: Evaluations) -> FloatArray:
        return np.column_stack([minimised(evaluations, name) for name in self._names])

    def constraints(self, evaluations: Evaluations) -> FloatArray:
        return violations(evaluations, self.limits)
