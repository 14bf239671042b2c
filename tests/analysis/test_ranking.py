"""Methods ranked by one number a run."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.analysis.ranking import ranked

INF = float("inf")


def quartiles(values: list[float], less: bool = True) -> list[float]:
    runs = pd.DataFrame({"method": "a", "seed": range(len(values)), "igd_plus": values})
    return ranked(runs, "igd_plus", less).table[["low", "median", "high"]].iloc[0].tolist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, INF, INF], [INF, INF, INF]),
        ([1, 2, INF, INF], [1.75, INF, INF]),
        ([1, 2, 3, 4, INF], [2, 3, 4]),
        ([1, 2, 3, INF], [1.75, 2.5, INF]),
        ([INF, INF], [INF, INF, INF]),
        ([-INF, -INF, 1, 2, 3], [-INF, 1, 2]),
    ],
)
def test_quartiles_of_runs_that_found_nothing_are_infinite_and_the_others_are_right(values, expected):
    assert quartiles(values) == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
@settings(max_examples=30)
def test_quartiles_of_finite_numbers_are_numpys(values):
    assert quartiles(values) == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]).tolist())


def test_methods_that_mostly_or_always_found_nothing_come_last_with_infinite_medians():
    values = [INF, INF, INF, INF, INF, 0.1, 2, 3, 4]
    runs = pd.DataFrame({"method": list("aaabbbccc"), "seed": [0, 1, 2] * 3, "igd_plus": values})
    table = ranked(runs, "igd_plus", less_is_better=True).table
    assert table["method"].tolist() == ["c", "a", "b"]
    assert table["median"].tolist() == [3, INF, INF]


@pytest.mark.parametrize("n_methods", [2, 6])
def test_too_few_seeds_are_told_with_how_many_would_do(n_methods):
    def of(n_seeds):
        """One method is better than all others in every seed, as far as can be."""
        runs = [(f"m{m}", s, m + 0.01 * s * (m + 1)) for s in range(n_seeds) for m in range(n_methods)]
        return ranked(pd.DataFrame(runs, columns=["method", "seed", "ms"]), "ms", less_is_better=True)

    (note,) = of(3).notes
    enough = int(re.search(r"(\d+) seeds would do", note)[1])
    assert "cannot tell any difference from chance at 0.05" in note
    assert of(enough).table["p"].min() <= 0.05
    assert of(enough).notes == ()
    assert of(enough - 1).table["p"].min() > 0.05
