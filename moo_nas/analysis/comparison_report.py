"""The page of a comparison: one HTML file that needs no network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.analysis.architectures import front_section
from moo_nas.analysis.interactive import attainment_plot, curves_plot, fronts_plot
from moo_nas.analysis.outliers import beyond_view
from moo_nas.analysis.page import Html, Right, note, page, section, table
from moo_nas.analysis.provenance import run_section, trust_section
from moo_nas.analysis.rank_drawing import critical_difference_svg, reach_svg
from moo_nas.analysis.ranking import ALPHA, Ranking
from moo_nas.analysis.style import number, quantity, seconds, short_name, view
from moo_nas.analysis.tables import NOTHING_YET, begun, best_of_all, finite
from moo_nas.meters import Metric

_WORDS = {"hypervolume": "hypervolume", "igd_plus": "IGD+"}


@dataclass(frozen=True)
class Compared:
    """What a comparison found, as its page needs it; see :class:`moo_nas.study.Comparison` for the columns.

    Attributes:
        table: One row a run: ``method, seed, hypervolume, stop_reason, reason`` and more.
        curves: ``method, seed, evaluation, hypervolume`` and, if there is a front, ``igd_plus``.
        fronts: ``method, seed, architecture`` and metrics.
        metrics: The metrics that runs are judged in, by name.
        objectives: Which of them are the judge's objectives, the score first.
        front_is_exact: Is the front that runs are judged by the exact one?
        reach: One row a point of the front and method.
        best: The best score within limits.
        attainment: Corners of attainment surfaces.
        rankings: Methods ranked, by indicator.
        costs: What each run took.
        reference: The reference point of hypervolumes.
        notes: What a reader has to know before believing the rest.
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    fronts: pd.DataFrame
    metrics: Mapping[str, Metric]
    objectives: Sequence[str]
    front_is_exact: bool = False
    reach: pd.DataFrame = field(default_factory=pd.DataFrame)
    best: pd.DataFrame = field(default_factory=pd.DataFrame)
    attainment: pd.DataFrame = field(default_factory=pd.DataFrame)
    rankings: Mapping[str, Ranking] = field(default_factory=dict)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)
    reference: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def chosen(self) -> list[Metric]:
        """The judge's objectives, the score first."""
        return [self.metrics[name] for name in self.objectives]

    @property
    def ran(self) -> pd.DataFrame:
        """The rows of what ran and had evaluated something."""
        return begun(self.table)

    @property
    def refused(self) -> pd.DataFrame:
        """The rows of what was refused."""
        if "stop_reason" not in self.table:
            return self.table.iloc[:0]
        return self.table[self.table["stop_reason"] == "refused"]


def comparison_report(record: Mapping[str, Any], found: Compared) -> str:
    """Return the page of a comparison.

    Args:
        record: What is known of it, with the keys of ``run.json``; and ``seeds``.
        found: What it found.
    """
    chosen = found.chosen
    shown = list(dict.fromkeys([*chosen, *found.metrics.values()]))
    costs = chosen[1:]
    best = (
        best_of_all(found.fronts, *chosen) if len(found.fronts) and len(chosen) > 1 else found.fronts.iloc[:0]
    )
    sections = [
        _results(found),
        *_ranks(found),
        *_curves(found),
        *(_fronts(found, cost, chosen[0]) for cost in costs),
        _reach(found, costs[0] if costs else None),
        *(_within(found, cost, chosen[0]) for cost in costs),
        _costs(found),
        front_section(record, best, None, shown, chosen, "The best front of all methods together"),
        trust_section(record),
        run_section(record),
    ]
    name = (record.get("problem") or {}).get("name", "a problem")
    return page(f"Comparison on {name}", _lead(found), sections)


def _lead(found: Compared) -> str:
    """Return the answer in a sentence."""
    ran = found.ran
    if ran.empty:
        return "No method ran." if len(found.refused) == len(found.table) else NOTHING_YET
    medians = ran.groupby("method")["hypervolume"].median().sort_values(ascending=False, kind="stable")
    if not medians.iloc[0] > 0:
        return "No method found anything that can be judged."
    told = [number(float(median)) for median in medians]
    best = [str(method) for method, median in zip(medians.index, told, strict=True) if median == told[0]]
    if len(best) > 1:
        lead = f"{', '.join(best[:-1])} and {best[-1]} reach the same median hypervolume, {told[0]}"
    else:
        lead = f"{best[0]} reaches the largest median hypervolume, {told[0]}"
    if len(medians) > len(best):
        lead += f"; {medians.index[len(best)]} follows with {told[len(best)]}"
    return lead + "."


def _results(found: Compared) -> Html:
    """Return a row a method, best first, what was refused, and every run."""
    ran = found.ran
    reasons = [note(f"{r['method']} did not run: {r['reason']}") for r in found.refused.to_dict("records")]
    doubts = [note(words) for words in found.notes]
    headings = [str(column) for column in ran.columns if ran[column].notna().any()]
    everything = table(headings, _cells(ran[headings]), "Every run")
    details = Html(f"<details><summary>Every run ({len(ran)})</summary>{everything}</details>")
    if ran.empty:
        return section("Results", *reasons, *doubts)
    by = ran.groupby("method")["hypervolume"].describe().sort_values("50%", ascending=False, kind="stable")
    extra = [name for name in ("igd_plus", "reached", "front_size") if name in ran]
    medians = ran.groupby("method")[extra].median().to_dict("index")
    cells = [
        [
            *(str(m), int(r["count"]), *(float(r[q]) for q in ("50%", "25%", "75%"))),
            *(_told(name, float(medians[m][name])) for name in extra),
        ]
        for m, r in by.iterrows()
    ]
    words = {
        "igd_plus": "median IGD+",
        "reached": f"{'exact' if found.front_is_exact else 'best-known'} front reached (median)",
        "front_size": "points of its front (median)",
    }
    headings = [
        "method",
        "runs",
        "median hypervolume",
        "lower quartile",
        "upper quartile",
        *(words[name] for name in extra),
    ]
    told = _yardstick(found)
    return section(
        "Results", told, table(headings, cells, "Methods by median hypervolume"), *reasons, *doubts, details
    )


def _yardstick(found: Compared) -> str:
    """Return by what all are judged, in words."""
    if not found.reference:
        return ""
    point = ", ".join(
        f"{name} {quantity(found.metrics[name], value) if name in found.metrics else number(value)}"
        for name, value in found.reference.items()
    )
    front = (
        "the exact front of the problem" if found.front_is_exact else "the best front of all runs together"
    )
    return (
        f"All are judged by everything they evaluated. Hypervolume is the share of the box up to the "
        f"reference point ({point}) that is dominated; IGD+ is the mean distance from {front}, in widths of "
        "that box, and less is better."
    )


def _ranks(found: Compared) -> list[Html]:
    """Return tests and effect sizes, an indicator at a time."""
    made = []
    for indicator, ranking in found.rankings.items():
        # Where all runs are equal, as where nothing was found, there is nothing to tell.
        if ranking.control is None or ranking.nemenyi is None or found.ran[indicator].nunique() < 2:
            continue
        rows = [
            [
                *(str(row["method"]), int(row["runs"]), float(row["median"])),
                *(_or(row["mean_rank"], ".2f", "not tested"), _p(row, ranking), _or(row["a12"], ".2f", "")),
            ]
            for row in ranking.table.to_dict("records")
        ]
        headings = ["method", "runs", "median", "mean rank", "p (Wilcoxon, Holm)", "A12"]
        ranks = ranking.table["mean_rank"]
        has = "has" if (ranks == ranks.min()).sum() == 1 else "shares"
        words = (
            f"Each method is held against {ranking.control}, which {has} the best mean rank over the seeds."
        )
        if np.isfinite(ranking.friedman_p):
            alike = "could be chance" if ranking.friedman_p > ALPHA else "are more than chance"
            words += (
                f" Friedman's test: p = {ranking.friedman_p:.3g}, ranks so far apart {alike} at {ALPHA:g}."
            )
        words += (
            " A12 is how often a run of the method is better than one of that, 0.5 being no difference. "
            "Methods under one bar are not told apart by Nemenyi's test."
        )
        drawn = Html(
            '<div class="scroll" tabindex="0" role="region" aria-label="Critical differences">'
            f"{critical_difference_svg(ranking.methods, ranking.nemenyi)}</div>"
        )
        label = f"Tests by {_WORDS.get(indicator, indicator)}"
        made.append(
            section(
                f"Is it chance? By {_WORDS.get(indicator, indicator)}",
                words,
                drawn,
                table(headings, rows, label),
            )
        )
    return made


def _curves(found: Compared) -> list[Html]:
    """Return each indicator over evaluations."""
    made = [section(_over("Hypervolume", "more"), curves_plot(found.curves))]
    if "igd_plus" in found.curves and np.isfinite(found.curves["igd_plus"]).any():
        there = found.curves.assign(**{"IGD+": found.curves["igd_plus"].replace(np.inf, np.nan)})
        plot = curves_plot(there, Metric("IGD+", "1", "min"))
        made.append(section(_over("IGD+", "less"), plot))
    return made


def _over(indicator: str, better: str) -> str:
    return f"{indicator} over evaluations ({better} is better): median and quartiles over seeds"


def _fronts(found: Compared, x: Metric, y: Metric) -> Html:
    """Return what methods found in two metrics, all seeds together, and what share of their runs attains."""
    parts: list[object] = [fronts_plot(found.fronts, x, y, found.metrics)]
    drawn = finite(found.fronts, x.name, y.name)
    if drawn.empty:
        return section(f"Best-known fronts: {y.name} and {x.name}", "No run found anything to show here.")
    values = {metric.name: drawn[metric.name] for metric in (x, y)}
    parts = [*(beyond_view(name, some, view(some)) for name, some in values.items()), *parts]
    if len(found.attainment):
        parts += [
            Html("<h3>Attainment</h3>"),
            "What half of a method's runs reach (thick), and a quarter and three quarters (dotted).",
            attainment_plot(found.attainment, x, y),
        ]
    return section(f"Best-known fronts: {y.name} and {x.name}", *parts)


def _reach(found: Compared, cost: Metric | None) -> Html:
    """Return which points of the front each method reaches."""
    if found.reach.empty:
        return Html()
    front = "exact" if found.front_is_exact else "best-known"
    n = found.reach["point"].nunique()
    words = (
        f"The {front} front has {n} point{'s' * (n != 1)}, a column each. A bar's height is the share of a "
        "method's runs that found something as good; a dark frame marks the points that a perfect search "
        "under its formulation would end at, a dot those that are the best of some weighted sum."
    )
    drawn = Html(
        '<div class="scroll" tabindex="0" role="region" aria-label="Which points are reached">'
        f"{reach_svg(found.reach, cost)}</div>"
    )
    return section(f"Which points of the {front} front each method reaches", words, drawn)


def _within(found: Compared, cost: Metric, score: Metric) -> Html:
    """Return the best score of each method within limits of a cost: medians over seeds."""
    rows = found.best[found.best["metric"] == cost.name] if len(found.best) else found.best
    if rows.empty:
        return Html()
    limits = list(dict.fromkeys(rows["limit"]))
    cells = []
    for method, own in rows.groupby("method", sort=False):
        line: list[object] = [str(method)]
        for limit in limits:
            values = own.loc[own["limit"] == limit, "best"]
            n, there = len(values), values.dropna()
            some = "" if len(there) == n else f" ({len(there)} of {n} runs)"
            line.append(Right(f"{number(float(there.median()))}{some}" if len(there) else "none"))
        cells.append(line)
    headings = [
        "method",
        *(f"at {'most' if cost.goal == 'min' else 'least'} {quantity(cost, float(v))}" for v in limits),
    ]
    words = f"The median over seeds of the best {score.name} among all that a run evaluated."
    label = f"Best {score.name} within limits of {cost.name}"
    return section(
        f"Best {short_name(score)} within limits of {short_name(cost)}", words, table(headings, cells, label)
    )


def _costs(found: Compared) -> Html:
    """Return what methods took: means over their runs."""
    if found.costs.empty:
        return Html()
    names = [c for c in ("wall_seconds", "measuring_seconds", "searching_seconds") if c in found.costs]
    means = found.costs.groupby("method", sort=False)[["evaluations", *names]].mean()
    cells = [
        [
            str(m),
            float(r["evaluations"]),
            *(Right(seconds(float(r[c])) if np.isfinite(r[c]) else "not known") for c in names),
        ]
        for m, r in means.iterrows()
    ]
    headings = [
        "method",
        "evaluations",
        *(c.removesuffix("_seconds").replace("wall", "on the clock") for c in names),
    ]
    words = (
        "Means over a method's runs. Runs share what was measured: what one measured costs a later one no "
        "time, so times tell what was spent, not which method is faster."
    )
    return section("What it took", words, table(headings, cells, "What methods took"))


def _told(name: str, value: float) -> object:
    if not np.isfinite(value):
        return Right("none")
    return Right(f"{100 * value:.0f} %") if name == "reached" else value


def _or(value: Any, form: str, nothing: str) -> Right:
    return Right(format(float(value), form) if pd.notna(value) else nothing)


def _p(row: Mapping[Any, Any], ranking: Ranking) -> Right:
    if row["method"] == ranking.control:
        return Right("held against")
    return _or(row["p"], ".3g", "")


def _cells(frame: pd.DataFrame) -> list[list[object]]:
    rows: list[list[object]] = frame.astype(object).where(frame.notna(), "").to_numpy().tolist()
    return rows
