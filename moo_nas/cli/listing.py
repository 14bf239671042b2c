"""Commands that say what there is, and how far it can be trusted."""

import re
from collections.abc import Callable
from inspect import cleandoc, getdoc
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from moo_nas import registry
from moo_nas.cli.consoles import OUT
from moo_nas.cli.live import counter
from moo_nas.cli.options import Jobs, ProblemName, ProblemOptions
from moo_nas.errors import InputError, unknown
from moo_nas.files import write_whole
from moo_nas.printing import print_proxies
from moo_nas.problem import NASProblem
from moo_nas.study.proxies import judge_proxies
from moo_nas.words import pairs, words

_KINDS: tuple[registry.Kind, ...] = ("problem", "formulation", "plan", "algorithm")
_ROLE = re.compile(r":\w+:`~?(?:\w+\.)*(\w+)`")  # of Sphinx: what it refers to


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


def list_names(
    name: Annotated[str | None, typer.Argument(help="One of the names: what it measures and takes.")] = None,
) -> None:
    """List problems, formulations, plans and algorithms, or say all about one of them."""
    if name is not None:
        for kind in _kinds_of(name):
            _print_one(kind, name)
        return
    for kind in _KINDS:
        table = Table(kind, "", box=None, pad_edge=False, header_style="bold")
        for each in registry.names(kind):
            try:
                target = registry.load(kind, each)
            except InputError as error:
                table.add_row(each, f"Not here: {error}")
                continue
            told = _made(target) if kind == "problem" else None
            missing = f" Not here: {told}" if isinstance(told, str) else ""
            table.add_row(each, _summary(target) + missing)
            if isinstance(told, NASProblem):
                table.add_row("", f"by default: {', '.join(told.formulation.metrics)}")
        OUT.print(table)
        OUT.print()
    OUT.print("moo-nas list NAME says what a name measures, and which options it takes.")


def _kinds_of(name: str) -> list[registry.Kind]:
    """Return the kinds that have something of this name.

    Raises:
        InputError: None has.
    """
    every = {kind: registry.names(kind) for kind in _KINDS}
    found = [kind for kind, names in every.items() if name in names]
    if not found:
        raise unknown("name", name, [each for names in every.values() for each in names])
    return found


def _print_one(kind: registry.Kind, name: str) -> None:
    """Print what a name stands for, its metrics and its options."""
    target = registry.load(kind, name)
    OUT.print(f"{kind} {name}: {_summary(target)}")
    if kind == "problem":
        made = _made(target)
        if isinstance(made, str):
            OUT.print(f"\nmetrics: not known here. {made}")
        else:
            goals = (f"{metric.name} ({metric.goal or 'feature'})" for metric in made.evaluator.metrics)
            OUT.print(f"\nmetrics: {', '.join(goals)}")
    if kind in ("problem", "algorithm") and (options := registry.options(target)):
        words_of, choices = _arguments(target), registry.choices(target)
        table = Table("option", "default", "", box=None, pad_edge=False, header_style="bold")
        for key, default in options.items():
            said = words_of.get(key, "")
            unsaid = [choice for choice in choices.get(key, ()) if choice not in said]
            table.add_row(key, default, f"{said} One of: {', '.join(choices[key])}." if unsaid else said)
        OUT.print()
        OUT.print(table)


def _summary(target: Callable[..., Any]) -> str:
    return (getdoc(target) or "").partition("\n")[0]


def _made(problem: Callable[[], NASProblem]) -> NASProblem | str:
    """Return the problem, or why it cannot be made here: what else there is can still be listed."""
    try:
        return problem()
    except InputError as error:
        return str(error)
    except Exception as error:  # whatever somebody else's problem raises
        return f"{type(error).__name__}: {error}"


def _arguments(target: Callable[..., Any]) -> dict[str, str]:
    """Return what docstrings say of each argument: its own, then those of what it inherits from."""
    found: dict[str, str] = {}
    for owner in getattr(target, "__mro__", (target,)):
        said: dict[str, str] = {}
        key = ""
        for line in cleandoc(owner.__doc__ or "").partition("\nArgs:\n")[2].splitlines():
            if not line.startswith("    "):
                break
            if line.startswith("     "):
                said[key] += f" {line.strip()}"
            else:
                key, _, said[key] = line.strip().partition(": ")
        # "See Genetic." is no answer here: the one seen is.
        found = {k: text for k, text in said.items() if not text.startswith("See ")} | found
    return {key: _ROLE.sub(r"\1", text).replace("``", "") for key, text in found.items()}
