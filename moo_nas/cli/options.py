"""Options that several commands share, and what their words mean."""

from pathlib import Path
from typing import Annotated, Any

import typer

from moo_nas import registry
from moo_nas.arrays import stable_hash
from moo_nas.errors import InputError
from moo_nas.formulations import Formulation
from moo_nas.problem import NASProblem
from moo_nas.words import limits_of, words

DONE, WRONG_INPUT, INTERRUPTED = 0, 2, 130

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


def make_formulation(
    name: str, problem: NASProblem, objectives: str | None, limit: list[str] | None
) -> Formulation:
    """Return the formulation that a command asks for."""
    if name in registry.names("plan"):
        raise InputError(f"'{name}' is a plan of several runs: moo-nas compare takes it, a search does not.")
    names = None if objectives is None else words(objectives)
    default = problem.formulation.metrics
    made: Formulation = registry.load("formulation", name)(names, limits_of(limit), default)
    return made


def path_text(path: Path | None) -> str | None:
    """Return a path as text, if there is one."""
    return None if path is None else str(path)


def default_folder(name: str, *options: Any) -> Path:
    """Return a run's folder: its name, and a mark of the options that the name does not tell."""
    return Path("runs") / (f"{name}-{stable_hash(options)[:6]}" if any(options) else name)
