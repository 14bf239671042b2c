import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from moo_nas.errors import InputError
from moo_nas.meters import ZMean

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
