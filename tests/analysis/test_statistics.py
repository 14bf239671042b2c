"""Tests and effect sizes, against their definitions computed another way."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.analysis.statistics import a12, critical_difference, friedman, holm, nemenyi, wilcoxon_holm
from moo_nas.errors import InputError

samples = st.lists(st.integers(0, 6), min_size=1, max_size=8)


@settings(max_examples=50)
@given(samples, samples)
def test_a12_counts_pairs(x, y):
    pairs = [(a > b) + (a == b) / 2 for a in x for b in y]
    assert a12(x, y) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert a12(x, y) + a12(y, x) == pytest.approx(1, abs=1e-12)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_step_down_of_its_definition(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    expected = [0.0] * len(p)
    for place, i in enumerate(order):
        expected[i] = min(1.0, max(p[j] * (len(p) - k) for k, j in enumerate(order[: place + 1])))
    assert holm(p).tolist() == pytest.approx(expected)


def test_friedman_is_the_chi_square_of_its_definition():
    rng = np.random.default_rng(0)
    values = rng.random((9, 4))  # without ties
    n, k = values.shape
    ranks = np.array([[1 + sum(other < v for other in row) for v in row] for row in values])
    statistic = 12 / (n * k * (k + 1)) * (ranks.sum(axis=0) ** 2).sum() - 3 * n * (k + 1)
    # The upper tail of chi-square with 3 degrees of freedom, by integration.
    t = np.linspace(statistic, statistic + 200, 2_000_001)
    density = np.sqrt(t) * np.exp(-t / 2) / (2**1.5 * np.sqrt(np.pi) / 2)
    found = friedman(values)
    assert found.ranks == pytest.approx(ranks.mean(axis=0))
    assert found.p == pytest.approx(np.trapezoid(density, t), abs=1e-6)


def test_wilcoxon_is_the_share_of_all_signs():
    differences = np.array([0.3, -0.1, 0.7, 0.5, 0.9, -0.2])
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1.0
    w = min(ranks[differences > 0].sum(), ranks[differences < 0].sum())
    signs = itertools.product((0, 1), repeat=len(differences))
    as_extreme = [min((r := np.dot(s, ranks)), ranks.sum() - r) <= w for s in signs]
    values = np.column_stack([np.zeros(6), differences])
    assert wilcoxon_holm(values, control=0)[1] == pytest.approx(np.mean(as_extreme), abs=1e-12)


def test_where_neither_method_found_anything_they_are_alike():
    # Distances to a front are infinite then.
    both = [[np.inf, np.inf], [1.0, np.inf], [1.0, np.inf], [2.0, np.inf]]
    assert wilcoxon_holm(both, control=0)[1] == wilcoxon_holm([[0, 0], [0, 1], [0, 1], [0, 1]], control=0)[1]


@pytest.mark.parametrize("n_methods", [2, 3, 5, 12])
def test_the_critical_difference_is_the_studentized_ranges(n_methods):
    # P(range of k standard normals <= q), by Gauss-Legendre quadrature over the smallest of them.
    q = critical_difference(n_methods, 9) / math.sqrt(n_methods * (n_methods + 1) / (6 * 9)) * math.sqrt(2)
    at, weights = np.polynomial.legendre.leggauss(400)
    z = 9 * at
    normal = [np.array([math.erf(x / math.sqrt(2)) for x in u]) / 2 + 0.5 for u in (z, z - q)]
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    total = 9 * (weights * n_methods * density * (normal[0] - normal[1]) ** (n_methods - 1)).sum()
    assert total == pytest.approx(0.95, abs=1e-12)


def test_the_critical_differences_of_demsars_table_come_out():
    for n_methods, q in ((2, 1.960), (3, 2.343), (4, 2.569), (10, 3.164)):
        found = critical_difference(n_methods, 14)
        assert found == pytest.approx(q * math.sqrt(n_methods * (n_methods + 1) / (6 * 14)), rel=4e-4)


@settings(max_examples=40)
@given(st.integers(2, 7), st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_groups_are_the_largest_sets_that_nothing_tells_apart(n_methods, n_problems, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (n_problems, n_methods)) + 2 * np.arange(n_methods)
    found = nemenyi(values)
    assert found.ranks.tolist() == pytest.approx(
        friedman(values).ranks.tolist() if n_methods > 2 else found.ranks
    )
    alike = [
        set(some)
        for size in range(2, n_methods + 1)
        for some in itertools.combinations(range(n_methods), size)
        if np.ptp(found.ranks[list(some)]) <= found.difference
    ]
    largest = [group for group in alike if not any(group < other for other in alike)]
    assert sorted(map(sorted, found.groups)) == sorted(map(sorted, largest))


def test_methods_that_never_differ_are_not_told_apart():
    same = np.ones((4, 3))
    assert friedman(same).ranks.tolist() == [2, 2, 2]
    assert np.isnan(friedman(same).p)
    assert wilcoxon_holm(same, 1)[[0, 2]].tolist() == [1, 1]


@pytest.mark.parametrize(
    "call",
    [
        lambda: friedman([[1, 2, 3]]),
        lambda: friedman([[1, 2], [2, 1]]),
        lambda: friedman([[1, 2, np.nan], [1, 2, 3]]),
        lambda: wilcoxon_holm([[1, 2]], 0),
        lambda: wilcoxon_holm([[1, 2], [2, 3]], 2),
        lambda: nemenyi([[1, 2]]),
        lambda: critical_difference(1, 5),
        lambda: critical_difference(3, 5, alpha=1.0),
        lambda: a12([], [1]),
        lambda: a12([np.nan], [1]),
    ],
)
def test_too_little_to_test_is_refused(call):
    with pytest.raises(InputError, match="needs"):
        call()
