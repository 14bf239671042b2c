"""The page of a run and of a comparison: one HTML file each that needs no network."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.analysis.architectures import architectures_table, front_section
from moo_nas.analysis.explorer import data_script, filter_form, thinned
from moo_nas.analysis.interactive import agreement_plot, convergence_plot, front_plot, progress_plot
from moo_nas.analysis.outliers import front_outliers, progress_outliers
from moo_nas.analysis.page import Html, note, page, section
from moo_nas.analysis.parallel import parallel_coordinates
from moo_nas.analysis.provenance import failures_section, run_section, stop_words, trust_section
from moo_nas.analysis.style import quantity, short_name
from moo_nas.analysis.tables import Measured, broken_limit, finite, hypervolume_so_far
from moo_nas.meters import Metric


def run_report(
    record: Mapping[str, Any],
    evaluations: pd.DataFrame,
    front: pd.DataFrame,
    least_violating: pd.DataFrame,
    measured: pd.DataFrame | None,
    metrics: Mapping[str, Metric],
    objectives: Sequence[str],
    genes: Sequence[str] = (),
    proxies: pd.DataFrame | None = None,
    n_waiting: int = 0,
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
        genes: Which columns are genes.
        proxies: How far the problem's proxies repeat, as :func:`~moo_nas.study.proxies.judge_proxies`
            has it, if that was measured.
        n_waiting: How many results of a batch that is not whole are kept.
    """
    chosen = [metrics[name] for name in objectives]
    shown = list(dict.fromkeys([*chosen, *metrics.values()]))
    limits = {k: v for k, v in (record.get("formulation") or {}).get("limits", {}).items() if v is not None}
    broken = broken_limit(measured, limits, metrics)
    answer = _lead(record, evaluations, front, least_violating, shown, chosen, limits)
    lead = " ".join(filter(None, (answer, broken, _waiting(n_waiting))))
    sections = [
        _plots(evaluations, front, measured, shown, chosen, limits, genes),
        _parallel_section(front, shown, chosen, genes),
        front_section(record, front, measured, shown, chosen),
        _convergence_section(evaluations, shown, chosen),
        _least_section(least_violating, shown, limits),
        _measured_section(measured, metrics, broken),
        failures_section(evaluations),
        trust_section(record, proxies),
        run_section(record),
    ]
    return page(f"Search of {(record.get('problem') or {}).get('name', 'a problem')}", lead, sections)


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


def _waiting(n: int) -> str:
    """Return how many results of a batch that is not whole are kept, in words; nothing of none."""
    what = "1 result of an unfinished batch is" if n == 1 else f"{n} results of an unfinished batch are"
    return f"{what} kept, and will be shown when all of it is there." if n else ""


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
    genes: Sequence[str],
) -> Html:
    """Return the first metric against each further objective, or over the run if it is alone, to filter."""
    if not shown or finite(evaluations, *(metric.name for metric in shown)).empty:
        return Html()
    named = {metric.name: metric for metric in shown}
    rows = thinned(evaluations, front)
    hints = [
        "Hover over a point to see its architecture; click it, or tap it, to have it drawn and marked below. "
        "Evaluations are numbered from 0, as in front.csv."
    ]
    parts: list[Html] = [filter_form(rows, shown, genes)]
    n_measured = len(evaluations)
    if "status" in evaluations:
        n_measured = int((evaluations["status"] != "failed").sum())
    if len(rows) < n_measured:
        words_ = (
            f"{len(rows):,} of {n_measured:,} measured architectures are on this page: the front, and the "
            "others evenly over the run."
        )
        parts.append(note(words_))
    others = chosen[1:] or shown[1:]
    left_out = [progress_outliers(evaluations, rows, chosen[0])] if len(chosen) == 1 else []
    for x in others:
        left_out += front_outliers(rows, front, x, shown[0], measured, limits)
    hints += dict.fromkeys(left_out)
    if len(chosen) == 1:
        parts.append(progress_plot(evaluations, rows, chosen[0], named))
    parts += [front_plot(rows, front, x, shown[0], measured, named, limits) for x in others]
    parts += [Html('<div class="preview" aria-live="polite"></div>'), data_script(rows, front, shown, genes)]
    return section("The front" if len(chosen) > 1 else "The search", *hints, *parts)


def _parallel_section(
    front: pd.DataFrame, shown: Sequence[Metric], chosen: Sequence[Metric], genes: Sequence[str]
) -> Html:
    """Return what the front's architectures chose, and what came of it."""
    drawn = parallel_coordinates(front, shown, genes) if len(chosen) > 1 else ""
    if not drawn:
        return Html()
    first = short_name(shown[0])
    hint = (
        "Each line is an architecture of the front, through what it reaches (better is up) and what it "
        f"chose. Dark lines have the best {first}. Hover over a line to see which it is."
    )
    return section("What the front is made of", hint, drawn)


def _convergence_section(
    evaluations: pd.DataFrame, shown: Sequence[Metric], chosen: Sequence[Metric]
) -> Html:
    """Return how the front grew over the run, where there is more than one metric to grow in."""
    metrics = list(chosen if len(chosen) > 1 else shown)
    grown, box = hypervolume_so_far(evaluations, metrics) if len(metrics) > 1 else (None, None)
    if grown is None or box is None:
        return Html()
    point = ", ".join(
        f"{short_name(m)} {quantity(m, float(value if m.goal == 'min' else -value))}"
        for m, value in zip(metrics, box.worst, strict=True)
    )
    last = int(grown["evaluation"].iloc[-1])
    since = len(evaluations) - last
    words_ = (
        f"Hypervolume of the front so far, as a share of the box that ends at the reference point ({point}). "
        f"It last grew with evaluation {last - 1:,}{f'; {since:,} came after it' if since else ', the last'}."
    )
    return section("Convergence", words_, convergence_plot(grown, len(evaluations)))


def _least_section(least: pd.DataFrame, shown: Sequence[Metric], limits: Mapping[str, float]) -> Html:
    if least.empty:
        return Html()
    asked = _limits(limits, shown)
    words_ = f"No architecture meets the limits{f': {asked}' if asked else ''}. These violate them least."
    return section("Nearest to the limits", note(words_), *architectures_table(least, None, shown))


def _measured_section(measured: pd.DataFrame | None, metrics: Mapping[str, Metric], broken: str) -> Html:
    """Return how measurements of the front agree with what was predicted, and which limit they break."""
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
    notes = [note(broken)] if broken else []
    notes += [
        note(
            f"{count} of these measurements {'is' if count == 1 else 'are'} doubtful: {fault}. Measure again "
            "when the machine is quiet."
        )
        for fault, count in doubts.value_counts(sort=False).items()
    ]
    return section(f"Predicted and measured {short_name(metric)}", sentence, *notes, plot)
