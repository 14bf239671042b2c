"""Methods ranked by one number a run."""

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
