"""Equations 1 and 2 of HaeNAS, and the scale that keeps a score positive."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from moo_nas.errors import FormulationError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import PositiveScale, WeightedProduct
from moo_nas.meters import Metric

METRICS = (Metric("score", "1", "max"), Metric("latency_ms", "ms", "min"), Metric("energy_mj", "mJ", "min"))
scores = st.floats(0.01, 1.0)
costs = st.floats(0.01, 1e4)


def fitness(product, score, latency, energy=1.0):
    f, _ = product.apply(Evaluations.of(METRICS, np.array([[score, latency, energy]])))
    return -f[0, 0]


def plain(alpha, beta, **targets):
    return WeightedProduct("score", targets, alpha, beta, scale=False)


def sample(names, rows=200):
    rng = np.random.default_rng(0)
    metrics = [m for m in METRICS if m.name in set(names)]
    return Evaluations.of(metrics, rng.normal(10.0, 1.0, (rows, len(metrics))))


@given(scores, costs, costs)
def test_soft_is_eq_1_with_one_exponent_whatever_the_target(score, latency, energy):
    product = plain(-0.05, -0.05, latency_ms=80.0, energy_mj=7.0)
    expected = score * (latency / 80) ** -0.05 * (energy / 7) ** -0.05
    assert fitness(product, score, latency, energy) == pytest.approx(expected)


@given(scores, costs)
def test_hard_is_the_score_within_the_target_and_falls_beyond_it(score, latency):
    product = plain(0.0, -0.7, latency_ms=80.0)
    expected = score if latency <= 80 else score * (latency / 80) ** -0.7
    assert fitness(product, score, latency) == pytest.approx(expected)


@given(scores, costs, costs)
def test_each_cost_takes_the_exponent_of_its_own_condition(score, latency, energy):
    product = plain(-0.1, -0.6, latency_ms=80.0, energy_mj=7.0)
    expected = score
    for cost, target in ((latency, 80), (energy, 7)):
        expected *= (cost / target) ** (-0.1 if cost <= target else -0.6)
    assert fitness(product, score, latency, energy) == pytest.approx(expected)


@pytest.mark.parametrize("make", [WeightedProduct.soft, WeightedProduct.hard])
def test_fitness_is_continuous_at_the_target(make):
    product = make("score", {"latency_ms": 80.0}).fit(sample)
    at, before, after = (fitness(product, 10.0, 80 * x) for x in (1, 1 - 1e-9, 1 + 1e-9))
    assert before == pytest.approx(at, rel=1e-8)
    assert after == pytest.approx(at, rel=1e-8)


@given(scores, scores, st.floats(0.1, 80), st.floats(80.001, 1e4))
def test_hard_a_slow_network_wins_only_by_a_score_better_than_its_excess(within, above, fast, slow):
    product = plain(0.0, -0.7, latency_ms=80.0)
    ratio, needed = above / within, (slow / 80) ** 0.7
    assume(abs(ratio / needed - 1) > 1e-9)
    assert (fitness(product, above, slow) > fitness(product, within, fast)) == (ratio > needed)


@given(scores, scores, st.floats(0.1, 80), st.floats(0.1, 7), st.floats(80.001, 1e4), st.floats(7.001, 1e3))
def test_hard_what_exceeds_two_targets_wins_only_by_a_score_better_than_both_excesses(
    within, above, fast, frugal, slow, hungry
):
    product = plain(0.0, -0.7, latency_ms=80.0, energy_mj=7.0)
    ratio, needed = above / within, (slow / 80) ** 0.7 * (hungry / 7) ** 0.7
    assume(abs(ratio / needed - 1) > 1e-9)
    wins = fitness(product, above, slow, hungry) > fitness(product, within, fast, frugal)
    assert wins == (ratio > needed)


def test_mnasnets_form_has_one_exponent():
    product = WeightedProduct.mnasnet("score", {"latency_ms": 80.0})
    assert (product.alpha, product.beta) == (-0.07, -0.07)


def test_twice_the_latency_weighs_about_three_percent_of_accuracy_in_the_soft_form():
    product = plain(-0.05, -0.05, latency_ms=80.0)
    assert fitness(product, 0.75, 160) / fitness(product, 0.75, 80) == pytest.approx(0.966, abs=1e-3)


# --- the scale ------------------------------------------------------------------------------------

limits = st.floats(-1e6, 1e6)


@st.composite
def scales(draw):
    low = draw(limits)
    return PositiveScale(low, low + draw(st.floats(1e-2, 1e6)))


@given(scales())
def test_the_5th_and_95th_percentile_become_70_and_80_percent(scale):
    low, high = scale(np.array([scale.low, scale.high]))
    assert (low, high) == (pytest.approx(0.70), pytest.approx(0.80))


@given(scales(), st.lists(st.floats(-1e8, 1e8), min_size=2))
def test_a_scaled_score_is_positive_and_keeps_its_order(scale, values):
    scaled = scale(np.sort(values))
    assert (scaled > 0).all()
    assert np.isfinite(scaled).all()
    assert (np.diff(scaled) >= 0).all()


@given(scales(), st.floats(-10, 10), st.floats(-10, 10))
def test_order_is_strict_where_scores_can_be_told_apart(scale, a, b):
    assume(a < b - 1e-3)
    width = scale.high - scale.low
    low, high = scale(scale.low + width * np.array([a, b]))
    assert low < high


@given(scales())
def test_below_the_5th_percentile_it_goes_on_with_the_same_value_and_slope(scale):
    step = 1e-4 * (scale.high - scale.low)
    assume(scale.low - step < scale.low)
    below, at, above = scale(scale.low + step * np.array([-1.0, 0.0, 1.0]))
    assert below == pytest.approx(at, rel=1e-4)
    assert (at - below) == pytest.approx(above - at, rel=1e-3, abs=1e-10)


@given(scales(), st.floats(0, 100))
def test_below_the_5th_percentile_it_is_the_exponential(scale, widths):
    x = scale.low - widths * (scale.high - scale.low)
    slope = 0.10 / (scale.high - scale.low)
    expected = 0.70 * np.exp(slope * (x - scale.low) / 0.70)
    assert scale(np.array([x]))[0] == pytest.approx(expected)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf), (np.nan, 1.0)])
def test_percentiles_that_do_not_differ_are_an_error_that_says_so(low, high):
    with pytest.raises(FormulationError, match="does not vary over the reference sample"):
        PositiveScale(low, high)


@pytest.mark.parametrize(("at_low", "at_high"), [(0.0, 0.8), (0.8, 0.7), (-1.0, 1.0)])
def test_a_scale_that_is_not_positive_is_refused(at_low, at_high):
    with pytest.raises(FormulationError, match="0 < at_low < at_high"):
        PositiveScale(0.0, 1.0, at_low, at_high)


# --- fitting --------------------------------------------------------------------------------------


def test_scale_and_targets_come_from_the_reference_sample():
    fitted = WeightedProduct.soft("score").resolve(["score", "latency_ms", "energy_mj"]).fit(sample)
    table = sample(["score", "latency_ms", "energy_mj"])
    assert fitted.targets == {name: np.median(table[name]) for name in ("latency_ms", "energy_mj")}
    assert (fitted.scale.low, fitted.scale.high) == tuple(np.quantile(table["score"], (0.05, 0.95)))
    assert fitted.settings["scale"] == {
        "low": fitted.scale.low,
        "high": fitted.scale.high,
        "at_low": 0.7,
        "at_high": 0.8,
    }


def test_given_targets_stay_and_open_ones_become_medians():
    fitted = WeightedProduct.hard("score", {"latency_ms": 80.0, "energy_mj": None}).fit(sample)
    assert fitted.targets["latency_ms"] == 80.0
    assert fitted.targets["energy_mj"] == pytest.approx(10, abs=0.5)


def test_without_an_energy_meter_the_factor_is_left_out_and_said():
    product = WeightedProduct.soft("score").resolve(["score", "latency_ms"])
    assert list(product.targets) == ["latency_ms"]
    assert product.left_out == ("energy_mj",)
    assert product.settings["left_out"] == ["energy_mj"]
    with pytest.raises(FormulationError, match="needs one of latency_ms, energy_mj"):
        WeightedProduct.soft("score").resolve(["score", "params"])


def test_a_constant_score_cannot_be_scaled():
    def constant(names):
        return Evaluations.of(METRICS, np.ones((20, 3)))

    with pytest.raises(FormulationError, match="does not vary"):
        WeightedProduct.soft("score", {"latency_ms": None}).fit(constant)


def test_a_negative_score_as_it_is_is_refused_with_the_reason():
    with pytest.raises(FormulationError, match=r"'score' is -3.*would reward slow networks"):
        fitness(plain(-0.05, -0.05, latency_ms=80.0), -3.0, 10.0)


def test_a_negative_score_on_the_scale_never_rewards_a_slow_network():
    product = WeightedProduct.soft("score", {"latency_ms": 80.0}).fit(sample)
    assert fitness(product, -1000.0, 20.0) > fitness(product, -1000.0, 40.0) > 0


def test_another_score_gets_a_scale_of_its_own():
    product = WeightedProduct.soft("score", {"latency_ms": 80.0}).fit(sample)
    other = product.with_score("energy_mj")
    assert not other.is_fitted
    assert other.fit(sample).scale != product.scale
    assert other.targets == {"latency_ms": 80.0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"alpha": 0.1}, "alpha must be at most 0"),
        ({"beta": float("nan")}, "beta must be at most 0"),
        ({"targets": {}}, "at least one cost"),
        ({"targets": {"latency_ms": 0.0}}, "'latency_ms' must be positive"),
        ({"scale": True}, "got True"),
    ],
)
def test_what_makes_no_product_is_refused(wrong, message):
    with pytest.raises(FormulationError, match=message):
        WeightedProduct("score", **wrong)


def test_a_cost_of_zero_is_refused_by_name():
    with pytest.raises(FormulationError, match="positive costs; 'latency_ms' is 0"):
        fitness(plain(-0.05, -0.05, latency_ms=80.0), 1.0, 0.0)


def test_a_product_that_is_not_fitted_says_so():
    with pytest.raises(FormulationError, match="fit it first"):
        fitness(WeightedProduct.soft("score", {"latency_ms": None}), 1.0, 1.0)


def test_the_reference_samples_percentiles_become_at_low_and_at_high():
    product = WeightedProduct("score", {"latency_ms": 10.0}, 0.0, 0.0, at_low=0.2, at_high=0.9).fit(sample)
    low, high = np.quantile(sample(product.metrics).columns()["score"], [0.05, 0.95])
    assert fitness(product, low, 1.0) == pytest.approx(0.2)
    assert fitness(product, high, 1.0) == pytest.approx(0.9)
