"""Regressors of hardware cost: what they learn, what they are blind to, and how well they know it."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.errors import InputError, MeterError
from moo_nas.meters.predictors import (
    Best,
    GaussianProcess,
    GradientBoosting,
    Perceptron,
    Ridge,
    cost_features,
    feature_groups,
    feature_matrix,
    one_hot,
)
from moo_nas.meters.predictors.sample import error_card
from moo_nas.spaces import CellSpace
from problems.data import benchmark_table

SMOOTH = {
    "ridge of logs": lambda: Ridge(),
    "linear ridge": lambda: Ridge("linear"),
    "Gaussian process": lambda: GaussianProcess(),
    "Gaussian process of costs": lambda: GaussianProcess("linear"),
    "best": lambda: Best((Ridge("linear"), Ridge(), GaussianProcess())),
}
ALL = {**SMOOTH, "gradient boosting": lambda: GradientBoosting(), "perceptron": lambda: Perceptron()}


def law(n, seed, noise=0.0, k=6):
    """Costs that are a sum over features, with multiplicative noise."""
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 5, size=(n, k)).astype(float)
    costs = 20 + features @ np.arange(1.0, k + 1)
    return features, costs * np.exp(noise * rng.standard_normal(n))


@pytest.mark.parametrize("name", ["linear ridge", "Gaussian process of costs", "best"])
def test_a_sum_over_features_is_recovered(name):
    model = ALL[name]().fit(*law(60, 0))
    features, costs = law(500, 1)
    assert model.predict(features)[0] == pytest.approx(costs, rel=5e-3)


def test_a_product_of_features_is_learned_where_a_sum_is_not_enough():
    rng = np.random.default_rng(0)
    features = rng.uniform(1, 3, (300, 3))
    costs = 1 + features[:, 0] * features[:, 1] ** 2
    errors = {
        name: np.median(
            np.abs(SMOOTH[name]().fit(features[:80], costs[:80]).predict(features[80:])[0] / costs[80:] - 1)
        )
        for name in ("linear ridge", "Gaussian process", "best")
    }
    assert errors["Gaussian process"] < 0.2 * errors["linear ridge"]
    assert errors["best"] < 0.2 * errors["linear ridge"]


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_the_samples_does_not_matter(name):
    features, costs = law(40, 2, noise=0.1)
    order = np.random.default_rng(3).permutation(40)
    one, other = ALL[name]().fit(features, costs), ALL[name]().fit(features[order], costs[order])
    asked = law(10, 4)[0]
    assert np.array(one.predict(asked)).tolist() == np.array(other.predict(asked)).tolist()
    assert one.held_out() == other.held_out()


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("factor", [1e-6, 1000.0])
def test_the_unit_of_the_cost_does_not_matter(name, factor):
    features, costs = law(40, 5, noise=0.1)
    asked = law(10, 6)[0]
    one = np.array(SMOOTH[name]().fit(features, costs).predict(asked))
    other = np.array(SMOOTH[name]().fit(features, costs * factor).predict(asked))
    assert other == pytest.approx(one * factor, rel=1e-3)


@pytest.mark.parametrize("name", SMOOTH)
def test_the_unit_of_a_feature_does_not_matter(name):
    features, costs = law(40, 7, noise=0.1)
    asked, units = law(10, 8)[0], np.array([1e-6, 1, 10, 1e3, 5, 1e9])
    one = SMOOTH[name]().fit(features, costs).predict(asked)[0]
    other = SMOOTH[name]().fit(features * units, costs).predict(asked * units)[0]
    assert other == pytest.approx(one, rel=1e-3)


@pytest.mark.parametrize("name", ALL)
def test_a_fit_is_the_same_every_time(name):
    features, costs = law(30, 9, noise=0.2)
    one, other = (ALL[name]().fit(features, costs).predict(features) for _ in range(2))
    assert np.array(one).tolist() == np.array(other).tolist()


@pytest.mark.parametrize("name", ALL)
def test_predictions_are_positive_with_an_interval_around_them(name):
    features, costs = law(40, 10, noise=0.5)
    model = ALL[name]().fit(features, costs)
    asked = law(50, 11)[0] * 3 - 5
    predicted, std = model.predict(asked)
    bounds = model.interval(asked)
    assert (predicted > 0).all()
    assert (std > 0).all()
    assert bounds.cost.tolist() == predicted.tolist()
    assert ((bounds.low >= 0) & (bounds.low <= predicted) & (predicted <= bounds.high)).all()
    narrow = model.interval(asked, 0.5)
    assert (narrow.high <= bounds.high).all()


@pytest.mark.parametrize("name", ["ridge of logs", "Gaussian process", "best"])
@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_intervals_cover_what_they_promise(name, coverage):
    shares = []
    for seed in range(6):
        model = ALL[name]().fit(*law(80, 100 + seed, noise=0.1))
        features, costs = law(400, 200 + seed, noise=0.1)
        bounds = model.interval(features, coverage)
        shares.append(np.mean((bounds.low <= costs) & (costs <= bounds.high)))
    assert np.mean(shares) == pytest.approx(coverage, abs=0.1)


def test_the_standard_deviation_is_that_of_the_errors():
    model = Ridge("linear").fit(*law(100, 12, noise=0.1))
    features, costs = law(1000, 13, noise=0.1)
    predicted, std = model.predict(features)
    assert np.std((costs - predicted) / std) == pytest.approx(1, abs=0.2)


def test_a_card_of_held_out_samples_is_what_unseen_ones_show():
    model = Ridge("linear").fit(*law(100, 14, noise=0.1))
    features, costs = law(2000, 15, noise=0.1)
    bounds = model.interval(features)
    shown = error_card(model.predict(features)[0], costs, bounds.low, bounds.high)
    card = model.held_out()
    assert card["n"] == 100
    assert card["median_error"] == pytest.approx(shown["median_error"], rel=0.5)
    assert card["spearman"] == pytest.approx(shown["spearman"], abs=0.05)
    assert card["coverage_90"] == pytest.approx(shown["coverage_90"], abs=0.1)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("n", [0, 1, 4])
def test_too_few_samples_are_refused(name, n):
    with pytest.raises(InputError, match=f"at least 5 measured samples; got {n}"):
        ALL[name]().fit(np.ones((n, 2)), np.ones(n))


@pytest.mark.parametrize("name", ALL)
def test_equal_costs_teach_nothing(name):
    with pytest.raises(InputError, match=r"All 20 samples cost 3\.0"):
        ALL[name]().fit(law(20, 0)[0], np.full(20, 3.0))


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_costs_must_be_positive_and_finite(wrong):
    features, costs = law(20, 0)
    costs[7] = wrong
    with pytest.raises(InputError, match="sample 7 has"):
        Ridge().fit(features, costs)


def test_features_must_be_finite_and_one_row_a_cost():
    features, costs = law(20, 0)
    with pytest.raises(InputError, match=r"\(20, 6\) and \(19,\)"):
        Ridge().fit(features, costs[1:])
    features[3, 1] = np.nan
    with pytest.raises(InputError, match="sample 3 are not"):
        Ridge().fit(features, costs)


@pytest.mark.parametrize("name", ALL)
def test_an_unfitted_regressor_says_so(name):
    for ask in ("predict", "interval"):
        with pytest.raises(MeterError, match="not fitted"):
            getattr(ALL[name](), ask)(np.ones((1, 2)))
    with pytest.raises(MeterError, match="not fitted"):
        ALL[name]().held_out()


@pytest.mark.parametrize("name", ALL)
def test_fitting_leaves_the_regressor_itself_unfitted(name):
    model = ALL[name]()
    model.fit(*law(20, 0, noise=0.1))
    with pytest.raises(MeterError, match="not fitted"):
        model.predict(law(20, 0)[0])


@pytest.mark.parametrize("name", ALL)
def test_features_that_never_vary_predict_one_cost_for_all(name):
    costs = law(20, 0)[1]
    predicted, _ = ALL[name]().fit(np.ones((20, 3)), costs).predict(np.ones((4, 3)))
    assert np.ptp(predicted) == pytest.approx(0, abs=1e-9)
    assert costs.min() < predicted[0] < costs.max()


def test_a_coverage_lies_between_0_and_1():
    model = Ridge().fit(*law(20, 0))
    for wrong in (0, 1, -0.5):
        with pytest.raises(InputError, match="between 0 and 1"):
            model.interval(law(3, 1)[0], wrong)


@pytest.mark.parametrize("make", [Ridge, GaussianProcess])
def test_a_scale_is_log_or_linear(make):
    with pytest.raises(InputError, match="log or linear; got 'cubic'"):
        make("cubic")


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.integers(5, 40), st.integers(1, 5))
def test_ridge_errs_no_more_than_the_mean_on_what_it_saw(seed, n, k):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, k))
    costs = np.exp(rng.standard_normal(n))
    predicted = np.log(Ridge().fit(features, costs).predict(features)[0])
    logs = np.log(costs)
    assert np.sum((logs - predicted) ** 2) <= np.sum((logs - logs.mean()) ** 2) + 1e-3  # five digits


def test_a_card_of_perfect_predictions():
    measured = np.array([1.0, 2.0, 4.0, 8.0])
    card = error_card(measured, measured, measured * 0.9, measured * 1.1)
    assert card == {
        "n": 4,
        "spearman": pytest.approx(1),
        "kendall": pytest.approx(1),
        "mape": 0,
        "median_error": 0,
        "p95_error": 0,
        "worst_5_error": 0,
        "coverage_90": 1,
    }


def test_a_cards_errors_are_relative_and_its_worst_are_the_worst():
    measured = np.ones(40)
    predicted = np.ones(40)
    predicted[:4] = [1.5, 0.6, 1.1, 1.2]
    card = error_card(predicted, measured)
    assert card["mape"] == pytest.approx((0.5 + 0.4 + 0.1 + 0.2) / 40)
    assert card["worst_5_error"] == pytest.approx((0.5 + 0.4) / 2)
    assert card["median_error"] == 0
    assert np.isnan(card["spearman"])
    assert "coverage_90" not in card


def test_a_cards_coverage_is_the_share_within():
    measured = np.array([1.0, 2.0, 3.0, 4.0])
    card = error_card(measured, measured, np.array([1, 2.1, 2, 3]), np.array([1, 3, 2.9, 5]))
    assert card["coverage_90"] == 0.5


def test_the_best_is_the_candidate_that_predicts_what_it_has_not_seen():
    rng = np.random.default_rng(0)
    features = rng.uniform(1, 3, (80, 3))
    straight = Best((Ridge("linear"), Ridge())).fit(features, 1 + features @ [1.0, 2.0, 3.0])
    assert straight.chosen == ('{"regressor": "ridge", "scale": "linear"}',)
    curved = Best((Ridge("linear"), Ridge())).fit(features, np.exp(features @ [1.0, -2.0, 1.0]))
    assert curved.chosen == ('{"regressor": "ridge", "scale": "log"}',)


class Off(Ridge):
    """A ridge whose costs are off by a factor."""

    def __init__(self, factor):
        super().__init__("linear")
        self.factor = factor

    def _costs(self, features):
        costs, spread = super()._costs(features)
        return self.factor * costs, spread


def test_the_mean_of_two_is_chosen_where_their_errors_cancel():
    features, costs = law(60, 17)
    model = Best((Off(1.1), Off(0.9), Off(1.3))).fit(features, costs)
    assert len(model.chosen) == 2
    assert model.predict(features)[0] == pytest.approx(costs, rel=1e-3)


def test_errors_that_the_choice_was_made_by_are_no_larger_than_nested_ones():
    features, costs = law(40, 16, noise=0.3)
    candidates = (Ridge("linear"), Ridge(), GaussianProcess())
    nested, chosen_by = (Best(candidates, nested=n).fit(features, costs) for n in (True, False))
    assert chosen_by.chosen == nested.chosen
    assert chosen_by.held_out()["mape"] <= nested.held_out()["mape"] * 1.05


def test_a_best_of_nothing_is_refused():
    with pytest.raises(InputError, match="at least one candidate"):
        Best(())


def test_each_feature_has_a_group():
    with pytest.raises(InputError, match="Each of 6 features has a group; got 2"):
        Ridge().fit(*law(20, 0), groups=("a", "b"))


def test_groups_let_a_process_leave_out_what_tells_nothing():
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((300, 40))
    telling = rng.uniform(0, 2, (300, 2))
    costs = 1 + telling[:, 0] * telling[:, 1]
    features = np.column_stack([telling, noise])
    groups = ("telling",) * 2 + ("noise",) * 40
    apart, together = (
        GaussianProcess().fit(features[:60], costs[:60], given).predict(features[60:])[0]
        for given in (groups, None)
    )
    assert np.mean(np.abs(apart - costs[60:])) < 0.5 * np.mean(np.abs(together - costs[60:]))


@pytest.mark.skipif("MOO_NAS_DATA" not in os.environ, reason="MOO_NAS_DATA is not set: no tables to read")
def test_a_published_latency_is_predicted_from_sixty_networks_and_better_than_by_the_perceptron():
    table = benchmark_table("nb201_accuracy_hw.csv.xz", dtype={"naslib_code": str}).iloc[::25]
    genomes = np.array([[int(digit) for digit in code] for code in table["naslib_code"]])
    space = CellSpace.nasbench201(merge=False)
    rows = [cost_features(space.decode(genome), 32, 10) for genome in genomes]
    names = sorted({name for row in rows for name in row})
    features, hot = feature_matrix(rows, names), one_hot(genomes, space.n_choices)
    costs = table["cifar10__fpga_latency"].to_numpy()
    groups = feature_groups(names)
    model = GaussianProcess("linear").fit(features[:60], costs[:60], groups)
    bounds = model.interval(features[60:])
    card = error_card(bounds.cost, costs[60:], bounds.low, bounds.high)
    paper = error_card(Perceptron().fit(hot[:60], costs[:60]).predict(hot[60:])[0], costs[60:])
    assert card["spearman"] > 0.99
    assert card["median_error"] < min(0.01, paper["median_error"])
    assert card["spearman"] > paper["spearman"]
    assert card["coverage_90"] > 0.8
