"""Comparisons asked for again, interrupted, or in numbers and words of many kinds."""

import time

import numpy as np
import pandas as pd
import pytest

from moo_nas import Pareto, Single, compare, search
from moo_nas.errors import InputError
from moo_nas.study import TwoStage
from problems.tabular import Table
from tests.study.test_comparison import JUDGE, toy

BOTH = Pareto("error", "ms")


def table() -> Table:
    """Four points of a front, (error, ms) = (1, 4) ... (4, 1), and five behind it."""
    error, ms = [1.0, 2, 3, 4, 5, 6, 7, 8, 9], [4.0, 3, 2, 1, 9, 8, 7, 6, 5]
    frame = pd.DataFrame({"a": range(9), "error": error, "ms": ms, "mj": ms[::-1]})
    goals = {"error": "min", "ms": "min", "mj": "min"}
    return Table(frame, genes=["a"], metrics=goals, formulation=BOTH)


def test_a_problem_is_compared_again_under_another_judge_or_limits_without_a_folder():
    problem, asked = toy(), {"p": JUDGE, "t": TwoStage("score", ["params"], radius=2)}
    first = compare(problem, asked, ["random"], 1, 8)
    for options in ({"judge": Pareto("score", "macs")}, {"limits": {"params": 1e5}}, {}):
        again = compare(problem, asked, ["random"], 1, 8, **options)
        for key, run in first.runs.items():
            assert np.array_equal(again.runs[key].table.genomes, run.table.genomes)


def test_a_comparison_made_again_without_a_folder_takes_its_own_time():
    problem = table()
    first = compare(problem, [BOTH], ["random"], 1, 9, progress=lambda _: time.sleep(0.1))
    again = compare(problem, [BOTH], ["random"], 1, 9)
    assert first.costs["wall_seconds"].item() > 0.1 > again.costs["wall_seconds"].item()


def test_an_interrupt_while_a_later_method_is_set_up_leaves_the_report_of_those_finished(tmp_path):
    def interrupt(progress) -> None:
        if progress.name.startswith("second") and progress.detail == "set-up":
            raise KeyboardInterrupt

    asked = {"first": BOTH, "second": Single("error")}
    found = compare(table(), asked, ["random"], 1, 9, out=tmp_path, progress=interrupt)
    assert list(found.entries) == [("first-random", 0)]
    assert (tmp_path / "report.html").exists()
    with pytest.raises(KeyboardInterrupt):
        compare(table(), {"second": BOTH}, ["random"], 1, 9, progress=interrupt)
    again = compare(table(), asked, ["random"], 1, 9, out=tmp_path)
    assert list(again.entries) == [("first-random", 0), ("second-random", 0)]


@pytest.mark.parametrize(
    ("seeds", "expected"), [(np.int64(2), [0, 1]), (np.arange(2), [0, 1]), ((3, 1), [3, 1])]
)
def test_seeds_and_yardsticks_of_numpy_are_taken(seeds, expected, tmp_path):
    limits, reference = {"ms": np.array([2, 3])}, {"error": np.int64(10), "ms": np.float32(10)}
    found = compare(
        *(table(), [BOTH], ["random"], seeds, 9), out=tmp_path, limits=limits, reference=reference
    )
    assert found.table["seed"].tolist() == expected
    assert sorted(set(found.best["limit"])) == [2.0, 3.0]
    assert found.reference == {"error": 10.0, "ms": 10.0}
    assert (tmp_path / "report.html").exists()


def test_one_limit_needs_no_list_and_a_wish_may_be_a_number_of_numpy():
    found = compare(table(), [BOTH], ["random"], 1, 9, limits={"ms": 2.0})
    assert found.best["best"].tolist() == [3.0]
    nearest = found.runs["pareto-random", 0].nearest({"error": np.int64(2), "ms": np.float32(3)})
    assert nearest["error"] == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seeds": [0, 0]}, "runs once with a seed; got 0, 0"),
        ({"seeds": 2.5}, "seeds are how many"),
        ({"seeds": ["x"]}, "The seed must be a whole number, at least 0; got 'x'"),
        ({"formulations": BOTH}, r"Formulations are given in a row, or by name: \[Pareto"),
        ({"formulations": ["pareto"]}, "is of formulations, such as .* got 'pareto'"),
        ({"formulations": {"p": "pareto"}}, "is of formulations, such as .* got 'pareto'"),
        ({"algorithms": "nsga2"}, r"Algorithms are given in a row, or by name: \['nsga2'\]"),
        ({"judge": "pareto"}, "A judge is a formulation, .* got 'pareto'"),
        ({"limits": {"ms": "5"}}, "Limits of 'ms' are finite numbers; got '5'"),
        ({"limits": {"ms": [None]}}, "Limits of 'ms' are finite numbers; got None"),
        ({"limits": [5.0]}, "limits is given by name"),
        ({"reference": {"error": 9, "ms": "a"}}, "one finite value of each of error, ms; got error=9, ms=a"),
        ({"reference": 5}, "reference is given by name"),
        ({"reference": {"error": 0.5, "ms": 9.0}}, "Nothing is better than the reference point"),
    ],
)
def test_what_is_no_comparison_is_refused_before_anything_runs(given, words, tmp_path):
    asked = {"formulations": [BOTH], "algorithms": ["random"], "seeds": 1, "budget": 9, **given}
    with pytest.raises(InputError, match=words):
        compare(table(), out=tmp_path / "here", **asked)
    assert not (tmp_path / "here").exists()


def test_a_run_of_a_search_answers_wishes_of_numpy():
    assert search(table(), budget=9).nearest({"error": np.int64(4), "ms": 1})["ms"] == 1
