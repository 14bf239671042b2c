"""The command line: parse, call, print."""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from moo_nas import registry
from moo_nas.analysis.error_cards import error_cards
from moo_nas.arrays import stable_hash
from moo_nas.errors import InputError, MooNasError
from moo_nas.files import write_whole
from moo_nas.formulations import Formulation
from moo_nas.printing import print_comparison, print_proxies, print_run
from moo_nas.problem import NASProblem
from moo_nas.study import Progress
from moo_nas.study import compare as run_comparison
from moo_nas.study import search as run_search
from moo_nas.study.carbon import WORLD_GRID
from moo_nas.study.export import export_networks, import_table, measure_table, worth
from moo_nas.study.named import asked as asked_for
from moo_nas.study.proxies import judge_proxies
from moo_nas.study.warm_start import read_warm_start
from moo_nas.words import limits_of, pairs, words

DONE, WRONG_INPUT, INTERRUPTED = 0, 2, 130

app = typer.Typer(
    help="Hardware-aware neural architecture search as multi-objective optimisation.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
measure = typer.Typer(help="Measurements for predictors: networks go out to other devices, tables come back.")
app.add_typer(measure, name="measure")
# Without markup: a path with brackets is printed as it is.
_out = Console(highlight=False, soft_wrap=True, markup=False)
_err = Console(highlight=False, soft_wrap=True, stderr=True, markup=False)

ProblemName = Annotated[str, typer.Argument(help="What to search; see 'moo-nas list'.")]
Objectives = Annotated[str | None, typer.Option(help="Metrics, separated by commas; the first is the score.")]
Limits = Annotated[
    list[str] | None, typer.Option("--limit", help="metric=value, of a product its target; repeat for more.")
]
Budget = Annotated[int, typer.Option(help="How many distinct architectures are evaluated.")]
Jobs = Annotated[int, typer.Option(help="How many processes measure; -1 uses every core.")]
Grid = Annotated[float, typer.Option(help="Carbon intensity of the electricity, g/kWh.")]
MaxSeconds = Annotated[
    float | None, typer.Option(help="How long a search may be at work, over all sittings.")
]
Stagnates = Annotated[
    int | None, typer.Option(help="Over how many evaluations the hypervolume has to grow by a thousandth.")
]
Timeout = Annotated[
    float | None, typer.Option(help="How many seconds an architecture may take a meter; then it has failed.")
]
WarmStart = Annotated[
    Path | None, typer.Option(help="The front.csv of another run: its networks are evaluated first.")
]
ProblemOptions = Annotated[
    list[str] | None, typer.Option("--problem-option", help="name=value of the problem; repeat for more.")
]


@app.command()
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
    asked = _formulation(formulation, made, objectives, limit)
    solver = registry.make("algorithm", algorithm, pairs(algorithm_option, "--algorithm-option"))
    name = f"{problem}-{formulation}-{algorithm}-{budget}-seed{seed}"
    folder = out or _default_folder(
        name,
        objectives,
        limit,
        problem_option,
        algorithm_option,
        _text(warm_start),
        max_seconds,
        stagnation,
        timeout,
    )
    start = None if warm_start is None else read_warm_start(warm_start)
    with _bar() as listen:
        run = run_search(
            *(made, asked, solver, budget, seed, jobs, folder, listen, grid),
            warm_start=start,
            max_seconds=max_seconds,
            stagnation=stagnation,
            timeout_s=timeout,
        )
    print_run(run, _out)
    raise typer.Exit(INTERRUPTED if run.stop_reason == "interrupted" else DONE)


@app.command()
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
    asked = {
        name.replace(":", "-x"): asked_for(name, limits, made.formulation.metrics)
        for name in words(formulations)
    }
    name = f"{problem}-compare-{budget}-seeds{seeds}"
    folder = out or _default_folder(
        name,
        *(formulations, algorithms, objectives, limit, problem_option),
        *(_text(warm_start), max_seconds, stagnation, timeout),
        *map(_text, foreign or ()),
    )
    with _bar() as listen:
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
    print_comparison(comparison, _out)
    interrupted = any(run.stop_reason == "interrupted" for run in comparison.runs.values())
    raise typer.Exit(INTERRUPTED if interrupted else DONE)


@app.command()
def proxies(
    problem: ProblemName,
    proxies: Annotated[str | None, typer.Option(help="Names, separated by commas; by default all.")] = None,
    n: Annotated[int, typer.Option(help="How many random architectures.")] = 50,
    seeds: Annotated[int, typer.Option(help="Under how many seeds of the weights.")] = 3,
    seed: Annotated[int, typer.Option(help="What draws architectures and weights.")] = 0,
    jobs: Jobs = -1,
    out: Annotated[Path | None, typer.Option(help="A CSV file for the table.")] = None,
    problem_option: ProblemOptions = None,
) -> None:
    """Say how far a problem's zero-cost proxies can be trusted on its space."""
    made: NASProblem = registry.make("problem", problem, pairs(problem_option, "--problem-option"))
    if out is not None and not out.parent.is_dir():
        raise InputError(f"The folder of --out {out} does not exist.")
    names = None if proxies is None else words(proxies)
    with _counter("measuring") as count:
        table = judge_proxies(made, names, n, seeds, jobs, seed, count)
    print_proxies(table, _out)
    if out is not None:
        write_whole(out, table.to_csv(index=False))
        _out.print(f"File: {out}")


@measure.command("export")
def export(
    problem: ProblemName,
    out: Annotated[
        Path, typer.Argument(help="The folder for the networks, a manifest, and a table to fill in.")
    ],
    n: Annotated[int, typer.Option(help="How many random networks.")] = 200,
    seed: Annotated[int, typer.Option(help="What draws networks and weights.")] = 0,
    problem_option: ProblemOptions = None,
) -> None:
    """Write a problem's networks as ONNX files, to be measured on another device."""
    made: NASProblem = registry.make("problem", problem, pairs(problem_option, "--problem-option"))
    with _counter("writing") as count:
        written = export_networks(made, n, out, seed, count)
    _out.print(
        f"{written.n_networks} networks, {written.n_bytes / 1e6:.0f} MB. What to do: {out / 'README.md'}"
    )


@measure.command("import")
def import_(
    table: Annotated[
        Path, typer.Argument(help="The CSV file that was filled in; see the export's README.md.")
    ],
    problem: ProblemName,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; without it the table is checked only.")
    ] = None,
    problem_option: ProblemOptions = None,
) -> None:
    """Check a table of measurements made on another device, and take it in."""
    made: NASProblem = registry.make("problem", problem, pairs(problem_option, "--problem-option"))
    found = import_table(table, made)
    names = ", ".join(metric.name for metric in found.metrics)
    _out.print(f"{len(found.frame)} networks of {table}, all rows good: {names}.")
    _out.print("\n".join(worth(found, made)))
    if out is not None:
        _out.print(f"File: {found.write(out)}")


@measure.command("table")
def table_(
    problem: ProblemName,
    out: Annotated[Path, typer.Argument(help="The JSON file for the table.")],
    problem_option: ProblemOptions = None,
) -> None:
    """Measure this device's table of blocks, to predict latency from, here or elsewhere."""
    made: NASProblem = registry.make("problem", problem, pairs(problem_option, "--problem-option"))
    with _err.status("measuring blocks and whole networks"):
        table = measure_table(made, out)
    _out.print(f"{len(table.ms)} blocks of {table.device_name} at {table.image_size} pixels.", markup=False)
    (card,) = error_cards({"setup": {"block table": {"metric": "latency_ms", "left_out": table.left_out}}})
    _out.print(card.words, markup=False)
    _out.print(f"File: {out}")


@app.command("list")
def list_names() -> None:
    """List problems with their metrics, formulations, plans and algorithms."""
    for kind in ("problem", "formulation", "plan", "algorithm"):
        table = Table(kind, "", box=None, pad_edge=False, header_style="bold")
        for name in registry.names(kind):
            target = registry.load(kind, name)
            summary = (getdoc(target) or "").partition("\n")[0]
            table.add_row(name, summary)
            if kind == "problem":
                table.add_row("", f"metrics: {_metrics(target)}")
            if kind in ("problem", "algorithm"):
                options = ", ".join(f"{key}={value}" for key, value in registry.options(target).items())
                table.add_row("", f"options: {options}")
                for key, words in registry.choices(target).items():
                    table.add_row("", f"{key}: {', '.join(words)}")
        _out.print(table)
        _out.print()


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 wrong input, 130 interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except MooNasError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        # typer's errors of usage have no public class in common.
        if not hasattr(error, "format_message"):
            raise
        return _fail(error.format_message())
    if code == INTERRUPTED:
        _err.print("Interrupted: the same command continues.")
    return code if isinstance(code, int) else DONE


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _fail(message: str) -> int:
    _err.print(f"moo-nas: {' '.join(message.split())}", markup=False)
    return WRONG_INPUT


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _default_folder(name: str, *options: Any) -> Path:
    """Return a run's folder: its name, and a mark of the options that the name does not tell."""
    return Path("runs") / (f"{name}-{stable_hash(options)[:6]}" if any(options) else name)


def _metrics(problem: Callable[[], NASProblem]) -> str:
    """Return a problem's metrics, or why it cannot be made here: what else there is can still be listed."""
    try:
        metrics = problem().evaluator.metrics
    except InputError as error:
        return f"not known here. {error}"
    return ", ".join(f"{metric.name} ({metric.goal or 'feature'})" for metric in metrics)


def _formulation(
    name: str, problem: NASProblem, objectives: str | None, limit: list[str] | None
) -> Formulation:
    names = None if objectives is None else words(objectives)
    default = problem.formulation.metrics
    made: Formulation = registry.load("formulation", name)(names, limits_of(limit), default)
    return made


@contextmanager
def _counter(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of how many on stderr; yields what to call with both."""
    with Bar(TextColumn(what), BarColumn(), MofNCompleteColumn(), console=_err, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _bar() -> Iterator[Any]:
    """Show a progress bar on stderr; yields what to call with each :class:`Progress`."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("front {task.fields[front]}  hv {task.fields[volume]:.3f}  failed {task.fields[failed]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[detail]}"),
    ]
    # Started by the first news, so that wrong input gets its one line and no empty bar.
    bar = Bar(*columns, console=_err)
    task = bar.add_task("", total=None, front=0, volume=0.0, failed=0, detail="")

    def listen(progress: Progress) -> None:
        bar.start()
        bar.update(
            task,
            description=progress.name,
            total=progress.budget,
            completed=progress.n_evaluations,
            front=progress.front_size,
            volume=progress.hypervolume,
            failed=progress.n_failed,
            detail=progress.detail,
        )

    try:
        yield listen
    finally:
        if bar.live.is_started:
            bar.stop()


if __name__ == "__main__":
    sys.exit(main())
