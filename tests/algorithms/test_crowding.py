"""Fronts and crowding against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from moo_nas.algorithms.operators import crowding_distances, most_crowded, ranks

objectives = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 14), st.integers(2, 4)), elements=st.integers(-5, 5).map(float)
)


@settings(max_examples=50)
@given(objectives, st.integers(0, 2**32 - 1))
def test_ranks_are_of_the_feasible_alone(f, seed):
    violation = np.random.default_rng(seed).integers(0, 2, len(f)).astype(float)
    rank, feasible = ranks(f, violation), np.flatnonzero(violation == 0)
    assert np.isinf(rank[violation > 0]).all()
    for level, front in enumerate(NonDominatedSorting().do(f[feasible]) if len(feasible) else ()):
        assert (rank[feasible[front]] == level).all()


def test_with_one_objective_the_rank_is_its_order():
    assert ranks(np.array([[3.0], [1.0], [3.0], [2.0]]), np.zeros(4)).tolist() == [2, 0, 2, 1]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_crowding_is_that_of_pymoo_front_by_front(seed, n_obj):
    rng = np.random.default_rng(seed)
    f, rank = rng.random((30, n_obj)), rng.integers(0, 3, 30).astype(float)
    found = crowding_distances(f, rank)
    for level in range(3):
        # pymoo's is the mean over the objectives, ours the sum that its authors give.
        expected = calc_crowding_distance(f[rank == level]) * n_obj
        np.testing.assert_allclose(found[rank == level], expected)


@settings(max_examples=50)
@given(objectives, st.data())
def test_the_most_crowded_is_taken_and_crowding_is_looked_at_anew(f, data):
    n = data.draw(st.integers(0, len(f)))
    taken = most_crowded(f, n, np.random.default_rng(0))
    assert len(set(taken.tolist())) == n
    width = np.ptp(f, axis=0)
    left = np.arange(len(f))
    for row in taken:
        distance = np.zeros(len(left))
        for k in range(f.shape[1]):
            order = np.argsort(f[left, k], kind="stable")
            values = f[left[order], k]
            gap = np.full(len(left), np.inf)
            gap[1:-1] = (values[2:] - values[:-2]) / (width[k] or 1.0)
            distance[order] += gap
        if len(np.unique(f[left], axis=0)) == len(left) and not any(
            len(np.unique(column)) < len(left) for column in f[left].T
        ):
            # Where values are equal, which is whose neighbour is open.
            assert distance[left == row][0] == pytest.approx(distance.min())
        left = left[left != row]
    assert len(left) == len(f) - n


def test_one_of_two_that_are_alike_goes_first_and_chance_says_which():
    f = np.array([[0.0, 10.0], [5.0, 5.0], [5.0, 5.0], [8.0, 2.0], [10.0, 0.0]])
    first = {int(most_crowded(f, 1, np.random.default_rng(seed))[0]) for seed in range(20)}
    assert first == {1, 2}
