"""What several methods found, judged alike."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.analysis.curves import hypervolume_curve, igd_plus_curve
from moo_nas.analysis.indicators import Box, nondominated
from moo_nas.analysis.ranking import Ranking, ranked
from moo_nas.analysis.reach import coverage
from moo_nas.analysis.tables import NOTHING_YET, begun
from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError
from moo_nas.formulations import Formulation
from moo_nas.meters import Metric
from moo_nas.study.entry import Entry
from moo_nas.study.judged import Yardstick, attained, best_table, check_yardstick, reach_table
from moo_nas.study.run import Run

INDICATORS = {"hypervolume": False, "igd_plus": True}  # is less better?


class Comparison:
    """What a comparison found.

    Every entry is judged by all it evaluated, in the objectives of one formulation, whatever it was
    itself asked for, be it searched here or elsewhere. In all tables metrics are in their own units
    and ``method`` and ``seed`` say of which entry a row is. The first objective is the score, the
    others are costs.

    Args:
        entries: What takes part.
        refused: Why a method could not run, by method.
        judge: The formulation whose objectives they are judged in, fitted.
        metrics: The judge's metrics, by name.
        folder: Where its files are, if anywhere.
        exact: The exact front in the judge's metrics, where the problem knows it.
        reference: The reference point of hypervolumes, a value an objective; by default the worst of
            the exact front and a tenth of its width beyond; of all that was evaluated where there is no
            exact front, or it has no width.
        limits: Limits of costs to give the best score within, one or several, by cost; by default five
            shares of the best-known front (0.1, 0.25, 0.5, 0.75, 0.9).
        missing: Methods and seeds that an interrupt came before.

    Attributes:
        table: One row an entry: ``evaluations, failed, hypervolume, igd_plus`` (both after all
            evaluations), ``front_size`` (of its own front), ``reached`` (the share of the best-known
            front's points that something as good was found of), ``best_<metric>`` of each metric alone,
            ``stop_reason``, ``reason`` (of a refusal), ``origin`` (the file of what was searched elsewhere).
        curves: ``method, seed, evaluation`` (from 1), ``hypervolume`` (share of the box), ``igd_plus`` (in
            widths of the box; infinite before anything valid).
        fronts: Each entry's non-dominated rows: ``method, seed``, the metrics, ``architecture``, and
            ``outside`` if something is predicted.
        front: The best-known front, each point once: the metrics, ``architecture``, ``supported`` (is it
            the best of some weighted sum?). Of a problem that knows it the exact front.
        front_is_exact: Is it?
        reach: One row a point of ``front`` and method: ``point`` (its row), the metrics, ``supported``,
            ``method``, ``runs`` (how many seeds), ``reached`` (in how many something as good was found),
            ``aimed`` (would a perfect search under one of its formulations end there? None where that
            cannot be told).
        best: The best score within limits: ``method, seed, metric`` (the cost), ``limit, best`` (NaN where
            nothing is within), ``cost`` (of the best).
        attainment: Corners of empirical attainment surfaces in score and each cost: ``method, share`` (of
            the runs: 0.25, 0.5, 0.75), ``metric`` (the cost), ``limit, best``: this share of the runs found
            a score of ``best`` or better at a cost within ``limit``.
        ranks: The columns of :attr:`~moo_nas.analysis.ranking.Ranking.table` and ``indicator``
            (hypervolume, igd_plus): medians, quartiles, mean ranks, tests, effect sizes.
        rankings: A :class:`~moo_nas.analysis.ranking.Ranking` by indicator, for Friedman's p and the
            critical difference.
        costs: What each entry took: ``method, seed, evaluations, wall_seconds`` and of these
            ``measuring_seconds`` (what an earlier run measured costs a later one none) and
            ``searching_seconds`` (all else); NaN of what was searched elsewhere.
        reference: The reference point by metric in its own unit; ``fitness`` where the judge is one.
        notes: What a reader has to know before believing the tables, in sentences.
        given: The exact front, the reference point and the limits that it was given.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        refused: Mapping[str, str],
        judge: Formulation,
        metrics: Mapping[str, Metric],
        folder: Path | None = None,
        exact: pd.DataFrame | None = None,
        reference: Mapping[str, float] | None = None,
        limits: Mapping[str, float | Sequence[float]] | None = None,
        missing: Sequence[tuple[str, int]] = (),
    ) -> None:
        reference, levels = check_yardstick(judge, metrics, reference, limits)
        self.entries = {(entry.method, entry.seed): entry for entry in entries}
        self.refused = dict(refused)
        self.missing = tuple(missing)
        self.judge = judge
        self.metrics = dict(metrics)
        self.folder = folder
        self.given = (exact, reference, levels)
        self._judged = {key: self._valid(entry) for key, entry in self.entries.items()}
        found = [f for f, _ in self._judged.values()]
        self._yard = Yardstick.of(judge, self.metrics, found, exact, reference)
        self.front_is_exact = self._yard.is_exact
        self.box: Box | None = self._yard.box
        self.reference = self._yard.reference
        self.curves = self._curves()
        self.table = self._table()
        self.fronts = self._fronts()

    def __repr__(self) -> str:
        """Return the medians over seeds, a line a method, the largest hypervolume first."""
        columns = ["evaluations", "failed", "hypervolume", "front_size"]
        columns += [f"best_{name}" for name in self.judge.metrics]
        medians = self.evaluated.groupby("method")[columns].median()
        medians = medians.sort_values("hypervolume", ascending=False)
        refused = "".join(f"\n{method}: {reason}" for method, reason in self.refused.items())
        if medians.empty:
            return f"{NOTHING_YET}{refused}"
        return f"Medians over seeds:\n{medians.to_string(float_format='%.4g')}{refused}"

    @property
    def evaluated(self) -> pd.DataFrame:
        """The rows of ``table`` of entries that had evaluated something."""
        return begun(self.table)

    @property
    def runs(self) -> dict[tuple[str, int], Run]:
        """Each run by (method, seed); of a plan's, the method is followed by ``/part1`` and so on."""
        return {
            (method if len(entry.runs) == 1 else f"{method}/part{number}", seed): run
            for (method, seed), entry in self.entries.items()
            for number, run in enumerate(entry.runs, start=1)
        }

    def add(self, entries: Sequence[Entry]) -> "Comparison":
        """Return the comparison with more entries, all judged anew; see :func:`~moo_nas.study.read_foreign`.

        Raises:
            InputError: A method and seed that is there already.
        """
        for entry in entries:
            if (entry.method, entry.seed) in self.entries:
                raise InputError(
                    f"The comparison has a run of '{entry.method}' with seed {entry.seed} already, and "
                    "nothing is written over: give the other another name."
                )
        exact, reference, limits = self.given
        every = [*self.entries.values(), *entries]
        return Comparison(
            *(every, self.refused, self.judge, self.metrics, self.folder, exact, reference, limits),
            self.missing,
        )

    @property
    def interrupted(self) -> bool:
        """Has the same command something left to do?"""
        return bool(self.missing) or any(e.stop_reason == "interrupted" for e in self.entries.values())

    def _valid(self, entry: Entry) -> tuple[FloatArray, IntArray]:
        """Return the judged objectives of an entry's valid rows, and which rows these are."""
        table = entry.table.select(self.judge.metrics)
        f, g = self.judge.apply(table)
        valid = np.flatnonzero(~table.failed & (g <= 0).all(axis=1))
        return f[valid], valid

    def _curves(self) -> pd.DataFrame:
        frames = [pd.DataFrame(columns=["method", "seed", "evaluation", *INDICATORS])]
        for (method, seed), entry in self.entries.items():
            (f, rows), n = self._judged[method, seed], entry.n_evaluations
            when = entry.evaluation[rows]
            volumes, distances = np.zeros(n), np.full(n, np.inf)
            if self.box is not None:
                volumes = hypervolume_curve(f, when, n, self.box)
                distances = igd_plus_curve(f, when, n, self._yard.front, self.box)
            evaluation = np.arange(1, n + 1)
            columns = {"evaluation": evaluation, "hypervolume": volumes, "igd_plus": distances}
            frames.append(pd.DataFrame({"method": method, "seed": seed, **columns}))
        return pd.concat(frames[1:] or frames, ignore_index=True)

    def _table(self) -> pd.DataFrame:
        rows: list[dict[str, Any]] = []
        ends = {
            (row["method"], row["seed"]): {name: row[name] for name in INDICATORS}
            for row in self.curves.drop_duplicates(["method", "seed"], keep="last").to_dict("records")
        }
        for (method, seed), entry in self.entries.items():
            f, _ = self._judged[method, seed]
            valid = entry.table.select(self.judge.metrics)
            valid = valid.rows(~valid.failed)
            best = {f"best_{name}": np.nan for name in self.judge.metrics}
            for name in self.judge.metrics if len(valid) else ():
                goal = min if valid.metric(name).goal == "min" else max
                best[f"best_{name}"] = goal(valid[name])
            rows.append(
                {
                    "method": method,
                    "seed": seed,
                    "evaluations": entry.n_evaluations,
                    "failed": int(entry.table.failed.sum()),
                    **ends.get((method, seed), {"hypervolume": 0.0, "igd_plus": np.inf}),
                    "front_size": int(nondominated(f).sum()),
                    "reached": coverage(self._yard.front, f),
                    **best,
                    "stop_reason": entry.stop_reason,
                    "reason": None,
                    "origin": entry.origin,
                }
            )
        rows += [
            {"method": method, "stop_reason": "refused", "reason": reason}
            for method, reason in self.refused.items()
        ]
        return pd.DataFrame(rows)

    def _fronts(self) -> pd.DataFrame:
        frames = []
        for (method, seed), entry in self.entries.items():
            f, valid = self._judged[method, seed]
            best = valid[nondominated(f)]
            frame = pd.DataFrame({name: entry.table[name][best] for name in self.judge.metrics})
            frame.insert(0, "method", method)
            frame.insert(1, "seed", seed)
            frame["architecture"] = pd.Series([entry.label(row) for row in best], dtype="str")
            outside = [entry.outside(row) for row in best]
            if any(why is not None for why in outside):
                frame["outside"] = [why or "" for why in outside]
            frames.append(frame)
        columns = ["method", "seed", *self.judge.metrics, "architecture"]
        kept = [frame for frame in frames if len(frame)]
        return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=columns)

    @cached_property
    def front(self) -> pd.DataFrame:
        """The best-known front, each point once."""
        return self._yard.table(self.fronts)

    @cached_property
    def reach(self) -> pd.DataFrame:
        """Which points of the best-known front each method reached, and which it aims at."""
        found = {key: f for key, (f, _) in self._judged.items()}
        asked: dict[str, list[Formulation]] = {method: [] for method, _ in self.entries}
        for (method, _), entry in self.entries.items():
            asked[method] += [one for one in entry.formulations if one not in asked[method]]
        return reach_table(self._yard, self.front, found, asked)

    @cached_property
    def best(self) -> pd.DataFrame:
        """The best score of each entry within limits of each cost."""
        return best_table(self._evaluated(), self._yard, self.front, self.given[2])

    @cached_property
    def attainment(self) -> pd.DataFrame:
        """Corners of empirical attainment surfaces in score and each cost."""
        return attained(self._evaluated(), self._yard, [method for method, _ in self.entries])

    @cached_property
    def rankings(self) -> dict[str, Ranking]:
        """Methods ranked by each indicator."""
        ran = self.evaluated
        return {name: ranked(ran, name, less) for name, less in INDICATORS.items()} if len(ran) else {}

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """Medians, quartiles, mean ranks, tests and effect sizes of methods, by indicator."""
        frames = [found.table.assign(indicator=name) for name, found in self.rankings.items()]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    @property
    def costs(self) -> pd.DataFrame:
        """What each entry took, in evaluations and seconds."""
        rows = []
        for (method, seed), entry in self.entries.items():
            wall, measuring = entry.seconds("wall_seconds"), entry.seconds("measuring_seconds")
            rows.append((method, seed, entry.n_evaluations, wall, measuring, max(wall - measuring, 0.0)))
        columns = ["evaluations", "wall_seconds", "measuring_seconds", "searching_seconds"]
        return pd.DataFrame(rows, columns=["method", "seed", *columns])

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know before believing the tables."""
        found = [note for ranking in self.rankings.values() for note in ranking.notes]
        if self.evaluated.empty:
            return (NOTHING_YET, *self._unbegun())
        ours = [*self._unbegun(), *self._unmet(), *self._unequal()]
        return tuple(dict.fromkeys([*ours, *self._yard.notes, *found]))

    def _unbegun(self) -> list[str]:
        """Say of which runs an interrupt came before the first evaluation."""
        none = [key for key, entry in self.entries.items() if entry.n_evaluations == 0]
        missing = [*none, *self.missing]
        if not missing:
            return []
        names = [f"{method} (seed {seed})" for method, seed in missing]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        told = f"{', '.join(names[:3])}{more}. The same command goes on."
        return [f"Interrupted before these evaluated anything: {told}"]

    def _unmet(self) -> list[str]:
        """Say of which methods there are runs that found nothing they were asked for."""
        if "stop_reason" not in self.table:
            return []
        runs = self.table.groupby("method", sort=False)["stop_reason"]
        return [
            f"In {n} of {len(reasons)} runs of {method} nothing was measured and within its limits; all that "
            "they evaluated is judged nevertheless."
            for method, reasons in runs
            if (n := int((reasons == "infeasible").sum()))
        ]

    def _unequal(self) -> list[str]:
        """Say so where runs evaluated unequally many."""
        counts = sorted({entry.n_evaluations for entry in self.entries.values()})
        if len(counts) < 2:
            return []
        return [
            f"The runs have unequal numbers of evaluations, from {counts[0]} to {counts[-1]}: the tables are "
            "of all that each evaluated, the curves compare at equal numbers."
        ]

    def _evaluated(self) -> pd.DataFrame:
        """Return the judge's metrics of every valid row of every entry."""
        frames = [pd.DataFrame(columns=["method", "seed", *self.judge.metrics])]
        for (method, seed), entry in self.entries.items():
            _, rows = self._judged[method, seed]
            columns = {name: entry.table[name][rows] for name in self.judge.metrics}
            frames.append(pd.DataFrame({"method": method, "seed": seed, **columns}, index=range(len(rows))))
        some = [frame for frame in frames if len(frame)]
        return pd.concat(some or frames[:1], ignore_index=True)
