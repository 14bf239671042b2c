"""The search problem as pymoo sees it."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pymoo.core.problem import Problem

from moo_nas.arrays import FloatArray, IntArray, stable_hash
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluations, Evaluator, Runner, Store
from moo_nas.formulations import Formulation
from moo_nas.meters.device import StopWatch

Failures = Literal["constraint", "penalty"]

# What tables of evaluations and proposals have beside genes and metrics.
_COLUMNS = ("architecture", "evaluation", "feasible", "id", "outside", "reason", "status")


class NASProblem(Problem):  # type: ignore[misc]  # pymoo is untyped
    """A search space, an evaluator and a formulation: a pymoo ``Problem`` on integer genomes.

    Any pymoo algorithm runs on it unchanged. Algorithms that make real numbers have them rounded
    to the nearest choice; a measurement that failed never reaches them as NaN.

    Args:
        evaluator: What measures genomes, on its space.
        formulation: What is asked for.
        failures: How a failed measurement looks to the algorithm: ``constraint``, infeasible by
            one more constraint; ``penalty``, finite and worse than anything measured, for
            algorithms that take no constraints.
        options: What the problem was made with, for the record.
        timers: For a predicted metric, the stop-watch that checks it on the front.
        setup: What was decided before anything is measured, by name, as JSON: on record with every run.

    Raises:
        InputError: The formulation reads a metric that the evaluator lacks, or a gene and a metric, or
            one of them and a column that every table of evaluations has, are of one name.
    """

    name: ClassVar[str] = "problem"

    def __init__(
        self,
        evaluator: Evaluator,
        formulation: Formulation,
        failures: Failures = "constraint",
        options: Mapping[str, Any] | None = None,
        timers: Mapping[str, StopWatch] | None = None,
        setup: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        if failures not in ("constraint", "penalty"):
            raise InputError(f"failures must be 'constraint' or 'penalty'; got '{failures}'.")
        _check_names(evaluator)
        self.evaluator = evaluator
        self.space = evaluator.space
        self.failures = failures
        # Numbers of numpy as Python's own: what defines a run is JSON.
        self.options = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in (options or {}).items()
        }
        self.timers = dict(timers or {})
        self.setup = dict(setup or {})
        self.extra_metrics: tuple[str, ...] = ()
        self.optional_metrics: tuple[str, ...] = ()
        self._fitted: dict[str, Formulation] = {}
        self.formulation = self._resolved(formulation)
        self._set_shape()

    def __str__(self) -> str:
        """Return its space and what is asked for; pymoo's own takes ``name`` for a method."""
        space, formulation = self.space, self.formulation
        return f"{self.name}: {space.n_var} genes, {formulation.name} of {', '.join(formulation.metrics)}"

    def under(self, formulation: Formulation) -> Self:
        """Return the same problem under another formulation, sharing everything measured."""
        return self._with(formulation=self._resolved(formulation))

    def at(self, store: Store, runner: Runner) -> Self:
        """Return the same problem with measurements kept in a store and made by a runner."""
        problem = self._with(evaluator=self.evaluator.at(store, runner), _fitted={})
        for name, value in self.setup.items():
            problem.evaluator.recall(f"{name}/{stable_hash(value)}", lambda value=value: value)  # type: ignore[misc]
        return problem

    def confined(self, genomes: IntArray) -> Self:
        """Return the same problem where algorithms propose these genomes ``(n, n_var)`` alone."""
        return self._with(evaluator=self.evaluator.confined(genomes))

    def also_measuring(self, metrics: Iterable[str], optional: bool = False) -> Self:
        """Return the same problem with more metrics measured than the formulation reads.

        A row without one of them has failed, unless they are ``optional``.
        """
        metrics = tuple(metrics)
        for metric in metrics:
            self.evaluator.metric(metric)
        kind = "optional_metrics" if optional else "extra_metrics"
        return self._with(**{kind: tuple(dict.fromkeys((*getattr(self, kind), *metrics)))})

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics without which an evaluation has failed."""
        return tuple(dict.fromkeys((*self.formulation.metrics, *self.extra_metrics)))

    @property
    def free(self) -> tuple[str, ...]:
        """The metrics known before an evaluation: formulas, table columns declared so, asked-for predictions.

        A metric that is optimised may be among them. Looking at them costs no budget.
        """
        return self.evaluator.free((*self.metrics, *self.optional_metrics))

    def features(self, genomes: npt.ArrayLike) -> FloatArray:
        """Return the free metrics of genomes ``(n, n_var)``, ``(n, len(free))``; NaN where there is none.

        Example:
            >>> from moo_nas.formulations import Pareto
            >>> from moo_nas.meters import Analytic, ZeroCost
            >>> from moo_nas.spaces import StageSpace
            >>> evaluator = Evaluator(StageSpace.haenas(), [Analytic(32, 10), ZeroCost()])
            >>> problem = NASProblem(evaluator, Pareto("snip", "params"))
            >>> "params" in problem.free, "snip" in problem.free
            (True, False)
            >>> problem.features(problem.space.sample(3, seed=0)).shape == (3, len(problem.free))
            True
        """
        free = self.free
        table = self.evaluator.evaluate(self.genomes(genomes), free, free)
        return table.values[:, [table.position(name) for name in free]]

    def evaluations(self, genomes: npt.ArrayLike) -> Evaluations:
        """Return the measurements of genomes ``(n, n_var)``; real numbers are rounded to choices."""
        optional = [metric for metric in self.optional_metrics if metric not in self.metrics]
        return self.evaluator.evaluate(self.genomes(genomes), self.metrics, optional)

    def genomes(self, x: npt.ArrayLike) -> IntArray:
        """Return canonical genomes for a matrix ``(n, n_var)`` of whatever numbers an algorithm makes."""
        matrix = np.atleast_2d(np.asarray(x))
        if not np.issubdtype(matrix.dtype, np.integer):
            if not np.isfinite(matrix.astype(np.float64)).all():
                raise InputError("A genome must be of finite numbers; the algorithm made NaN or infinity.")
            matrix = np.clip(np.rint(matrix.astype(np.float64)), self.xl, self.xu).astype(np.int64)
        return self.space.canonical(self.space.check(matrix))

    def fitted(self, formulation: Formulation | None = None) -> Formulation:
        """Return a formulation (by default the problem's) fitted to the reference sample, once each."""
        formulation = self.formulation if formulation is None else formulation
        if formulation.is_fitted:
            return formulation
        key = stable_hash(formulation.settings)
        if key not in self._fitted:
            self._fitted[key] = formulation.fit(self.evaluator.reference)
        return self._fitted[key]

    def fg(self, evaluations: Evaluations) -> tuple[FloatArray, FloatArray]:
        """Return what pymoo sees of measurements: F ``(n, n_obj)`` and G ``(n, n_ieq_constr)``, finite."""
        f, g = self.fitted().apply(evaluations)
        if self.failures == "constraint":
            g = np.column_stack([g, np.where(evaluations.failed, 1.0, 0.0)])
        return f, g

    def _evaluate(self, x: npt.ArrayLike, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        f, g = self.fg(self.evaluations(x))
        out["F"] = f
        if g.shape[1]:
            out["G"] = g

    def _resolved(self, formulation: Formulation) -> Formulation:
        available = [metric.name for metric in self.evaluator.metrics]
        formulation = formulation.resolve(available)
        for metric in formulation.metrics:
            if self.evaluator.metric(metric).goal is None:
                raise InputError(f"'{metric}' has no goal, it is a feature only: no formulation can take it.")
        return formulation

    def _with(self, **changes: Any) -> Self:
        problem = copy.copy(self)
        for name, value in changes.items():
            setattr(problem, name, value)
        problem._set_shape()
        return problem

    def _set_shape(self) -> None:
        super().__init__(
            n_var=self.space.n_var,
            n_obj=self.formulation.n_obj,
            n_ieq_constr=self.formulation.n_ieq_constr + (self.failures == "constraint"),
            xl=np.zeros(self.space.n_var),
            xu=self.space.n_choices - 1.0,
            vtype=int,
        )


def _check_names(evaluator: Evaluator) -> None:
    """Refuse names of which a table would have two columns.

    Raises:
        InputError: There is one.
    """
    genes = [gene.name for gene in evaluator.space.genes]
    metrics = [metric.name for metric in evaluator.metrics]
    for kind, names in (("gene", genes), ("metric", metrics)):
        for name in names:
            if name in _COLUMNS:
                raise InputError(
                    f"No {kind} can be called '{name}': tables of evaluations have a column of that name; "
                    "rename it."
                )
    for name in metrics:
        if name in genes:
            raise InputError(f"'{name}' is a gene and a metric; rename one of them.")
