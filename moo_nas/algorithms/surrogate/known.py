"""What is known of genomes before they are evaluated."""

import numpy as np

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.evaluation import Evaluations
from moo_nas.problem import NASProblem


class Known:
    """Free metrics of genomes, and the objectives and limits that follow from these alone.

    Args:
        problem: Whose genomes.
        names: The free metrics that are looked at.
    """

    def __init__(self, problem: NASProblem, names: tuple[str, ...]) -> None:
        self._problem = problem
        self._names = names
        self._formulation = problem.fitted()
        self._columns = [problem.free.index(name) for name in names]
        self._metrics = tuple(problem.evaluator.metric(name) for name in self._formulation.metrics)

    def free(self, genomes: IntArray) -> FloatArray:
        """Return the free metrics of genomes ``(n, n_var)``, ``(n, n_free)``; NaN where there is none."""
        if not self._names or len(genomes) == 0:
            return np.empty((len(genomes), len(self._names)))
        return self._problem.features(genomes)[:, self._columns]

    def columns(self, genomes: IntArray, free: FloatArray) -> FloatArray:
        """Return objectives and shares of limits ``(n, n_columns)``, NaN where they are not known."""
        values = np.full((len(genomes), len(self._metrics)), np.nan)
        for column, metric in enumerate(self._metrics):
            if metric.name in self._names:
                values[:, column] = free[:, self._names.index(metric.name)]
        # A metric that is not known yet is NaN, and makes NaN of all that depends on it.
        table = Evaluations(genomes, self._metrics, values, (None,) * len(genomes))
        formulation = self._formulation
        return np.column_stack([formulation.objectives(table), 1 + formulation.constraints(table)])
