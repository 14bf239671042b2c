"""Methods along their mean ranks, and which points of a front each reaches, as SVG."""

from collections.abc import Callable, Sequence
from html import escape

import numpy as np
import pandas as pd

from moo_nas.analysis.statistics import Nemenyi
from moo_nas.analysis.style import BLUE, number
from moo_nas.errors import InputError
from moo_nas.meters import Metric

_AXIS, _ROW, _BAR, _LETTER = 260, 34, 16, 7.6
_INK = 'stroke="#222222" fill="none"'


def critical_difference_svg(methods: Sequence[str], found: Nemenyi, title: str = "") -> str:
    """Return a critical-difference diagram: methods along their mean ranks, bars over those not told apart.

    Args:
        methods: Each method's name, in the order of the ranks.
        found: What Nemenyi's test found.
        title: What stands above; nothing where what is around it says so.

    Raises:
        InputError: Another number of names than of ranks.

    References:
        J. Demsar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7, 2006.
    """
    if len(methods) != len(found.ranks):
        raise InputError(f"A diagram needs a name for each of {len(found.ranks)} ranks; got {len(methods)}.")
    order = np.argsort(found.ranks, kind="stable")
    n, left = len(order), (len(order) + 1) // 2
    high = max(n, 2)
    top = 88.0 + 24 * bool(title)

    beside = 70 + _LETTER * max(len(_cut(name)) for name in methods)
    start, stop = beside, beside + _AXIS

    def at(rank: float) -> float:
        return start + _AXIS * (rank - 1) / (high - 1)

    parts = [_text(12, 20, title, "start", 15, "bold")] if title else []
    parts.append(f'<path d="M{start:.1f} {top}H{stop:.1f}" {_INK} stroke-width="1.4"/>')
    # Where ranks are many, every other one has its number.
    step = 1 if high <= 12 else 2
    for rank in range(1, high + 1):
        parts.append(f'<path d="M{at(rank):.1f} {top}V{top - 6}" {_INK}/>')
        if (rank - 1) % step == 0:
            parts.append(_text(at(rank), top - 10, str(rank), "middle", 12))
    parts += _difference(found.difference, at, high, top)
    for place, group in enumerate(found.groups):
        ends = found.ranks[list(group)]
        beneath = top + 12 + _BAR * place
        parts.append(
            f'<path d="M{at(ends.min()) - 5:.1f} {beneath}H{at(ends.max()) + 5:.1f}" stroke="#222222" '
            'fill="none" stroke-width="5"/>'
        )
    for place, column in enumerate(order):
        mean, on_left = float(found.ranks[column]), place < left
        row = place if on_left else n - 1 - place
        level = top + _BAR * len(found.groups) + 22 + _ROW * row
        end, anchor = (start - 12, "end") if on_left else (stop + 12, "start")
        line = f"M{at(mean):.1f} {top}V{level}H{end:.1f}"
        parts.append(f'<path d="{line}" stroke="#555555" fill="none" stroke-width="1"/>')
        name = _cut(methods[column])
        words = f"{name}  {mean:.2f}" if on_left else f"{mean:.2f}  {name}"
        parts.append(_text(end + (-5 if on_left else 5), level + 4, words, anchor, 13))
    height = top + _BAR * len(found.groups) + 22 + _ROW * left
    told = "; ".join(f"{methods[i]} {found.ranks[i]:.2f}" for i in order)
    label = f"Mean ranks, 1 the best: {told}. Critical difference {found.difference:.2f}."
    wide = max(2 * beside + _AXIS, 24 + 9.2 * len(title))
    return _svg(parts, wide, height, label, "ranks")


def reach_svg(reach: pd.DataFrame, cost: Metric | None) -> str:
    """Return which points of a front each method reaches: a row a method, a column a point.

    A bar's height is the share of the runs that found something as good; a dot above a column marks a
    point that some weighted sum has for its best; a frame marks what the method aims at.

    Args:
        reach: Columns ``point, method, runs, reached, supported, aimed``, and the cost's.
        cost: The metric that orders the points; None leaves them as they are.
    """
    points = reach.drop_duplicates("point")
    if cost is not None:
        points = points.sort_values(cost.name, kind="stable")
    methods = list(dict.fromkeys(reach["method"]))
    left, step, row = 200.0, float(np.clip(760 / max(len(points), 1), 5, 26)), 34
    column = {point: left + step * i for i, point in enumerate(points["point"])}
    parts = [_text(left - 10, 22, "best of a weighted sum", "end", 12)]
    parts += [
        f'<circle cx="{column[p["point"]] + step / 2 - 1:.1f}" cy="18" r="2.5" fill="#222222"/>'
        for p in points.to_dict("records")
        if p["supported"]
    ]
    for place, method in enumerate(methods):
        y = 34 + row * place
        rows = reach[reach["method"] == method]
        parts.append(_text(left - 10, y + 17, _cut(method), "end", 13))
        for one in rows.to_dict("records"):
            x, wide = column[one["point"]], step - 2
            share = one["reached"] / one["runs"] if one["runs"] else 0.0
            aimed = one["aimed"] is True or (one["aimed"] is not pd.NA and bool(one["aimed"]))
            edge = 'stroke="#222222" stroke-width="1.2"' if aimed else 'stroke="#C9CFD6" stroke-width="1"'
            title = f"{method}: {one['reached']} of {one['runs']} runs reach this point"
            if cost is not None:
                title += f" of {cost.name} {number(float(one[cost.name]))}"
            parts.append(
                f"<g><title>{escape(title)}</title>"
                f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="24" fill="#FFFFFF" {edge}/>'
                f'<rect x="{x:.1f}" y="{y + 24 * (1 - share):.1f}" width="{wide:.1f}" '
                f'height="{24 * share:.1f}" fill="{BLUE}"/></g>'
            )
    bottom = 34 + row * len(methods)
    if cost is not None and len(points):
        ends = [number(float(points[cost.name].iloc[i])) for i in (0, -1)]
        parts.append(_text(left, bottom + 14, f"{cost.name} {ends[0]}", "start", 12))
        if len(points) > 1:
            parts.append(_text(max(left + step * len(points), left + 240), bottom + 14, ends[1], "end", 12))
    label = "Which points of the best-known front each method reaches; the table of methods has the shares"
    width = max(left + step * len(points), left + 240) + 10
    return _svg(parts, width, bottom + 22, label, "reach")


def _difference(difference: float, at: Callable[[float], float], high: int, top: float) -> list[str]:
    """Return how long the critical difference is, above the axis."""
    shown = min(difference, high - 1)
    start, end, level = at(1), at(1 + shown), top - 38
    more = "" if difference <= high - 1 else ": longer than the axis, nothing is told apart"
    tick = f"{level - 4}V{level + 4}"
    path = f"M{start:.1f} {tick}M{start:.1f} {level}H{end:.1f}M{end:.1f} {tick}"
    return [
        f'<path d="{path}" {_INK} stroke-width="1.4"/>',
        _text(start, level - 9, f"critical difference {difference:.2f}{more}", "start", 12),
    ]


def _text(x: float, y: float, words: str, anchor: str, size: int, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="#222222">{escape(words)}</text>'
    )


def _cut(name: str, most: int = 28) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _svg(parts: Sequence[str], width: float, height: float, label: str, kind: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'font-family="system-ui, sans-serif">{"".join(parts)}</svg>'
    )
