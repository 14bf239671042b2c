"""Metrics of different units on one scale: 0 and 1 at the ends of a stated range."""

import math
from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import FormulationError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations.base import WORST, as_number, minimised

# The low and the high end of what a metric is expected to be, in its own unit.
Range = tuple[float, float]
# Which quantiles of the reference sample are the ends: one broken network moves neither.
_QUANTILES = (0.05, 0.95)


def check_ranges(
    ranges: Mapping[str, Range | None], metrics: Iterable[str], what: str
) -> dict[str, Range | None]:
    """Return the range of each metric, None where it is open.

    Raises:
        FormulationError: The range of a metric that is not among them, or ends that are no
            range.
    """
    metrics = tuple(metrics)
    if not isinstance(ranges, Mapping):
        raise FormulationError(
            f"A range is given by metric, such as {{'latency_ms': (1, 9)}}; got {ranges!r}."
        )
    for metric in ranges:
        if metric not in metrics:
            raise FormulationError(
                f"{what} has the range of '{metric}', which it does not normalise: it normalises "
                f"{', '.join(metrics) or 'nothing'}."
            )
    given = {metric: ranges.get(metric) for metric in metrics}
    return {metric: None if ends is None else _range(metric, ends) for metric, ends in given.items()}


def _range(metric: str, ends: Any) -> Range:
    """Return a range as Python's own numbers."""
    try:
        low, high = (as_number("It", end) for end in ends)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    # A mapping or a set would be taken for its keys, in whatever order.
    if isinstance(ends, Mapping | Set) or not -math.inf < low < high < math.inf:
        raise FormulationError(f"The range of '{metric}' is (low, high), finite and low < high; got {ends}.")
    return low, high


def robust_range(sample: Evaluations, metric: str) -> Range:
    """Return the 5th and the 95th percentile of a metric in the reference sample.

    Raises:
        FormulationError: They do not differ: nothing to normalise by.
    """
    low, high = np.quantile(sample[metric], _QUANTILES)
    if not low < high:
        raise FormulationError(
            f"'{metric}' does not vary over the reference sample: its 5th and 95th percentile are both "
            f"{low:g}. State its range, or leave the metric out."
        )
    return float(low), float(high)


def normalised(evaluations: Evaluations, metric: str, ends: Range, origin: float | None = None) -> FloatArray:
    """Return a metric in widths of its range ``(n,)``, less being better.

    Args:
        evaluations: The measurements.
        metric: Which of them.
        ends: Its range.
        origin: Where it counts 0, in its own unit; by default the better end of its range.
    """
    is_min = evaluations.metric(metric).goal == "min"
    if origin is None:
        origin = ends[0] if is_min else ends[1]
    z = (minimised(evaluations, metric) - (origin if is_min else -origin)) / (ends[1] - ends[0])
    # So that no sum of them is infinity less infinity.
    return np.clip(z, -WORST, WORST)


def as_json(ranges: Mapping[str, Range | None]) -> dict[str, list[float] | None]:
    """Return ranges as JSON has them."""
    return {metric: None if ends is None else list(ends) for metric, ends in ranges.items()}
