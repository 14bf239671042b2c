"""Which method is better over several seeds, by how much, and whether that can be chance."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from moo_nas.analysis.statistics import Nemenyi, a12, friedman, nemenyi, wilcoxon_holm
from moo_nas.analysis.tables import quartiles
from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError

ALPHA = 0.05
_COLUMNS = ("method", "runs", "median", "low", "high", "mean_rank", "p", "a12")


@dataclass(frozen=True)
class Ranking:
    """Methods by one number a run.

    Attributes:
        table: One row a method, the best median first: ``method``, ``runs``, ``median``, ``low`` and
            ``high`` (quartiles over seeds); over the seeds that the tested methods have in common
            ``mean_rank`` (1 the best), ``p`` (Wilcoxon's signed-rank test against the control,
            adjusted after Holm) and ``a12`` (how probable it is that a run of the method is better than
            one of the control; 0.5 no difference). NaN where no test was made, and of the control's own.
        control: The method of the best mean rank, which the others are held against; none without a test.
        friedman_p: The probability of ranks so far apart if all methods were alike; NaN without a test.
        methods: The tested methods, in the order of ``nemenyi.ranks``.
        nemenyi: The critical difference of the mean ranks; none without a test.
        notes: What could not be tested, or told, and why.
    """

    table: pd.DataFrame
    control: str | None
    friedman_p: float
    methods: tuple[str, ...]
    nemenyi: Nemenyi | None
    notes: tuple[str, ...]


def ranked(runs: pd.DataFrame, value: str, less_is_better: bool) -> Ranking:
    """Return methods ranked by a number of each run, a seed being a block of the tests.

    Args:
        runs: One row a run: ``method``, ``seed`` and the number; infinite where a run found nothing.
        value: The column with the number.
        less_is_better: Is the best the least?

    Raises:
        InputError: A column is missing, a number is NaN, or a method has a seed twice.

    Example:
        >>> runs = pd.DataFrame({"method": ["a", "b"] * 6, "seed": np.arange(12) // 2})
        >>> runs["hypervolume"] = 0.5 + 0.1 * (runs["method"] == "b") + 0.01 * runs["seed"]
        >>> found = ranked(runs, "hypervolume", less_is_better=False)
        >>> found.control, found.table["method"].tolist(), found.table["p"].round(3).tolist()
        ('b', ['b', 'a'], [nan, 0.031])
    """
    missing = [column for column in ("method", "seed", value) if column not in runs]
    if missing or runs[value].isna().any():
        raise InputError(f"Methods are ranked by a table with method, seed and {value}, none of them NaN.")
    if runs.duplicated(["method", "seed"]).any():
        raise InputError("A method is ranked by one run a seed; a seed is there twice.")
    signed = runs[value].to_numpy(dtype=np.float64) * (1.0 if less_is_better else -1.0)
    signed = _finite(signed)
    cost = runs[["method", "seed"]].assign(cost=signed)
    groups = runs.groupby("method", sort=False)[value]
    table = pd.DataFrame(
        [(method, *quartiles(some.to_numpy(dtype=np.float64)).tolist()) for method, some in groups],
        columns=["method", "low", "median", "high"],
    )
    table["runs"] = table["method"].map(runs["method"].value_counts())
    wide, notes = _blocks(cost)
    control, p_all, critical = None, float("nan"), None
    tested = pd.DataFrame(index=pd.Index([], name="method"), columns=["mean_rank", "p", "a12"], dtype=float)
    if wide is not None:
        matrix, methods = wide.to_numpy(), list(wide.columns)
        critical = nemenyi(matrix)
        best = int(np.argmin(critical.ranks))
        control = str(methods[best])
        if len(methods) > 2:
            p_all = friedman(matrix).p
        p = wilcoxon_holm(matrix, best)
        effects = [np.nan if i == best else a12(matrix[:, best], matrix[:, i]) for i in range(len(methods))]
        tested = pd.DataFrame({"mean_rank": critical.ranks, "p": p, "a12": effects}, index=wide.columns)
        notes += _limits(len(wide), len(methods), p)
    table = table.join(tested, on="method")
    order = np.argsort(table["median"] * (1.0 if less_is_better else -1.0), kind="stable")
    table = table.iloc[order][list(_COLUMNS)].reset_index(drop=True)
    names = () if wide is None else tuple(map(str, wide.columns))
    return Ranking(table, control, p_all, names, critical, tuple(notes))


def _finite(values: FloatArray) -> FloatArray:
    """Return numbers with what is infinite a little worse than all others: tests take differences."""
    there = values[np.isfinite(values)]
    worst = there.max() + 1.0 if len(there) else 0.0
    kept: FloatArray = np.where(np.isfinite(values), values, worst)
    return kept


def _blocks(cost: pd.DataFrame) -> tuple[pd.DataFrame | None, list[str]]:
    """Return methods (columns) over the seeds that they have in common, none where nothing can be tested."""
    seeds = cost.groupby("method", sort=False)["seed"].agg(frozenset)
    if len(seeds) < 2:
        return None, ["One method: there is nothing to test it against."]
    # What most methods have, of equally many the larger: a foreign method with other seeds stays out.
    counts = seeds.value_counts()
    most = max(counts.index, key=lambda some: (counts[some], len(some)))
    inside = [method for method, some in seeds.items() if most <= some]
    notes = [
        f"{method} is left out of the tests: it has no run of seed {min(most - some)}."
        for method, some in seeds.items()
        if not most <= some
    ]
    if len(most) < 2:
        return None, [*notes, "One seed: a difference between methods can be chance, and no test can tell."]
    if len(inside) < 2:
        return None, [*notes, "Fewer than two methods have seeds in common: there is nothing to test."]
    rows = cost[cost["seed"].isin(most)]
    return rows.pivot_table(index="seed", columns="method", values="cost")[inside], notes


def _limits(n_seeds: int, n_methods: int, p: Sequence[float] | FloatArray) -> list[str]:
    """Return what so few seeds cannot tell, in words."""
    least = _least_p(n_seeds, n_methods)
    if least <= ALPHA or np.nanmin(p) <= ALPHA:
        return []
    enough = next(n for n in itertools.count(n_seeds + 1) if _least_p(n, n_methods) <= ALPHA)
    return [
        f"With {n_seeds} seeds for {n_methods} methods Wilcoxon's test (after Holm) cannot tell any "
        f"difference from chance at {ALPHA:g}, however large it is; {enough} seeds would do."
    ]


def _least_p(n_seeds: int, n_methods: int) -> float:
    """Return the least p of Wilcoxon's test after Holm: one method better than all others in every seed."""
    return min(1.0, 2.0 ** (1 - n_seeds) * (n_methods - 1))
