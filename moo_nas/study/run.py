"""One problem, one algorithm, one seed, one budget; its result is the archive of all evaluations."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from moo_nas.analysis.indicators import nondominated
from moo_nas.analysis.reach import knee
from moo_nas.arrays import BoolArray, FloatArray, IntArray
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import Formulation
from moo_nas.formulations.base import wished
from moo_nas.spaces import SearchSpace

if TYPE_CHECKING:
    from pymoo.core.algorithm import Algorithm

    from moo_nas.problem import NASProblem
    from moo_nas.study.ask_tell import OpenRun


OPEN = "open"  # the stop reason of a run that goes on


class Run:
    """What a search found.

    Args:
        name: What the run is called.
        space: Where its genomes come from.
        formulation: What was asked for, fitted.
        table: Everything that was evaluated, in ask order.
        record: What ``run.json`` says.
        folder: Where its files are, if anywhere.
        measured: The front measured on the device, if it was.
        outside: Why each evaluation lies outside of what predictors were fitted on, empty if it does
            not; none if no metric is predicted from samples.
        n_waiting: How many results of a batch that is not whole were told and kept: they come to the
            table with the others of their batch.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        formulation: Formulation,
        table: Evaluations,
        record: Mapping[str, Any],
        folder: Path | None = None,
        measured: pd.DataFrame | None = None,
        outside: Sequence[str] | None = None,
        n_waiting: int = 0,
    ) -> None:
        self.name = name
        self.space = space
        self.formulation = formulation
        self.table = table
        self.record = dict(record)
        self.folder = folder
        self.measured = measured
        self.outside = outside
        self.n_waiting = n_waiting

    @classmethod
    def open(
        cls,
        problem: "NASProblem",
        formulation: Formulation | None = None,
        algorithm: "str | Algorithm" = "nsga2",
        budget: int = 200,
        seed: int = 0,
        n_jobs: int = 1,
        out: str | os.PathLike[str] | None = None,
        warm_start: npt.ArrayLike | pd.DataFrame | None = None,
        stagnation: int | None = None,
        timeout_s: float | None = None,
    ) -> "OpenRun":
        """Open a run whose evaluations are made elsewhere: it is asked what to evaluate, and told.

        It is the run that :func:`moo_nas.search` makes of the same arguments, if what is measured
        elsewhere were measured here. What is not an :class:`~moo_nas.meters.External` metric of the
        problem is measured here, when a batch is told whole.

        Args:
            problem: What is searched; at least one of the metrics asked for is ``External``.
            formulation: What is asked for; by default what the problem has.
            algorithm: A registered name, or any pymoo algorithm not yet set up (it is copied).
            budget: How many distinct architectures are evaluated.
            seed: Of the algorithm's randomness; the problem has its own.
            n_jobs: How many processes measure what is measured here.
            out: The folder that the run is kept in: opened again, by any process, it goes on. Without
                one, the run lives as long as the problem does.
            warm_start: What to evaluate first; see :func:`moo_nas.search`.
            stagnation: Over how many evaluations the hypervolume of the front has to grow.
            timeout_s: How long an architecture may take a meter here; see :func:`moo_nas.search`.

        Raises:
            InputError: What ``search`` would refuse, or nothing is measured elsewhere.
            StoreError: The folder cannot be used, or holds another run; it is left as it is.

        Example:
            >>> from moo_nas import NASProblem, Pareto
            >>> from moo_nas.evaluation import Evaluator
            >>> from moo_nas.meters import Analytic, External
            >>> from moo_nas.spaces import StageSpace
            >>> meters = [Analytic(32, 10), External("accuracy", "%", "max")]
            >>> problem = NASProblem(Evaluator(StageSpace.haenas(), meters), Pareto("accuracy", "params"))
            >>> run = Run.open(problem, algorithm="random", budget=4)
            >>> while len(proposals := run.ask(2)):
            ...     for number, text in zip(proposals["id"], proposals["architecture"]):
            ...         run.tell(number, {"accuracy": 0.1 * len(text)})
            >>> run.stop_reason, len(run.evaluations)
            ('budget', 4)
        """
        # Here, as an open run is made of a run.
        from moo_nas.study.ask_tell import open_run

        options = (warm_start, stagnation, timeout_s)
        return open_run(problem, formulation, algorithm, budget, seed, n_jobs, out, *options)

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        problem: "NASProblem | None" = None,
        formulation: Formulation | None = None,
    ) -> "Run":
        """Return the run that a folder holds, as far as it is; nothing is measured, or changed there.

        Args:
            folder: Of a search, or ``runs/<method>/seed<k>`` of a comparison.
            problem: What was searched; needed only if its space is a class of one's own and the problem
                has no registered name.
            formulation: What was asked for, fitted; needed only if it is a class of one's own.

        Raises:
            InputError: It is no run's folder, or needs one of these.
            StoreError: Its store is damaged.

        Example:
            .. code-block:: python

                run = Run.load("runs/first")
                run.front[["score", "latency_ms", "architecture"]]
        """
        # Here, as reading makes a run.
        from moo_nas.study.reading import load_run

        return load_run(folder, problem, formulation)

    def __repr__(self) -> str:
        """Return what it is of, how far it got and what its front is."""
        metrics = ", ".join(self.formulation.metrics)
        found = f"{len(self.table)} evaluations, a front of {len(self.front_rows)}"
        return f"<{type(self).__name__} of {metrics}: {found}, {self.stop_reason}>"

    @property
    def stop_reason(self) -> str:
        """Why the run ended: budget, exhausted, stagnated, time, infeasible or interrupted.

        Or ``open``: it goes on, or was killed.
        """
        reason = self.record["stop_reason"]
        return OPEN if reason is None else str(reason)

    @cached_property
    def _fg(self) -> tuple[FloatArray, FloatArray]:
        return self.formulation.apply(self.table)

    @property
    def objectives(self) -> FloatArray:
        """What was minimised, ``(n, n_obj)``, failed rows at their worst."""
        return self._fg[0]

    @property
    def feasible(self) -> BoolArray:
        """Which evaluations did not fail and meet every limit, ``(n,)``."""
        met: BoolArray = (self._fg[1] <= 0).all(axis=1) & ~self.table.failed
        return met

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row an evaluation in ask order: genes as choices, metrics, status, reason, feasible."""
        return self._frame(np.arange(len(self.table)))

    @cached_property
    def front(self) -> pd.DataFrame:
        """The non-dominated feasible rows of all evaluations, in ask order."""
        return self._frame(self.front_rows)

    @cached_property
    def front_rows(self) -> IntArray:
        """The positions of the front's rows."""
        rows = np.flatnonzero(self.feasible)
        return rows[nondominated(self.objectives[rows])]

    @cached_property
    def least_violating(self) -> pd.DataFrame:
        """Where nothing is feasible: the measured rows that violate the limits least."""
        valid = np.flatnonzero(~self.table.failed)
        if len(valid) == 0 or self.feasible.any():
            return self._frame(np.zeros(0, dtype=np.int64))
        violation = np.maximum(self._fg[1][valid], 0).sum(axis=1)
        return self._frame(valid[violation == violation.min()])

    def under(self, formulation: Formulation) -> "Run":
        """Return the same evaluations under another formulation: its front, its knee, what is feasible.

        One front per device, or within other limits, of one run; nothing is measured.

        Args:
            formulation: What is asked for, of metrics that the run's table has; nothing left to the
                reference sample (``problem.fitted(formulation)`` settles that).

        Raises:
            InputError: A metric that the table lacks: search ``problem.also_measuring([metric])``.
            FormulationError: Something is left to the reference sample.

        Example:
            >>> from moo_nas import Pareto, search
            >>> from problems.haenas import HaeNAS
            >>> run = search(HaeNAS(), Pareto("params", "macs", "peak_activation_bytes"), budget=60)
            >>> len(run.under(Pareto("params", "macs")).front) < len(run.front)
            True
        """
        asked = self.table.select(formulation.metrics)
        # A row lacks what this formulation reads, or it does not: what else failed is of no matter.
        reasons = tuple(
            why if why is None else known or why
            for why, known in zip(asked.reasons, self.table.reasons, strict=True)
        )
        judged = Run(
            self.name,
            self.space,
            formulation,
            replace(self.table, reasons=reasons),
            {**self.record, "formulation": formulation.settings},
            outside=self.outside,
        )
        judged._fg  # noqa: B018  # what does not fit is said at once
        return judged

    def knee(self) -> pd.Series | None:
        """Return the row of the front that bends towards the ideal most; None where none does.

        Beyond it, a little more of one objective costs much of another: a choice where nobody has
        weights. See :func:`~moo_nas.analysis.reach.knee`.

        Raises:
            InputError: The formulation has fewer than two objectives.
        """
        if self.formulation.n_obj < 2:
            raise InputError(
                f"A knee is of a front of two objectives or more; '{self.formulation.name}' makes one. Ask "
                'run.under(Pareto("score", "latency_ms")).knee().'
            )
        place = knee(self.objectives[self.front_rows])
        return None if place is None else self.front.iloc[place]

    def nearest(self, wish: Mapping[str, float]) -> pd.Series | None:
        r"""Return the row of the front that comes closest to a wish, or exceeds it most.

        None of an empty front. With :math:`a` the wish and the width of each objective over the front,

        .. math:: \min \max_i \frac{f_i - a_i}{high_i - low_i}

        negative where all of the wish is exceeded; of equals the one with the smaller sum.

        Args:
            wish: A value of each objective, in the metrics' own units.

        Raises:
            InputError: The formulation has no objectives that are metrics; one is missing, another is none
                of them, or no number.
        """
        point = wished(wish, self.formulation, self.table.metric)
        f = self.objectives[self.front_rows]
        if len(f) == 0:
            return None
        width = np.ptp(f, axis=0)
        short = (f - point) / np.where(width > 0, width, 1.0)
        return self.front.iloc[int(np.lexsort((short.sum(axis=1), short.max(axis=1)))[0])]

    def _frame(self, rows: IntArray) -> pd.DataFrame:
        frame = evaluations_frame(self.space, self.table, self.feasible, rows)
        if self.outside is not None:
            frame["outside"] = pd.Series([self.outside[row] for row in rows], index=frame.index, dtype="str")
        return frame


def evaluations_frame(
    space: SearchSpace, table: Evaluations, feasible: BoolArray, rows: IntArray | Sequence[int]
) -> pd.DataFrame:
    """Return some rows of a table with genes as choices, status, reason and the architecture's text."""
    rows = np.asarray(rows, dtype=np.int64)
    chosen = table.rows(rows)
    frame = space.choices(chosen.genomes)
    for metric, values in chosen.columns().items():
        frame[metric] = values
    frame["status"] = np.where(chosen.failed, "failed", "ok")
    frame["reason"] = pd.Series(list(chosen.reasons), dtype="str")
    frame["feasible"] = feasible[rows]
    frame["architecture"] = pd.Series([str(space.decode(g)) for g in chosen.genomes], dtype="str")
    frame.index = pd.Index(rows, name="evaluation")
    return frame
