"""The plots of a page, by plotly: to be hovered and zoomed."""

import textwrap
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io

from moo_nas.analysis.outliers import front_view
from moo_nas.analysis.page import Html
from moo_nas.analysis.style import (
    BLUE,
    GREY,
    VERMILLION,
    Look,
    axis_label,
    looks,
    number,
    quantity,
    short_name,
    view,
)
from moo_nas.analysis.tables import (
    Measured,
    best_known,
    best_so_far,
    feasible_rows,
    finite,
    indicator_band,
    staircase,
)
from moo_nas.arrays import stable_hash
from moo_nas.meters import Metric

HYPERVOLUME = Metric("hypervolume", "1", "max")


def front_plot(
    evaluations: pd.DataFrame,
    front: pd.DataFrame,
    x: Metric,
    y: Metric,
    measured: pd.DataFrame | None,
    metrics: Mapping[str, Metric],
    limits: Mapping[str, float],
) -> Html:
    """Return evaluations and the front in two metrics; hovering tells architecture and metrics.

    Points carry the numbers of their evaluations (the tables' index), by which the page finds what there
    is to tell (:func:`~moo_nas.analysis.explorer.data_script`).
    """
    every, best = finite(evaluations, x.name, y.name), finite(front, x.name, y.name)
    allowed = feasible_rows(every)
    figure = _figure(x, y)
    hollow = {"symbol": "circle-open", "color": GREY, "size": 7, "line": {"width": 1.5}}
    full = {"color": GREY, "size": 7, "opacity": 0.55}
    _add_points(figure, every[~allowed], x, y, "infeasible", metrics, marker=hollow)
    _add_points(figure, every[allowed], x, y, "evaluations", metrics, marker=full)
    _add_border(figure, staircase(best, x, y), x, y, {"color": BLUE, "width": 2})
    dots = {"color": BLUE, "size": 9, "line": {"color": "white", "width": 1}}
    _add_points(figure, best, x, y, "front", metrics, marker=dots)
    columns = Measured.of(measured)
    if columns is not None and measured is not None and columns.metric in (x.name, y.name):
        other = y if columns.metric == x.name else x
        rows = finite(measured, columns.metric).merge(best[["architecture", other.name]], on="architecture")
        error = {"array": columns.spreads(rows), "thickness": 1.2, "width": 3}
        marks = {"color": VERMILLION, "symbol": "diamond", "size": 8, "line": {"color": "white", "width": 1}}
        bars = {"error_x" if other is y else "error_y": error}
        _add_points(figure, rows, x, y, "front, measured", metrics, numbered=False, marker=marks, **bars)
    for metric, add in ((x, figure.add_vline), (y, figure.add_hline)):
        if metric.name in limits:
            limit = limits[metric.name]
            line = {"color": VERMILLION, "dash": "dash", "width": 1.5}
            add(limit, line=line, annotation_text=f"limit {escape(quantity(metric, limit))}")
    if len(every):
        figure.update_xaxes(range=front_view(every, best, measured, x, limits))
        figure.update_yaxes(range=front_view(every, best, measured, y, limits))
    return _html(figure)


def progress_plot(
    evaluations: pd.DataFrame, drawn: pd.DataFrame, objective: Metric, metrics: Mapping[str, Metric]
) -> Html:
    """Return one objective over a run: evaluations, and the best so far.

    Args:
        evaluations: Every one, numbered from 0.
        drawn: Those of them to be drawn.
        objective: What is optimised.
        metrics: What hovering tells.
    """
    progress = best_so_far(evaluations, objective)
    figure = _figure("evaluation", objective)
    rows = finite(drawn, objective.name)
    place = Metric("evaluation", "1", "min")
    allowed = feasible_rows(rows)
    for chosen, name, symbol in ((~allowed, "infeasible", "circle-open"), (allowed, "evaluations", "circle")):
        marks = {"color": GREY, "size": 7, "symbol": symbol, "line": {"width": 1.5 * (name == "infeasible")}}
        _add_points(figure, rows[chosen], place, objective, name, metrics, marker=marks)
    figure.update_xaxes(range=(-0.02 * max(len(evaluations), 10), 1.02 * max(len(evaluations), 1)))
    best = progress.dropna(subset="best")
    grew = best[best["best"].ne(best["best"].shift()) | (best.index == len(progress) - 1)]
    figure.add_scatter(
        x=grew["evaluation"],
        y=grew["best"],
        name="best so far",
        line={"color": BLUE, "shape": "hv", "width": 2},
        hoverinfo="skip",
    )
    if len(rows):
        figure.update_yaxes(range=view(rows[objective.name], best["best"]))
    return _html(figure)


def convergence_plot(grown: pd.DataFrame, n: int) -> Html:
    """Return the hypervolume of the front so far over a run of ``n`` evaluations.

    Args:
        grown: Columns ``evaluation`` (from 1) and ``hypervolume``, a row wherever it grew.
        n: How many evaluations there are.
    """
    figure = _figure("evaluations", "hypervolume")
    last = float(grown["hypervolume"].iloc[-1])
    figure.add_scatter(
        x=[*grown["evaluation"], n],
        y=[*grown["hypervolume"], last],
        mode="lines" if int(grown["evaluation"].iloc[0]) < n else "markers",  # of one there is no line
        name="hypervolume of the front so far",
        line={"color": BLUE, "shape": "hv", "width": 2},
        hovertemplate="%{y:.4g} after %{x} evaluations<extra></extra>",
    )
    figure.update_layout(height=320)
    return _html(figure)


def agreement_plot(measured: pd.DataFrame, columns: Measured, metric: Metric) -> Html:
    """Return measured against predicted, with the line on which they agree."""
    rows = finite(measured, columns.predicted, columns.metric)
    spreads = columns.spreads(rows)
    named = f"{short_name(metric)} ({metric.unit})"
    figure = _figure(f"predicted {named}", f"measured {named}")
    both = pd.concat([rows[columns.predicted], rows[columns.metric]])
    ends = view(both, both)
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dash"}, name="equal", hoverinfo="skip"
    )
    figure.add_scatter(
        x=rows[columns.predicted],
        y=rows[columns.metric],
        error_y={"array": spreads, "thickness": 1.2, "width": 3},
        mode="markers",
        marker={"color": VERMILLION, "symbol": "diamond", "size": 8},
        name="front, with the spread of its measurements",
        hovertext=[
            f"measured {number(real)} ± {number(spread)}, predicted {number(guess)}<br>{_folded(name)}"
            for name, guess, real, spread in zip(
                rows["architecture"], rows[columns.predicted], rows[columns.metric], spreads, strict=True
            )
        ],
        hoverinfo="text",
    )
    return _html(figure)


def curves_plot(curves: pd.DataFrame, indicator: Metric = HYPERVOLUME) -> Html:
    """Return an indicator (a column) over evaluations: median and quartiles of each method's seeds."""
    figure = _figure("evaluations", short_name(indicator))
    _make_room(figure, curves)
    for method, look in looks(curves["method"] if len(curves) else ()).items():
        band = indicator_band(curves, method, indicator.name)
        name = escape(str(method))
        if curves.loc[curves["method"] == method, "seed"].nunique() > 1:
            edge: dict[str, Any] = {"mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip"}
            edge |= {"legendgroup": name, "showlegend": False, "x": band.index}
            figure.add_scatter(y=band["low"], **edge)
            figure.add_scatter(y=band["high"], fill="tonexty", fillcolor=_faint(look.colour), **edge)
        figure.add_scatter(
            x=band.index,
            y=band["median"],
            mode="lines",
            name=name,
            legendgroup=name,
            line=_line(look, shape="hv"),
            hovertemplate="%{y:.4g} after %{x} evaluations",
        )
    return _html(figure)


def attainment_plot(attainment: pd.DataFrame, x: Metric, y: Metric) -> Html:
    """Return what a quarter, half and three quarters of each method's runs attain in two metrics.

    Args:
        attainment: Corners: ``method, share, metric`` (x's name), ``limit`` (x) and ``best`` (y).
        x: The metric to the right.
        y: The metric upwards.
    """
    figure = _figure(x, y)
    rows = attainment[(attainment["metric"] == x.name) & np.isfinite(attainment["best"])]
    _make_room(figure, rows)
    for method, look in looks(rows["method"] if len(rows) else ()).items():
        name = escape(str(method))
        for share, own in rows[rows["method"] == method].groupby("share"):
            own = own.sort_values("limit")
            median = share == 0.5
            line = _line(look, "hv" if x.goal == "min" else "vh")
            figure.add_scatter(
                x=own["limit"],
                y=own["best"],
                mode="lines+markers" if median else "lines",
                marker={"symbol": look.marker[1], "size": 7},
                name=name,
                legendgroup=name,
                showlegend=median,
                opacity=1.0 if median else 0.5,
                line=line if median else {**line, "width": 1, "dash": "dot"},
                hovertemplate=f"{100 * float(share):g} % of the runs of {name}<br>"
                "%{x:.4g}, %{y:.4g}<extra></extra>",
            )
    _look_at(figure, rows["limit"], rows["best"])
    return _html(figure)


def fronts_plot(fronts: pd.DataFrame, x: Metric, y: Metric, metrics: Mapping[str, Metric]) -> Html:
    """Return each method's best-known front, all its seeds together, in two metrics."""
    figure = _figure(x, y)
    _make_room(figure, fronts)
    for method, look in looks(fronts["method"] if len(fronts) else ()).items():
        rows, name = best_known(fronts, method, x, y), escape(str(method))
        shape = "hv" if x.goal == "min" else "vh"
        figure.add_scatter(
            x=rows[x.name],
            y=rows[y.name],
            mode="lines+markers",
            name=name,
            line=_line(look, shape),
            marker={"symbol": look.marker[1], "size": 8},
            hovertext=_hovers(rows, metrics, name),
            hoverinfo="text",
        )
    drawn = finite(fronts, x.name, y.name)
    _look_at(figure, drawn[x.name], drawn[y.name])
    return _html(figure)


def _look_at(figure: go.Figure, x: pd.Series, y: pd.Series) -> None:
    """Look at all but far outliers, which would press the others into a corner."""
    figure.update_xaxes(range=view(x))
    figure.update_yaxes(range=view(y))


def _figure(x: Metric | str, y: Metric | str) -> go.Figure:
    figure = go.Figure()
    axis = {"gridcolor": "#E6E6E6", "zeroline": False, "linecolor": "#8C8C8C", "automargin": True}
    figure.update_layout(
        template="none",
        autosize=True,
        height=460,
        showlegend=True,
        margin={"l": 50, "r": 12, "t": 30, "b": 40},
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "x": 0},
        hoverlabel={"align": "left", "bgcolor": "white", "font": {"size": 12, "color": "black"}},
        hovermode="closest",
        font={"family": "system-ui, sans-serif", "size": 13},
        xaxis={**axis, "title": _axis_title(x)},
        yaxis={**axis, "title": _axis_title(y)},
    )
    return figure


def _axis_title(what: Metric | str) -> str:
    """Return what an axis is called; a long name in two lines, for narrow pages."""
    label = axis_label(what) if isinstance(what, Metric) else what
    return escape(label).replace("      ", "<br>" if len(label) > 38 else "      ")


def _make_room(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Make a plot higher for a legend of many methods, which where it is narrow stand one below the other."""
    n = rows["method"].nunique() if "method" in rows else 0
    figure.update_layout(height=figure.layout.height + 16 * max(n - 3, 0))


def _add_points(
    figure: go.Figure,
    rows: pd.DataFrame,
    x: Metric,
    y: Metric,
    name: str,
    metrics: Mapping[str, Metric],
    numbered: bool = True,
    **style: Any,
) -> None:
    """Add rows as points; those that carry their numbers get from the page what hovering tells."""
    if rows.empty:
        return
    style = {"mode": "markers", "name": name, "hoverinfo": "text", **style}
    if numbered:
        ids = rows.index.tolist()
        # The page has each value once: points say which they are, and which columns they are drawn over.
        figure.add_scatter(x=[], y=[], customdata=ids, meta={"x": x.name, "y": y.name}, **style)
    else:
        figure.add_scatter(x=rows[x.name], y=rows[y.name], hovertext=_hovers(rows, metrics, name), **style)


def _add_border(
    figure: go.Figure, rows: pd.DataFrame, x: Metric, y: Metric, line: Mapping[str, object]
) -> None:
    shape = "hv" if x.goal == "min" else "vh"
    figure.add_scatter(
        x=rows[x.name],
        y=rows[y.name],
        mode="lines",
        line={**line, "shape": shape},
        hoverinfo="skip",
        showlegend=False,
    )


def _hovers(rows: pd.DataFrame, metrics: Mapping[str, Metric], name: str) -> list[str]:
    shown = [metric for metric in metrics.values() if metric.name in rows]
    texts = []
    for row in rows.to_dict("records"):
        values = (f"{escape(m.name)} {escape(quantity(m, float(row[m.name])))}" for m in shown)
        texts.append("<br>".join([f"<b>{name}</b>", *values, _folded(str(row.get("architecture", "")))]))
    return texts


def _folded(architecture: str) -> str:
    return "<br>".join(escape(line) for line in textwrap.wrap(architecture, 44))


def _line(look: Look, shape: str) -> dict[str, object]:
    return {"color": look.colour, "dash": look.dash[1], "shape": shape, "width": 2}


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.13)"


def _html(figure: go.Figure) -> Html:
    return Html(
        plotly.io.to_html(
            figure,
            include_plotlyjs=False,
            full_html=False,
            default_height=f"{figure.layout.height}px",
            config={
                "responsive": True,
                "displaylogo": False,
                "modeBarButtons": [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
            },
            # plotly's own would be random: equal runs give equal pages.
            div_id=f"plot-{stable_hash(figure.to_json())}",
        )
    )
