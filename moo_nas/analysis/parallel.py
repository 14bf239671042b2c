"""Parallel coordinates of a front, as SVG: each architecture a line through its objectives and genes."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from moo_nas.analysis.page import Html, text
from moo_nas.analysis.style import number, short_name
from moo_nas.analysis.tables import choices_of
from moo_nas.arrays import FloatArray
from moo_nas.meters import Metric

_TOP, _HEIGHT, _METRIC, _GENE, _LEFT = 16, 240, 108, 44, 44
# Choices are cut to so many letters, 6.6 pixels each.
_LETTERS = 16
# Lines of more architectures than this nobody follows.
MOST = 120


def parallel_coordinates(front: pd.DataFrame, metrics: Sequence[Metric], genes: Sequence[str]) -> Html:
    """Return a front's architectures as lines through parallel axes, and what all of them share in words.

    Better is up on the axes of metrics; a line's colour follows the first of them. Of a gene the choices
    stand in order, and the lines through one choice side by side, in the order of the first metric.

    Nothing of fewer than two rows or three axes.

    Args:
        front: The rows, their index the number of the evaluation.
        metrics: The metrics to have an axis, the first decides colours.
        genes: The genes; those that are the same in all rows get no axis.
    """
    shown = [metric for metric in metrics if metric.name in front]
    known = [gene for gene in genes if gene in front]
    finite = np.isfinite(front[[m.name for m in shown]].to_numpy(dtype=np.float64)).all(axis=1)
    rows = front[finite]
    if len(rows) < 2 or not shown:
        return Html()
    first = shown[0]
    rows = rows.sort_values(first.name, ascending=first.goal == "min", kind="stable")
    n_all = len(rows)
    rows = rows.iloc[np.unique(np.linspace(0, n_all - 1, min(n_all, MOST)).round().astype(int))]
    varying = [gene for gene in known if front[gene].nunique() > 1]
    if len(shown) + len(varying) < 3:
        return Html()  # two metrics are what the plot of the front shows
    heights = [_metric_heights(rows[m.name].to_numpy(dtype=np.float64), m) for m in shown]
    heights += [_gene_heights(rows[gene]) for gene in varying]
    widths = [_METRIC] * len(shown) + [_gene_width(rows[gene]) for gene in varying]
    at = _LEFT + np.concatenate([[0], np.cumsum(widths)[:-1]])
    axes = "".join(
        [_metric_axis(x, rows, m) for x, m in zip(at, shown, strict=False)]
        + [_gene_axis(x, rows[gene], gene) for x, gene in zip(at[len(shown) :], varying, strict=True)]
    )
    lines = "".join(_line(i, rows, at, heights, shown) for i in reversed(range(len(rows))))
    longest = max((len(gene) for gene in varying), default=0)
    width, height = (
        float(at[-1]) + (widths[-1] if varying else 60),
        _TOP + _HEIGHT + max(44.0, 16 + 5.1 * longest),
    )
    label = (
        f"Parallel coordinates of {len(rows)} architectures over {len(at)} axes; the table has the numbers"
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="parallel" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'font-family="system-ui, sans-serif" font-size="11">{lines}{axes}</svg>'
    )
    same = [f"{gene} {front[gene].iloc[0]}" for gene in known if gene not in varying]
    told = f"All {n_all} have {', '.join(same)}." if same else ""
    if len(rows) < n_all:
        told = f"{len(rows)} of {n_all} architectures are drawn, evenly over {short_name(first)}. {told}"
    words = f"<p>{text(told)}</p>" if told else ""
    return Html(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">{svg}</div>{words}'
    )


def _metric_heights(values: FloatArray, metric: Metric) -> FloatArray:
    """Return where values are on their axis ``(n,)``, 0 at the bottom, 1 at the top; better is up."""
    low, high = values.min(), values.max()
    shares = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    return 1 - shares if metric.goal == "min" else shares


def _gene_heights(column: "pd.Series[Any]") -> FloatArray:
    choices = choices_of(column)
    place = {choice: i for i, choice in enumerate(choices)}
    heights = np.empty(len(column))
    chosen = np.array([place[str(value)] for value in column])
    for choice in range(len(choices)):
        rows = np.flatnonzero(chosen == choice)
        beside = np.linspace(0.3, -0.3, len(rows)) if len(rows) > 1 else np.zeros(len(rows))
        heights[rows] = (choice + 0.5 + beside) / len(choices)
    return heights


def _cut(choice: str) -> str:
    return choice if len(choice) <= _LETTERS else f"{choice[: _LETTERS - 1]}…"


def _gene_width(column: "pd.Series[Any]") -> float:
    return max(_GENE, 14 + 6.6 * max(len(_cut(choice)) for choice in choices_of(column)))


def _line(
    row: int, rows: pd.DataFrame, at: FloatArray, heights: Sequence[FloatArray], metrics: Sequence[Metric]
) -> str:
    points = " ".join(
        f"{x:g},{_TOP + _HEIGHT * (1 - column[row]):.1f}" for x, column in zip(at, heights, strict=True)
    )
    # By rank, as one outlier would make all others alike; the lightest part would be lost on white.
    colour = to_hex(colormaps["cividis"](0.82 * row / (len(rows) - 1)))
    told = ", ".join(f"{m.name} {number(float(rows[m.name].iloc[row]))}" for m in metrics)
    return (
        f'<polyline data-row="{rows.index[row]}" points="{points}" fill="none" stroke="{colour}" '
        f'stroke-width="1.6"><title>evaluation {rows.index[row]}: {escape(told)}</title></polyline>'
    )


def _metric_axis(x: float, rows: pd.DataFrame, metric: Metric) -> str:
    values = rows[metric.name]
    ends = (values.max(), values.min()) if metric.goal == "max" else (values.min(), values.max())
    unit = "" if metric.unit in ("", "1") else f" ({metric.unit})"
    return _axis(x) + "".join(
        _word(x, y, words, "middle", weight)
        for y, words, weight in (
            (_TOP - 5, number(float(ends[0])), "normal"),
            (_TOP + _HEIGHT + 14, number(float(ends[1])), "normal"),
            (_TOP + _HEIGHT + 32, f"{short_name(metric)}{unit}", "bold"),
        )
    )


def _gene_axis(x: float, column: "pd.Series[Any]", name: str) -> str:
    choices = choices_of(column)
    marks = "".join(
        _word(x + 4, _TOP + _HEIGHT * (1 - (i + 0.5) / len(choices)) + 4, _cut(choice), "start", "bold")
        for i, choice in enumerate(choices)
    )
    y = _TOP + _HEIGHT + 12
    return (
        f'{_axis(x)}{marks}<text x="{x:g}" y="{y}" fill="#222222" text-anchor="end" '
        f'transform="rotate(-48 {x:g} {y})">{escape(name)}</text>'
    )


def _axis(x: float) -> str:
    return f'<path d="M{x:g} {_TOP}V{_TOP + _HEIGHT}" stroke="#555555" stroke-width="1.2"/>'


def _word(x: float, y: float, words: str, anchor: str, weight: str) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}" fill="#222222" '
        'stroke="#FFFFFF" stroke-width="3" paint-order="stroke" stroke-linejoin="round">'
        f"{escape(words)}</text>"
    )
