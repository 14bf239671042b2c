"""One objective, nothing else."""

from dataclasses import dataclass, replace
from typing import Any

from moo_nas.arrays import FloatArray
from moo_nas.evaluation import Evaluations
from moo_nas.formulations.base import Formulation, minimised


@dataclass(frozen=True, eq=False)
class Single(Formulation):
    """The best of one metric: the survey's eq. 1.

    Example:
        >>> Single("score").metrics
        ('score',)
    """

    score: str
    name = "single"

    @property
    def metrics(self) -> tuple[str, ...]:
        return (self.score,)

    @property
    def settings(self) -> dict[str, Any]:
        return {"formulation": self.name, "score": self.score}

    @property
    def objective_names(self) -> tuple[str, ...]:
        return (self.score,)

    def objectives(self, evaluations: Evaluations) -> FloatArray:
        return minimised(evaluations, self.score)[:, None]

    def with_score(self, metric: str) -> "Single":
        return replace(self, score=metric)
