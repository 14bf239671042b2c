"""The page of a run and of a comparison: one HTML file each that needs no network."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.analysis.drawing import draw_architecture, has_squeeze, kernel_legend, kernels_of
from moo_nas.analysis.interactive import agreement_plot, curves_plot, front_plot, fronts_plot, progress_plot
from moo_nas.analysis.page import Html, note, page, section, table, text
from moo_nas.analysis.provenance import failures_section, run_section, stop_words
from moo_nas.analysis.style import number, quantity, short_name
from moo_nas.analysis.tables import (
    Measured,
    best_of_all,
    finite,
    is_outside,
    outside_summary,
    outside_words,
)
from moo_nas.errors import SpaceError
from moo_nas.meters import Metric
from moo_nas.spaces import Architecture


def run_report(
    record: Mapping[str, Any],
    evaluations: pd.DataFrame,
    front: pd.DataFrame,
    least_violating: pd.DataFrame,
    measured: pd.DataFrame | None,
    metrics: Mapping[str, Metric],
    objectives: Sequence[str],
) -> str:
    """Return the page of a run.

    Args:
        record: What ``run.json`` says.
        evaluations: Every evaluation in ask order, as ``Run.evaluations``.
        front: The answer, as ``Run.front``.
        least_violating: Where nothing is feasible, the rows nearest to it.
        measured: The front measured on the device, as ``measured.csv``, if it was.
        metrics: The metrics to show, by name; columns of the tables.
        objectives: Which of them are optimised each for itself; none, if a fitness that is no
            column was.
    """
    chosen = [metrics[name] for name in objectives]
    shown = list(dict.fromkeys([*chosen, *metrics.values()]))
    limits = {k: v for k, v in (record.get("formulation") or {}).get("limits", {}).items() if v is not None}
    lead = _lead(record, evaluations, front, least_violating, shown, chosen, limits)
    sections = [
        _plots(evaluations, front, measured, shown, chosen, limits),
        _front_section(record, front, measured, shown, chosen),
        _least_section(least_violating, shown, limits),
        _measured_section(measured, metrics),
        failures_section(evaluations),
        run_section(record),
    ]
    return page(f"Search of {(record.get('problem') or {}).get('name', 'a problem')}", lead, sections)


def comparison_report(
    record: Mapping[str, Any],
    table_: pd.DataFrame,
    curves: pd.DataFrame,
    fronts: pd.DataFrame,
    metrics: Mapping[str, Metric],
    objectives: Sequence[str],
) -> str:
    """Return the page of a comparison.

    Args:
        record: What is known of it, with the keys of ``run.json``; and ``seeds``.
        table_: One row a run: ``method, seed, hypervolume, stop_reason, reason`` and more.
        curves: Columns ``method, seed, evaluation, hypervolume``.
        fronts: Columns ``method, seed, architecture`` and metrics.
        metrics: The metrics that runs are judged in, by name.
        objectives: Which of them are the judge's objectives.
    """
    chosen = [metrics[name] for name in objectives]
    shown = list(dict.fromkeys([*chosen, *metrics.values()]))
    ran = table_[table_["stop_reason"] != "refused"] if "stop_reason" in table_ else table_
    refused = table_.drop(ran.index)
    reasons = [note(f"{r['method']} did not run: {r['reason']}") for r in refused.to_dict("records")]
    summary, lead = _summary(ran)
    headings = [str(column) for column in ran.columns if ran[column].notna().any()]
    everything = table(headings, _cells(ran[headings]), "Every run")
    details = Html(f"<details><summary>Every run ({len(ran)})</summary>{everything}</details>")
    pairs = [(x, chosen[0]) for x in chosen[1:]]
    best = best_of_all(fronts, *pairs[0]) if len(fronts) and len(pairs) == 1 else fronts.iloc[:0]
    sections = [
        section("Results", summary, *reasons, details),
        section("Hypervolume over evaluations: median and quartiles over seeds", curves_plot(curves)),
        *(
            section(f"Best-known fronts: {y.name} and {x.name}", fronts_plot(fronts, x, y, metrics))
            for x, y in pairs
        ),
        _front_section(record, best, None, shown, chosen, "The best-known front of all methods together")
        if len(best)
        else Html(),
        run_section(record),
    ]
    return page(f"Comparison on {(record.get('problem') or {}).get('name', 'a problem')}", lead, sections)


def _lead(
    record: Mapping[str, Any],
    evaluations: pd.DataFrame,
    front: pd.DataFrame,
    least: pd.DataFrame,
    shown: Sequence[Metric],
    chosen: Sequence[Metric],
    limits: Mapping[str, float],
) -> str:
    """Return the answer in one sentence or two."""
    n, reason = len(evaluations), record.get("stop_reason")
    ended = f" The run is not finished: {stop_words(reason)}." if reason in (None, "interrupted") else ""
    if n == 0:
        return "Nothing was evaluated." + ended
    measured = n if "status" not in evaluations else int((evaluations["status"] != "failed").sum())
    if measured == 0:
        return f"None of {n} architectures could be measured." + ended
    if front.empty:
        asked = _limits(limits, shown)
        nearest = f" The nearest has {_values(least.iloc[0], shown)}." if len(least) else ""
        return f"None of {n} architectures meets the limits{f' ({asked})' if asked else ''}.{nearest}{ended}"
    if len(chosen) < 2:
        how = (record.get("formulation") or {}).get("formulation", "")
        equal = f" ({len(front)} are equally good)" if len(front) > 1 else ""
        under = f" under '{how}'" if how and not chosen else ""
        keeps = f", within the limits ({_limits(limits, shown)})" if limits else ""
        return (
            f"The best of {n} architectures{under}{keeps} has {_values(front.iloc[0], shown)}{equal}.{ended}"
        )
    names = [metric.name for metric in chosen]
    verb = "forms" if len(front) == 1 else "form"
    sentence = (
        f"{len(front)} of {n} architectures {verb} the front of {', '.join(names[:-1])} and {names[-1]}"
    )
    ends = finite(front, *names).sort_values(names[1])
    cost, others = chosen[1], [chosen[0], *chosen[2:]]
    first, last = (
        f"{quantity(cost, float(row[cost.name]))} ({_values(row, others)})"
        for row in (ends.iloc[0], ends.iloc[-1])
    )
    across = (
        f"from {short_name(cost)} {first} to {last}" if len(ends) > 1 else f"with {short_name(cost)} {first}"
    )
    return f"{sentence}, {across}.{ended}"


def _values(row: Any, shown: Sequence[Metric]) -> str:
    return ", ".join(f"{short_name(m)} {quantity(m, float(row[m.name]))}" for m in shown if m.name in row)


def _limits(limits: Mapping[str, float], shown: Sequence[Metric]) -> str:
    return ", ".join(
        f"{m.name} at {'most' if m.goal == 'min' else 'least'} {quantity(m, limits[m.name])}"
        for m in shown
        if m.name in limits
    )


def _plots(
    evaluations: pd.DataFrame,
    front: pd.DataFrame,
    measured: pd.DataFrame | None,
    shown: Sequence[Metric],
    chosen: Sequence[Metric],
    limits: Mapping[str, float],
) -> Html:
    """Return the first metric against each further objective, or over the run if it is alone."""
    if not shown or finite(evaluations, *(metric.name for metric in shown)).empty:
        return Html()
    named = {metric.name: metric for metric in shown}
    parts: list[Html] = []
    if len(chosen) == 1:
        parts.append(progress_plot(evaluations, chosen[0], named))
    others = chosen[1:] or shown[1:]
    parts += [front_plot(evaluations, front, x, shown[0], measured, named, limits) for x in others]
    hint = "Hover over a point, or tap it, to see its architecture."
    return section("The front" if len(chosen) > 1 else "The search", hint, *parts)


def _front_section(
    record: Mapping[str, Any],
    front: pd.DataFrame,
    measured: pd.DataFrame | None,
    shown: Sequence[Metric],
    chosen: Sequence[Metric],
    heading: str = "",
) -> Html:
    """Return the table of the front, each architecture drawn, cheapest first."""
    if front.empty:
        return Html()
    if len(chosen) > 1:
        front = front.sort_values(chosen[1].name, ascending=chosen[1].goal == "min", kind="stable")
    heading = heading or ("The architectures of the front" if len(chosen) > 1 else "The best architecture")
    outside = outside_summary(front, record)
    doubts = [note(outside)] if outside else []
    return section(heading, *doubts, *_architectures(front, measured, shown))


def _architectures(
    rows: pd.DataFrame, measured: pd.DataFrame | None, shown: Sequence[Metric]
) -> tuple[Html, Html]:
    """Return the legend of the drawings and a table of architectures with their metrics."""
    metrics = [metric for metric in shown if metric.name in rows]
    columns = Measured.of(measured)
    known: dict[str, str] = {}
    if columns is not None and measured is not None:
        spreads = columns.spreads(measured)
        for name, value, spread in zip(
            measured["architecture"], measured[columns.metric], spreads, strict=True
        ):
            known[str(name)] = f"{number(float(value))} ± {float(spread):.2g}"
    extra = [f"measured {columns.metric}"] if columns is not None else []
    told = "outside" in rows and bool(is_outside(rows).any())
    drawn: list[Architecture] = []
    cells: list[list[object]] = []
    for label, row in zip(rows.index, rows.to_dict("records"), strict=True):
        name = str(row.get("architecture", ""))
        architecture = _parsed(name)
        drawn += [architecture] if architecture else []
        drawing = draw_architecture(architecture) if architecture else ""
        cells.append(
            [
                str(row.get("method", label)),
                *(float(row[metric.name]) for metric in metrics),
                *(known.get(name, "") for _ in extra),
                *([outside_words(row["outside"])] if told else []),
                Html(f"{drawing}<code>{text(name)}</code>"),
            ]
        )
    headings = ["method" if "method" in rows else "evaluation", *(m.name for m in metrics), *extra]
    headings += ["outside of the samples"] if told else []
    kernels = {kernel for a in drawn for kernel in kernels_of(a)}
    legend = kernel_legend(kernels, any(map(has_squeeze, drawn))) if drawn else ""
    rows_ = table([*headings, "architecture"], cells, "Architectures and their metrics", cards=True)
    return Html(legend), rows_


def _parsed(name: str) -> Architecture | None:
    """Return the architecture a text stands for; None where it is of a space that draws no stages."""
    try:
        return Architecture.parse(name)
    except SpaceError:
        return None


def _least_section(least: pd.DataFrame, shown: Sequence[Metric], limits: Mapping[str, float]) -> Html:
    if least.empty:
        return Html()
    asked = _limits(limits, shown)
    words_ = f"No architecture meets the limits{f': {asked}' if asked else ''}. These violate them least."
    return section("Nearest to the limits", note(words_), *_architectures(least, None, shown))


def _measured_section(measured: pd.DataFrame | None, metrics: Mapping[str, Metric]) -> Html:
    """Return how measurements of the front agree with what was predicted."""
    columns = Measured.of(measured)
    if columns is None or measured is None:
        return Html()
    rows = finite(measured, columns.predicted, columns.metric)
    predicted, real = rows[columns.predicted], rows[columns.metric]
    metric = metrics.get(columns.metric) or Metric(columns.metric, "1", "min")
    error = np.abs(predicted / real - 1)
    if len(rows) == 1:
        sentence = f"It was measured on this machine; the prediction is off by {100 * error.iloc[0]:.1f} %."
    else:
        sentence = f"{len(rows)} architectures of the front were measured on this machine."
    if len(rows) > 1:
        sentence += (
            f" The prediction is off by {100 * error.median():.1f} % in the median and "
            f"{100 * error.max():.1f} % at most"
        )
        ranks = predicted.rank(), real.rank()
        if len(rows) > 2 and min(r.nunique() for r in ranks) > 1:
            sentence += f"; it ranks them as the measurement does with Spearman {ranks[0].corr(ranks[1]):.2f}"
        sentence += "."
    plot = agreement_plot(rows, columns, metric) if len(rows) > 1 else Html()
    doubts = measured["fault"].dropna() if "fault" in measured else pd.Series(dtype="str")
    doubts = doubts[doubts != ""]
    notes = [
        note(f"{count} of these measurements are doubtful: {fault}. Measure again when the machine is quiet.")
        for fault, count in doubts.value_counts(sort=False).items()
    ]
    return section(f"Predicted and measured {short_name(metric)}", sentence, *notes, plot)


def _summary(ran: pd.DataFrame) -> tuple[Html, str]:
    """Return a row a method, best first, and the answer in a sentence."""
    if ran.empty:
        return Html(), "No method ran."
    by = ran.groupby("method")["hypervolume"].describe().sort_values("50%", ascending=False, kind="stable")
    cells = [
        [str(m), int(r["count"]), *(float(r[q]) for q in ("50%", "25%", "75%"))] for m, r in by.iterrows()
    ]
    headings = ["method", "runs", "median hypervolume", "lower quartile", "upper quartile"]
    shown = [number(float(median)) for median in by["50%"]]
    best = [str(method) for method, median in zip(by.index, shown, strict=True) if median == shown[0]]
    if len(best) > 1:
        lead = f"{', '.join(best[:-1])} and {best[-1]} reach the same median hypervolume, {shown[0]}"
    else:
        lead = f"{best[0]} reaches the largest median hypervolume, {shown[0]}"
    if len(by) > len(best):
        lead += f"; {by.index[len(best)]} follows with {shown[len(best)]}"
    return table(headings, cells, "Methods by median hypervolume"), lead + "."


def _cells(frame: pd.DataFrame) -> list[list[object]]:
    rows: list[list[object]] = frame.astype(object).where(frame.notna(), "").to_numpy().tolist()
    return rows
