"""One sitting of a run: from what its store holds, on to its end or an interrupt."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pymoo.core.algorithm import Algorithm

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluations
from moo_nas.evaluation.bench import genome_text
from moo_nas.problem import NASProblem
from moo_nas.study.carbon import WORLD_GRID, Footprint, Reading
from moo_nas.study.folder import Folder
from moo_nas.study.measured_front import measure_front
from moo_nas.study.publish import publish_run
from moo_nas.study.reading import keep_outside, keep_problem
from moo_nas.study.record import ENERGY, MEASURING, run_record, write_record
from moo_nas.study.refresh import Refresh
from moo_nas.study.run import Run
from moo_nas.study.steps import Steps
from moo_nas.study.stops import Stops


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        name: The run's.
        n_evaluations: How many there are.
        budget: How many there will be.
        front_size: How many rows the front has.
        hypervolume: The front's, as a share of the box around all that was feasible so far: at the end
            that of the run's report.
        n_failed: How many evaluations failed.
        detail: What is being done at the moment.
        front: The front's columns by objective, in their own units; ``fitness`` where one is made of
            several metrics, which is minimised.
        growth: The front's volume in the box around what was feasible first, which only grows.
    """

    name: str
    n_evaluations: int
    budget: int
    front_size: int
    hypervolume: float
    n_failed: int
    detail: str
    front: Mapping[str, FloatArray] = field(default_factory=dict)
    growth: float = 0.0


Listener = Callable[[Progress], None]


def check_listener(given: Any) -> None:
    """Refuse what cannot be called with :class:`Progress`.

    Raises:
        InputError: It cannot be called.
    """
    if given is not None and not callable(given):
        raise InputError(f"progress is called with what is measured; got {given!r}, which cannot be called.")


# How much measuring a kill may leave out of the account.
_EVERY_S = 5.0


class Session:
    """Takes a run from wherever its store says it is to its end.

    The algorithm is replayed from the beginning: what it asks for is found in the store as far as
    it was measured, so a killed run goes on exactly where it was, without a checkpoint. Time ends a
    run only beyond what the store has of it: one that it has ended is replayed to where that was.

    Args:
        name: What the run is called in its store.
        algorithm: Set up on the problem, which has the store.
        definition: What defines the run.
        folder: Where its files go, if anywhere.
        progress: Called whenever something was measured.
        prefix: Where in the folder its files go.
        alone: Measure the front at the end and write pictures and a page; a comparison has its own.
        grid: The carbon intensity of the machine's electricity in g/kWh.
        known: What earlier runs on the same budget paid for; see :class:`Steps`.
        prepare: What is set up beside the formulation.

    Attributes:
        name: What the run is called in its store.
        problem: The problem that the algorithm made of it.
        steps: The steps taken, once it has begun.
    """

    def __init__(
        self,
        name: str,
        algorithm: Algorithm,
        definition: dict[str, Any],
        folder: Folder | None = None,
        progress: Listener | None = None,
        prefix: str = "",
        alone: bool = True,
        grid: float = WORLD_GRID,
        known: IntArray | None = None,
        prepare: Callable[[], object] | None = None,
    ) -> None:
        self._known = known
        self._prepare = prepare
        self.name = name
        self._algorithm = algorithm
        self.problem: NASProblem = algorithm.problem
        self._store = self.problem.evaluator.store
        self._definition = definition
        self._stops = Stops.of(definition)
        self._folder = folder
        self._progress = progress
        self._prefix = prefix
        self._alone = alone
        self._grid = grid
        self._sitting = ""
        self._numbers = itertools.count()
        self._footprint: Footprint | None = None
        self.steps: Steps | None = None
        self._clock = (0.0, 0.0)
        self._measured = 0.0  # seconds that are in no reading yet
        self.problem.evaluator.listener = self._measuring

    def run(self) -> Run:
        """Search, measure the front, write the files, and return the run."""
        with self.at_work():
            try:
                steps = self.begin()
                stop_reason = self._search(steps)
            except KeyboardInterrupt:
                # With nothing evaluated there is nothing to report; a comparison has its other runs.
                if self.steps is None or (self._alone and not len(self.steps)):
                    raise
                steps, stop_reason = self.steps, "interrupted"
            return self.end(steps, stop_reason)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count the time and the energy of what is done inside as the run's."""
        self._sitting = f"{ENERGY}{self.name}/{datetime.now(UTC).isoformat()}"
        asked = (*self.problem.metrics, *self.problem.optional_metrics)
        self._footprint = Footprint(self.problem.evaluator.uses_gpu(asked), self._keep_energy)
        self._clock = self._now()
        with self._footprint:
            yield

    def begin(self) -> Steps:
        """Set up what the run depends on, and return its steps, none of them taken."""
        if self._store.definition(self.name) is None:
            self._store.begin(self.name, self._definition)
        self._tell("set-up")
        self.problem.fitted()
        if self._prepare is not None:
            self._prepare()
        if self._folder is not None:
            keep_problem(self.problem)
        self.steps = Steps(self._algorithm, self._stops, self._known)
        if self._folder is not None and self._folder.read(self._prefix + "run.json") is None:
            if self._footprint is not None:
                self._footprint.read()
            self._write_record(None)
        return self.steps

    def answer(self, steps: Steps, table: Evaluations) -> None:
        """Take one step on with what measuring its genomes gave, and enter it in the store."""
        start = len(steps)
        new = steps.answer(table)
        if len(new):
            self._store.log(self.name, start, [_log_row(new, i) for i in range(len(new))])
        self._spend()
        self._tell("search")

    def so_far(self, steps: Steps) -> Run:
        """Return the run as far as its steps have got, with a record that says that it goes on."""
        run = self._made(steps)
        run.record = self._write_record(None)
        return run

    def end(self, steps: Steps, stop_reason: str) -> Run:
        """Measure the front, write the files, and return the run."""
        run = self._made(steps)
        if stop_reason != "interrupted" and not run.feasible.any():
            stop_reason = "infeasible"
        if self._alone and stop_reason != "interrupted":
            try:
                run.measured = measure_front(run, self.problem, self._tell)
            except KeyboardInterrupt:
                stop_reason = "interrupted"
        if self._footprint is not None:
            self._footprint.finish()
        run.record = self._write_record(stop_reason)
        self._report(run)
        return run

    def _report(self, run: Run) -> None:
        if self._folder is not None:
            keep_outside(self._store, run)
            publish_run(run, self._folder, self._prefix, pictures=self._alone)

    def _made(self, steps: Steps) -> Run:
        """Return the run that steps make, without a record."""
        table = steps.table
        folder = None if self._folder is None else self._folder.path / self._prefix
        outside = self.problem.evaluator.outside(table.genomes, (metric.name for metric in table.metrics))
        formulation = self.problem.fitted()
        return Run(self.name, self.problem.space, formulation, table, {}, folder, outside=outside)

    def _search(self, steps: Steps) -> str:
        """Search until something ends it, and return the stop reason."""
        n_before = self._store.n_logged(self.name)
        refresh = Refresh()
        while (genomes := steps.ask()) is not None:
            # Only where there is a next step: what has ended by itself did not end by time.
            if self._out_of_time(len(steps), n_before):
                return "time"
            started = time.perf_counter()
            table = self.problem.evaluations(genomes)
            self._measured += time.perf_counter() - started
            self.answer(steps, table)
            # What an earlier sitting got to it has reported.
            if self._alone and len(steps) > n_before and refresh.due():
                refresh.write(lambda: self._report(self.so_far(steps)))
        assert steps.stop_reason is not None
        return steps.stop_reason

    def _out_of_time(self, n: int, n_before: int) -> bool:
        """Has a run of ``n`` evaluations, ``n_before`` of them from earlier sittings, had its time?"""
        if self._stops.max_seconds is None or n < max(n_before, 1):
            return False
        return bool(self._store.spent(self.name)[0] >= self._stops.max_seconds)

    def _write_record(self, stop_reason: str | None) -> dict[str, Any]:
        self._spend()
        if self._measured:
            self._keep_measured()
        assert self.steps is not None
        counts = (len(self.steps), self.steps.n_failed)
        record = run_record(self.name, self._definition, self.problem, stop_reason, counts, self._grid)
        return record if self._folder is None else write_record(record, self._folder, self._prefix)

    def _keep_measured(self) -> None:
        """Keep how long measuring took since it was kept last."""
        key = f"{MEASURING}{self.name}/{datetime.now(UTC).isoformat()}/{next(self._numbers)}"
        reading, self._measured = {"seconds": self._measured}, 0.0
        self._store.recall(key, lambda: reading)

    def _keep_energy(self, reading: Reading) -> None:
        self._store.recall(f"{self._sitting}/{next(self._numbers)}", lambda: reading)

    def _now(self) -> tuple[float, float]:
        worked = self.problem.evaluator.runner.worker_seconds
        return time.perf_counter(), time.process_time() + worked

    def _spend(self) -> None:
        """Add the time since the last call to the run's account, so that a kill loses little of it."""
        now, before = self._now(), self._clock
        self._store.spend(self.name, now[0] - before[0], now[1] - before[1])
        self._clock = now
        if self._measured > _EVERY_S:
            self._keep_measured()

    def _measuring(self, meter: str, done: int, total: int) -> None:
        self._tell(f"{meter} {done}/{total}")

    def _tell(self, detail: str) -> None:
        if self._progress is None:
            return
        steps, size, failed = self.steps, 0, 0
        if steps is not None:
            size, failed = len(steps.front), steps.n_failed
        volumes = [0.0, 0.0]
        if steps is not None and steps.around is not None and steps.box is not None:
            volumes = [box.hypervolume(steps.front) for box in (steps.around, steps.box)]
        n = 0 if steps is None else len(steps)
        counts = n, self._stops.budget, size, volumes[0], failed
        self._progress(Progress(self.name, *counts, detail, self._front(), volumes[1]))

    def _front(self) -> dict[str, FloatArray]:
        """Return the front's objectives by name, in their own units."""
        if self.steps is None:
            return {}
        columns = self.steps.front.T
        names = self.problem.formulation.objective_names
        if len(names) != len(columns):
            return {"fitness": columns[0]} if len(columns) == 1 else {}
        signs = (1.0 if self.problem.evaluator.metric(name).goal == "min" else -1.0 for name in names)
        return {name: sign * column for name, sign, column in zip(names, signs, columns, strict=True)}


def _log_row(table: Evaluations, row: int) -> tuple[str, dict[str, float | None], str, str | None]:
    values = {
        metric.name: float(value) if np.isfinite(value) else None
        for metric, value in zip(table.metrics, table.values[row], strict=True)
    }
    reason = table.reasons[row]
    return genome_text(table.genomes[row]), values, "failed" if reason else "ok", reason
