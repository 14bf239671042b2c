"""A cost of any device, predicted from a table of measured architectures."""

import time

import numpy as np
import pytest

from moo_nas.errors import InputError, MeterError
from moo_nas.evaluation import Evaluator, Store
from moo_nas.meters import Analytic, Metric, PredictedCost
from moo_nas.meters.predictors import Best, GaussianProcess, GradientBoosting, Perceptron, Ridge
from moo_nas.spaces import Architecture

ENERGY = Metric("energy_mj", "mJ", "min")


def law(architectures):
    """Millijoules of a device of our own: work, and so much a layer."""
    macs = Analytic(32, 10).measure(architectures, [0] * len(architectures))[:, 2]
    return macs / 1e5 + [0.3 * len(a.layers(32, 10)) for a in architectures]


def drawn(space, n, seed):
    return [space.decode(genome) for genome in space.sample(n, seed)]


def meter(space, n=40, **options):
    samples = drawn(space, n, 0)
    arguments = {"source": "a law", "regressor": Ridge("linear"), **options}
    return PredictedCost(ENERGY, samples, law(samples), 32, 10, **arguments)


def test_a_law_of_work_and_layers_is_found_from_its_values(wide):
    ready = meter(wide).prepare(wide, Store(), 0)
    unseen = drawn(wide, 30, 5)
    assert np.median(np.abs(ready.measure(unseen, [0] * 30)[:, 0] / law(unseen) - 1)) < 0.03
    bounds = ready.interval(unseen)
    assert np.mean((bounds.low <= law(unseen)) & (law(unseen) <= bounds.high)) > 0.7
    assert (ready.standard_deviation(unseen) > 0).all()


def test_an_evaluator_puts_it_on_genomes_and_keeps_its_card(wide):
    store = Store()
    evaluator = Evaluator(wide, [Analytic(32, 10), meter(wide)], store=store)
    genomes = wide.sample(10, seed=3)
    found = evaluator.evaluate(genomes, ["energy_mj"])["energy_mj"]
    measured = law([wide.decode(genome) for genome in wide.canonical(genomes)])
    assert np.median(np.abs(found / measured - 1)) < 0.03
    (card,) = [value for name, (value, _) in store.setup().items() if name.startswith("predicted cost")]
    assert (card["metric"], card["source"], card["n_samples"]) == ("energy_mj", "a law", 40)
    assert card["held_out"]["n"] == 40
    assert card["held_out"]["spearman"] > 0.9
    assert {"kendall", "mape", "median_error", "worst_5_error", "coverage_90"} <= card["held_out"].keys()


@pytest.mark.parametrize(
    "regressor", [Perceptron(), Best((Ridge(), Perceptron())), Best((Best((Perceptron(),)),))]
)
def test_a_regressor_for_one_hot_genomes_is_refused_with_the_reason(wide, regressor):
    with pytest.raises(InputError, match="'perceptron' takes one-hot genomes"):
        meter(wide, regressor=regressor)


def test_its_identity_is_that_of_samples_source_and_regressor(wide):
    one = meter(wide)
    samples, values = list(one.architectures), one.values
    turned = PredictedCost(ENERGY, samples[::-1], values[::-1], 32, 10, "a law", Ridge("linear"))
    assert turned.key == one.key
    assert meter(wide, source="another").key != one.key
    assert meter(wide, regressor=Ridge()).key != one.key
    assert meter(wide, n=39).key != one.key
    assert PredictedCost(ENERGY, samples, values * 2, 32, 10, "a law", Ridge("linear")).key != one.key


@pytest.mark.parametrize(
    "regressor", [Ridge(), Best((GaussianProcess(), GradientBoosting("linear")), nested=False)]
)
def test_a_prediction_does_not_depend_on_its_company(wide, regressor):
    ready = meter(wide, regressor=regressor).prepare(wide, Store(), 0)
    others = drawn(wide, 300, 7)
    together = ready.measure(others, [0] * 300)[:, 0]
    assert [ready.measure([a], [0])[0, 0] for a in others] == together.tolist()
    assert ready.measure(others[250:], [0] * 50)[:, 0].tolist() == together[250:].tolist()
    assert ready.measure([], []).shape == (0, 1)


def test_the_fit_is_timed_as_set_up_and_is_the_same_in_the_next_sitting(wide, monkeypatch):
    class Slow(Ridge):
        def _fitted(self, features, costs, groups):
            time.sleep(0.05)
            return super()._fitted(features, costs, groups)

    store, others = Store(), drawn(wide, 20, 5)
    first = meter(wide, regressor=Slow("linear")).prepare(wide, store, 0)
    ((kept, seconds),) = store.setup().values()
    assert seconds > 0.3  # on all samples, and on those of five folds
    again = meter(wide, regressor=Slow("linear")).prepare(wide, store, 0)
    assert again.card == first.card
    assert again.measure(others, [0] * 20).tolist() == first.measure(others, [0] * 20).tolist()
    assert ((kept, seconds),) == tuple(store.setup().values())


def test_how_much_of_a_space_its_samples_reach_is_told_and_how_many_would_do(wide):
    few, many = meter(wide, 8).reach(wide), meter(wide, 400).reach(wide)
    assert few.inside < 0.9 <= many.inside
    assert few.enough == many.enough > 8
    enough = meter(wide, few.enough).reach(wide)
    assert enough.inside > 0.8
    assert few.words.startswith(
        f"Of random architectures of the space {few.inside:.0%} are like the samples; "
    )
    assert f"90% would be of about {few.enough} measured at random" in few.words
    assert "measured" not in many.words
    store = Store()
    meter(wide, 8).prepare(wide, store, 0)
    ((kept, _),) = store.setup().values()
    assert kept["reach"] == {"inside": few.inside, "enough": few.enough}


def test_what_is_unlike_the_samples_is_said_to_be_so(wide):
    ready = meter(wide).prepare(wide, Store(), 0)
    strange = Architecture.parse("stem_k3_s2_c16 ibn_d1_k3_s1_e3_c512 fused_d9_k3_s2_e6_c24 pool_conv_c64")
    inside, outside = ready.why_outside([ready.architectures[0], strange])
    assert inside is None
    assert "the samples have" in outside or "no sample has it" in outside


def test_an_evaluator_tells_what_lies_outside_of_a_predictors_samples(wide):
    few = [a for a in drawn(wide, 200, 0) if "_k5_" not in str(a)][:12]
    predictor = PredictedCost(ENERGY, few, law(few), 32, 10, "a law", Ridge("linear"))
    evaluator = Evaluator(wide, [Analytic(32, 10), predictor])
    genomes = wide.canonical(wide.sample(40, seed=3))
    told = evaluator.outside(genomes, ["energy_mj"])
    fives = ["_k5_" in str(wide.decode(genome)) for genome in genomes]
    assert any(fives)
    assert all(text.startswith("energy_mj: ") for text, has in zip(told, fives, strict=True) if has)
    inside = evaluator.outside(np.array([wide.encode(a) for a in few]), ["energy_mj"])
    assert inside == ("",) * 12
    assert evaluator.outside(genomes, ["params"]) is None


def test_an_unprepared_predictor_says_so(wide):
    unprepared = meter(wide)
    for ask in (
        lambda: unprepared.measure(drawn(wide, 1, 0), [0]),
        lambda: unprepared.interval(drawn(wide, 1, 0)),
        lambda: unprepared.standard_deviation(drawn(wide, 1, 0)),
        lambda: unprepared.why_outside(drawn(wide, 1, 0)),
        lambda: unprepared.card,
    ):
        with pytest.raises(MeterError, match="prepare the meter first"):
            ask()


def test_one_value_an_architecture_is_asked_for(wide):
    with pytest.raises(InputError, match=r"one value an architecture, \(3,\); got \(2,\)"):
        PredictedCost(ENERGY, drawn(wide, 3, 0), [1.0, 2.0], 32, 10, "a law")


def test_samples_that_teach_nothing_are_refused_when_it_is_prepared(wide):
    samples = drawn(wide, 8, 0)
    with pytest.raises(
        InputError, match=r"^'energy_mj' of a law: All 8 samples cost 1.0: .* nothing to learn"
    ):
        PredictedCost(ENERGY, samples, np.ones(8), 32, 10, "a law").prepare(wide, Store(), 0)
    with pytest.raises(InputError, match="at least 5 measured samples; got 1"):
        PredictedCost(ENERGY, samples[:1], [1.0], 32, 10, "a law").prepare(wide, Store(), 0)
