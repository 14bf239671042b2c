"""Commands that search."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from moo_nas import registry
from moo_nas.cli.consoles import OUT
from moo_nas.cli.live import live_view
from moo_nas.cli.options import (
    DONE,
    INTERRUPTED,
    Budget,
    Grid,
    Jobs,
    Limits,
    MaxSeconds,
    Objectives,
    ProblemName,
    ProblemOptions,
    Stagnates,
    Timeout,
    WarmStart,
    default_folder,
    make_formulation,
    path_text,
)
from moo_nas.errors import InputError
from moo_nas.printing import print_comparison, print_run
from moo_nas.problem import NASProblem
from moo_nas.study import compare as run_comparison
from moo_nas.study import search as run_search
from moo_nas.study.carbon import WORLD_GRID
from moo_nas.study.named import asked as asked_for
from moo_nas.study.warm_start import read_warm_start
from moo_nas.words import limits_of, pairs, words


def search(
    problem: ProblemName,
    formulation: Annotated[str, typer.Option(help="What is asked for.")] = "pareto",
    algorithm: Annotated[str, typer.Option(help="What searches.")] = "nsga2",
    objectives: Objectives = None,
    limit: Limits = None,
    budget: Budget = 200,
    seed: Annotated[int, typer.Option(help="Of the search; the problem's own is a problem option.")] = 0,
    jobs: Jobs = -1,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; by default one under runs/ named for the run.")
    ] = None,
    problem_option: ProblemOptions = None,
    algorithm_option: Annotated[
        list[str] | None,
        typer.Option("--algorithm-option", help="name=value of the algorithm; repeat for more."),
    ] = None,
    grid: Grid = WORLD_GRID,
    warm_start: WarmStart = None,
    max_seconds: MaxSeconds = None,
    stagnation: Stagnates = None,
    timeout: Timeout = None,
) -> None:
    """Search a problem. The same command on the same folder continues it."""
    made: NASProblem = registry.make("problem", problem, pairs(problem_option, "--problem-option"))
    asked = make_formulation(formulation, made, objectives, limit)
    solver = registry.make("algorithm", algorithm, pairs(algorithm_option, "--algorithm-option"))
    name = f"{problem}-{formulation}-{algorithm}-{budget}-seed{seed}"
    folder = out or default_folder(
        name,
        objectives,
        limit,
        problem_option,
        algorithm_option,
        path_text(warm_start),
        max_seconds,
        stagnation,
        timeout,
    )
    start = None if warm_start is None else read_warm_start(warm_start)
    with live_view() as listen:
        run = run_search(
            *(made, asked, solver, budget, seed, jobs, folder, listen, grid),
            warm_start=start,
            max_seconds=max_seconds,
            stagnation=stagnation,
            timeout_s=timeout,
        )
    print_run(run, OUT)
    raise typer.Exit(INTERRUPTED if run.stop_reason == "interrupted" else DONE)


def compare(
    problem: ProblemName,
    formulations: Annotated[str, typer.Option(help="Names, separated by commas.")] = (
        "single,constrained,product,pareto"
    ),
    algorithms: Annotated[str, typer.Option(help="Names, separated by commas.")] = "nsga2",
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 3,
    objectives: Objectives = None,
    limit: Limits = None,
    budget: Budget = 200,
    jobs: Jobs = -1,
    out: Annotated[Path | None, typer.Option(help="The comparison's folder.")] = None,
    problem_option: ProblemOptions = None,
    grid: Grid = WORLD_GRID,
    warm_start: WarmStart = None,
    max_seconds: MaxSeconds = None,
    stagnation: Stagnates = None,
    timeout: Timeout = None,
    foreign: Annotated[
        list[Path] | None,
        typer.Option("--with", help="A CSV file of results from elsewhere; repeat for more."),
    ] = None,
) -> None:
    """Compare formulations and algorithms on one problem, budget and store.

    name:5 is five formulations of that kind with their weights or limits spread evenly, on one budget.
    """
    made: NASProblem = registry.make("problem", problem, pairs(problem_option, "--problem-option"))
    if objectives is not None:
        made = made.under(registry.load("formulation", "pareto")(words(objectives), {}, ()))
    limits = limits_of(limit)
    twice = [name for name, n in Counter(words(formulations)).items() if n > 1]
    if twice:
        raise InputError(f"--formulations has '{twice[0]}' twice: each takes part once.")
    asked = {
        name.replace(":", "-x"): asked_for(name, limits, made.formulation.metrics)
        for name in words(formulations)
    }
    name = f"{problem}-compare-{budget}-seeds{seeds}"
    folder = out or default_folder(
        name,
        *(formulations, algorithms, objectives, limit, problem_option),
        *(path_text(warm_start), max_seconds, stagnation, timeout),
        *map(path_text, foreign or ()),
    )
    with live_view() as listen:
        comparison = run_comparison(
            *(made, asked, words(algorithms), seeds, budget, jobs, folder),
            progress=listen,
            grid=grid,
            warm_start=None if warm_start is None else read_warm_start(warm_start),
            max_seconds=max_seconds,
            stagnation=stagnation,
            timeout_s=timeout,
            foreign=foreign or (),
        )
    print_comparison(comparison, OUT)
    raise typer.Exit(INTERRUPTED if comparison.interrupted else DONE)
