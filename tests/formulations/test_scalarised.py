"""Weighted sum, Tchebycheff and reference point: their equations, what they take, what they reach."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moo_nas.errors import FormulationError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import (
    Constrained,
    Pareto,
    Quantile,
    ReferencePoint,
    Single,
    Tchebycheff,
    WeightedProduct,
    WeightedSum,
    even_weights,
    spread,
)
from moo_nas.meters import Metric

METRICS = (Metric("score", "1", "max"), Metric("latency_ms", "ms", "min"))
RANGES = {"score": (0.5, 0.9), "latency_ms": (10.0, 30.0)}
IDEAL = {"score": 1.0, "latency_ms": 5.0}
numbers = st.floats(-100, 100)
weights = st.floats(0.01, 10)


def table(*rows):
    return Evaluations.of(METRICS, np.array(rows))


def value(formulation, score, latency):
    f, _ = formulation.apply(table((score, latency)))
    return f[0, 0]


@settings(max_examples=30)
@given(weights, weights, numbers, numbers)
def test_a_weighted_sum_is_that_of_its_definition(a, b, score, latency):
    expected = (a * (0.9 - score) / 0.4 + b * (latency - 10) / 20) / (a + b)
    found = value(WeightedSum({"score": a, "latency_ms": b}, RANGES), score, latency)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=30)
@given(weights, weights, numbers, numbers)
def test_tchebycheff_and_a_reference_point_are_the_augmented_distance(a, b, score, latency):
    z = ((1.0 - score) / 0.4, (latency - 5) / 20)
    expected = max(a * z[0], b * z[1]) / (a + b) + 0.01 * sum(z)
    given_weights = {"score": a, "latency_ms": b}
    for formulation in (
        Tchebycheff(given_weights, RANGES, ideal=IDEAL, rho=0.01),
        ReferencePoint(given_weights, RANGES, aspiration=IDEAL, rho=0.01),
    ):
        assert value(formulation, score, latency) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.floats(1e-3, 1e3))
def test_the_unit_of_a_metric_makes_no_difference(factor):
    rows = np.array([[0.6, 12.0], [0.8, 25.0], [0.95, 60.0]])
    formulation = WeightedSum({"score": 1, "latency_ms": 1})
    f, _ = formulation.fit(lambda names: Evaluations.of(METRICS, rows)).apply(table(*rows))
    scaled = rows * [1, factor]
    other, _ = formulation.fit(lambda names: Evaluations.of(METRICS, scaled)).apply(table(*scaled))
    assert other == pytest.approx(f)


def test_what_is_left_open_comes_from_the_reference_sample_and_is_recorded():
    rows = np.random.default_rng(0).normal(10.0, 2.0, (200, 2))
    low, high = np.quantile(rows, (0.05, 0.95), axis=0)
    width = high - low
    sample = Evaluations.of(METRICS, rows)
    fitted = Tchebycheff({"score": 1, "latency_ms": 1}).fit(lambda names: sample)
    assert fitted.settings["ranges"] == {"score": [low[0], high[0]], "latency_ms": [low[1], high[1]]}
    assert fitted.settings["ideal"] == {
        "score": pytest.approx(rows[:, 0].max() + width[0] / 4),
        "latency_ms": pytest.approx(rows[:, 1].min() - width[1] / 4),
    }
    aspired = ReferencePoint.at({"score": None, "latency_ms": 3.0}).fit(lambda names: sample)
    assert aspired.settings["aspiration"] == {"score": np.median(rows[:, 0]), "latency_ms": 3.0}
    given_range = WeightedSum({"score": 1, "latency_ms": 1}, {"latency_ms": (1.0, 2.0)})
    asked = []
    assert given_range.fit(lambda names: asked.extend(names) or sample).ranges["latency_ms"] == (1.0, 2.0)
    assert asked == ["score"]


def test_limits_of_a_fitness_are_constraints_like_those_of_a_front():
    rows = table((0.6, 12.0), (0.8, 30.0))
    _, g = Pareto("score", "latency_ms", limits={"latency_ms": 20.0}).apply(rows)
    _, same = WeightedSum({"score": 1, "latency_ms": 1}, RANGES, {"latency_ms": 20.0}).apply(rows)
    assert same.tolist() == g.tolist()


def test_another_score_is_fitted_anew_and_the_costs_stay():
    other = Tchebycheff({"score": 1, "latency_ms": 3}, RANGES, ideal=IDEAL).with_score("snip")
    assert other.weights == {"snip": 0.25, "latency_ms": 0.75}
    assert other.ranges == {"snip": None, "latency_ms": (10.0, 30.0)}
    assert other.ideal == {"snip": None, "latency_ms": 5.0}
    with pytest.raises(FormulationError, match="'latency_ms' has a weight"):
        other.with_score("latency_ms")


def test_a_metric_that_does_not_vary_cannot_be_normalised():
    sample = table(*[(0.5, float(k)) for k in range(20)])
    with pytest.raises(FormulationError, match="'score' does not vary over the reference sample"):
        WeightedSum({"score": 1, "latency_ms": 1}).fit(lambda names: sample)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WeightedSum({"score": 1}), "two metrics at least; got score"),
        (lambda: WeightedSum({"score": 1, "latency_ms": -1}), "not negative"),
        (lambda: WeightedSum({"score": 0, "latency_ms": 0}), "not all 0"),
        (lambda: WeightedSum({"score": math.nan, "latency_ms": 1}), "finite"),
        (lambda: WeightedSum({"score": 1, "latency_ms": 1}, {"macs": (0, 1)}), "range of 'macs'"),
        (lambda: WeightedSum({"score": 1, "latency_ms": 1}, {"score": (1, 1)}), "low < high"),
        (lambda: WeightedSum({"score": 1, "latency_ms": 1}, limits={"score": math.inf}), "limit of 'score'"),
        (lambda: Tchebycheff({"score": 1, "latency_ms": 1}, ideal={"macs": 0}), "ideal has 'macs'"),
        (lambda: Tchebycheff({"score": 1, "latency_ms": 1}, ideal={"score": math.inf}), "must be finite"),
        (lambda: Tchebycheff({"score": 1, "latency_ms": 1}, rho=0), "rho must be positive"),
    ],
)
def test_what_makes_no_fitness_is_refused(make, message):
    with pytest.raises(FormulationError, match=message):
        make()


# --- what is reached ------------------------------------------------------------------------------

# Scores over latencies; the middle three lie above the line of their neighbours, which a weighted
# sum never picks, and (0.55, 40) is dominated.
FRONT = np.array([[0.5, 10.0], [0.52, 15.0], [0.58, 20.0], [0.66, 26.0], [0.9, 30.0]])
CONCAVE, DOMINATED = {1, 2, 3}, (0.55, 40.0)
TABLE = table(*FRONT, DOMINATED)


def picked(formulation):
    f, g = formulation.apply(TABLE)
    allowed = (g <= 0).all(axis=1)
    return int(np.argmin(np.where(allowed, f[:, 0], np.inf)))


def test_no_weighted_sum_reaches_a_concave_part_and_tchebycheff_does():
    sums = spread(WeightedSum({"score": 1, "latency_ms": 1}, RANGES), 1001)
    assert {picked(f) for f in sums} == {0, 4}
    distances = spread(Tchebycheff({"score": 1, "latency_ms": 1}, RANGES, ideal=IDEAL), 1001)
    assert {picked(f) for f in distances} == {0, 1, 2, 3, 4}


def test_a_front_an_epsilon_constraint_and_a_reference_point_reach_a_concave_part():
    f, _ = Pareto("score", "latency_ms").apply(TABLE)
    dominated = [any((o <= row).all() and (o < row).any() for o in f) for row in f]
    assert dominated == [False] * 5 + [True]
    levels = [Constrained("score", {"latency_ms": limit}, "epsilon", ranges=RANGES) for limit in FRONT[:, 1]]
    assert [picked(level) for level in levels] == [0, 1, 2, 3, 4]
    for place, (score, latency) in enumerate(FRONT):
        point = ReferencePoint(
            {"score": 1, "latency_ms": 1}, RANGES, aspiration={"score": score, "latency_ms": latency}
        )
        assert picked(point) == place


def test_with_all_weight_on_one_metric_its_best_is_picked_be_it_better_than_the_ideal():
    ideal = {"score": 0.6, "latency_ms": 12.0}
    assert picked(Tchebycheff({"score": 1, "latency_ms": 0}, RANGES, ideal=ideal)) == 4
    assert picked(Tchebycheff({"score": 0, "latency_ms": 1}, RANGES, ideal=ideal)) == 0


# --- spreads --------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.integers(1, 25))
@example(4, 2)  # these two went round in circles
@example(4, 3)
def test_weights_are_distinct_and_of_sum_one_and_always_the_same(n_metrics, n):
    rows = even_weights(n_metrics, n)
    assert rows.shape == (n, n_metrics)
    assert (rows >= 0).all()
    assert rows.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert len(np.unique(rows, axis=0)) == n
    assert rows.tolist() == even_weights(n_metrics, n).tolist()


@pytest.mark.parametrize(("n_metrics", "n"), [(2, 7), (3, 10), (3, 15), (4, 20)])
def test_weights_are_das_and_dennis_where_there_are_just_so_many(n_metrics, n):
    from pymoo.util.ref_dirs import get_reference_directions

    steps = next(s for s in range(20) if math.comb(s + n_metrics - 1, n_metrics - 1) == n)
    expected = get_reference_directions("das-dennis", n_metrics, n_partitions=steps)
    found = even_weights(n_metrics, n)
    assert np.array(sorted(found.tolist())) == pytest.approx(np.array(sorted(expected.tolist())), abs=1e-12)


@pytest.mark.parametrize(("n_metrics", "n"), [(3, 7), (4, 7)])
def test_other_numbers_of_weights_are_about_as_far_apart_as_those_of_least_energy(n_metrics, n):
    from pymoo.util.ref_dirs import get_reference_directions

    def closest(rows):
        distance = np.linalg.norm(rows[:, None] - rows[None], axis=2)
        return distance[~np.eye(len(rows), dtype=bool)].min()

    other = get_reference_directions("energy", n_metrics, n, seed=1)
    assert closest(even_weights(n_metrics, n)) > 0.9 * closest(other)


def test_open_limits_are_spread_over_shares_of_the_reference_sample():
    both = Constrained("score", {"latency_ms": None, "energy_mj": Quantile(0.5), "macs": 1e6}, "epsilon")
    levels = spread(both, 8)
    shares = np.array([[f.limits["latency_ms"].share, f.limits["energy_mj"].share] for f in levels])
    assert {f.limits["macs"] for f in levels} == {1e6}
    # Each eighth and each quarter-by-half of the square has its part.
    assert sorted((shares[:, 0] * 8).astype(int)) == sorted((shares[:, 1] * 8).astype(int)) == list(range(8))
    cells = {(int(4 * a), int(2 * b)) for a, b in shares}
    assert len(cells) == 8


def test_a_spread_of_products_weighs_score_against_costs():
    products = spread(WeightedProduct.soft("score", {"latency_ms": 80.0}), 5)
    ratios = [f.alpha / -0.05 for f in products]
    assert ratios == pytest.approx([1 / 9, 3 / 7, 1, 7 / 3, 9])
    assert all(f.beta == f.alpha and f.targets == {"latency_ms": 80.0} for f in products)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: spread(Single("score"), 3), "no weights or levels"),
        (lambda: spread(Pareto("score", "latency_ms"), 3), "no weights or levels"),
        (lambda: spread(Constrained("score", {"latency_ms": 1.0}), 3), "all given"),
        (lambda: spread(WeightedProduct("score", alpha=0.0, beta=0.0), 3), "no exponents"),
        (lambda: spread(WeightedSum({"score": 1, "latency_ms": 1}), 0), "at least one"),
        (lambda: even_weights(5, 3), "two to four metrics; got 5"),
        (lambda: even_weights(2, 0), "at least one"),
        (lambda: even_weights(3, 1000), "At most"),
    ],
)
def test_what_cannot_be_spread_is_refused(make, message):
    with pytest.raises(FormulationError, match=message):
        make()
