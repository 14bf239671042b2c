"""One sitting of a run: from what its store holds, on to the budget or an interrupt."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from pymoo.core.algorithm import Algorithm
from pymoo.core.individual import Individual
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.problems.static import StaticProblem

from moo_nas.analysis.indicators import Box, nondominated
from moo_nas.arrays import FloatArray, IntArray, stable_hash
from moo_nas.evaluation import Evaluations
from moo_nas.evaluation.evaluator import genome_text
from moo_nas.meters.device import StopWatch, machine
from moo_nas.meters.device.energy import ENERGIES, IDLE
from moo_nas.meters.device.timer import ROUNDS
from moo_nas.problem import NASProblem
from moo_nas.study.carbon import WORLD_GRID, Footprint, Reading, footprint, sittings
from moo_nas.study.folder import Folder
from moo_nas.study.publish import publish_run
from moo_nas.study.run import Run

# An algorithm that proposes so many known architectures in a row has nothing new to say.
_PATIENCE = 3000

# What the measured front and the energy of sittings are kept under in the store.
_MEASURED = "measured front/"
_ENERGY = "energy/"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; ``detail`` says what is being done at the moment."""

    name: str
    n_evaluations: int
    budget: int
    front_size: int
    hypervolume: float
    n_failed: int
    detail: str


Listener = Callable[[Progress], None]


class Session:
    """Takes a run from wherever its store says it is to its end.

    The algorithm is replayed from the beginning: what it asks for is found in the store as far as
    it was measured, so a killed run goes on exactly where it was, without a checkpoint.

    Args:
        name: What the run is called in its store.
        algorithm: Set up on the problem, which has the store.
        definition: What defines the run.
        folder: Where its files go, if anywhere.
        progress: Called whenever something was measured.
        prefix: Where in the folder its files go.
        alone: Measure the front at the end and write pictures and a page; a comparison has its own.
        grid: The carbon intensity of the machine's electricity in g/kWh.
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
    ) -> None:
        self._name = name
        self._algorithm = algorithm
        self._problem: NASProblem = algorithm.problem
        self._store = self._problem.evaluator.store
        self._definition = definition
        self._budget: int = definition["budget"]
        self._folder = folder
        self._progress = progress
        self._prefix = prefix
        self._alone = alone
        self._grid = grid
        self._sitting = f"{_ENERGY}{name}/{datetime.now(UTC).isoformat()}"
        self._numbers = itertools.count()
        asked = (*self._problem.metrics, *self._problem.optional_metrics)
        self._footprint = Footprint(self._problem.evaluator.uses_gpu(asked), self._keep_energy)
        # What pymoo needs to know of the problem to take F and G as answers; it copies it each time.
        self._shape = Problem(
            n_var=self._problem.n_var, n_obj=self._problem.n_obj, n_ieq_constr=self._problem.n_ieq_constr
        )
        self._position: dict[str, int] = {}  # of each genome asked for, in ask order
        self._tables: list[Evaluations] = []
        self._front = np.empty((0, self._problem.n_obj))
        self._n_failed = 0
        self._box: Box | None = None
        self._clock = (0.0, 0.0)
        self._problem.evaluator.listener = self._measuring

    def run(self) -> Run:
        """Search, measure the front, write the files, and return the run."""
        with self._footprint:
            return self._run()

    def _run(self) -> Run:
        self._clock = self._now()
        if self._store.definition(self._name) is None:
            self._store.begin(self._name, self._definition)
        try:
            self._tell("set-up")
            formulation = self._problem.fitted()
            nothing = np.empty((0, self._problem.n_var), dtype=np.int64)
            self._tables.append(self._problem.evaluations(nothing))
            if self._folder is not None and self._folder.read(self._prefix + "run.json") is None:
                self._write_record(None)
            stop_reason = self._search()
        except KeyboardInterrupt:
            # With nothing evaluated there is nothing to report; a comparison has its other runs.
            if not self._tables or (self._alone and not self._position):
                raise
            stop_reason = "interrupted"
        table = Evaluations.concat(self._tables)
        folder = None if self._folder is None else self._folder.path / self._prefix
        outside = self._problem.evaluator.outside(table.genomes, (metric.name for metric in table.metrics))
        run = Run(self._name, self._problem.space, formulation, table, {}, folder, outside=outside)
        if stop_reason != "interrupted" and not run.feasible.any():
            stop_reason = "infeasible"
        if self._alone and stop_reason != "interrupted":
            try:
                run.measured = self._measure_front(run)
            except KeyboardInterrupt:
                stop_reason = "interrupted"
        run.record = self._write_record(stop_reason)
        if self._folder is not None:
            publish_run(run, self._folder, self._prefix, pictures=self._alone)
        return run

    def _search(self) -> str:
        """Search until something ends it, and return the stop reason."""
        algorithm, idle = self._algorithm, 0
        while len(self._position) < self._budget:
            infills = algorithm.ask()
            # MOEA/D and some others ask for one individual at a time.
            asked = Population.create(infills) if isinstance(infills, Individual) else infills
            if asked is None or len(asked) == 0:
                return "exhausted"
            genomes = self._problem.genomes(asked.get("X"))
            whole, before = self._within_budget(genomes), len(self._position)
            f, g = self._evaluate(genomes[:whole])
            if whole < len(genomes):
                break
            answers = StaticProblem(self._shape, F=f, **({"G": g} if g.shape[1] else {}))
            algorithm.evaluator.eval(answers, asked, skip_already_evaluated=False)
            algorithm.tell(infills=infills)
            if len(self._position) == self._problem.space.size:
                return "exhausted"
            idle = 0 if len(self._position) > before else idle + len(genomes)
            if idle >= _PATIENCE:
                return "stagnated"
        return "budget"

    def _within_budget(self, genomes: IntArray) -> int:
        """Return how many rows can be evaluated before a new one would exceed the budget."""
        new: set[str] = set()
        for row, text in enumerate(map(genome_text, genomes)):
            if text not in self._position and text not in new:
                if len(self._position) + len(new) == self._budget:
                    return row
                new.add(text)
        return len(genomes)

    def _evaluate(self, genomes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Measure genomes, enter the new ones into the archive, and return F and G of all."""
        table = self._problem.evaluations(genomes)
        f, g = self._problem.fg(table)
        start = len(self._position)
        fresh: list[int] = []
        for row, text in enumerate(map(genome_text, table.genomes)):
            if text not in self._position:
                self._position[text] = start + len(fresh)
                fresh.append(row)
        if fresh:
            new = table.rows(fresh)
            self._tables.append(new)
            self._store.log(self._name, start, [_log_row(new, i) for i in range(len(new))])
            self._gather(f[fresh], g[fresh], new)
        self._spend()
        self._tell("search")
        return f, g

    def _gather(self, f: FloatArray, g: FloatArray, table: Evaluations) -> None:
        self._n_failed += int(table.failed.sum())
        valid = f[~table.failed & (g <= 0).all(axis=1)]
        if len(valid) and self._box is None:
            self._box = Box.around(valid)
        front = np.concatenate([self._front, valid])
        self._front = front[nondominated(front)]

    def _measure_front(self, run: Run) -> pd.DataFrame | None:
        """Put the front's architectures on the stop-watch that checks a predicted metric."""
        checked = [
            metric
            for metric, timer in self._problem.timers.items()
            if metric in run.formulation.metrics and metric in {m.name for m in timer.metrics}
        ]
        if not checked or run.front.empty:
            return None
        metric = checked[0]
        timer = self._problem.timers[metric]
        genomes = run.table.genomes[run.front_rows]

        def measure() -> dict[str, Any]:
            self._tell(f"measuring the front's {len(genomes)} architectures")
            architectures = [run.space.decode(genome) for genome in genomes]
            ready = self._problem.evaluator.ready(timer)
            seeds = [0] * len(genomes)
            faults = [""] * len(genomes)
            if isinstance(ready, StopWatch):
                faults = [
                    "; ".join(timing.faults)
                    for timing in ready.timings(architectures, seeds)
                    for _ in range(timing.latencies.shape[1])
                ]
            # The same rounds again, from the store.
            return {"rows": ready.measure(architectures, seeds).tolist(), "faults": faults}

        key = f"{_MEASURED}{self._name}/{timer.key}/{stable_hash(genomes.tolist())}"
        kept = self._store.recall(key, measure)
        rows = np.array(kept["rows"])
        self._spend()
        return pd.DataFrame(
            {
                "architecture": run.front["architecture"].to_numpy(),
                f"predicted_{metric}": run.front[metric].to_numpy(),
                **{m.name: rows[:, i] for i, m in enumerate(timer.metrics)},
                "fault": pd.Series(kept["faults"], dtype="str"),
            }
        )

    def _write_record(self, stop_reason: str | None) -> dict[str, Any]:
        self._spend()
        wall, cpu = self._store.spent(self._name)
        if stop_reason is None:
            self._footprint.read()
        else:
            self._footprint.finish()
        setup = self._store.setup()
        kept = {name: value for name, (value, _) in setup.items()}
        own = f"{_ENERGY}{self._name}/"
        readings = [
            (name.removeprefix(own).partition("/")[0], value)
            for name, value in kept.items()
            if name.startswith(own)
        ]
        record = {
            **{key: value for key, value in self._definition.items() if key != "formulation"},
            "formulation": self._problem.fitted().settings,
            "asked_formulation": self._definition["formulation"],
            "machine": machine(),
            "stop_reason": stop_reason,
            "n_evaluations": len(self._position),
            "n_failed": self._n_failed,
            "wall_seconds": round(wall, 3),
            "cpu_seconds": round(cpu, 3),
            "energy": footprint(sittings(readings), self._grid),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "setup": {
                name: {**_brief(value), "seconds": round(seconds, 3)}
                for name, (value, seconds) in setup.items()
                if name != "definition" and not name.startswith((_MEASURED, _ENERGY, ROUNDS, ENERGIES))
            },
            "timings": _timings(kept),
            "energies": _energies(kept),
        }
        if self._folder is not None:
            name = self._prefix + "run.json"
            before: dict[str, Any] = json.loads(self._folder.read(name) or "{}")
            if all(before.get(key, 0) == record[key] for key in ("stop_reason", "n_evaluations")):
                return before  # it was finished before: what it took then stays
            self._folder.write(name, json.dumps(record, indent=2) + "\n")
        return record

    def _keep_energy(self, reading: Reading) -> None:
        self._store.recall(f"{self._sitting}/{next(self._numbers)}", lambda: reading)

    def _now(self) -> tuple[float, float]:
        worked = self._problem.evaluator.runner.worker_seconds
        return time.perf_counter(), time.process_time() + worked

    def _spend(self) -> None:
        """Add the time since the last call to the run's account, so that a kill loses little of it."""
        now, before = self._now(), self._clock
        self._store.spend(self._name, now[0] - before[0], now[1] - before[1])
        self._clock = now

    def _measuring(self, meter: str, done: int, total: int) -> None:
        self._tell(f"{meter} {done}/{total}")

    def _tell(self, detail: str) -> None:
        if self._progress is not None:
            volume = self._box.hypervolume(self._front) if self._box is not None else 0.0
            n, front = len(self._position), len(self._front)
            self._progress(Progress(self._name, n, self._budget, front, volume, self._n_failed, detail))


def _log_row(table: Evaluations, row: int) -> tuple[str, dict[str, float | None], str, str | None]:
    values = {
        metric.name: float(value) if np.isfinite(value) else None
        for metric, value in zip(table.metrics, table.values[row], strict=True)
    }
    reason = table.reasons[row]
    return genome_text(table.genomes[row]), values, "failed" if reason else "ok", reason


def _timings(setup: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return how many batches were timed, and why some of them are doubtful."""
    timed = [value for name, value in setup.items() if name.startswith(ROUNDS)]
    faults: Counter[str] = Counter()
    for value in timed:
        for fault in value["faults"]:
            faults[fault] += len(value["ratios"][0])
    told = [f"{n} networks or blocks: {fault}" for fault, n in faults.items()]
    return {"batches": len(timed), "faults": told}


def _energies(setup: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return in how many batches energy was measured, and why some of them are doubtful."""
    batches = [value for name, value in setup.items() if name.startswith(ENERGIES)]
    faults = [fault for name, value in setup.items() if name.startswith(IDLE) for fault in value["faults"]]
    faults += [
        f"{len(batch['networks'])} networks: {fault}" for batch in batches for fault in batch["faults"]
    ]
    return {"batches": len(batches), "faults": faults}


def _brief(value: dict[str, Any]) -> dict[str, Any]:
    """Return a set-up's JSON with long lists given by their length."""
    return {
        key: f"{len(item)} values" if isinstance(item, list) and len(item) > 12 else item
        for key, item in value.items()
    }
