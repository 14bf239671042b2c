"""Expected hypervolume improvement against sampling, and against hypervolumes."""

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.algorithms.surrogate.improvement import Exact, Normal, expected_improvement
from moo_nas.analysis.indicators import hypervolume


def gained(front, point, reference):
    return hypervolume(np.vstack([front, point]), reference) - hypervolume(front, reference)


@pytest.mark.parametrize("n_obj", [1, 2, 3, 4])
def test_it_is_the_mean_of_what_samples_gain(n_obj):
    rng = np.random.default_rng(n_obj)
    front, reference = rng.random((8, n_obj)), np.full(n_obj, 1.1)
    mean, sd = rng.uniform(0, 0.7, (2, n_obj)), rng.uniform(0.05, 0.4, (2, n_obj))
    beliefs = [Normal(mean[:, j], sd[:, j]) for j in range(n_obj)]
    found = expected_improvement(front, reference, beliefs)
    for row in range(2):
        samples = mean[row] + sd[row] * rng.standard_normal((3000, n_obj))
        gains = [gained(front, sample, reference) for sample in samples]
        assert abs(found[row] - np.mean(gains)) < 4 * np.std(gains) / np.sqrt(len(gains))


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(0, 9))
def test_of_known_objectives_it_is_the_hypervolume_gained(seed, n_obj, n_front):
    rng = np.random.default_rng(seed)
    # Few levels, so that coordinates coincide; some of the front lies beyond the reference point.
    front, points = rng.integers(0, 6, (n_front, n_obj)) / 4, rng.integers(0, 6, (5, n_obj)) / 4
    reference = np.full(n_obj, 1.1)
    found = expected_improvement(front, reference, [Exact(points[:, j]) for j in range(n_obj)])
    expected = [gained(front, point, reference) for point in points]
    assert found == pytest.approx(expected, abs=1e-12)


def test_known_and_uncertain_objectives_go_together():
    front, reference = np.array([[0.2, 0.8], [0.6, 0.3]]), np.array([1.1, 1.1])
    values, sd = np.array([0.1, 0.4]), np.array([1e-9, 1e-9])
    second = np.array([0.5, 0.2])
    uncertain = expected_improvement(front, reference, [Normal(values, sd), Exact(second)])
    assert uncertain == pytest.approx(expected_improvement(front, reference, [Exact(values), Exact(second)]))


def test_a_front_of_more_points_than_cells_loses_little():
    rng = np.random.default_rng(0)
    points = rng.dirichlet(np.ones(4), 400)
    front = points[moocore.is_nondominated(points)]
    reference, point = np.full(4, 1.1), np.array([[0.1, 0.1, 0.1, 0.1]])
    found = expected_improvement(front, reference, [Exact(point[:, j]) for j in range(4)])[0]
    true = gained(front, point[0], reference)
    assert found == pytest.approx(true, rel=0.3)


def test_many_candidates_are_taken_in_parts_with_the_same_result():
    rng = np.random.default_rng(0)
    front, reference = rng.random((60, 3)), np.full(3, 1.1)
    mean, sd = rng.random((3000, 3)), rng.random((3000, 3))
    whole = expected_improvement(front, reference, [Normal(mean[:, j], sd[:, j]) for j in range(3)])
    some = [2999, 0, 1500]
    alone = expected_improvement(front, reference, [Normal(mean[some, j], sd[some, j]) for j in range(3)])
    assert whole[some] == pytest.approx(alone)
