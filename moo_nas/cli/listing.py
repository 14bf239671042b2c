"""Commands that say what there is, and how far it can be trusted."""

from collections.abc import Callable
from inspect import getdoc
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from moo_nas import registry
from moo_nas.cli.consoles import OUT
from moo_nas.cli.live import counter
from moo_nas.cli.options import Jobs, ProblemName, ProblemOptions
from moo_nas.errors import InputError
from moo_nas.files import write_whole
from moo_nas.printing import print_proxies
from moo_nas.problem import NASProblem
from moo_nas.study.proxies import judge_proxies
from moo_nas.words import pairs, words


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
    with counter("measuring") as count:
        table = judge_proxies(made, names, n, seeds, jobs, seed, count)
    print_proxies(table, OUT)
    if out is not None:
        write_whole(out, table.to_csv(index=False))
        OUT.print(f"File: {out}")


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
                for key, some in registry.choices(target).items():
                    table.add_row("", f"{key}: {', '.join(some)}")
        OUT.print(table)
        OUT.print()


def _metrics(problem: Callable[[], NASProblem]) -> str:
    """Return a problem's metrics, or why it cannot be made here: what else there is can still be listed."""
    try:
        metrics = problem().evaluator.metrics
    except InputError as error:
        return f"not known here. {error}"
    return ", ".join(f"{metric.name} ({metric.goal or 'feature'})" for metric in metrics)
