"""How far a score agrees with itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from moo_nas.analysis.repeatability import repeatability, seeds_needed, spearman, spearman_interval


def noisy(n_seeds, n, share, seed=0):
    """Scores of which a share of the variance is the architecture's, the rest the seed's."""
    rng = np.random.default_rng(seed)
    return np.sqrt(share) * rng.normal(size=n) + np.sqrt(1 - share) * rng.normal(size=(n_seeds, n))


@given(st.lists(st.integers(0, 9), min_size=4, max_size=30).filter(lambda x: len(set(x)) > 1))
def test_spearman_is_scipys_ties_included(x):
    x, y = np.array(x, dtype=float), np.random.default_rng(0).integers(0, 5, len(x)).astype(float)
    expected = stats.spearmanr(x, y).statistic if len(set(y)) > 1 else np.nan
    assert spearman(x, y) == pytest.approx(expected, nan_ok=True)


def test_a_score_that_repeats_exactly_has_repeatability_1():
    assert repeatability(np.tile(np.arange(20.0), (3, 1))) == pytest.approx((1, 1, 1))


def test_repeatability_is_the_mean_over_pairs_of_seeds():
    values = noisy(3, 40, 0.5)
    pairs = [stats.spearmanr(values[i], values[j]).statistic for i, j in [(0, 1), (0, 2), (1, 2)]]
    assert repeatability(values)[0] == pytest.approx(np.mean(pairs))


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    # Of normal scores with correlation r, Spearman's is 6 / pi asin(r / 2).
    truth, covered = 6 / np.pi * np.arcsin(0.6 / 2), 0
    for seed in range(60):
        x, y = noisy(2, 60, 0.6, seed)
        _, low, high = spearman_interval(x, y, seed)
        covered += low <= truth <= high
    assert covered >= 50


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_averaging_over_the_seeds_that_are_needed_repeats_as_asked(share):
    needed = seeds_needed(repeatability(noisy(4, 4000, share))[0])
    means = [noisy(needed, 4000, share)]  # the same architectures, other seeds
    rng = np.random.default_rng(9)
    own = np.sqrt(share) * np.random.default_rng(0).normal(size=4000)
    means += [own + np.sqrt(1 - share) * rng.normal(size=(needed, 4000))]
    assert spearman(means[0].mean(axis=0), means[1].mean(axis=0)) == pytest.approx(0.9, abs=0.03)


def test_what_does_not_repeat_at_all_never_will():
    assert seeds_needed(0.0) == seeds_needed(-0.3) == seeds_needed(float("nan")) == np.inf
