"""Far outliers, which would press the rest of a plot into a corner: what is left out, and saying so."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from moo_nas.analysis.style import view
from moo_nas.analysis.tables import Measured, best_so_far, finite
from moo_nas.meters import Metric


def beyond_view(name: str, values: npt.ArrayLike, shown: tuple[float, float]) -> str:
    """Return what to say of values of a metric that a plot's axis leaves out; nothing if it shows all.

    Example:
        >>> beyond_view("latency_ms", [1, 2, 1000], (0, 10))
        'Far outliers in latency_ms lie beyond the plots: double-click to see all.'
        >>> beyond_view("latency_ms", [1, 2], (0, 10))
        ''
    """
    every, (low, high) = np.asarray(values, dtype=np.float64), shown
    if not ((every < low) | (every > high)).any():
        return ""
    return f"Far outliers in {name} lie beyond the plots: double-click to see all."


def front_view(
    every: pd.DataFrame,
    best: pd.DataFrame,
    measured: pd.DataFrame | None,
    metric: Metric,
    limits: Mapping[str, float],
) -> tuple[float, float]:
    """Return the range of a metric that shows the front, predicted and measured, and what is near."""
    wanted, columns = best[metric.name], Measured.of(measured)
    if columns is not None and measured is not None and columns.metric == metric.name:
        rows = finite(measured, metric.name)
        real, spreads = rows[metric.name], columns.spreads(rows)
        wanted = pd.concat([wanted, real - spreads, real + spreads])
    return view(every[metric.name], wanted, limits.get(metric.name))


def front_outliers(
    evaluations: pd.DataFrame,
    front: pd.DataFrame,
    x: Metric,
    y: Metric,
    measured: pd.DataFrame | None,
    limits: Mapping[str, float],
) -> list[str]:
    """Return in sentences in which metrics the plot of a front leaves far outliers out."""
    every, best = finite(evaluations, x.name, y.name), finite(front, x.name, y.name)
    told = [
        beyond_view(metric.name, every[metric.name], front_view(every, best, measured, metric, limits))
        for metric in (x, y)
    ]
    return [words for words in told if words]


def progress_outliers(evaluations: pd.DataFrame, drawn: pd.DataFrame, objective: Metric) -> str:
    """Return in a sentence whether the plot of one objective over a run leaves far outliers out."""
    best = best_so_far(evaluations, objective)["best"].dropna()
    values = finite(drawn, objective.name)[objective.name]
    return beyond_view(objective.name, values, view(values, best))
