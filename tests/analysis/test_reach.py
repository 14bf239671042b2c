"""Which points were reached, could be, and which is the knee; the best within limits."""

import itertools
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.analysis.reach import best_known_front, best_within, coverage, knee, reached, supported
from moo_nas.errors import InputError
from moo_nas.meters import Metric

SCORE, LATENCY = Metric("score", "1", "max"), Metric("latency_ms", "ms", "min")
points = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8).map(np.array)


def dominates(a, b):
    return bool((a <= b).all() and (a < b).any())


@settings(max_examples=40, deadline=None)
@given(st.lists(points, min_size=1, max_size=3))
def test_the_best_known_front_is_what_nothing_dominates_each_once(runs):
    every = {tuple(row) for f in runs for row in f.tolist()}
    expected = sorted(r for r in every if not any(dominates(np.array(o), np.array(r)) for o in every))
    front = best_known_front(runs)
    assert [tuple(row) for row in front.tolist()] == expected
    hits = [reached(front, f) for f in runs]
    assert np.any(hits, axis=0).all()
    for f, hit in zip(runs, hits, strict=True):
        # Of the best-known front itself a point is reached by being found.
        assert hit.tolist() == [row in {tuple(r) for r in f.tolist()} for row in expected]
        assert coverage(front, f) == pytest.approx(sum(hit) / len(hit))


@settings(max_examples=40, deadline=None)
@given(points)
def test_supported_rows_are_those_that_some_weights_pick(f):
    # Between two neighbouring turning points of all pairs, the same rows are best.
    turns = {0.0, 1.0}
    for a in f:
        for b in f:
            d = a - b
            if d[0] * d[1] < 0:
                turns.add(float(d[1] / (d[1] - d[0])))
    ordered = sorted(turns)
    weights = [*ordered, *((u + v) / 2 for u, v in itertools.pairwise(ordered))]
    best = np.zeros(len(f), dtype=bool)
    for w in weights:
        values = f @ np.array([w, 1 - w])
        best |= values <= values.min() + 1e-12
    assert supported(f).tolist() == best.tolist()


def test_no_weights_reach_the_concave_part_in_three_objectives():
    f = [[0, 0, 9], [0, 9, 0], [9, 0, 0], [4, 4, 4], [2, 3, 3]]
    assert supported(f).tolist() == [True, True, True, False, True]


@settings(max_examples=40, deadline=None)
@given(points)
def test_the_knee_is_farthest_from_the_line_of_extremes(f):
    front = [i for i, row in enumerate(f) if not any(dominates(o, row) for o in f)]
    best = f[front]
    start, end = best[best[:, 0].argmin()].astype(float), best[best[:, 0].argmax()].astype(float)
    found = knee(f)
    if (start == end).any():
        assert found is None
        return
    size = np.abs(end - start)
    line = (end - start) / size
    distance = {}
    for i in front:
        step = (f[i] - start) / size
        # Twice the area of the triangle over its base; positive below the line.
        distance[i] = (step[0] * line[1] - step[1] * line[0]) / np.hypot(*line)
    largest = max(distance.values())
    if largest < 1e-9:
        assert found is None
    else:
        assert distance[found] == pytest.approx(largest, abs=1e-12)


def test_a_concave_front_and_one_of_two_points_have_no_knee():
    assert knee([[0, 10], [6, 9], [10, 0]]) is None
    assert knee([[0, 10], [10, 0]]) is None
    assert knee([[3, 3]]) is None
    assert knee(np.empty((0, 2))) is None
    assert knee([[0, 10, 7], [1, 1, 7], [10, 0, 7]]) == 1


@settings(max_examples=30, deadline=None)
@given(points, points, st.lists(st.integers(-1, 10), min_size=1, max_size=4))
def test_the_best_within_a_limit_is_that_of_all_rows_that_keep_it(a, b, limits):
    frames = [
        pd.DataFrame({"method": m, "seed": s, "score": f[:, 0], "latency_ms": f[:, 1]})
        for m, s, f in (("one", 0, a), ("one", 1, b), ("two", 0, b))
    ]
    found = best_within(pd.concat(frames, ignore_index=True), SCORE, LATENCY, limits)
    assert list(found.columns) == ["method", "seed", "limit", "best", "cost"]
    assert len(found) == 3 * len(limits)
    for row in found.itertuples():
        f = a if (row.method, row.seed) == ("one", 0) else b
        within = [tuple(r) for r in f.tolist() if r[1] <= row.limit]
        if within:
            best = max(within, key=lambda r: (r[0], -r[1]))
            assert (row.best, row.cost) == best
        else:
            assert np.isnan(row.best)
            assert np.isnan(row.cost)


def test_what_is_infeasible_or_failed_is_not_the_best():
    table = pd.DataFrame(
        {
            "method": "a",
            "seed": 0,
            "score": [1.0, 5.0, np.nan],
            "latency_ms": [3.0, 3.0, 1.0],
            "feasible": [True, False, False],
        }
    )
    (best,) = best_within(table, SCORE, LATENCY, [4.0])["best"]
    assert best == 1.0
    # A cost to be maximised has a least.
    (best,) = best_within(table, LATENCY, SCORE, [0.5])["best"]
    assert best == 3.0


def test_a_table_or_a_limit_that_is_none_is_refused():
    with pytest.raises(InputError, match="lacks seed"):
        best_within(pd.DataFrame({"method": [], "score": [], "latency_ms": []}), SCORE, LATENCY, [1])
    table = pd.DataFrame({"method": ["a"], "seed": [0], "score": [1], "latency_ms": [1]})
    with pytest.raises(InputError, match="NaN"):
        best_within(table, SCORE, LATENCY, [np.nan])
    with pytest.raises(InputError, match="at least one run"):
        best_known_front([])
    with pytest.raises(InputError, match="same objectives"):
        best_known_front([[[1, 2]], [[1, 2, 3]]])
    with pytest.raises(InputError, match="two objectives or more"):
        knee([[1], [2]])


@pytest.mark.skipif(not os.environ.get("MOO_NAS_DATA"), reason="MOO_NAS_DATA names no folder of tables")
def test_on_nasbench201_most_of_the_front_is_out_of_a_weighted_sums_reach_and_not_of_tchebycheffs():
    from moo_nas.formulations import Pareto, Tchebycheff, WeightedSum, spread
    from problems.nasbench201 import NASBench201

    problem = NASBench201(device="edgegpu", n_reference=200)
    table = problem.under(Pareto("val_error", "latency_ms")).evaluations(problem.official_genomes())
    f, _ = Pareto("val_error", "latency_ms").apply(table)
    front = best_known_front([f])
    hull = {tuple(row) for row in front[supported(front)].tolist()}
    picks = {}
    for make in (WeightedSum, Tchebycheff):
        asked = make({"val_error": 1.0, "latency_ms": 1.0}).fit(problem.evaluator.reference)
        chosen = [int(np.argmin(one.apply(table)[0][:, 0])) for one in spread(asked, 101)]
        picks[make.name] = {tuple(f[row].tolist()) for row in chosen}
    assert picks["weighted-sum"] <= hull
    assert len(hull) < len(front) / 2
    assert coverage(front, np.array(sorted(picks["tchebycheff"]))) > len(hull) / len(front)
