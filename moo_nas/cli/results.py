"""Commands that show what was found, from folders on disk; nothing is searched or measured."""

from pathlib import Path
from typing import Annotated

import typer

from moo_nas.cli.consoles import OUT
from moo_nas.printing import print_architecture
from moo_nas.study import Run
from moo_nas.study.rewrite import report as rewrite
from moo_nas.study.shown import look_up, write_drawing
from moo_nas.words import words


def report(
    run: Annotated[
        list[Path], typer.Argument(help="The folder of a run or a comparison; several runs are compared.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Of several runs: the folder for their comparison.")
    ] = None,
    objectives: Annotated[
        str | None, typer.Option(help="Of several runs: the metrics they are judged in, separated by commas.")
    ] = None,
) -> None:
    """Write the report of runs anew, from what is on disk."""
    folder = rewrite(run, out, None if objectives is None else words(objectives))
    OUT.print(f"Report: {folder / 'report.html'}")


def show(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    arch: Annotated[str, typer.Argument(help="The number of an evaluation, or an architecture's text.")],
    out: Annotated[Path | None, typer.Option(help="An .svg or .png file for a drawing.")] = None,
) -> None:
    """Show one architecture of a run: genes, metrics, layers with their costs, and a drawing."""
    found = look_up(Run.load(run), arch)
    file = None if out is None else write_drawing(found, out)
    print_architecture(found, OUT)
    if file is not None:
        OUT.print(f"File: {file}")
