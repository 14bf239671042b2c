import numpy as np
import pandas as pd
import pytest

from moo_nas.analysis.style import axis_label, view
from moo_nas.analysis.tables import Measured, best_of_all, best_so_far, finite, indicator_band, staircase
from moo_nas.meters import Metric


@pytest.mark.parametrize(
    ("x_goal", "y_goal", "expected"),
    [
        ("min", "max", [(1, 1), (2, 3)]),
        ("min", "min", [(1, 1)]),
        ("max", "max", [(2, 3), (3, 2)]),
        ("max", "min", [(1, 1), (3, 2)]),
    ],
)
def test_a_border_has_the_rows_that_are_non_dominated_by_the_goals_from_left_to_right(
    x_goal, y_goal, expected
):
    rows = pd.DataFrame([(3, 2), (1, 1), (2, 3), (np.nan, 9)], columns=["a", "b"])
    line = staircase(rows, Metric("a", "1", x_goal), Metric("b", "1", y_goal))
    assert list(line.itertuples(index=False, name=None)) == expected


def test_the_best_so_far_heeds_neither_failed_nor_infeasible_rows():
    rows = pd.DataFrame({"m": [np.nan, 5.0, 1.0, 4.0, 6.0], "feasible": [False, True, False, True, True]})
    assert best_so_far(rows, Metric("m", "1", "min"))["best"].tolist()[1:] == [5, 5, 4, 4]
    assert np.isnan(best_so_far(rows, Metric("m", "1", "min"))["best"][0])
    assert best_so_far(rows, Metric("m", "1", "max"))["best"].tolist()[1:] == [5, 5, 5, 6]


def test_a_run_that_ended_early_keeps_its_hypervolume_in_the_median():
    rows = [("a", 0, 1, 0.1), ("a", 0, 2, 0.5), ("a", 1, 1, 0.3), ("b", 0, 1, 0.9)]
    band = indicator_band(pd.DataFrame(rows, columns=["method", "seed", "evaluation", "hypervolume"]), "a")
    assert band["median"].tolist() == pytest.approx([0.2, 0.4])


def test_there_is_no_median_before_each_run_has_something():
    rows = [("a", 0, 1, 0.1), ("a", 0, 2, 0.5), ("a", 1, 1, np.nan), ("a", 1, 2, 0.3), ("b", 0, 1, np.nan)]
    curves = pd.DataFrame(rows, columns=["method", "seed", "evaluation", "igd_plus"])
    band = indicator_band(curves, "a", "igd_plus")
    assert np.isnan(band["median"][1])
    assert band["median"][2] == pytest.approx(0.4)
    assert indicator_band(curves, "b", "igd_plus").isna().all(axis=None)


def test_quartiles_by_evaluation_are_infinite_where_too_many_runs_are():
    inf = float("inf")
    values = {1: [inf, inf, inf], 2: [1.0, inf, inf], 3: [1.0, 2.0, inf], 4: [1.0, 2.0, 4.0]}
    rows = [("a", seed, n, some[seed]) for n, some in values.items() for seed in range(3)]
    curves = pd.DataFrame(rows, columns=["method", "seed", "evaluation", "igd_plus"])
    band = indicator_band(curves, "a", "igd_plus")
    assert band.to_numpy().tolist() == [[inf, inf, inf], [inf, inf, inf], [1.5, 2, inf], [1.5, 2, 3]]


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("latency_ms", "ms", "latency (ms)"),
        ("energy_mj", "mJ", "energy (mJ)"),
        ("peak_power_w", "W", "peak power (W)"),
        ("weight_bytes", "B", "weight (B)"),
        ("params", "1", "params"),
        ("bytes", "B", "bytes (B)"),
        ("top1_error", "%", "top1 error (%)"),
        ("ms", "ms", "ms (ms)"),
    ],
)
def test_an_axis_names_a_unit_once(name, unit, expected):
    assert axis_label(Metric(name, unit, None)) == expected


def test_infinite_and_missing_values_are_left_out():
    table = pd.DataFrame({"a": [1.0, np.inf, np.nan], "b": 1.0})
    assert finite(table, "a", "b").index.tolist() == [0]
    assert finite(table, "a", "absent").empty


def test_a_far_outlier_does_not_press_the_rest_together_but_a_wanted_row_is_always_shown():
    values = [*range(20), 1e6]
    assert view(values)[1] < 30
    assert view(values, wanted=[1e6])[1] > 1e6
    low, _ = view(values, limit=-5.0)
    assert low < -5
    assert view(values, limit=-1e6)[0] > -30


def test_measured_columns_are_found_by_their_names():
    table = pd.DataFrame(
        {"architecture": ["a"], "predicted_energy_mj": 1.0, "energy_mj": 2.0, "spread_mj": [np.nan]}
    )
    columns = Measured.of(table)
    assert columns == Measured("energy_mj", "predicted_energy_mj", "spread_mj")
    assert columns.spreads(table).tolist() == [0.0]
    assert Measured.of(table.iloc[:0]) is None
    assert Measured.of(pd.DataFrame({"architecture": ["a"], "score": 1.0})) is None


def test_an_architecture_that_several_methods_found_is_named_once_with_all_of_them():
    rows = [
        ("a", 0, 1.0, 1.0, "net1"),
        ("a", 1, 1.0, 1.0, "net1"),
        ("b", 0, 1.0, 1.0, "net1"),
        ("b", 0, 2.0, 0.5, "net2"),
    ]
    fronts = pd.DataFrame(rows, columns=["method", "seed", "x", "y", "architecture"])
    best = best_of_all(fronts, Metric("x", "1", "min"), Metric("y", "1", "max"))
    assert best[["method", "architecture"]].to_numpy().tolist() == [["a, b", "net1"]]
