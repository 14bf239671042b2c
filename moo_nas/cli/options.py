"""Options that several commands share, and what their words mean."""

from pathlib import Path
from typing import Annotated, Any

import typer

from moo_nas import registry
from moo_nas.arrays import stable_hash
from moo_nas.errors import InputError
from moo_nas.formulations import Formulation
from moo_nas.problem import NASProblem

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


def split_words(text: str) -> list[str]:
    """Return the words of an option that takes several, separated by commas."""
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise InputError(f"Expected names separated by commas; got '{text}'.")
    return words


def split_pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """Return the names and values of an option that is repeated."""
    pairs = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise InputError(f"{option} takes name=value; got '{text}'.")
        if name.strip() in pairs:
            raise InputError(f"{option} gives '{name.strip()}' twice.")
        pairs[name.strip()] = value.strip()
    return pairs


def make_formulation(
    name: str, problem: NASProblem, objectives: str | None, limit: list[str] | None
) -> Formulation:
    """Return the formulation that a command asks for."""
    limits = {}
    for metric, text in split_pairs(limit, "--limit").items():
        try:
            limits[metric] = float(text)
        except ValueError:
            raise InputError(f"--limit takes metric=number; got '{metric}={text}'.") from None
    words = None if objectives is None else split_words(objectives)
    made: Formulation = registry.load("formulation", name)(words, limits, problem.formulation.metrics)
    return made


def path_text(path: Path | None) -> str | None:
    """Return a path as text, if there is one."""
    return None if path is None else str(path)


def default_folder(name: str, *options: Any) -> Path:
    """Return a run's folder: its name, and a mark of the options that the name does not tell."""
    return Path("runs") / (f"{name}-{stable_hash(options)[:6]}" if any(options) else name)
