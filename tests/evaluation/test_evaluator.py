import re
import subprocess
import sys

import numpy as np
import pytest

from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator, Runner, Store
from moo_nas.meters import Analytic, BlockMeter, Metric, ZeroCost, ZMean
from tests.fakes import Fake, Guilty, Instant


class Forgetful(BlockMeter):
    """A formula with holes."""

    metrics = (Metric("holey", "1", "min"),)
    reductions = ("sum",)

    def block_cost(self, block):
        return [np.nan if block.kernel == 5 else 1.0]


class Raising(Forgetful):
    """A formula that does not know every block."""

    def block_cost(self, block):
        if block.kernel == 5:
            raise ValueError("no kernel 5")
        return [1.0]


def numbers(space, n):
    return np.array([space.genome_at(i) for i in range(n)])


def test_a_genome_asked_for_often_is_measured_once(tiny):
    meter = Fake()
    evaluator = Evaluator(tiny, [meter])
    genomes = numbers(tiny, 6)
    first = evaluator.evaluate(genomes[[3, 1, 3, 3, 5, 1]], ["score"])
    assert len(meter.asked) == 3
    again = evaluator.evaluate(genomes, ["score"])
    assert sorted(meter.asked) == sorted(str(tiny.decode(genome)) for genome in genomes)
    assert first["score"].tolist() == again["score"][[3, 1, 3, 3, 5, 1]].tolist()
    assert first.genomes.tolist() == genomes[[3, 1, 3, 3, 5, 1]].tolist()


def test_the_store_is_asked_before_the_meter(tiny):
    store, genomes = Store(), numbers(tiny, 9)
    values = Evaluator(tiny, [Fake()], store=store).evaluate(genomes, ["score"])["score"]
    meter = Fake()
    assert (Evaluator(tiny, [meter], store=store).evaluate(genomes, ["score"])["score"] == values).all()
    assert meter.asked == []
    other = Fake(salt="other settings")
    assert (Evaluator(tiny, [other], store=store).evaluate(genomes, ["score"])["score"] != values).all()
    assert len(other.asked) == 9


def test_a_failure_is_kept_too_and_not_tried_again(tiny):
    store, genomes = Store(), numbers(tiny, tiny.size)
    first = Evaluator(tiny, [Guilty("raise")], store=store).evaluate(genomes, ["score"])
    meter = Guilty("raise")
    again = Evaluator(tiny, [meter], store=store).evaluate(genomes, ["score"])
    assert again.reasons == first.reasons
    assert meter.asked == []


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raise", "ZeroDivisionError: no such luck"),
        ("nan", "score is nan"),
        ("inf", "score is inf"),
        ("-inf", "score is -inf"),
    ],
)
@pytest.mark.parametrize("kind", [Guilty, Instant])
def test_a_raise_nan_or_infinity_is_a_failure_row_with_its_reason(tiny, how, reason, kind):
    meter, genomes = kind(how), numbers(tiny, tiny.size)
    table = Evaluator(tiny, [meter]).evaluate(genomes, ["score"])
    guilty = [meter.guilty(tiny.decode(genome)) for genome in genomes]
    assert 0 < sum(guilty) < len(guilty)
    assert table.failed.tolist() == guilty
    assert {r for r in table.reasons if r} == {reason}
    assert np.isfinite(table["score"][~table.failed]).all()


def test_a_formula_with_holes_fails_only_where_they_are(tiny):
    genomes = numbers(tiny, tiny.size)
    table = Evaluator(tiny, [Forgetful(16, 10)]).evaluate(genomes, [])
    assert 0 < table.failed.sum() < len(table)
    assert {r for r in table.reasons if r} == {"holey is nan"}


def test_a_formula_that_raises_is_told_of_and_fails_only_where_it_does(tiny):
    genomes = numbers(tiny, tiny.size)
    with pytest.warns(UserWarning, match="network by network.*no kernel 5"):
        table = Evaluator(tiny, [Raising(16, 10)]).evaluate(genomes, [])
    assert 0 < table.failed.sum() < len(table)
    assert {r for r in table.reasons if r} == {"ValueError: no kernel 5"}


def test_the_same_problem_seed_gives_the_same_value_and_another_another(tiny):
    genomes = numbers(tiny, 8)

    def values(seed, batches):
        evaluator = Evaluator(tiny, [Fake()], seed)
        return np.concatenate([evaluator.evaluate(batch, ["score"])["score"] for batch in batches]).tolist()

    together = values(3, [genomes])
    assert values(3, [genomes[:1], genomes[1:6], genomes[6:]]) == together
    assert values(4, [genomes]) != together


def test_seeds_of_measurements_are_the_same_in_another_process(tiny):
    program = """
from moo_nas.evaluation import Evaluator
from tests.fakes import Fake
from tests.spaces_for_tests import tiny_space
evaluator = Evaluator(tiny_space(), [Fake()], 3)
print(evaluator.evaluate(tiny_space().genome_at(7)[None], ["score"])["score"][0].hex())
"""
    here = Evaluator(tiny, [Fake()], 3).evaluate(tiny.genome_at(7)[None], ["score"])["score"][0].hex()
    environment = {"PYTHONPATH": ":".join(p for p in sys.path if p), "PYTHONHASHSEED": "7"}
    there = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert there.stdout.strip() == here


def test_workers_change_nothing(tiny):
    genomes = numbers(tiny, tiny.size)
    one, two = (
        Evaluator(tiny, [Guilty("raise"), Analytic(16)], runner=Runner(n)).evaluate(genomes, ["score"])
        for n in (1, 2)
    )
    assert one.reasons == two.reasons
    assert np.array_equal(one.values, two.values, equal_nan=True)


def test_every_table_has_the_formulas_and_only_what_was_asked_for_beside_them(tiny):
    meters = [Analytic(16), Fake(), Fake("other")]
    table = Evaluator(tiny, meters).evaluate(numbers(tiny, 3), ["score"])
    assert [m.name for m in table.metrics] == [*(m.name for m in Analytic.metrics), "score"]
    assert meters[2].asked == []


def test_of_several_proxies_only_those_asked_for_are_measured_and_the_rest_added_later(tiny):
    store = Store()
    evaluator = Evaluator(tiny, [ZeroCost(image_size=8, batch_size=8)], store=store)
    genomes = numbers(tiny, 3)

    def kept():
        return {row[0] for row in store._db.execute("SELECT DISTINCT metric FROM measurements")}

    snip = evaluator.evaluate(genomes, ["snip"])["snip"]
    assert kept() == {"snip"}
    both = evaluator.evaluate(genomes, ["snip", "grasp"])
    assert kept() == {"snip", "grasp"}
    assert both["snip"].tolist() == snip.tolist()


def test_meters_may_come_one_by_one_and_what_is_none_or_no_list_is_refused(tiny):
    evaluator = Evaluator(tiny, (meter for meter in [Fake(), Analytic(16)]))
    assert evaluator.metrics == (*Fake().metrics, *Analytic(16).metrics)
    with pytest.raises(InputError, match=r"got <class .*Analytic'>: make one, Analytic\(\.\.\.\)"):
        Evaluator(tiny, (meter for meter in [Analytic]))
    for wrong in (Fake(), Analytic, None, 5):
        with pytest.raises(InputError, match=re.escape(f"[Analytic(96)]; got {wrong!r}")):
            Evaluator(tiny, wrong)


def test_two_meters_of_the_same_metric_are_refused(tiny):
    with pytest.raises(InputError, match="Two meters give the metric 'score'"):
        Evaluator(tiny, [Fake(), Fake(salt="x")])
    with pytest.raises(InputError, match="Two meters give the metric 'score'"):
        Evaluator(tiny, [Fake(), ZMean(("log(params)",)), Analytic(16)])


def test_an_unknown_metric_is_named_with_the_closest(tiny):
    evaluator = Evaluator(tiny, [Analytic(16)])
    with pytest.raises(InputError, match="Unknown metric 'parms': did you mean 'params'"):
        evaluator.evaluate(numbers(tiny, 1), ["parms"])
    with pytest.raises(InputError, match="did you mean 'params'"):
        Evaluator(tiny, [Analytic(16), ZMean(("log(param)",))])


def test_two_meters_of_one_class_are_both_in_the_settings_of_a_run(tiny):
    def settings(salt):
        meters = [Fake("first", salt), Fake("second")]
        return Evaluator(tiny, meters).settings(["first", "second"])

    assert settings("a") != settings("b"), "or a run with another meter would be taken for the same"


def test_the_terms_of_an_aggregate_are_in_the_settings_of_a_run(tiny):
    def settings(term):
        return Evaluator(tiny, [Analytic(16), ZMean((term,))]).settings(["score"])

    assert settings("params") != settings("-params"), "or the opposite run would be taken for the same"


def test_settings_tell_the_space_and_the_seed(tiny, wide):
    settings = [
        Evaluator(space, [Analytic(16)], seed).settings(["params"])
        for space, seed in ((tiny, 0), (tiny, 1), (wide, 0))
    ]
    assert settings[0] != settings[1]
    assert settings[0] != settings[2]


def test_the_reference_sample_is_the_problems_and_leaves_out_what_fails(tiny):
    meter = Guilty("raise")
    evaluator = Evaluator(tiny, [meter], n_reference=50)
    sample = evaluator.reference(["score"])
    assert not sample.failed.any()
    assert 0 < len(sample) < len(evaluator.reference_genomes())
    assert len(np.unique(sample.genomes, axis=0)) == len(sample)
    again = Evaluator(tiny, [Guilty("raise")], n_reference=50).reference(["score"])
    assert again.genomes.tolist() == sample.genomes.tolist()


def test_a_reference_sample_that_mostly_fails_is_an_error_with_the_first_reason(tiny):
    with pytest.raises(InputError, match="could not be measured, the first because: ZeroDivisionError"):
        Evaluator(tiny, [Guilty("raise", share=0.9)]).reference(["score"])


def test_an_aggregate_is_fitted_once_and_recalled(tiny):
    store, genomes = Store(), numbers(tiny, 10)
    meters = [Analytic(16), Fake("luck"), ZMean(("luck", "-log(params)"))]
    evaluator = Evaluator(tiny, meters, store=store, n_reference=40)
    table = evaluator.evaluate(genomes, ["score"])
    reference = evaluator.reference(["luck"])

    def z(values, sample):
        middle = np.median(sample)
        return (values - middle) / (1.4826 * np.median(np.abs(sample - middle)))

    luck = evaluator.evaluate(genomes, ["luck"])["luck"]
    expected = z(luck, reference["luck"]) - z(np.log(table["params"]), np.log(reference["params"]))
    assert table["score"] == pytest.approx(expected / 2)
    meters = [Analytic(16), Fake("luck"), ZMean(("luck", "-log(params)"))]
    again = Evaluator(tiny, meters, store=store, n_reference=40).evaluate(genomes, ["score"])
    assert again["score"].tolist() == table["score"].tolist()
    assert meters[1].asked == []


def test_an_aggregate_of_a_failed_metric_fails_for_that_metrics_reason(tiny):
    guilty = Guilty("raise")
    evaluator = Evaluator(tiny, [guilty, ZMean(("score",), name="z")], n_reference=40)
    table = evaluator.evaluate(numbers(tiny, tiny.size), ["z"])
    assert {r for r in table.reasons if r} == {"ZeroDivisionError: no such luck"}


def test_no_genomes_make_an_empty_table(tiny):
    table = Evaluator(tiny, [Fake(), Analytic(16)]).evaluate(
        np.empty((0, tiny.n_var), dtype=np.int64), ["score"]
    )
    assert table.values.shape == (0, 1 + len(Analytic.metrics))


def test_what_is_measured_is_told_as_it_goes(tiny):
    evaluator, heard = Evaluator(tiny, [Fake()]), []
    evaluator.listener = lambda *news: heard.append(news)
    evaluator.evaluate(numbers(tiny, 20), ["score"])
    assert heard[-1] == ("Fake", 20, 20)
    assert [done for _, done, _ in heard] == sorted(done for _, done, _ in heard)


def test_random_architectures_come_from_the_pool_where_there_is_one(tiny):
    pool = numbers(tiny, 12)[::2]
    evaluator = Evaluator(tiny, [Analytic(16)], n_reference=4, pool=pool)
    for genomes in (evaluator.reference_genomes(), evaluator.draw(50, seed=1)):
        assert {tuple(g) for g in genomes} <= {tuple(g) for g in pool}
    assert len(evaluator.reference_genomes()) == 4
    assert len(evaluator.draw(50, seed=1)) == len(pool)
    again = evaluator.at(evaluator.store, evaluator.runner)
    assert again.reference_genomes().tolist() == evaluator.reference_genomes().tolist()
    whole = Evaluator(tiny, [Analytic(16)], n_reference=4)
    assert evaluator.settings(["params"]) != whole.settings(["params"])
