"""The tables behind pictures: which rows are drawn, in which order, and what sums them up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.analysis.curves import hypervolume_curve
from moo_nas.analysis.indicators import Box, nondominated
from moo_nas.analysis.style import number, quantity, short_name
from moo_nas.arrays import BoolArray, FloatArray
from moo_nas.meters import Metric
from moo_nas.meters.predictors.domain import Reach

NOTHING_YET = "Nothing had been evaluated yet."


def begun(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a comparison's table of what ran and had evaluated something."""
    kept = pd.Series(True, runs.index)
    if "stop_reason" in runs:
        kept &= runs["stop_reason"] != "refused"
    if "evaluations" in runs:
        kept &= runs["evaluations"] != 0
    return runs[kept]


def finite(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the rows in which these columns are there and finite."""
    if not all(column in table for column in columns):
        return table.iloc[:0].reindex(columns=[*table.columns, *(c for c in columns if c not in table)])
    values = table[list(columns)].to_numpy(dtype=np.float64)
    kept: pd.DataFrame = table[np.isfinite(values).all(axis=1)]
    return kept


def feasible_rows(evaluations: pd.DataFrame) -> BoolArray:
    """Return which rows are feasible ``(n,)``; all of them in a table that does not say."""
    if "feasible" not in evaluations:
        return np.ones(len(evaluations), dtype=bool)
    return evaluations["feasible"].to_numpy(dtype=bool)


def choices_of(gene: "pd.Series[Any]") -> list[str]:
    """Return what a gene's column has, each choice once, as text in the order of the choices."""
    return [str(choice) for choice in sorted(gene.unique().tolist())]


def minimised(table: pd.DataFrame, metrics: Iterable[Metric]) -> FloatArray:
    """Return metrics ``(n, n_metrics)`` with their signs such that less is better."""
    columns = [table[m.name].to_numpy(dtype=np.float64) * (1 if m.goal == "min" else -1) for m in metrics]
    return np.column_stack(columns)


@dataclass(frozen=True, slots=True)
class Measured:
    """Which columns of a table of measurements hold what, found by their names."""

    metric: str
    predicted: str
    spread: str | None

    @classmethod
    def of(cls, measured: pd.DataFrame | None) -> "Measured | None":
        """Return the columns of a table such as ``measured.csv``, or None if there is nothing in it."""
        if measured is None or measured.empty:
            return None
        for column in map(str, measured.columns):
            metric = column.removeprefix("predicted_")
            if metric != column and metric in measured:
                spread = next((str(c) for c in measured if str(c).startswith("spread_")), None)
                return cls(metric, column, spread)
        return None

    def spreads(self, measured: pd.DataFrame) -> FloatArray:
        """Return the spread of each measurement ``(n,)``, 0 where none is given."""
        if self.spread is None:
            return np.zeros(len(measured))
        spreads: FloatArray = np.nan_to_num(measured[self.spread].to_numpy(dtype=np.float64))
        return spreads


def broken_limit(
    measured: pd.DataFrame | None, limits: Mapping[str, float | None], metrics: Mapping[str, Metric]
) -> str:
    """Return in a sentence what of a front breaks a limit that it was predicted to keep; empty if nothing.

    Args:
        measured: The front as measured, such as ``measured.csv``, if it was.
        limits: By metric.
        metrics: By name.
    """
    columns = Measured.of(measured)
    limit = None if columns is None else limits.get(columns.metric)
    if columns is None or measured is None or limit is None or columns.metric not in metrics:
        return ""
    metric = metrics[columns.metric]
    rows = finite(measured, metric.name)
    over = rows[metric.name] > limit if metric.goal == "min" else rows[metric.name] < limit
    if not over.any():
        return ""
    name, beyond = short_name(metric), f"beyond the limit of {quantity(metric, limit)}"
    if len(measured) > 1:
        are = "is" if over.sum() == 1 else "are"
        return f"Measured on this machine, {name} of {over.sum()} of {len(rows)} {are} {beyond}."
    value, spread = float(rows[metric.name].iloc[0]), float(columns.spreads(rows)[0])
    told = f"{number(value)} ± {spread:.2g} {metric.unit}" if spread else quantity(metric, value)
    return f"Measured on this machine, {name} is {told}: {beyond}."


def staircase(front: pd.DataFrame, x: Metric, y: Metric) -> pd.DataFrame:
    """Return the rows that are non-dominated in two metrics, from left to right."""
    rows = finite(front, x.name, y.name)
    kept = rows[nondominated(minimised(rows, (x, y)))]
    return kept.sort_values([x.name, y.name], ascending=[True, (x.goal == "min") != (y.goal == "min")])


def best_so_far(evaluations: pd.DataFrame, objective: Metric) -> pd.DataFrame:
    """Return ``evaluation`` (from 0), ``value``, ``feasible`` and ``best``, that of the feasible so far."""
    values = evaluations[objective.name] if objective.name in evaluations else pd.Series(dtype=np.float64)
    value = values.to_numpy(dtype=np.float64)
    allowed = feasible_rows(evaluations)[: len(value)] & np.isfinite(value)
    counted = pd.Series(np.where(allowed, value, np.nan))
    best = (counted.cummin() if objective.goal == "min" else counted.cummax()).ffill()
    return pd.DataFrame(
        {"evaluation": np.arange(len(value)), "value": value, "feasible": allowed, "best": best}
    )


def hypervolume_so_far(
    evaluations: pd.DataFrame, metrics: Sequence[Metric]
) -> tuple[pd.DataFrame, Box | None]:
    """Return ``evaluation`` (from 1) and ``hypervolume`` wherever it grew, and the box it is a share of.

    The box is around all feasible rows, its worst corner, the reference point, a tenth of their range
    beyond them; None if there is no such row.
    """
    rows = finite(evaluations.assign(_place=range(1, len(evaluations) + 1)), *(m.name for m in metrics))
    rows = rows[feasible_rows(rows)]
    if rows.empty:
        return pd.DataFrame(columns=["evaluation", "hypervolume"]), None
    f = minimised(rows, metrics)
    box = Box.around(f)
    curve = hypervolume_curve(f, rows["_place"].to_numpy(), len(evaluations), box)
    places = np.flatnonzero(np.diff(curve, prepend=0.0))
    return pd.DataFrame({"evaluation": places + 1, "hypervolume": curve[places]}), box


def indicator_band(curves: pd.DataFrame, method: str, indicator: str = "hypervolume") -> pd.DataFrame:
    """Return ``low``, ``median`` and ``high`` (quartiles over seeds) of an indicator by evaluation.

    A run that ended early keeps what it had; there is no quartile before each run has something valid. Where
    too many runs are infinite, a quartile is.
    """
    rows = curves[curves["method"] == method]
    table = rows.pivot(index="evaluation", columns="seed", values=indicator).astype(np.float64).ffill()
    return pd.DataFrame(quartiles(table.to_numpy()).T, table.index, ["low", "median", "high"])


def quartiles(values: FloatArray) -> FloatArray:
    """Return the quartiles ``(3, ...)`` over the last axis of numbers, some of which may be infinite.

    NaN where one of the numbers is.

    Example:
        >>> quartiles(np.array([1.0, 2.0, np.inf])).tolist()
        [1.5, 2.0, inf]
    """
    shares = (0.25, 0.5, 0.75)
    below, above = (np.quantile(values, shares, axis=-1, method=which) for which in ("lower", "higher"))
    with np.errstate(invalid="ignore"):
        between = np.quantile(values, shares, axis=-1)
    # Interpolation makes NaN of what lies at or beside an infinite number.
    return np.where(np.isfinite(between), between, (below + above) / 2)


def best_known(fronts: pd.DataFrame, method: str, x: Metric, y: Metric) -> pd.DataFrame:
    """Return the rows of a method's fronts, all seeds together, that are non-dominated in two metrics."""
    return staircase(fronts[fronts["method"] == method] if "method" in fronts else fronts, x, y)


def best_of_all(fronts: pd.DataFrame, *metrics: Metric) -> pd.DataFrame:
    """Return the architectures that no method's are better than, each once, ``method`` naming its finders."""
    rows = finite(fronts, *(metric.name for metric in metrics))
    line = rows[nondominated(minimised(rows, metrics))]
    line = line.sort_values(metrics[0].name, ascending=metrics[0].goal == "min", kind="stable")
    finders = line.groupby("architecture")["method"].agg(
        lambda names: ", ".join(dict.fromkeys(map(str, names)))
    )
    once = line.drop_duplicates("architecture")
    return once.assign(method=once["architecture"].map(finders))


def is_outside(table: pd.DataFrame) -> BoolArray:
    """Return which rows lie outside of what a predictor was fitted on ``(n,)``, by the column ``outside``."""
    if "outside" not in table:
        return np.zeros(len(table), dtype=bool)
    told = table["outside"].fillna("").astype("str") != ""
    return told.to_numpy(dtype=bool)


def outside_words(why: object) -> str:
    """Return a cell of the column ``outside``, empty where nothing is told."""
    return why if isinstance(why, str) else ""


def outside_summary(front: pd.DataFrame, record: Mapping[str, Any]) -> str:
    """Return how many rows of a front lie outside of what predictors were fitted on; empty without any.

    Args:
        front: With a column ``outside``, if something is predicted.
        record: Of the run, whose set-up says how much of the space predictors reach.
    """
    if "outside" not in front or front.empty:
        return ""
    outside = is_outside(front)
    if not outside.any():
        return ""
    metrics = dict.fromkeys(
        name
        for why in front["outside"][outside]
        for part in str(why).split("; ")
        for name in part.partition(": ")[0].split(", ")
    )
    lie = "lies" if outside.sum() == 1 else "lie"
    reaches = {
        Reach(**value["reach"]).words
        for value in (record.get("setup") or {}).values()
        if value.get("metric") in metrics and "reach" in value
    }
    told = (
        f"{outside.sum()} of the front's {len(front)} architectures {lie} outside of the samples that "
        f"{' and '.join(metrics)} {'is' if len(metrics) == 1 else 'are'} predicted from: how far off the "
        "prediction is there nobody has measured."
    )
    return " ".join([told, *sorted(reaches)])
