"""Results on the terminal."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from moo_nas.analysis.error_cards import error_cards
from moo_nas.analysis.provenance import doubts, energy_words
from moo_nas.analysis.style import number, quantity
from moo_nas.analysis.tables import Measured, broken_limit, is_outside, outside_summary
from moo_nas.analysis.terminal_drawing import terminal_drawing
from moo_nas.study import Comparison, Run
from moo_nas.study.publish import taken
from moo_nas.study.shown import Shown

SHOWN_ROWS = 12


def print_run(run: Run, out: Console) -> None:
    """Print what a run found, and what of it is to be doubted."""
    n, failed = len(run.table), int(run.table.failed.sum())
    out.print(f"{n} architectures evaluated, {failed} failed; stopped: {run.stop_reason}.")
    for metric in run.formulation.settings.get("left_out", ()):
        out.print(f"The factor of {metric} is left out: the problem has no meter for it.")
    shown = run.front
    if n and failed == n:
        reasons = Counter(reason for reason in run.table.reasons if reason)
        for reason, times in reasons.most_common(3):
            out.print(f"None could be measured; {times} times: {reason}", markup=False)
    elif run.stop_reason == "infeasible":
        out.print("Nothing met the limits. The least violating:")
        shown = run.least_violating
    elif len(shown):
        out.print(f"Front: {len(shown)} architecture{'s' * (len(shown) > 1)}.")
    if len(shown):
        metrics = list(run.formulation.metrics)
        outside = is_outside(shown)
        told = bool(outside.any())
        hardware = [gene.name for gene in run.space.genes[run.space.architectures.n_var :]]
        headings = ["evaluation", *hardware, *metrics, *(["outside"] if told else [])]
        table = Table(*headings, box=None, pad_edge=False, header_style="bold", expand=True)
        table.add_column("architecture", no_wrap=True, overflow="ellipsis", ratio=1)
        ordered = shown.sort_values(metrics[-1])
        for place, row in ordered.head(SHOWN_ROWS).iterrows():
            cells = [str(place), *(str(row[name]) for name in hardware), *(number(row[m]) for m in metrics)]
            cells += [("yes" if row["outside"] else "")] if told else []
            table.add_row(*cells, row["architecture"])
        out.print(table)
        if told:
            out.print(outside_summary(shown, run.record), markup=False)
        if len(ordered) > SHOWN_ROWS:
            out.print(f"... and {len(ordered) - SHOWN_ROWS} more in front.csv")
    for name, value in run.record.get("setup", {}).items():
        if name.startswith("pruned space"):
            out.print(value["sentence"], markup=False)
    for card in error_cards(run.record):
        out.print(card.words, markup=False)
    columns = Measured.of(run.measured)
    if columns is not None and run.measured is not None:
        error = (run.measured[columns.predicted] / run.measured[columns.metric] - 1).abs().median()
        out.print(
            f"{columns.metric} measured on this machine: the prediction is off by {error:.1%} in the median."
        )
    limits = run.formulation.settings.get("limits") or {}
    broken = broken_limit(run.measured, limits, {metric.name: metric for metric in run.table.metrics})
    if broken:
        out.print(broken, markup=False)
    _print_taken(run.record, "run.json", out)
    if run.folder is not None:
        out.print(f"Files: {run.folder}")


def print_proxies(table: pd.DataFrame, out: Console) -> None:
    """Print what proxies are worth."""
    results = [c.removesuffix("_low") for c in table.columns if c.endswith("_low")]
    headings = ["repeatability (95 %)", "seeds for 0.9", "params", "flops", *results, "seconds", "of"]
    rows = []
    for row in table.to_dict("records"):
        needed = row["seeds_for_0.9"]
        told = (
            row["proxy"],
            f"{row['repeatability']:.2f} ({row['low']:.2f} to {row['high']:.2f})",
            "never" if math.isinf(needed) else f"{needed:.0f}",
            f"{row['params']:.2f}",
            f"{row['flops']:.2f}",
            *(f"{row[r]:.2f} ({row[f'{r}_low']:.2f} to {row[f'{r}_high']:.2f})" for r in results),
            "" if math.isnan(row["seconds"]) else f"{row['seconds']:.3f}",
            str(row["n"]),
        )
        rows.append(told)
    out.print("Spearman's rank correlation with the proxy under another seed, with costs, with results:")
    out.print(_table(["proxy", *headings], rows, out.width))


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Table:
    """Return a table of which headings and cells break between words to fit a width, and no word is cut."""
    headings = [heading.replace("_", " ") for heading in headings]
    columns = list(zip(headings, *rows, strict=True))
    least = [max(len(word) for text in column for word in text.split()) for column in columns]
    widths = [max(map(len, column)) for column in columns]
    while sum(widths) + 2 * (len(widths) - 1) > width and widths != least:
        widest = max((n for n in range(len(widths)) if widths[n] > least[n]), key=widths.__getitem__)
        widths[widest] -= 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, wide in zip(headings, widths, strict=True):
        table.add_column(heading, min_width=wide, max_width=wide)
    for row in rows:
        table.add_row(*row)
    return table


def print_comparison(comparison: Comparison, out: Console) -> None:
    """Print the methods of a comparison, best first."""
    means = ["hypervolume", "front_size", *(f"best_{m}" for m in comparison.judge.metrics)]
    grouped = comparison.evaluated.groupby("method", sort=False)
    rows = [
        (str(method), str(len(grouped.get_group(method))), *(f"{value:.4g}" for value in medians))
        for method, medians in grouped[means].median().sort_values("hypervolume", ascending=False).iterrows()
    ]
    if rows:
        out.print("Medians over seeds:")
        out.print(_table(["method", "runs", *means], rows, out.width))
    for method, reason in comparison.refused.items():
        out.print(f"{method}: refused. {reason}")
    for note in comparison.notes:
        out.print(note)
    _print_taken(taken(list(comparison.runs.values())), "report.html", out)
    if comparison.folder is not None:
        out.print(f"Files: {comparison.folder}")


def _print_taken(record: Mapping[str, Any], file: str, out: Console) -> None:
    """Print what is to be doubted, the first of it, and what the search itself took."""
    found = doubts(record)
    if found:
        (what, fault), *others = found
        more = f" ({len(found)} faults, all in {file})" if others else ""
        out.print(f"{what} are doubtful: {fault}{more}.", markup=False)
    if record.get("energy"):
        out.print(f"Energy of the search itself: {energy_words(record['energy'])}.", markup=False)


def print_architecture(shown: Shown, out: Console) -> None:
    """Print one architecture of a run: what it is, what was measured, what each layer costs, a drawing."""
    out.print(str(shown.architecture))
    if shown.evaluation is None:
        out.print("This run did not evaluate it.")
    else:
        kind = (
            "of the front" if shown.on_front else "within the limits" if shown.feasible else "beyond a limit"
        )
        state = f"failed: {shown.reason}" if shown.reason else kind
        out.print(f"Evaluation {shown.evaluation}, {state}.")
        for metric, value in shown.metrics.items():
            out.print(f"  {metric.name}: {quantity(metric, value)}", markup=False)
    out.print("Genes: " + ", ".join(f"{name}={choice}" for name, choice in shown.genes.items()), markup=False)
    if shown.layers is None:
        out.print("It is known by its choices alone: there are no layers, and there is nothing to draw.")
        return
    out.print()
    out.print(terminal_drawing(shown.architecture, out.width), no_wrap=True, crop=False)
    out.print()
    costs = [str(name) for name in shown.layers if name not in ("block", "layer", "shape")]
    table = Table("block", "layer", "shape", box=None, pad_edge=False, header_style="bold")
    for name in costs:
        table.add_column(name, justify="right")
    for row in shown.layers.to_dict("records"):
        table.add_row(row["block"], row["layer"], row["shape"], *(number(row[name]) for name in costs))
    table.add_row(
        "all", "", f"{shown.image_size} pixels", *(number(shown.layers[name].sum()) for name in costs)
    )
    out.print(table)
