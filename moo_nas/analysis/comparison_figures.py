"""The pictures that tell methods apart over many runs, as PNG."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moo_nas.analysis.attainment import attainment
from moo_nas.analysis.figures import DPI, drawstyle, label_axis, line_style, note, plain, png, wrapped
from moo_nas.analysis.statistics import Nemenyi
from moo_nas.analysis.style import Look, looks, view
from moo_nas.analysis.tables import finite, minimised
from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError
from moo_nas.meters import Metric

_BAND = (0.25, 0.5, 0.75)


def attainment_png(fronts: pd.DataFrame, x: Metric, y: Metric, title: str) -> bytes:
    """Return a picture of what methods attain in two metrics: the median run, and the quartiles.

    Args:
        fronts: Columns ``method, seed`` and the two metrics: what each run found, or its front.
        x: The metric to the right.
        y: The metric upwards.
        title: What the picture is of.
    """
    figure = Figure(figsize=(8, 5.4), dpi=DPI, layout="constrained")
    figure.suptitle(wrapped(title, 75), fontsize=12)
    axes = figure.subplots()
    plain(axes)
    signs = np.array([1.0 if metric.goal == "min" else -1.0 for metric in (x, y)])
    surfaces: dict[str, dict[float, FloatArray]] = {}
    for method in looks(fronts.get("method", ())):
        rows = fronts[fronts["method"] == method]
        runs = [minimised(finite(run, x.name, y.name), (x, y)) for _, run in rows.groupby("seed")]
        surfaces[method] = dict(attainment(runs, _BAND))
    corners = [surface * signs for found in surfaces.values() for surface in found.values()]
    every = np.concatenate([*corners, np.empty((0, 2))])
    if len(every):
        axes.set_xlim(view(every[:, 0]))
        axes.set_ylim(view(every[:, 1]))
    for method, look in looks(surfaces).items():
        _draw_surfaces(axes, surfaces[method], signs, look, x, wrapped(method, 30))
    if len(every) == 0:
        note(axes, "nothing to show")
    else:
        axes.set_title("what half of the runs attain; a quarter to three quarters shaded", fontsize=10)
        every_row = pd.DataFrame({x.name: every[:, 0], y.name: every[:, 1]})
        label_axis(axes.xaxis, x, every_row)
        label_axis(axes.yaxis, y, every_row)
    return png(figure)


def critical_difference_png(methods: Sequence[str], found: Nemenyi, title: str) -> bytes:
    """Return a critical-difference diagram: methods along their mean ranks, bars over those not told apart.

    Args:
        methods: Each method's name, in the order of the ranks.
        found: What Nemenyi's test found.
        title: What the picture is of.

    Raises:
        InputError: Another number of names than of ranks.

    References:
        J. Demsar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7, 2006.
    """
    if len(methods) != len(found.ranks):
        raise InputError(f"A diagram needs a name for each of {len(found.ranks)} ranks; got {len(methods)}.")
    order = np.argsort(found.ranks, kind="stable")
    n, left = len(order), (len(order) + 1) // 2
    rows, bars = max(left, n - left), len(found.groups)
    height = 1.5 + 0.22 * bars + 0.32 * rows
    figure = Figure(figsize=(8, height), dpi=DPI, layout="constrained")
    figure.suptitle(wrapped(title, 75), fontsize=12)
    axes = figure.subplots()
    # Ranks are in their own unit to the right, heights in inches downwards from the axis.
    high = float(max(n, 2))
    margin = 0.62 * (high - 1)
    axes.set_xlim(1 - margin, high + margin)
    axes.set_ylim(0.22 * bars + 0.32 * rows + 0.25, -0.75)
    axes.set_axis_off()
    ink = {"color": "black", "linewidth": 1.0, "solid_capstyle": "butt"}
    axes.plot([1, high], [0, 0], **ink)  # type: ignore[arg-type]  # matplotlib's own keywords
    for rank in range(1, int(high) + 1):
        axes.plot([rank, rank], [0, -0.07], **ink)  # type: ignore[arg-type]
        axes.text(rank, -0.1, str(rank), ha="center", va="bottom", fontsize=9)
    _draw_difference(axes, found.difference, high)
    for place, group in enumerate(found.groups):
        ends = found.ranks[list(group)]
        level = 0.14 + 0.22 * place
        axes.plot([ends.min() - 0.03, ends.max() + 0.03], [level, level], color="black", linewidth=4)
    for place, column in enumerate(order):
        rank, on_left = found.ranks[column], place < left
        row = place if on_left else n - 1 - place
        level = 0.22 * bars + 0.3 + 0.32 * row
        end = 1 - 0.04 * margin if on_left else high + 0.04 * margin
        axes.plot([rank, rank, end], [0, level, level], color="#555555", linewidth=0.9)
        text = (
            f"{wrapped(methods[column], 26)}  {rank:.2f}"
            if on_left
            else f"{rank:.2f}  {wrapped(methods[column], 26)}"
        )
        axes.text(
            end + (-0.02 if on_left else 0.02) * margin,
            level,
            text,
            ha="right" if on_left else "left",
            va="center",
            fontsize=9.5,
        )
    return png(figure)


def _draw_difference(axes: Axes, difference: float, high: float) -> None:
    """Draw how long the critical difference is, above the axis."""
    shown = min(difference, high - 1)
    axes.plot([1, 1 + shown], [-0.42, -0.42], color="black", linewidth=1.4)
    for end in (1, 1 + shown):
        axes.plot([end, end], [-0.47, -0.37], color="black", linewidth=1.4)
    more = "" if difference <= high - 1 else ": longer than the axis, nothing is told apart"
    axes.text(1, -0.5, f"critical difference {difference:.2f}{more}", ha="left", va="bottom", fontsize=9)


def _draw_surfaces(
    axes: Axes, surfaces: dict[float, FloatArray], signs: FloatArray, look: Look, x: Metric, label: str
) -> None:
    best, median, worst = (surfaces[share] for share in _BAND)
    # Beyond the picture, what nobody attains.
    edge = np.array([axes.get_xlim(), axes.get_ylim()]) * signs[:, None]
    far = edge.max(axis=1)
    grid = np.unique(np.concatenate([best[:, 0], worst[:, 0], [far[0]]]))
    grid = grid[grid <= far[0]]
    low, high = (np.minimum(_height(surface, grid), far[1]) for surface in (best, worst))
    rightwards = slice(None, None, int(signs[0]))
    axes.fill_between(
        (grid * signs[0])[rightwards],
        (low * signs[1])[rightwards],
        (high * signs[1])[rightwards],
        step="post" if x.goal == "min" else "pre",
        color=look.colour,
        alpha=0.13,
        linewidth=0,
    )
    corners = (median * signs)[rightwards]
    axes.plot(
        corners[:, 0],
        corners[:, 1],
        drawstyle=drawstyle(x),
        label=label,
        **{**line_style(look), "markevery": max(1, len(corners) // 8)},  # type: ignore[arg-type]  # matplotlib's own keywords
    )


def _height(surface: FloatArray, grid: FloatArray) -> FloatArray:
    """Return the second objective that a surface attains at each first one, infinite where none."""
    place = np.searchsorted(surface[:, 0], grid, side="right") - 1
    heights = np.full(len(grid), np.inf)
    heights[place >= 0] = surface[place[place >= 0], 1]
    return heights
