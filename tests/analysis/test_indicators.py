"""Hypervolume and distances from a front, against their definitions computed another way."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.analysis.indicators import Box, hypervolume, igd, igd_plus, nondominated
from moo_nas.errors import InputError


@st.composite
def pairs(draw, most=6):
    """Two sets of one to ``most`` points of the same two to four objectives."""
    n_obj = draw(st.integers(2, 4))
    values = st.floats(-10, 10) | st.integers(-3, 3)
    row = st.lists(values, min_size=n_obj, max_size=n_obj)
    sets = st.lists(row, min_size=1, max_size=most)
    return np.array(draw(sets), dtype=float), np.array(draw(sets), dtype=float)


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_distances_are_those_of_their_definitions(pair):
    found, front = pair
    plain = [min(sum((a - b) ** 2 for a, b in zip(f, r, strict=True)) ** 0.5 for f in found) for r in front]
    plus = [
        min(sum(max(a - b, 0.0) ** 2 for a, b in zip(f, r, strict=True)) ** 0.5 for f in found) for r in front
    ]
    assert igd(found, front) == pytest.approx(sum(plain) / len(front), rel=1e-12, abs=1e-12)
    assert igd_plus(found, front) == pytest.approx(sum(plus) / len(front), rel=1e-12, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(pairs(most=5))
def test_hypervolume_is_that_of_inclusion_and_exclusion(pair):
    found, _ = pair
    reference = np.full(found.shape[1], 5.0)
    total = 0.0
    for size in range(1, len(found) + 1):
        for some in itertools.combinations(found, size):
            sides = np.maximum(reference - np.max(some, axis=0), 0.0)
            total += (-1) ** (size + 1) * float(np.prod(sides))
    assert hypervolume(found, reference) == pytest.approx(total, rel=1e-12, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(pairs())
def test_more_that_was_found_is_never_farther_by_igd_plus(pair):
    found, front = pair
    more = np.vstack([found, found.min(axis=0)])
    assert igd_plus(more, front) <= igd_plus(found, front) + 1e-12
    assert igd_plus(front, front) == igd(front, front) == 0


def test_nothing_found_is_infinitely_far_and_failed_rows_count_as_nothing():
    assert igd(np.empty((0, 2)), [[1, 2]]) == igd_plus([[np.inf, np.inf]], [[1, 2]]) == np.inf
    assert igd_plus([[np.inf, 0], [1, 3]], [[1, 2]]) == 1.0


def test_in_a_box_an_objectives_unit_makes_no_difference():
    front = np.array([[1.0, 400.0], [3.0, 100.0]])
    found = np.array([[2.0, 300.0]])
    unit = np.array([1.0, 1e-3])
    box, other = Box.around(front), Box.around(front * unit)
    assert igd(other.scaled(found * unit), other.scaled(front * unit)) == pytest.approx(
        igd(box.scaled(found), box.scaled(front))
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: igd([[1, 2]], np.empty((0, 2))),
        lambda: igd_plus([[1, 2]], [[1, np.inf]]),
        lambda: igd([[1, 2]], [[1, 2, 3]]),
        lambda: igd_plus([[1, np.nan]], [[1, 2]]),
        lambda: nondominated([1, 2]),
    ],
)
def test_what_has_no_distance_is_refused(call):
    with pytest.raises(InputError):
        call()
