import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from moo_nas.errors import InputError
from moo_nas.meters import WorstCase, ZMean

RNG = np.random.default_rng(0)
REFERENCE = {"snip": RNG.gamma(2, size=50), "params": 10 ** RNG.uniform(4, 7, 50)}
numbers = st.floats(1e-3, 1e8)


def score(terms, **values):
    mean = ZMean(terms)
    return mean.combine({k: np.atleast_1d(v) for k, v in values.items()}, mean.fit(REFERENCE))


@given(numbers, numbers)
def test_it_is_the_mean_of_robust_z_scores(snip, params):
    def z(x, sample):
        return (x - np.median(sample)) / (1.4826 * stats.median_abs_deviation(sample))

    expected = (z(snip, REFERENCE["snip"]) - z(np.log(params), np.log(REFERENCE["params"]))) / 2
    assert score(("snip", "-log(params)"), snip=snip, params=params)[0] == pytest.approx(expected)


def test_the_median_architecture_scores_0():
    median = {name: np.median(values) for name, values in REFERENCE.items()}
    assert score(("snip", "params"), **median)[0] == pytest.approx(0)


def test_a_score_does_not_depend_on_the_others_in_its_batch():
    terms, batch = ("snip", "log(params)"), {"snip": np.arange(1.0, 6), "params": np.arange(2.0, 7)}
    together = score(terms, **batch)
    alone = [score(terms, snip=batch["snip"][i], params=batch["params"][i])[0] for i in range(5)]
    assert together.tolist() == alone


@pytest.mark.parametrize("term", ["log(params", "2*snip", "", "log(log(params))", "snip + params"])
def test_a_term_that_cannot_be_read_is_refused_with_the_term(term):
    with pytest.raises(InputError) as caught:
        ZMean(("snip", term))
    assert f"'{term}'" in str(caught.value)


def test_no_terms_are_refused():
    with pytest.raises(InputError, match="at least one term"):
        ZMean(())


def test_a_term_that_is_constant_over_the_reference_sample_is_refused():
    with pytest.raises(InputError, match="'snip' is the same for at least half"):
        ZMean(("snip",)).fit({"snip": np.ones(9)})


def test_the_logarithm_of_a_negative_reference_is_refused():
    with pytest.raises(InputError, match="no finite value"):
        ZMean(("log(snip)",)).fit({"snip": np.array([1.0, -1.0, 2.0])})


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5), numbers, numbers)
def test_the_worst_case_is_the_largest_share_of_a_target(rows, a, b):
    worst = WorstCase({"a_ms": a, "b_ms": b}, "worst")
    first, second = np.array(rows).T
    found = worst.combine({"a_ms": first, "b_ms": second}, worst.fit({"a_ms": first, "b_ms": second}))
    assert found.tolist() == [max(x / a, y / b) for x, y in rows]
    # At most 1 is within both of them.
    assert ((found <= 1) == ((first / a <= 1) & (second / b <= 1))).all()


def test_a_target_that_is_left_open_is_the_median_of_the_reference_sample():
    worst = WorstCase({"snip": None, "params": 1e6})
    assert worst.fit(REFERENCE) == {"targets": {"snip": np.median(REFERENCE["snip"]), "params": 1e6}}
    assert worst.metric.goal == "min"


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ({"a_ms": 1.0}, "two metrics at least; got a_ms"),
        ({"a_ms": 1.0, "b_ms": 0.0}, "target of 'b_ms' must be positive"),
        ({"a_ms": 1.0, "b_ms": float("inf")}, "positive and finite; got inf"),
    ],
)
def test_a_worst_case_without_targets_is_refused(targets, words):
    with pytest.raises(InputError, match=words):
        WorstCase(targets)


def test_a_median_that_is_no_target_is_refused():
    with pytest.raises(InputError, match="median of 'a' over the reference sample is 0: state its target"):
        WorstCase({"a": None, "b": 1.0}).fit({"a": np.zeros(5), "b": np.ones(5)})
