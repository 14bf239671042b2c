"""How pictures and pages look and name things: colours, marks, numbers, axes."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moo_nas.meters import Metric

# M. Okabe, K. Ito: colours that the colour-blind tell apart; their yellow is too light on white.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C"
_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
_KERNELS = {1: "#BBBBBB", 3: SKY, 5: ORANGE, 7: GREEN, 9: PURPLE, 11: BLUE, 13: VERMILLION}
# Dashes and markers, as matplotlib and as plotly call them.
_DASHES = (("-", "solid"), ("--", "dash"), ("-.", "dashdot"), (":", "dot"))
_MARKERS = (
    ("o", "circle"),
    ("s", "square"),
    ("^", "triangle-up"),
    ("D", "diamond"),
    ("v", "triangle-down"),
    ("P", "cross"),
    ("X", "x"),
    ("*", "star"),
    ("p", "pentagon"),
    ("<", "triangle-left"),
    (">", "triangle-right"),
    ("h", "hexagon"),
    ("d", "diamond-tall"),
)


@dataclass(frozen=True, slots=True)
class Look:
    """How one method is drawn; ``dash`` and ``marker`` are (matplotlib's, plotly's) names."""

    colour: str
    dash: tuple[str, str]
    marker: tuple[str, str]


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """Return a look for each method; 7 colours, 4 dashes and 13 markers repeat together after 364."""
    return {
        method: Look(_COLOURS[i % 7], _DASHES[i % 4], _MARKERS[i % 13])
        for i, method in enumerate(dict.fromkeys(methods))
    }


def kernel_colour(kernel: int) -> str:
    """Return a kernel size's colour: the same in every drawing."""
    others = tuple(_KERNELS.values())
    return _KERNELS.get(kernel) or others[kernel % len(others)]


def text_colour(background: str) -> str:
    """Return black or white, whichever contrasts more with a colour ``#rrggbb``.

    Example:
        >>> text_colour("#E69F00"), text_colour("#0072B2")
        ('#000000', '#FFFFFF')
    """
    channels = np.array([int(background[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#FFFFFF"


def number(value: float) -> str:
    """Return a number for people: four digits, or whole with its thousands apart.

    Example:
        >>> number(5123456.0), number(0.123456), number(float("nan"))
        ('5,123,456', '0.1235', 'none')
    """
    if not np.isfinite(value):
        return "none" if np.isnan(value) else f"{value}"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def seconds(value: float) -> str:
    """Return a duration for people.

    Example:
        >>> seconds(7.25), seconds(312.0), seconds(7384.0)
        ('7.2 s', '5 min 12 s', '2 h 3 min')
    """
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def quantity(metric: Metric, value: float) -> str:
    """Return a metric's value with its unit."""
    return number(value) if metric.unit in ("", "1") else f"{number(value)} {metric.unit}"


def short_name(metric: Metric) -> str:
    """Return a metric's name without the unit that ends it.

    Example:
        >>> short_name(Metric("energy_mj", "mJ", "min")), short_name(Metric("weight_bytes", "B", "min"))
        ('energy', 'weight')
    """
    name = metric.name
    for unit in (metric.unit, *(("bytes",) if metric.unit == "B" else ())):
        if name.lower().endswith(f"_{unit.lower()}"):
            name = name[: -len(unit) - 1]
    return name.replace("_", " ")


def axis_label(metric: Metric) -> str:
    """Return a metric's name, unit, and which way is better; on a rotated axis the arrow turns too.

    Example:
        >>> axis_label(Metric("latency_ms", "ms", "min"))
        '← less is better      latency (ms)'
    """
    name = short_name(metric) + ("" if metric.unit in ("", "1") else f" ({metric.unit})")
    if metric.goal is None:
        return name
    if metric.goal == "min":
        return f"← less is better      {name}"
    return f"{name}      more is better →"


def view(
    values: npt.ArrayLike, wanted: npt.ArrayLike = (), limit: float | None = None
) -> tuple[float, float]:
    """Return an axis' range that shows what is wanted and all but far outliers of the rest.

    Outliers are beyond three interquartile ranges of the quartiles: one of them would press
    everything else into a corner. A limit is shown too unless it is as far away as that.

    Example:
        >>> low, high = view([1, 2, 3, 4, 5, 6, 1000], wanted=[2])
        >>> low < 1 and 6 < high < 10
        True
    """
    every, must = np.asarray(values, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    if len(every) == 0:
        every = must
    if len(every) == 0:
        return 0.0, 1.0
    first, third = np.quantile(every, (0.25, 0.75))
    reach = 3 * (third - first)
    near = every[(every >= first - reach) & (every <= third + reach)]
    shown = np.concatenate([near, must])
    low, high = float(shown.min()), float(shown.max())
    if limit is not None and low - (high - low) <= limit <= high + (high - low):
        low, high = min(low, limit), max(high, limit)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin
