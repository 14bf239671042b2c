"""The pictures that tell methods apart over many runs, as PNG and SVG."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moo_nas.analysis.attainment import attainment
from moo_nas.analysis.figures import (
    DPI,
    Picture,
    drawstyle,
    label_axis,
    line_style,
    note,
    picture,
    plain,
    wrapped,
)
from moo_nas.analysis.rank_drawing import critical_difference_svg
from moo_nas.analysis.statistics import Nemenyi
from moo_nas.analysis.style import Look, looks, view
from moo_nas.analysis.svg_png import svg_png
from moo_nas.analysis.tables import finite, minimised
from moo_nas.arrays import FloatArray
from moo_nas.meters import Metric

_BAND = (0.25, 0.5, 0.75)


def attainment_picture(fronts: pd.DataFrame, x: Metric, y: Metric, title: str) -> Picture:
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
    return picture(figure)


def critical_difference_picture(methods: Sequence[str], found: Nemenyi, title: str) -> Picture:
    """Return a critical-difference diagram.

    See :func:`~moo_nas.analysis.rank_drawing.critical_difference_svg`.

    Raises:
        InputError: Another number of names than of ranks.
    """
    svg = critical_difference_svg(methods, found, title)
    return {"png": svg_png(svg, scale=1.5), "svg": svg.encode()}


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
