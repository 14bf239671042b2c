"""Attainment surfaces against counting, point by point."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.analysis.attainment import attainment
from moo_nas.errors import InputError

# Few different numbers, so that points and coordinates coincide; a run may have found nothing.
coordinate = st.integers(0, 5) | st.floats(0, 5)
runs = st.lists(
    st.lists(st.tuples(coordinate, coordinate), max_size=5).map(lambda f: np.array(f).reshape(-1, 2)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(runs, st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.75, 1.0]))
def test_a_surface_borders_what_at_least_the_share_of_runs_attain(found, share):
    (surface,) = attainment(found, [share]).values()
    values = [sorted({0.0, *(float(row[i]) for f in found for row in f)}) for i in (0, 1)]
    for a in values[0]:
        for b in values[1]:
            count = sum(any(row[0] <= a and row[1] <= b for row in f) for f in found)
            attained = bool(((surface <= [a, b]).all(axis=1)).any()) if len(surface) else False
            assert attained == (count >= share * len(found) - 1e-9), (a, b)


@settings(max_examples=30, deadline=None)
@given(runs)
def test_corners_rise_to_the_right_and_none_dominates_another(found):
    for surface in attainment(found).values():
        assert (np.diff(surface[:, 0]) > 0).all()
        assert (np.diff(surface[:, 1]) < 0).all()


def test_the_median_of_three_runs_of_one_point_in_one_dimension_is_their_median():
    found = [[[x, 1.0]] for x in (3.0, 9.0, 4.0)]
    assert attainment(found)[0.5].tolist() == [[4.0, 1.0]]


def test_runs_without_anything_keep_the_others_from_being_the_median():
    nothing = np.empty((0, 2))
    assert attainment([[[1, 1]], nothing, nothing])[0.5].shape == (0, 2)
    assert attainment([[[1, 1]], [[math.inf, 2]], nothing])[0.25].tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: attainment([]), "at least one run"),
        (lambda: attainment([[[1, 2, 3]]]), r"\(n, 2\)"),
        (lambda: attainment([[[1, np.nan]]]), "without NaN"),
        (lambda: attainment([[[1, 2]]], [0.0]), r"\(0, 1\]"),
    ],
)
def test_what_has_no_surface_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
