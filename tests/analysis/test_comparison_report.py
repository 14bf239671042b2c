import re
from html import unescape

import numpy as np
import pandas as pd
import pytest

from moo_nas.analysis.comparison_report import Compared, comparison_report
from moo_nas.analysis.ranking import ranked
from tests.analysis.tables import METRICS, curves, fronts, record
from tests.analysis.test_report import EVIL, Reader


@pytest.mark.parametrize("objectives", [("score", "latency_ms"), ("score",)])
def test_a_comparison_names_the_best_method_every_run_and_what_was_refused(objectives):
    methods = ["pareto-nsga2", "single-random", EVIL]
    rows = [
        {
            "method": method,
            "seed": seed,
            "hypervolume": 0.9 - 0.1 * i + 0.01 * seed,
            "stop_reason": "budget",
            "reason": None,
        }
        for i, method in enumerate(methods)
        for seed in range(3)
    ]
    rows.append({"method": "pareto-hae", "stop_reason": "refused", "reason": "needs a scalar fitness"})
    page = Reader(
        comparison_report(
            record(seeds=[0, 1, 2]),
            Compared(pd.DataFrame(rows), curves(methods, 3), fronts(methods, 3), METRICS, objectives),
        )
    )
    assert page.open == []
    assert "pareto-nsga2 reaches the largest median hypervolume, 0.91" in page.text
    assert "pareto-hae did not run: needs a scalar fitness" in page.text
    assert EVIL in page.text
    assert not any(tag == "img" for tag, _ in page.tags)
    assert ("Best-known fronts" in page.text) == (len(objectives) == 2)


def read(table: pd.DataFrame, **more) -> Reader:
    methods = list(dict.fromkeys(table["method"]))
    given = {"curves": curves(methods, 1), "fronts": fronts(methods, 1), "metrics": METRICS, **more}
    page = Reader(comparison_report(record(), Compared(table, objectives=["score", "latency_ms"], **given)))
    assert page.open == []
    return page


def test_a_tie_is_no_win():
    rows = [
        {"method": m, "seed": 0, "hypervolume": v} for m, v in [("a", 0.81), ("b", 0.81000001), ("c", 0.7)]
    ]
    text = read(pd.DataFrame(rows)).text
    assert "b and a reach the same median hypervolume, 0.81; c follows with 0.7" in text


def test_numbers_are_set_right_whatever_they_are_written_with():
    rows = pd.DataFrame(
        {
            "method": list("ab") * 6,
            "seed": np.arange(12) // 2,
            "hypervolume": np.arange(12) / 20,
            "reached": 0.25,
        }
    )
    costs = pd.DataFrame({"method": list("ab"), "seed": 0, "evaluations": 9, "wall_seconds": [1.0, np.nan]})
    best = pd.DataFrame(
        {"method": list("ab"), "seed": 0, "metric": "latency_ms", "limit": 5.0, "best": [1.0, np.nan]}
    )
    found = Compared(
        rows,
        curves(["a", "b"], 2),
        fronts(["a", "b"], 2),
        METRICS,
        ["score", "latency_ms"],
        rankings={"hypervolume": ranked(rows, "hypervolume", less_is_better=False)},
        costs=costs,
        best=best,
    )
    page = comparison_report(record(), found)
    for heading in ("mean rank", "p (Wilcoxon, Holm)", "A12", "best-known front reached (median)"):
        assert f'class="number">{heading}</th>' in page
    for cell in ("25 %", "1.0 s", "not known", "2.00", "held against", "none"):
        assert re.search(f'<td class="number"[^>]*>{re.escape(cell)}</td>', page), cell


def test_methods_that_found_nothing_are_said_to_have():
    rows = pd.DataFrame([{"method": m, "seed": 0, "hypervolume": 0.0} for m in "ab"])
    assert "No method found anything that can be judged." in read(rows, fronts=pd.DataFrame()).text


def test_a_comparison_without_a_run_is_a_page_too():
    refused = pd.DataFrame([{"method": "a", "stop_reason": "refused", "reason": "why"}])
    none = refused.assign(hypervolume=np.nan)
    text = read(none, curves=curves([], 0), fronts=pd.DataFrame()).text
    assert "No method ran." in unescape(text)


def test_tests_and_effect_sizes_are_told_with_the_method_that_all_are_held_against():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        [
            {"method": m, "seed": seed, "hypervolume": 0.5 + 0.1 * place + 0.01 * rng.random()}
            for place, m in enumerate("abc")
            for seed in range(8)
        ]
    )
    found = ranked(rows, "hypervolume", less_is_better=False)
    text = read(rows, rankings={"hypervolume": found}).text
    assert "Each method is held against c" in text
    assert (
        f"Friedman's test: p = {found.friedman_p:.3g}, ranks so far apart are more than chance at 0.05"
        in text
    )
    for row in found.table.to_dict("records"):
        if row["method"] != "c":
            assert f"{row['mean_rank']:.2f} {row['p']:.3g} {row['a12']:.2f}" in text
    few = ranked(rows[rows["seed"] < 2], "hypervolume", less_is_better=False)
    assert "cannot tell any difference from chance" in read(rows, notes=few.notes).text


@pytest.mark.parametrize(
    ("values", "told"), [([0.4, 0.6, 0.6, 0.4], True), ([0.5] * 4, False), ([0.0] * 4, False)]
)
def test_methods_that_share_the_best_mean_rank_are_tested_unless_all_runs_are_equal(values, told):
    rows = pd.DataFrame({"method": list("aabb"), "seed": [0, 1] * 2, "hypervolume": values})
    found = ranked(rows, "hypervolume", less_is_better=False)
    assert found.table["mean_rank"].tolist() == [1.5, 1.5]
    text = read(rows, rankings={"hypervolume": found}).text
    assert ("Each method is held against a, which shares the best mean rank over the seeds" in text) == told


def test_which_points_each_method_reaches_and_what_it_finds_within_limits_is_told():
    reach = pd.DataFrame(
        {
            "point": [0, 1] * 2,
            "score": [1.0, 2.0] * 2,
            "latency_ms": [5.0, 9.0] * 2,
            "supported": [True, False] * 2,
            "method": ["a", "a", "b", "b"],
            "runs": 3,
            "reached": [3, 0, 1, 2],
            "aimed": pd.array([True, False, None, None], dtype="boolean"),
        }
    )
    best = pd.DataFrame(
        {
            "method": ["a", "a", "b", "b"],
            "seed": [0, 1, 0, 1],
            "metric": "latency_ms",
            "limit": 5.0,
            "best": [1.0, 2.0, np.nan, np.nan],
            "cost": 4.0,
        }
    )
    rows = pd.DataFrame([{"method": m, "seed": 0, "hypervolume": 0.5} for m in "ab"])
    page = read(rows, reach=reach, best=best, front_is_exact=True)
    assert "The exact front has 2 points" in page.text
    for words in ("a: 3 of 3 runs reach", "a: 0 of 3 runs reach", "b: 2 of 3 runs reach"):
        assert words in page.titles
    bars = [float(a["height"]) for tag, a in page.tags if tag == "rect" and a.get("fill") == "#0072B2"]
    assert bars == [24, 0, 8, 16]
    assert "method at most 5 ms a 1.5 b none" in page.text
