"""Regret against an exact front."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from moo_nas.analysis.regret import FLOOR, REFERENCE, Regret, regret_curve
from moo_nas.errors import InputError


def boxes(points, n=400):
    """The share of a fine grid's cells below the reference point that points dominate."""
    ticks = (np.arange(n) + 0.5) * REFERENCE / n
    grid = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1)
    covered = np.zeros((n, n), dtype=bool)
    for point in points:
        covered |= (grid >= point).all(axis=-1)
    return covered.mean()


EXACT = np.array([[1.0, 1000.0], [2, 100], [4, 10], [11, 1]])


def test_it_is_the_definition_counted_on_a_grid():
    found = np.array([[3.0, 120.0], [5, 30], [12, 2], [2.5, 900.0]])
    scale = lambda f: np.column_stack([(f[:, 0] - 1) / 10, np.log10(f[:, 1]) / 3])  # noqa: E731
    expected = 1 - boxes(scale(found)) / boxes(scale(EXACT))
    assert Regret(EXACT, log=[1])(found) == pytest.approx(expected, abs=0.01)


# Above points of the exact front, by up to far beyond the reference.
objectives = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=st.floats(0, 2000)
).map(lambda above: EXACT[np.arange(len(above)) % len(EXACT)] + above)


@settings(max_examples=40)
@given(objectives)
def test_a_curve_is_the_regret_of_each_prefix_and_never_rises(f):
    regret = Regret(EXACT, log=[0, 1])
    budgets = [5, 0, len(f), 1, 99]
    curve = regret.curve(f, budgets)
    assert curve.tolist() == [regret(f[:n]) for n in budgets]
    assert (np.diff(regret.curve(f, range(len(f) + 1))) <= 0).all()
    assert ((curve >= FLOOR) & (curve <= 1)).all()


def test_nothing_found_is_1_and_all_found_is_the_floor():
    regret = Regret(EXACT, log=[1])
    assert regret(np.empty((0, 2))) == 1
    assert regret([[np.inf, np.inf], [1e30, 1e30]]) == 1
    assert regret(np.concatenate([[[1e30, 1e30]], EXACT])) == FLOOR


def test_dominated_rows_and_duplicates_of_the_exact_front_change_nothing():
    more = np.concatenate([EXACT, EXACT, [[50.0, 5000.0]]])
    assert Regret(more)([[4, 100]]) == Regret(EXACT)([[4, 100]])


def test_three_objectives():
    exact = np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    assert regret_curve([[1, 1, 0], [0, 1, 1]], exact, [1, 2]) == pytest.approx(
        [1 - 0.011 / (3 * 0.011 - 2 * 0.001), 1 - (0.022 - 0.001) / 0.031]
    )


@pytest.mark.parametrize(
    ("exact", "log", "message"),
    [
        ([[1.0, 2.0]], (), "Objective 0 is the same in all 1 points"),
        ([[1.0, 2, 5], [2, 1, 5]], (), "Objective 2 is the same in all 2 points"),
        ([[0.0, 2], [2, 1]], [0], "Objective 0 has no logarithm: it is 0"),
        ([[1.0], [2.0]], (), "two or more"),
        ([[1.0, np.nan], [2.0, 1.0]], (), "finite"),
        ([[1.0, 2], [2, 1]], [2], "log names columns of 2 objectives"),
    ],
)
def test_what_has_no_scale_is_refused(exact, log, message):
    with pytest.raises(InputError, match=message):
        Regret(exact, log)


@pytest.mark.parametrize("better", [[0.5, 900.0], [4.0, 9.0], [1.5, 999.0]])
def test_what_the_exact_front_does_not_know_is_refused(better):
    # Rows that break a limit, most often: they would make a search look better than it was.
    regret = Regret(EXACT, log=[1])
    with pytest.raises(InputError, match=r"beyond the exact front.*np.where"):
        regret.curve([[3, 120], better], [1, 2])
    assert regret.curve([[3, 120], better], [1]) == regret([[3, 120]])
    assert regret(EXACT * (1 - 1e-13)) == FLOOR  # by rounding alone


def test_found_points_without_a_number_are_refused():
    regret = Regret(EXACT)
    with pytest.raises(InputError, match="without NaN"):
        regret([[1.0, np.nan]])
    with pytest.raises(InputError, match=r"\(n, 2\)"):
        regret([[1.0, 2.0, 3.0]])
    with pytest.raises(InputError, match="numbers of evaluations; got -1"):
        regret.curve(EXACT, [-1])
