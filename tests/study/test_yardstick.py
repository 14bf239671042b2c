"""What entries are measured by: its box, its limits, its doubts, and which points a method aims at."""

import itertools

import numpy as np
import pandas as pd
import pytest

from moo_nas import Constrained, Pareto, Single, compare
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import Formulation
from moo_nas.meters import Metric
from moo_nas.study.comparison import Comparison
from moo_nas.study.entry import Entry
from moo_nas.study.run import Run
from problems.tabular import Table
from tests.spaces_for_tests import tiny_space

METRICS = {"error": Metric("error", "%", "min"), "ms": Metric("ms", "ms", "min")}
JUDGE = Pareto("error", "ms")


def entry(method: str, seed: int, rows: list, asked: Formulation | None = None) -> Entry:
    """Some rows of (error, ms), of a run under a formulation or from elsewhere."""
    table = Evaluations.of(list(METRICS.values()), np.array(rows, dtype=float))
    runs = () if asked is None else (Run(method, tiny_space(), asked, table, {"stop_reason": "budget"}),)
    return Entry(method, seed, table, tuple(f"{method} {i}" for i in range(len(rows))), runs)


def judged(entries: list[Entry], judge: Formulation = JUDGE, exact: list | None = None) -> Comparison:
    front = None
    if exact is not None:
        front = pd.DataFrame(exact, columns=["error", "ms"]).assign(architecture="known")
    return Comparison(entries, {}, judge, {name: METRICS[name] for name in judge.metrics}, exact=front)


def hard(seeds: int) -> Comparison:
    """A single objective of which the best is known: one point, a front without a width."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": range(200), "error": 5 + rng.permutation(200) * 100.0})
    problem = Table(frame, genes=["a"], metrics={"error": "min"}, formulation=Single("error"))
    return compare(problem, {"s": Single("error")}, ["random"], seeds, 20)


def test_the_yardstick_of_one_known_best_is_as_wide_as_what_was_found():
    found = hard(5)
    assert found.front_is_exact
    every = np.concatenate([run.evaluations["error"] for run in found.runs.values()])
    best = found.table["best_error"]
    width = every.max() - 5
    expected = 1.1 - (best - 5) / width
    assert found.table["igd_plus"].tolist() == pytest.approx(((best - 5) / (1.1 * width)).tolist())
    assert found.table["hypervolume"].tolist() == pytest.approx((expected / 1.1).tolist())


def test_a_width_is_of_all_found_only_where_the_exact_front_has_none():
    found = judged([entry("a", 0, [[1, 5], [3, 9], [9, 7]])], exact=[[1, 5]])
    assert found.reference == pytest.approx({"error": 9.8, "ms": 9.4})
    wide = judged([entry("a", 0, [[1, 5], [3, 9], [9, 7]])], exact=[[1, 5], [2, 4]])
    assert wide.reference == pytest.approx({"error": 2.1, "ms": 5.1})


def test_something_better_than_the_exact_front_is_told_however_many_points_there_are():
    doubt = "Something better than the exact front was found"
    for rows, told in (([[1, 4]], True), ([[0, 9], [9, 0]], True), ([[1, 5], [2, 4], [9, 9]], False)):
        found = judged([entry("a", 0, rows)], exact=[[1, 5], [2, 4]])
        assert any(doubt in note for note in found.notes) == told


def test_a_limit_is_kept_by_the_point_that_it_is_made_of():
    for ms in (1.23456, 1.23556, 12345.678, 0.0):
        found = judged([entry("a", 0, [[1, ms]])])
        assert found.best["best"].tolist() == [1.0]
        assert found.best["limit"].tolist() == pytest.approx([ms], rel=0.01)
    # What has three digits is no longer rounded, however it is written in binary.
    for value in (1.3, 0.1, 2.02, 0.7, 123.0):
        assert judged([entry("a", 0, [[1, value]])]).best["limit"].tolist() == [value]
    speed = {"error": METRICS["error"], "fps": Metric("fps", "1/s", "max")}
    table = Evaluations.of(list(speed.values()), np.array([[1.0, 1.23556]]))
    up = Comparison([Entry("a", 0, table, ("x",))], {}, Pareto("error", "fps"), speed)
    assert up.best["best"].tolist() == [1.0]
    assert up.best["limit"].tolist() == [1.23]
    table = Evaluations.of(list(speed.values()), np.array([[1.0, 0.7]]))
    up = Comparison([Entry("a", 0, table, ("x",))], {}, Pareto("error", "fps"), speed)
    assert up.best["limit"].tolist() == [0.7]


def test_what_a_method_aims_at_is_of_all_its_seeds_whatever_their_order():
    rows = [[1, 4], [2, 3], [3, 2]]
    one = entry("two", 0, rows, Constrained("error", {"ms": 3.5}))
    other = entry("two", 1, rows, Constrained("error", {"ms": 2.5}))
    foreign = entry("two", 7, rows)
    for some in itertools.permutations([one, other, foreign]):
        assert judged(list(some)).reach["aimed"].tolist() == [False, True, True]
    assert judged([foreign]).reach["aimed"].isna().all()
