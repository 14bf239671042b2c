"""The pictures of a run and of a comparison, as PNG and SVG."""

import io
import textwrap
import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter

from moo_nas.analysis.style import BLUE, GREY, VERMILLION, Look, axis_label, looks, quantity, view
from moo_nas.analysis.tables import (
    Measured,
    best_known,
    best_so_far,
    feasible_rows,
    finite,
    indicator_band,
    staircase,
)
from moo_nas.meters import Metric

DPI = 150
Picture = dict[str, bytes]  # by format: png, svg


def front_picture(
    evaluations: pd.DataFrame,
    front: pd.DataFrame,
    x: Metric,
    y: Metric,
    measured: pd.DataFrame | None,
    title: str,
    limits: Mapping[str, float] | None = None,
) -> Picture:
    """Return a picture of all evaluations and the front in two metrics.

    The line is the border of what the front's rows dominate in these two metrics.

    Args:
        evaluations: Every evaluation: metrics, and ``feasible`` if there is such a thing.
        front: The rows that are the answer.
        x: The metric to the right.
        y: The metric upwards.
        measured: ``architecture, predicted_<metric>, <metric>, spread_<unit>``, drawn with its
            spread if it measured x or y.
        title: What the picture is of.
        limits: The limits of metrics, drawn if they are of x or y.
    """
    limits = limits or {}
    figure, axes = _figure(title)
    every, best = finite(evaluations, x.name, y.name), finite(front, x.name, y.name)
    allowed = feasible_rows(every)
    _dots(axes, every[allowed], x.name, y.name, "evaluations", facecolors=GREY, alpha=0.55)
    _dots(axes, every[~allowed], x.name, y.name, "infeasible", facecolors="none", linewidths=0.9)
    if len(best):
        line = staircase(best, x, y)
        axes.plot(line[x.name], line[y.name], color=BLUE, drawstyle=drawstyle(x), zorder=3)
        axes.plot(best[x.name], best[y.name], "o", color=BLUE, ms=6, mec="white", zorder=4, label="front")
    _draw_measured(axes, best, measured, x, y)
    if len(every):
        axes.set_xlim(view(every[x.name], best[x.name], limits.get(x.name)))
        axes.set_ylim(view(every[y.name], best[y.name], limits.get(y.name)))
        shown = every[x.name].between(*axes.get_xlim()) & every[y.name].between(*axes.get_ylim())
        _widen(axes)
        if not shown.all():
            note(axes, f"{(~shown).sum()} of {len(every)} evaluations lie outside", high=False)
    for metric, draw in ((x, axes.axvline), (y, axes.axhline)):
        if metric.name in limits:
            limit = limits[metric.name]
            draw(
                limit,
                color=VERMILLION,
                linestyle="--",
                label=f"limit {quantity(metric, limit)}",
            )
    if len(evaluations) == 0:
        note(axes, "nothing was evaluated")
    elif len(every) == 0:
        note(axes, f"none of {len(evaluations)} evaluations could be measured")
    elif not allowed.any():
        axes.set_title("no evaluation is feasible", color=VERMILLION, fontsize=11)
    label_axis(axes.xaxis, x, every)
    label_axis(axes.yaxis, y, every)
    return picture(figure)


def progress_picture(evaluations: pd.DataFrame, objective: Metric, title: str) -> Picture:
    """Return a picture of one objective over a run: every evaluation, and the best so far.

    Args:
        evaluations: Every evaluation in ask order.
        objective: What is optimised; a column of the table.
        title: What the picture is of.
    """
    figure, axes = _figure(title)
    progress = best_so_far(evaluations, objective)
    every = progress[np.isfinite(progress["value"])]
    allowed = every["feasible"].to_numpy(dtype=bool)
    _dots(axes, every[allowed], "evaluation", "value", "evaluations", facecolors=GREY, alpha=0.55)
    _dots(axes, every[~allowed], "evaluation", "value", "infeasible", facecolors="none", linewidths=0.9)
    best = progress["best"].dropna()
    if len(best):
        axes.plot(
            progress["evaluation"],
            progress["best"],
            color=BLUE,
            drawstyle="steps-post",
            label=f"best so far: {quantity(objective, best.iloc[-1])}",
        )
        axes.set_ylim(view(every["value"], best))
    if len(evaluations):
        axes.set_xlim(-1, len(evaluations))
    if len(evaluations) == 0:
        note(axes, "nothing was evaluated")
    elif len(every) == 0:
        note(axes, f"none of {len(evaluations)} evaluations could be measured")
    elif not allowed.any():
        axes.set_title("no evaluation is feasible", color=VERMILLION, fontsize=11)
    axes.set_xlabel("evaluation")
    label_axis(axes.yaxis, objective, evaluations)
    return picture(figure)


def comparison_picture(
    curves: pd.DataFrame, fronts: pd.DataFrame, x: Metric | None, y: Metric | None, title: str
) -> Picture:
    """Return a picture of methods side by side: hypervolume over evaluations, and their fronts.

    Args:
        curves: Columns ``method, seed, evaluation, hypervolume``.
        fronts: Columns ``method, seed`` and the two metrics; of a method's seeds together the
            non-dominated rows are drawn.
        x: The fronts' metric to the right; None (or y None) leaves the fronts out.
        y: The fronts' metric upwards.
        title: What the picture is of.
    """
    pair = x is not None and y is not None
    figure = Figure(figsize=(12 if pair else 8, 5), dpi=DPI, layout="constrained")
    figure.suptitle(wrapped(title, 110 if pair else 70), fontsize=12, x=0.01, ha="left")
    panels = figure.subplots(1, 2 if pair else 1, squeeze=False)[0]
    methods = looks(curves["method"] if len(curves) else [])
    for place, (method, look) in enumerate(methods.items()):
        band = indicator_band(curves, method)
        step = max(1, len(band) // 8)
        panels[0].fill_between(
            band.index, band["low"], band["high"], step="post", color=look.colour, alpha=0.13, lw=0
        )
        panels[0].plot(
            band.index,
            band["median"],
            drawstyle="steps-post",
            label=wrapped(method, 30),
            markevery=(place % step, step),
            **line_style(look),
        )
        if x is not None and y is not None:
            line = staircase(best_known(fronts, method, x, y), x, y)
            panels[1].plot(line[x.name], line[y.name], drawstyle=drawstyle(x), **line_style(look))
    panels[0].set_xlabel("evaluations")
    panels[0].set_ylabel("hypervolume      more is better →")
    several = len(curves) > 0 and curves["seed"].nunique() > 1
    panels[0].set_title(f"hypervolume{': median and quartiles over seeds' * several}", fontsize=10)
    if x is not None and y is not None:
        label_axis(panels[1].xaxis, x, fronts)
        label_axis(panels[1].yaxis, y, fronts)
        drawn = finite(fronts, x.name, y.name)
        if len(drawn):
            panels[1].set_xlim(view(drawn[x.name]))
            panels[1].set_ylim(view(drawn[y.name]))
        panels[1].set_title("best-known front of all seeds", fontsize=10)
    for axes in panels:
        plain(axes)
        if not any(len(line.get_xdata()) for line in axes.lines):
            note(axes, "nothing to show")
    if methods:
        entries = panels[0].get_legend_handles_labels()
        figure.legend(*entries, loc="outside right upper", frameon=False, fontsize=9, handlelength=3.5)
    return picture(figure)


def _figure(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 5), dpi=DPI, layout="constrained")
    figure.suptitle(wrapped(title, 75), fontsize=12)
    axes = figure.subplots()
    plain(axes)
    return figure, axes


def plain(axes: Axes) -> None:
    """Leave what carries no number off."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E6E6E6", linewidth=0.7)
    axes.set_axisbelow(True)


def label_axis(axis: Axis, metric: Metric, rows: pd.DataFrame) -> None:
    """Say on an axis which metric it is, and which way is better."""
    axis.set_label_text(axis_label(metric))
    if len(rows) and rows[metric.name].abs().max() >= 1e5:
        axis.set_major_formatter(EngFormatter(sep=""))


def _dots(axes: Axes, rows: pd.DataFrame, x: str, y: str, label: str, **style: object) -> None:
    if len(rows):
        axes.scatter(rows[x], rows[y], s=22, edgecolors=GREY, label=label, zorder=2, **style)  # type: ignore[arg-type]  # matplotlib's own keywords


def _draw_measured(
    axes: Axes, front: pd.DataFrame, measured: pd.DataFrame | None, x: Metric, y: Metric
) -> None:
    """Draw measurements of x or y beside what was predicted."""
    columns = Measured.of(measured)
    if columns is None or measured is None or columns.metric not in (x.name, y.name):
        return
    other = y if columns.metric == x.name else x
    rows = finite(measured, columns.metric).merge(front[["architecture", other.name]], on="architecture")
    spreads, values = columns.spreads(rows), (rows[columns.metric], rows[other.name])
    upwards = columns.metric == y.name
    axes.errorbar(
        *(values[::-1] if upwards else values),
        xerr=None if upwards else spreads,
        yerr=spreads if upwards else None,
        fmt="D",
        ms=4.5,
        color=VERMILLION,
        mec="white",
        mew=0.6,
        elinewidth=1,
        capsize=2,
        zorder=5,
        label="front, measured",
    )


def _widen(axes: Axes) -> None:
    """Make room for measurements that lie beside what was predicted."""
    for container in axes.containers:
        for line in container.lines[:1]:  # type: ignore[attr-defined]  # errorbar's containers have lines
            points = np.column_stack(line.get_data())
            for values, get, put in (
                (points[:, 0], axes.get_xlim, axes.set_xlim),
                (points[:, 1], axes.get_ylim, axes.set_ylim),
            ):
                if len(values):
                    margin = 0.04 * (values.max() - values.min())
                    put(min(get()[0], values.min() - margin), max(get()[1], values.max() + margin))


def line_style(look: Look) -> dict[str, object]:
    """Return a method's look as matplotlib's keywords."""
    return {
        "color": look.colour,
        "linestyle": look.dash[0],
        "marker": look.marker[0],
        "markersize": 5,
        "linewidth": 1.5,
    }


def drawstyle(x: Metric) -> str:
    """Return how the border of a front is drawn over a metric."""
    # What is reached at some x was reached to the left of it where less is better, else to the right.
    return "steps-post" if x.goal == "min" else "steps-pre"


def note(axes: Axes, text: str, high: bool = True) -> None:
    """Write what a picture cannot show into it."""
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": VERMILLION if high else "none"}
    at = (0.5, 0.55, "center") if high else (0.99, 0.02, "right")
    axes.text(
        at[0],
        at[1],
        text,
        ha=at[2],
        va="center" if high else "bottom",
        transform=axes.transAxes,
        bbox=box,
        fontsize=13 if high else 8,
        zorder=9,
    )


def wrapped(text: str, width: int) -> str:
    """Return a text in lines of this width, three at most."""
    return textwrap.fill(text, width, max_lines=3, placeholder=" ...")


def picture(figure: Figure) -> Picture:
    """Return a figure in both formats, with a legend below where it has one panel."""
    for axes in figure.axes:
        if axes.get_legend_handles_labels()[0] and not figure.legends and len(figure.axes) == 1:
            # As many columns as the longest name leaves room for.
            longest = max(
                len(line) for label in axes.get_legend_handles_labels()[1] for line in label.split("\n")
            )
            columns = max(1, min(5, 120 // (longest + 10)))
            figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a dollar sign in a name is a dollar sign
    FigureCanvasAgg(figure)
    return {"png": _saved(figure, "png", Software=None), "svg": _saved(figure, "svg", Date=None)}


def _saved(figure: Figure, kind: str, **metadata: None) -> bytes:
    """Return a figure as a file's bytes, the same whenever it is drawn."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "moo_nas"}):
        # A name may be in a script that the font lacks; boxes are no reason to fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
    return buffer.getvalue()
