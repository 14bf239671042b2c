"""Formulations and algorithms side by side: one problem, one budget, one store, one yardstick."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy.typing as npt
import pandas as pd
from pymoo.core.algorithm import Algorithm

from moo_nas.errors import FormulationError, InputError
from moo_nas.evaluation import Runner
from moo_nas.formulations import Formulation
from moo_nas.problem import NASProblem
from moo_nas.study.carbon import WORLD_GRID, check_grid
from moo_nas.study.comparison import Comparison
from moo_nas.study.entry import Entry
from moo_nas.study.exact import exact_front
from moo_nas.study.folder import Folder
from moo_nas.study.publish import publish_comparison
from moo_nas.study.reading import keep_comparison
from moo_nas.study.search import define, prepare_algorithm, set_up
from moo_nas.study.session import Listener, Session
from moo_nas.study.stops import Stops
from moo_nas.study.warm_start import warm_start_genomes


def compare(
    problem: NASProblem,
    formulations: Sequence[Formulation] | Mapping[str, Formulation],
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
    limits: Mapping[str, Sequence[float]] | None = None,
) -> Comparison:
    """Run every formulation with every algorithm and seed, and judge them all alike.

    Runs share one store: an architecture that two of them ask for is measured once, and counts in
    the budget of both. A formulation that an algorithm refuses is reported, not run.

    Args:
        problem: What is searched.
        formulations: What is asked for, by name or in a row.
        algorithms: Registered names; or any pymoo algorithms, by name.
        seeds: How many (0, 1, ...), or which.
        budget: Evaluations of each run.
        n_jobs: How many processes measure.
        out: The folder for ``comparison.csv``, ``comparison.png``, ``report.html``, the one
            ``evaluations.sqlite``, and ``runs/<method>/seed<k>/`` with each run's files.
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
        limits: Limits of costs to give the best score within, by cost; see :class:`Comparison`.

    Raises:
        InputError: Nothing to compare, or what :func:`search` would refuse.
        StoreError: The folder cannot be used, or holds another run; it is left as it is.
    """
    stops = Stops(budget, max_seconds, stagnation)
    runner = Runner(n_jobs, timeout_s)
    check_grid(grid)
    judge = problem.formulation if judge is None else judge
    numbers = range(seeds) if isinstance(seeds, int) else seeds
    asked = _by_name(formulations)
    solvers = dict(algorithms) if isinstance(algorithms, Mapping) else {name: name for name in algorithms}
    if not (asked and solvers and len(numbers)):
        raise InputError("A comparison needs at least one formulation, one algorithm and one seed.")
    problem = problem.also_measuring(judge.metrics, optional=True)
    start = None if warm_start is None else warm_start_genomes(warm_start, problem.space)
    plans: dict[tuple[str, int], tuple[NASProblem, Algorithm, dict[str, Any]]] = {}
    refused: dict[str, str] = {}
    for asked_name, formulation in asked.items():
        for solver_name, solver in solvers.items():
            method = _method(asked_name, solver_name, {name for name, _ in plans} | refused.keys())
            for seed in numbers:
                algorithm, description = prepare_algorithm(solver, seed)
                stated = problem.under(formulation)
                try:
                    ready = set_up(algorithm, stated, seed, start)
                except FormulationError as error:
                    refused[method] = str(error)
                    break
                definition = define(ready.problem, description, stops, seed, start, runner)
                plans[method, seed] = (stated, algorithm, definition)
    if not plans:
        raise InputError(f"No method can run: {'; '.join(refused.values())}")
    names = {f"{method}/seed{seed}": plan[2] for (method, seed), plan in plans.items()}
    folder = None if out is None else Folder(out, {"comparison": names, "judge": judge.settings})
    try:
        store = problem.evaluator.store if folder is None else folder.store
        shared = problem.at(store, runner)
        runs = {}
        for number, ((method, seed), (stated, algorithm, definition)) in enumerate(plans.items(), start=1):
            name = f"{method}/seed{seed}"
            ready = set_up(algorithm, shared.under(stated.formulation), seed, start)
            listen = _numbered(progress, f"{number} of {len(plans)}")
            session = Session(
                name, ready, definition, folder, listen, prefix=f"runs/{name}/", alone=False, grid=grid
            )
            runs[method, seed] = session.run()
            if runs[method, seed].stop_reason == "interrupted":
                break
        entries = [Entry.of_runs(method, seed, (run,), budget) for (method, seed), run in runs.items()]
        fitted = shared.fitted(judge)
        comparison = Comparison(
            entries,
            refused,
            fitted,
            {name: problem.evaluator.metric(name) for name in fitted.metrics},
            None if folder is None else folder.path,
            exact_front(shared, fitted),
            reference,
            limits,
        )
        if folder is not None:
            keep_comparison(folder.store, comparison)
            publish_comparison(comparison, folder)
        return comparison
    finally:
        runner.close()
        if folder is not None:
            folder.close()


def _method(formulation: str, algorithm: str, taken: Collection[str]) -> str:
    """Return what a pair is called, in tables and as a folder."""
    for name in (formulation, algorithm):
        if not re.fullmatch(r"\w[\w.+]*(-[\w.+]+)*", name):
            raise InputError(f"Names in a comparison are of letters, digits and . _ + -; got '{name}'.")
    method = f"{formulation}-{algorithm}"
    if method in taken:
        raise InputError(f"Two methods would be called '{method}': choose other names.")
    return method


def _numbered(progress: Listener | None, place: str) -> Listener | None:
    if progress is None:
        return None
    return lambda news: progress(replace(news, name=f"{news.name} ({place})"))


def _by_name(formulations: Sequence[Formulation] | Mapping[str, Formulation]) -> dict[str, Formulation]:
    if isinstance(formulations, Mapping):
        return dict(formulations)
    named: dict[str, Formulation] = {}
    for formulation in formulations:
        if formulation.name in named:
            raise InputError(
                f"Two formulations are called '{formulation.name}': give them names of your own, "
                f"{{'a': ..., 'b': ...}}."
            )
        named[formulation.name] = formulation
    return named
