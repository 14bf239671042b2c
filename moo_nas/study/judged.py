"""The yardstick of a comparison, and the tables that are measured by it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.analysis.attainment import QUARTILES, attainment
from moo_nas.analysis.indicators import Box, nondominated
from moo_nas.analysis.reach import best_known_front, best_within, reached, supported
from moo_nas.analysis.tables import minimised
from moo_nas.arrays import BoolArray, FloatArray
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import Formulation
from moo_nas.meters import Metric

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)  # of the best-known front, for limits that nobody gave
ROUNDING = 1e-3  # of a front's largest value of an objective: results from elsewhere come rounded
MARGIN = 0.1  # by which the reference point is worse than the worst of the front, in its widths


@dataclass(frozen=True)
class Yardstick:
    """What all entries are measured by.

    Attributes:
        judge: The formulation whose objectives count, fitted.
        metrics: Its metrics, by name.
        front: The best-known front's objectives ``(n_front, n_obj)``, minimised, each point once.
        is_exact: Is it the exact front?
        box: In which hypervolumes and distances are scaled; none where nothing valid was found.
        exact: The exact front's table, where the problem knows it.
        notes: What is to be said of it.
    """

    judge: Formulation
    metrics: Mapping[str, Metric]
    front: FloatArray
    is_exact: bool
    box: Box | None
    exact: pd.DataFrame | None
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        judge: Formulation,
        metrics: Mapping[str, Metric],
        found: Sequence[FloatArray],
        exact: pd.DataFrame | None,
        reference: Mapping[str, float] | None,
    ) -> "Yardstick":
        """Return the yardstick of what entries found, ``(n, n_obj)`` each.

        Raises:
            InputError: A reference point without a value for each objective, or better than all there is.
        """
        f = np.concatenate([*found, np.empty((0, judge.n_obj))])
        notes = []
        if exact is not None:
            front = best_known_front([_objectives(judge, metrics, exact)])
            if beyond(front, f[nondominated(f)]).any():
                notes.append("Something better than the exact front was found: it is of another problem.")
        else:
            front = best_known_front([f])
        if len(front) == 0:
            return cls(judge, metrics, front, False, None, exact, ("Nothing valid was found.",))
        box = Box.around(f if exact is None else _with_width(front, f), MARGIN)
        if reference is not None:
            worst = _reference(judge, metrics, reference)
            if not (front < worst).all(axis=1).any():
                raise InputError(
                    "Nothing is better than the reference point in every objective: state a worse one."
                )
            box = Box(front.min(axis=0), worst)
        if len(front) == 1:
            notes.append("The best-known front is one point: nothing is traded off, and volumes tell little.")
        return cls(judge, metrics, front, exact is not None, box, exact, tuple(notes))

    @property
    def names(self) -> tuple[str, ...]:
        """The score and the costs: the judge's objectives, or the metrics of its one fitness."""
        return judged_by(self.judge)

    @property
    def costs(self) -> list[Metric]:
        """The metrics that the score is traded for."""
        return [self.metrics[name] for name in self.names[1:]]

    @property
    def score(self) -> Metric:
        """The metric that is to be best."""
        return self.metrics[self.names[0]]

    @property
    def reference(self) -> dict[str, float]:
        """The reference point, by metric in its own unit."""
        if self.box is None:
            return {}
        names = self.judge.objective_names
        if not names:
            return {"fitness": float(-self.box.worst[0])}
        signs = [1.0 if self.metrics[name].goal == "min" else -1.0 for name in names]
        return {n: float(w * s) for n, w, s in zip(names, self.box.worst, signs, strict=True)}

    def objectives(self, table: pd.DataFrame) -> FloatArray:
        """Return the judge's objectives of a table with its metrics, ``(n, n_obj)``."""
        return _objectives(self.judge, self.metrics, table)

    def table(self, fronts: pd.DataFrame) -> pd.DataFrame:
        """Return the best-known front, each point once and in the order of ``front``, from all fronts."""
        source = fronts if self.exact is None else self.exact
        columns = [*self.judge.metrics, "architecture"]
        if len(self.front) == 0:
            return pd.DataFrame(columns=[*columns, "supported"])
        rows = source.reindex(columns=columns).reset_index(drop=True)
        first: dict[tuple[float, ...], int] = {}
        for place, row in enumerate(self.objectives(rows).tolist()):
            first.setdefault(tuple(row), place)
        chosen = rows.iloc[[first[tuple(point)] for point in self.front.tolist()]].reset_index(drop=True)
        return chosen.assign(supported=supported(self.front))


def judged_by(judge: Formulation) -> tuple[str, ...]:
    """Return the score and the costs: a judge's objectives, or the metrics of its one fitness."""
    return judge.objective_names or judge.metrics


def check_yardstick(
    judge: Formulation,
    metrics: Mapping[str, Metric],
    reference: Mapping[str, float] | None,
    limits: Mapping[str, float | Sequence[float]] | None,
) -> tuple[dict[str, float] | None, dict[str, list[float]] | None]:
    """Return a reference point and limits of costs as Python's own numbers; one limit is a list of one.

    Raises:
        InputError: What cannot be measured by, whatever will have been found: a reference point without a
            value for each objective, or limits of what is no cost of the judge or that are no finite numbers.
    """
    for what, given in (("reference", reference), ("limits", limits)):
        if given is not None and not isinstance(given, Mapping):
            raise InputError(f"{what} is given by name, such as {{'latency_ms': 5.0}}; got {given!r}.")
    if reference is not None:
        _reference(judge, metrics, reference)
        reference = {name: float(value) for name, value in reference.items()}
    if limits is None:
        return reference, None
    costs = judged_by(judge)[1:]
    levels: dict[str, list[float]] = {}
    for name, level in limits.items():
        if name not in costs:
            raise InputError(
                f"'{name}' is no cost that runs are judged by: {', '.join(costs) or 'there is none'}."
            )
        some = np.atleast_1d(np.asarray(level, dtype=object)).tolist()
        for one in some:
            if not _is_finite(one):
                raise InputError(f"Limits of '{name}' are finite numbers; got {one!r}.")
        levels[name] = [float(one) for one in some]
    return reference, levels


def beyond(front: FloatArray, f: FloatArray) -> BoolArray:
    """Return which rows ``(n, n_obj)`` are better than an exact front ``(n_front, n_obj)``, ``(n,)``.

    By more than rounding: a thousandth of the front's largest value of an objective, whatever its sign.
    """
    worse = f + ROUNDING * np.abs(front).max(axis=0)
    return np.array([not (front <= row).all(axis=1).any() for row in worse], dtype=bool)


def reach_table(
    yard: Yardstick,
    front: pd.DataFrame,
    found: Mapping[tuple[str, int], FloatArray],
    asked: Mapping[str, Collection[Formulation]],
) -> pd.DataFrame:
    """Return in how many runs of each method each point of a front was reached; see ``Comparison.reach``."""
    told = [*(name for name in yard.judge.metrics), "supported"]
    frames = []
    for method, formulations in asked.items():
        hits = np.zeros(len(front), dtype=np.int64)
        runs = [f for (name, _), f in found.items() if name == method]
        for f in runs:
            hits += reached(yard.front, f)
        frame = front[told].rename_axis("point").reset_index()
        aims = _aimed(yard, front, formulations)
        frame["method"], frame["runs"], frame["reached"] = method, len(runs), hits
        frame["aimed"] = pd.array([None] * len(front) if aims is None else aims.tolist(), dtype="boolean")
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def best_table(
    evaluated: pd.DataFrame,
    yard: Yardstick,
    front: pd.DataFrame,
    limits: Mapping[str, Sequence[float]] | None,
) -> pd.DataFrame:
    """Return the best score of each run within limits of each cost; see ``Comparison.best``."""
    frames = []
    for cost in yard.costs:
        name = cost.name
        levels = list((limits or {}).get(name, ())) or _levels(front, cost)
        if levels:
            frames.append(best_within(evaluated, yard.score, cost, levels).assign(metric=name))
    columns = ["method", "seed", "metric", "limit", "best", "cost"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def attained(evaluated: pd.DataFrame, yard: Yardstick, methods: Sequence[str]) -> pd.DataFrame:
    """Return corners of attainment surfaces in score and each cost; see ``Comparison.attainment``."""
    rows: list[tuple[str, float, str, float, float]] = []
    sign = 1.0 if yard.score.goal == "min" else -1.0
    for cost in yard.costs:
        turn = 1.0 if cost.goal == "min" else -1.0
        for method in dict.fromkeys(methods):
            own = evaluated[evaluated["method"] == method]
            n_empty = methods.count(method) - own["seed"].nunique()
            runs = [minimised(run, (cost, yard.score)) for _, run in own.groupby("seed")]
            surfaces = attainment([*runs, *[np.empty((0, 2))] * n_empty], QUARTILES)
            rows += [
                (method, share, cost.name, at * turn, best * sign)
                for share, corners in surfaces.items()
                for at, best in corners.tolist()
            ]
    return pd.DataFrame(rows, columns=["method", "share", "metric", "limit", "best"])


def _objectives(judge: Formulation, metrics: Mapping[str, Metric], table: pd.DataFrame) -> FloatArray:
    described = [metrics[name] for name in judge.metrics]
    values = table[list(judge.metrics)].to_numpy(dtype=np.float64)
    return judge.apply(Evaluations.of(described, values))[0]


def _reference(judge: Formulation, metrics: Mapping[str, Metric], given: Mapping[str, float]) -> FloatArray:
    """Return a reference point as objectives ``(n_obj,)``, minimised."""
    names = judge.objective_names or ("fitness",)
    if set(given) != set(names) or not all(map(_is_finite, given.values())):
        raise InputError(
            f"A reference point needs one finite value of each of {', '.join(names)}; got "
            f"{', '.join(f'{name}={value}' for name, value in given.items()) or 'none'}."
        )
    signs = [1.0 if name in metrics and metrics[name].goal == "min" else -1.0 for name in names]
    return np.array([given[name] * sign for name, sign in zip(names, signs, strict=True)])


def _is_finite(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def _with_width(front: FloatArray, f: FloatArray) -> FloatArray:
    """Return a front with the worst found ``(n, n_obj)`` where the front itself has no width."""
    if len(f) == 0:
        return front
    worst = np.where(
        np.ptp(front, axis=0) > 0, front.max(axis=0), np.maximum(front, f.max(axis=0)).max(axis=0)
    )
    return np.vstack([front, worst])


def _levels(front: pd.DataFrame, cost: Metric) -> list[float]:
    """Return limits of a cost: shares of the best-known front's, three digits outwards, the loosest last."""
    if front.empty:
        return []
    values = front[cost.name].to_numpy(dtype=np.float64)
    # Away from what is rounded off, so that a limit is kept by the point it is made of.
    is_min = cost.goal == "min"
    outwards = Context(prec=3, rounding=ROUND_CEILING if is_min else ROUND_FLOOR)
    shares = SHARES if is_min else tuple(1 - share for share in SHARES)
    # As it is written in decimal: what has three digits needs no rounding.
    levels = [float(outwards.create_decimal(repr(float(np.quantile(values, s))))) for s in shares]
    return list(dict.fromkeys(levels))


def _aimed(yard: Yardstick, front: pd.DataFrame, formulations: Collection[Formulation]) -> BoolArray | None:
    """Return which points of a front ``(n,)`` some formulation has for its best among them.

    None where that cannot be told: a formulation reads what the judge does not, or there is none.
    """
    if not formulations or any(not set(f.metrics) <= set(yard.judge.metrics) for f in formulations):
        return None
    metrics = [yard.metrics[name] for name in yard.judge.metrics]
    table = Evaluations.of(metrics, front[list(yard.judge.metrics)].to_numpy(dtype=np.float64))
    aims = np.zeros(len(front), dtype=bool)
    for formulation in formulations:
        f, g = formulation.apply(table)
        allowed = np.flatnonzero((g <= 0).all(axis=1))
        aims[allowed[nondominated(f[allowed])]] = True
    return aims
