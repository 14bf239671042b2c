"""The page of a comparison: one HTML file that needs no network."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from moo_nas.analysis.architectures import front_section
from moo_nas.analysis.interactive import curves_plot, fronts_plot
from moo_nas.analysis.page import Html, note, page, section, table
from moo_nas.analysis.provenance import run_section, trust_section
from moo_nas.analysis.style import number
from moo_nas.analysis.tables import best_of_all
from moo_nas.meters import Metric


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
        front_section(record, best, None, shown, chosen, "The best-known front of all methods together")
        if len(best)
        else Html(),
        trust_section(record),
        run_section(record),
    ]
    return page(f"Comparison on {(record.get('problem') or {}).get('name', 'a problem')}", lead, sections)


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
