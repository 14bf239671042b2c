"""The part of a page that shows architectures: drawn, with their metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.analysis.drawing import draw_architecture, has_squeeze, kernel_legend, kernels_of
from moo_nas.analysis.page import Html, Right, note, section, table, text
from moo_nas.analysis.style import number
from moo_nas.analysis.tables import Measured, is_outside, outside_summary, outside_words
from moo_nas.errors import SpaceError
from moo_nas.meters import Metric
from moo_nas.spaces import Architecture

MOST_DRAWN, MOST_LISTED = 40, 200


def front_section(
    record: Mapping[str, Any],
    front: pd.DataFrame,
    measured: pd.DataFrame | None,
    shown: Sequence[Metric],
    chosen: Sequence[Metric],
    heading: str = "",
) -> Html:
    """Return the table of a front, each architecture drawn, cheapest first; nothing of an empty one."""
    if front.empty:
        return Html()
    if len(chosen) > 1:
        front = front.sort_values(chosen[1].name, ascending=chosen[1].goal == "min", kind="stable")
    heading = heading or ("The architectures of the front" if len(chosen) > 1 else "The best architecture")
    outside = outside_summary(front, record)
    doubts = [note(outside)] if outside else []
    return section(heading, *doubts, *architectures_table(front, measured, shown))


def architectures_table(
    rows: pd.DataFrame, measured: pd.DataFrame | None, shown: Sequence[Metric]
) -> tuple[Html, Html]:
    """Return the legend of the drawings and a table of architectures with their metrics."""
    metrics = [metric for metric in shown if metric.name in rows]
    columns = Measured.of(measured)
    known: dict[str, Right] = {}
    if columns is not None and measured is not None:
        spreads = columns.spreads(measured)
        for name, value, spread in zip(
            measured["architecture"], measured[columns.metric], spreads, strict=True
        ):
            known[str(name)] = Right(f"{number(float(value))} ± {float(spread):.2g}")
    extra = [f"measured {columns.metric}"] if columns is not None else []
    told = "outside" in rows and bool(is_outside(rows).any())
    # Of a long front some are told, and of them some drawn, evenly: drawings take most of a page's room.
    n_all = len(rows)
    rows = rows.iloc[_evenly(n_all, MOST_LISTED)]
    places = set(_evenly(len(rows), MOST_DRAWN))
    drawn: list[Architecture] = []
    cells: list[list[object]] = []
    for place, (label, row) in enumerate(zip(rows.index, rows.to_dict("records"), strict=True)):
        name = str(row.get("architecture", ""))
        architecture = _parsed(name) if place in places else None
        drawn += [architecture] if architecture else []
        drawing = draw_architecture(architecture) if architecture else ""
        cells.append(
            [
                str(row.get("method", label)),
                *(float(row[metric.name]) for metric in metrics),
                *(known.get(name, Right()) for _ in extra),
                *([outside_words(row["outside"])] if told else []),
                Html(f"{drawing}<code>{text(name)}</code>"),
            ]
        )
    headings = ["method" if "method" in rows else "evaluation", *(m.name for m in metrics), *extra]
    headings += ["outside of the samples"] if told else []
    kernels = {kernel for a in drawn for kernel in kernels_of(a)}
    legend = kernel_legend(kernels, any(map(has_squeeze, drawn))) if drawn else ""
    numbers = () if "method" in rows else rows.index.tolist()
    label_ = "Architectures and their metrics"
    if len(rows) < n_all:
        legend += f"<p>{len(rows)} of {n_all} architectures are listed, evenly; front.csv has all.</p>"
    if drawn and len(rows) > MOST_DRAWN:
        legend += (
            f"<p>{len(drawn)} of {len(rows)} are drawn, evenly; <code>moo-nas show</code> draws any.</p>"
        )
    return Html(legend), table([*headings, "architecture"], cells, label_, cards=True, numbers=numbers)


def _evenly(n: int, most: int) -> list[int]:
    """Return at most so many of n places, evenly, the first and the last among them."""
    return [int(place) for place in np.unique(np.linspace(0, n - 1, min(n, most)).round())]


def _parsed(name: str) -> Architecture | None:
    """Return the architecture a text stands for; None where it is of a space that draws no stages."""
    try:
        return Architecture.parse(name)
    except SpaceError:
        return None
