"""Commands for measurements that predictors learn from: networks go out to devices, tables come back."""

from pathlib import Path
from typing import Annotated

import typer

from moo_nas import registry
from moo_nas.analysis.error_cards import error_cards
from moo_nas.cli.consoles import ERR, OUT
from moo_nas.cli.live import counter
from moo_nas.cli.options import ProblemName, ProblemOptions
from moo_nas.problem import NASProblem
from moo_nas.study.export import export_networks, import_table, measure_table, worth
from moo_nas.words import pairs


def export_(
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
    with counter("writing") as count:
        written = export_networks(made, n, out, seed, count)
    OUT.print(
        f"{written.n_networks} networks, {written.n_bytes / 1e6:.0f} MB. What to do: {out / 'README.md'}"
    )


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
    OUT.print(f"{len(found.frame)} networks of {table}, all rows good: {names}.")
    OUT.print("\n".join(worth(found, made)))
    if out is not None:
        OUT.print(f"File: {found.write(out)}")


def table_(
    problem: ProblemName,
    out: Annotated[Path, typer.Argument(help="The JSON file for the table.")],
    problem_option: ProblemOptions = None,
) -> None:
    """Measure this device's table of blocks, to predict latency from, here or elsewhere."""
    made: NASProblem = registry.make("problem", problem, pairs(problem_option, "--problem-option"))
    with ERR.status("measuring blocks and whole networks"):
        table = measure_table(made, out)
    OUT.print(f"{len(table.ms)} blocks of {table.device_name} at {table.image_size} pixels.", markup=False)
    (card,) = error_cards({"setup": {"block table": {"metric": "latency_ms", "left_out": table.left_out}}})
    OUT.print(card.words, markup=False)
    OUT.print(f"File: {out}")
