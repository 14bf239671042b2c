"""Comparisons asked for again, interrupted, or in numbers and words of many kinds."""

import io
import time
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from moo_nas import NASProblem, Pareto, Single, WeightedSum, compare, search
from moo_nas.algorithms import NSGA2
from moo_nas.errors import InputError
from moo_nas.printing import print_comparison
from moo_nas.study import Run, Spread, TwoStage
from moo_nas.study.reading import load_comparison
from problems.tabular import Table
from tests.analysis.test_report import Reader
from tests.study.test_comparison import JUDGE, toy

BOTH = Pareto("error", "ms")


def table(kind: type[Table] = Table) -> Table:
    """Four points of a front, (error, ms) = (1, 4) ... (4, 1), and five behind it."""
    error, ms = [1.0, 2, 3, 4, 5, 6, 7, 8, 9], [4.0, 3, 2, 1, 9, 8, 7, 6, 5]
    frame = pd.DataFrame({"a": range(9), "error": error, "ms": ms, "mj": ms[::-1]})
    goals = {"error": "min", "ms": "min", "mj": "min"}
    return kind(frame, genes=["a"], metrics=goals, formulation=BOTH)


def test_a_problem_is_compared_again_under_another_judge_or_limits_without_a_folder():
    problem, asked = toy(), {"p": JUDGE, "t": TwoStage("score", ["params"], radius=2)}
    first = compare(problem, asked, ["random"], 1, 8)
    assert list(first.runs) == [("p-random", 0), ("t-random/part1", 0), ("t-random/part2", 0)]
    names = ["p-random/seed0", "t-random/seed0/part1", "t-random/seed0/part2"]
    assert [run.name for run in first.runs.values()] == names
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
    assert (found.missing, found.interrupted) == ((("second-random", 0),), True)
    words = "Interrupted before these evaluated anything: second-random (seed 0). The same command goes on."
    assert words in found.notes
    assert words in load_comparison(tmp_path).notes
    assert words in (tmp_path / "report.html").read_text()
    assert (tmp_path / "report.html").exists()
    with pytest.raises(KeyboardInterrupt):
        compare(table(), {"second": BOTH}, ["random"], 1, 9, progress=interrupt)
    again = compare(table(), asked, ["random"], 1, 9, out=tmp_path)
    assert list(again.entries) == [("first-random", 0), ("second-random", 0)]
    assert not again.interrupted


@pytest.mark.parametrize(("n", "told"), [(0, "Nothing had been evaluated yet."), (9, "a-random")])
def test_an_interrupt_before_an_evaluation_leaves_no_numbers_of_nothing(n, told, tmp_path, monkeypatch):
    evaluations, done, raised = NASProblem.evaluations, [], []

    def interrupt(self, genomes):
        if len(genomes) and len(done) == n and not raised:
            raised.append(n)
            raise KeyboardInterrupt
        done.extend(genomes)
        return evaluations(self, genomes)

    monkeypatch.setattr(NASProblem, "evaluations", interrupt)
    found = compare(toy(), {"a": JUDGE, "b": JUDGE}, ["random"], 1, 9, out=tmp_path)
    text = io.StringIO()
    print_comparison(found, Console(file=text, width=200))
    page = Reader((tmp_path / "report.html").read_text(encoding="utf-8")).text
    for words in (text.getvalue(), page, repr(found)):
        assert told in words
        assert "Nothing valid" not in words
        assert "nan" not in words
    assert ("Medians" in text.getvalue()) == bool(n)
    assert "Interrupted before these evaluated anything: " in page
    assert found.interrupted


def test_an_interrupt_while_a_later_part_is_set_up_leaves_what_was_found(tmp_path):
    def interrupt(progress) -> None:
        if "part2" in progress.name and progress.detail == "set-up":
            raise KeyboardInterrupt

    spread = Spread([Single("error"), Single("ms")])
    for asked in ({"p": BOTH, "s": spread}, {"s": spread}):
        folder = tmp_path / "-".join(asked)
        begun = compare(table(), asked, ["random"], 1, 8, out=folder, progress=interrupt)
        assert begun.entries["s-random", 0].n_evaluations == 4
        assert begun.entries["s-random", 0].stop_reason == "interrupted"
        assert (folder / "report.html").exists()
        assert "interrupted" in begun.table["stop_reason"].tolist()
        ended = compare(table(), asked, ["random"], 1, 8, out=folder)
        pd.testing.assert_frame_equal(ended.table, compare(table(), asked, ["random"], 1, 8).table)


def test_an_interrupt_before_a_later_part_begins_leaves_what_was_found(monkeypatch):
    part = Spread.part

    def interrupted(self, number, *rest):
        if number:
            raise KeyboardInterrupt
        return part(self, number, *rest)

    monkeypatch.setattr(Spread, "part", interrupted)
    begun = compare(table(), {"s": Spread([Single("error"), Single("ms")])}, ["random"], 1, 8)
    assert begun.table[["evaluations", "stop_reason"]].to_numpy().tolist() == [[4, "interrupted"]]


@pytest.mark.parametrize("judge", [BOTH, WeightedSum({"error": 1, "ms": 1})])
def test_results_from_elsewhere_that_cannot_be_are_refused_under_any_judge(judge, tmp_path):
    path = tmp_path / "theirs.csv"
    rows = {"method": "theirs", "seed": 0, "evaluation": [1, 2], "error": [1.0, -50.0], "ms": 4.0}
    pd.DataFrame(rows).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"evaluation 2 of 'theirs'.* error -50.*: no network"):
        compare(table(), [BOTH], ["random"], 1, 9, judge=judge, foreign=[path], out=tmp_path / "here")
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("yardstick", [{}, {"reference": {"error": 10.0, "ms": 10.0}}])
def test_the_exact_front_is_computed_once(yardstick):
    class Counted(Table):
        made: ClassVar[list[object]] = []

        def exact_front(self, formulation=None):
            self.made.append(formulation)
            return super().exact_front(formulation)

    compare(table(Counted), [BOTH], ["random"], 1, 9, **yardstick)
    assert len(Counted.made) == 1


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [(np.int64(2), [0, 1]), (np.array(2), [0, 1]), (np.arange(2), [0, 1]), ((3, 1), [3, 1])],
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
        ({"seeds": 2**70}, "seeds are how many, at most 100,000; got 1,180"),
        ({"seeds": b"12"}, "seeds are how many.* got b'12'"),
        ({"seeds": {1: 2}}, "seeds are how many.* got {1: 2}"),
        ({"seeds": ["x"]}, "The seed must be a whole number, at least 0; got 'x'"),
        ({"formulations": BOTH}, r"Formulations are given in a row, or by name: \[Pareto"),
        ({"formulations": "pareto"}, r"Formulations are given in a row, or by name: \['pareto'\]"),
        ({"formulations": ["pareto"]}, "is of formulations, such as .* got 'pareto'"),
        ({"formulations": {"p": "pareto"}}, "is of formulations, such as .* got 'pareto'"),
        ({"formulations": {1: BOTH}}, "of letters, digits and . _ [+] -; got 1"),
        ({"algorithms": "nsga2"}, r"Algorithms are given in a row, or by name: \['nsga2'\]"),
        ({"algorithms": b"nsga2"}, r"Algorithms are given in a row, or by name"),
        ({"algorithms": ["nsga2", "random", "nsga2"]}, "'nsga2' takes part once; it is there 2 times"),
        ({"algorithms": None}, r"Algorithms are given in a row, or by name: \[None\]"),
        ({"algorithms": [NSGA2()]}, r"needs a name of yours, \{'mine': NSGA2\(\)\}; got <moo_nas"),
        ({"algorithms": [NSGA2]}, "needs a name of yours, .*; got <class"),
        ({"algorithms": {"x": 5}}, "An algorithm is a name or a pymoo Algorithm; got int"),
        ({"algorithms": {2: "random"}}, "of letters, digits and . _ [+] -; got 2"),
        ({"foreign": "theirs.csv"}, "foreign is a row of files, .* got 'theirs.csv'"),
        ({"foreign": None}, "foreign is a row of files, .* got None"),
        ({"grid": "a"}, "carbon intensity .* must be a number, at least 0; got 'a'"),
        ({"progress": 5}, "progress is called with what is measured; got 5"),
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


def test_what_is_no_problem_is_refused():
    for call in (lambda: compare("haenas", [BOTH]), lambda: search("haenas"), lambda: Run.open("haenas")):
        with pytest.raises(InputError, match=r"A problem is a NASProblem, such as .*; got 'haenas'"):
            call()
    with pytest.raises(InputError, match="progress is called with what is measured; got 5"):
        search(table(), budget=9, progress=5)


def test_a_run_of_a_search_answers_wishes_of_numpy():
    assert search(table(), budget=9).nearest({"error": np.int64(4), "ms": 1})["ms"] == 1


def test_a_run_prints_how_far_it_got():
    run = search(table(), algorithm="random", budget=9)
    assert repr(run) == "<Run of error, ms: 9 evaluations, a front of 4, exhausted>"
