"""Formulations and algorithms side by side: one problem, one budget, one store, one yardstick."""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pymoo.core.algorithm import Algorithm

from moo_nas.arrays import IntArray
from moo_nas.errors import FormulationError, InputError
from moo_nas.evaluation import Runner
from moo_nas.formulations import Formulation
from moo_nas.problem import NASProblem
from moo_nas.study.carbon import WORLD_GRID, check_grid
from moo_nas.study.comparison import Comparison
from moo_nas.study.entry import Entry
from moo_nas.study.exact import exact_front, knows_front
from moo_nas.study.folder import Folder
from moo_nas.study.foreign import check_foreign, check_possible, read_foreign
from moo_nas.study.given import plans_of, seeds_of, solvers_of
from moo_nas.study.judged import Yardstick, check_yardstick
from moo_nas.study.plans import Plan
from moo_nas.study.publish import publish_comparison
from moo_nas.study.reading import keep_comparison
from moo_nas.study.run import Run
from moo_nas.study.search import check_problem, define, prepare_algorithm, set_up
from moo_nas.study.session import Listener, Session, check_listener
from moo_nas.study.stops import Stops
from moo_nas.study.warm_start import warm_start_genomes


def compare(
    problem: NASProblem,
    formulations: Sequence[Formulation | Plan] | Mapping[str, Formulation | Plan],
    algorithms: Sequence[str] | Mapping[str, str | Algorithm] = ("nsga2",),
    seeds: int | Sequence[int] = 3,
    budget: int = 200,
    n_jobs: int = 1,
    out: str | os.PathLike[str] | None = None,
    judge: Formulation | None = None,
    progress: Listener | None = None,
    grid: float = WORLD_GRID,
    warm_start: npt.ArrayLike | pd.DataFrame | None = None,
    max_seconds: float | None = None,
    stagnation: int | None = None,
    timeout_s: float | None = None,
    reference: Mapping[str, float] | None = None,
    limits: Mapping[str, float | Sequence[float]] | None = None,
    foreign: Sequence[str | os.PathLike[str]] = (),
) -> Comparison:
    """Run every formulation with every algorithm and seed, and judge them all alike.

    Runs share one store: an architecture that two of them ask for is measured once, and counts in
    the budget of both. A formulation that an algorithm refuses is reported, not run; so is a method of
    which a formulation cannot be computed from what was measured, and the others go on.

    Args:
        problem: What is searched.
        formulations: What is asked for, by name or in a row; or plans of several runs on one budget
            (:class:`~moo_nas.study.TwoStage`, :class:`~moo_nas.study.Spread`).
        algorithms: Registered names; or any pymoo algorithms, by name.
        seeds: How many (0, 1, ...), or which.
        budget: Evaluations of each run, of a plan all its runs together.
        n_jobs: How many processes measure.
        out: The folder for ``comparison.csv``, ``comparison.png``, ``report.html``, the one
            ``evaluations.sqlite``, and ``runs/<method>/seed<k>/`` with each run's files (a plan's in
            ``part1/``, ``part2/`` and so on in it).
        judge: In whose objectives the runs are judged; by default the problem's formulation.
        progress: Called whenever something was measured.
        grid: The carbon intensity of the machine's electricity in g CO2-equivalent a kWh, for the
            record of what the search itself took; by default the world's mean.
        warm_start: What every run evaluates first; see :func:`search`.
        max_seconds: For how long each run may be at work. What another run measured before costs a
            run no time, so later ones get further: judge by evaluations.
        stagnation: Over how many evaluations the hypervolume of a run's front has to grow.
        timeout_s: How long an architecture may take a meter; see :func:`search`.
        reference: The reference point of hypervolumes: a value of each of the judge's objectives.
        limits: Limits of costs to give the best score within, one or several, by cost; see
            :class:`Comparison`.
        foreign: CSV files of results from elsewhere, which are judged alike
            (:func:`~moo_nas.study.read_foreign`).

    Raises:
        InputError: Nothing to compare, or what :func:`search` would refuse; a reference point that nothing of
            a known exact front is better than.
        FormulationError: No method could be carried out.
        StoreError: The folder cannot be used, or holds another run; it is left as it is.
    """
    stops = Stops(budget, max_seconds, stagnation)
    runner = Runner(n_jobs, timeout_s)
    check_grid(grid)
    check_listener(progress)
    check_problem(problem)
    if judge is not None and not isinstance(judge, Formulation):
        raise InputError(f"A judge is a formulation, such as Pareto('score', 'latency_ms'); got {judge!r}.")
    judge = problem.formulation if judge is None else problem.under(judge).formulation
    numbers = seeds_of(seeds)
    asked = plans_of(formulations)
    solvers = solvers_of(algorithms)
    if not (asked and solvers and len(numbers)):
        raise InputError("A comparison needs at least one formulation, one algorithm and one seed.")
    problem = problem.also_measuring(judge.metrics, optional=True)
    metrics = {name: problem.evaluator.metric(name) for name in judge.metrics}
    reference, levels = check_yardstick(judge, metrics, reference, limits)
    if isinstance(foreign, str | os.PathLike) or not isinstance(foreign, Iterable):
        raise InputError(f"foreign is a row of files, such as ['theirs.csv']; got {foreign!r}.")
    others = [entry for path in foreign for entry in read_foreign(path, metrics, problem.name)]
    start = None if warm_start is None else warm_start_genomes(warm_start, problem.space)
    methods: dict[tuple[str, int], _Method] = {}
    refused: dict[str, str] = {}
    for asked_name, plan in asked.items():
        for solver_name, solver in solvers.items():
            name = _method(asked_name, solver_name, {name for name, _ in methods} | refused.keys())
            for seed in numbers:
                try:
                    methods[name, seed] = _Method.of(name, seed, plan, solver, problem, stops, start, runner)
                except FormulationError as error:
                    refused[name] = str(error)
                    break
    check_foreign(others, {name for name, _ in methods})
    exact = None
    if (others or reference is not None) and knows_front(problem, judge):
        # All of it is tabulated or computed: to fit the judge measures nothing.
        ready = problem.fitted(judge)
        exact = exact_front(problem, ready)
        check_possible(others, ready, exact)
        if exact is not None:
            Yardstick.of(ready, metrics, [], exact, reference)
    if not methods:
        raise InputError(f"No method can run: {'; '.join(refused.values())}")
    definitions = {f"{name}/seed{seed}": method.definition for (name, seed), method in methods.items()}
    folder = None if out is None else Folder(out, {"comparison": definitions, "judge": judge.settings})
    try:
        shared = problem.at(problem.evaluator.store if folder is None else folder.store, runner)
        entries: list[Entry] = []
        for number, method in enumerate(methods.values(), start=1):
            if method.name in refused:
                continue
            listen = _numbered(progress, f"{number} of {len(methods)}")
            try:
                entries.append(method.carry_out(shared, folder, listen, grid))
            except FormulationError as error:
                refused[method.name] = str(error)
                entries = [entry for entry in entries if entry.method != method.name]
                if refused.keys() >= {name for name, _ in methods}:
                    raise
                continue
            except KeyboardInterrupt:
                # While it was set up: those that have finished are reported.
                if not entries:
                    raise
                break
            if entries[-1].stop_reason == "interrupted":
                break
        fitted = shared.fitted(judge)
        begun = {(entry.method, entry.seed) for entry in entries}
        comparison = Comparison(
            [*entries, *others],
            refused,
            fitted,
            metrics,
            None if folder is None else folder.path,
            exact_front(shared, fitted) if exact is None else exact,
            reference,
            levels,
            [key for key in methods if key[0] not in refused and key not in begun],
        )
        if folder is not None:
            keep_comparison(folder.store, comparison)
            publish_comparison(comparison, folder)
        return comparison
    finally:
        runner.close()
        if folder is not None:
            folder.close()


@dataclass(frozen=True)
class _Method:
    """A plan with an algorithm and a seed, checked before anything is written."""

    name: str
    seed: int
    plan: Plan
    algorithm: Algorithm
    description: dict[str, Any]
    stops: Stops
    warm_start: IntArray | None
    runner: Runner
    definition: dict[str, Any]

    @classmethod
    def of(
        cls,
        name: str,
        seed: int,
        plan: Plan,
        solver: str | Algorithm,
        problem: NASProblem,
        stops: Stops,
        start: IntArray | None,
        runner: Runner,
    ) -> "_Method":
        """Return a method that can run.

        Raises:
            FormulationError: The algorithm refuses the plan, or one of its formulations.
            InputError: The problem lacks a metric, the budget is too small, and the like.
        """
        algorithm, description = prepare_algorithm(solver, seed)
        ends = plan.ends(stops.budget)
        plan.check(algorithm, problem)
        ready = [set_up(algorithm, problem.under(f), seed, start).problem for f in plan.formulations]
        metrics = [metric for part in ready for metric in part.formulation.metrics]
        definition = define(ready[0].also_measuring(metrics), description, stops, seed, start, runner)
        if len(ends) > 1:
            definition = {**definition, "formulation": plan.settings}
        return cls(name, seed, plan, algorithm, description, stops, start, runner, definition)

    def carry_out(
        self, problem: NASProblem, folder: Folder | None, listen: Listener | None, grid: float
    ) -> Entry:
        """Return what the runs of all parts found, or of those up to an interrupt, each from where it was.

        Raises:
            KeyboardInterrupt: While the first part was set up: there is nothing to report.
        """
        runs: list[Run] = []
        interrupted = False
        try:
            for number in range(len(self.plan.shares())):
                runs.append(self._part(number, runs, problem, folder, listen, grid))
                if runs[-1].stop_reason == "interrupted":
                    break
        except KeyboardInterrupt:
            if not runs:
                raise
            interrupted = True
        return Entry.of_runs(self.name, self.seed, runs, self.stops.budget, interrupted)

    def _part(
        self,
        number: int,
        done: Sequence[Run],
        problem: NASProblem,
        folder: Folder | None,
        listen: Listener | None,
        grid: float,
    ) -> Run:
        """Return the run of a part, counted from 0, after those that are done."""
        ends, seconds = self.plan.ends(self.stops.budget), self.stops.max_seconds
        left = ends[number] - sum(len(run.table) for run in done)
        part = self.plan.part(number, problem, done, left)
        start = part.warm_start if part.warm_start is not None else self.warm_start
        time = None if seconds is None else seconds * self.plan.shares()[number]
        stops = Stops(left, time, self.stops.stagnation)
        ready = set_up(self.algorithm, part.problem, self.seed, start)
        name, definition = f"{self.name}/seed{self.seed}", self.definition
        if len(ends) > 1:
            name += f"/part{number + 1}"
            definition = define(ready.problem, self.description, stops, self.seed, start, self.runner)
            told = {"part": number + 1, "parts": len(ends), **part.told}
            definition = {**definition, "plan": {**self.plan.settings, **told}}
        # The problem's own store has earlier comparisons' runs: each has its name, rows and time.
        kept = f"{name} {len(problem.evaluator.store.runs())}" if folder is None else name
        session = Session(
            *(kept, ready, definition, folder, listen),
            prefix=f"runs/{name}/",
            alone=False,
            grid=grid,
            known=np.concatenate([run.table.genomes for run in done]) if done else None,
            prepare=part.prepare,
        )
        run = session.run()
        run.name = name
        return run


def _method(formulation: Any, algorithm: Any, taken: Collection[str]) -> str:
    """Return what a pair is called, in tables and as a folder."""
    for name in (formulation, algorithm):
        if not (isinstance(name, str) and re.fullmatch(r"\w[\w.+]*(-[\w.+]+)*", name)):
            raise InputError(f"Names in a comparison are of letters, digits and . _ + -; got {name!r}.")
    method = f"{formulation}-{algorithm}"
    if method in taken:
        raise InputError(f"Two methods would be called '{method}': choose other names.")
    return method


def _numbered(progress: Listener | None, place: str) -> Listener | None:
    if progress is None:
        return None
    return lambda news: progress(replace(news, name=f"{news.name.partition(' ')[0]} ({place})"))
