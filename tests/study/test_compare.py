"""Comparisons: one store, one budget each, one yardstick."""

import json
import sqlite3
from contextlib import closing

import pandas as pd
import pytest

from moo_nas import Constrained, NASProblem, Pareto, Single, compare, search
from moo_nas.analysis.indicators import hypervolume
from moo_nas.errors import InputError, OtherRunError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from problems.haenas import HaeNAS
from tests.fakes import Fake
from tests.spaces_for_tests import wide_space

ASKED = {
    "single": Single("score"),
    "constrained": Constrained("score", {"params": None}),
    "pareto": Pareto("score", "params"),
}


def toy(meter: Fake | None = None) -> NASProblem:
    evaluator = Evaluator(wide_space(), [Analytic(16, 10), meter or Fake()], n_reference=20)
    return NASProblem(evaluator, Pareto("score", "params"))


def one(frame: pd.DataFrame, method: str, seed: int) -> pd.DataFrame:
    return frame[(frame["method"] == method) & (frame["seed"] == seed)]


def test_every_run_gets_the_whole_budget_and_shared_networks_are_measured_once():
    meter = Fake()
    comparison = compare(toy(meter), ASKED, ["random", "nsga2"], seeds=2, budget=30)
    assert len(comparison.table) == 12
    assert (comparison.table["evaluations"] == 30).all()
    assert len(meter.asked) == len(set(meter.asked)) < 12 * 30


def test_a_compared_run_is_what_a_search_of_its_own_finds():
    comparison = compare(toy(), ASKED, ["nsga2"], seeds=[3], budget=40)
    for name, formulation in ASKED.items():
        alone = search(toy(), formulation, "nsga2", budget=40, seed=3)
        pd.testing.assert_frame_equal(comparison.runs[f"{name}-nsga2", 3].evaluations, alone.evaluations)


def test_all_are_judged_in_one_box_by_all_they_evaluated():
    comparison = compare(toy(), ASKED, ["random"], seeds=1, budget=50)
    box = comparison.box
    for (method, seed), run in comparison.runs.items():
        f = pd.DataFrame({"s": -run.evaluations["score"], "p": run.evaluations["params"]}).to_numpy()
        width = box.worst - box.best
        expected = hypervolume((f - box.best) / width, (box.worst - box.best) / width)
        row = one(comparison.table, method, seed).iloc[0]
        assert row["hypervolume"] == pytest.approx(expected, abs=1e-12)
        curve = one(comparison.curves, method, seed)
        assert curve["hypervolume"].is_monotonic_increasing
        assert list(curve["evaluation"]) == list(range(1, 51))
        assert curve["hypervolume"].iloc[-1] == row["hypervolume"]


def test_a_method_that_cannot_run_is_reported_with_its_reason():
    asked = Pareto("params", "macs")
    comparison = compare(HaeNAS(formulation=asked), {"pareto": asked}, ["random", "hae"], 1, 5)
    assert list(comparison.runs) == [("pareto-random", 0)]
    assert "no scalar fitness" in comparison.refused["pareto-hae"]
    refused = comparison.table[comparison.table["method"] == "pareto-hae"].iloc[0]
    assert refused["stop_reason"] == "refused"


def test_a_comparison_s_folder_has_one_store_and_every_run(tmp_path):
    comparison = compare(toy(), ASKED, ["random"], seeds=2, budget=20, out=tmp_path)
    with closing(sqlite3.connect(tmp_path / "evaluations.sqlite")) as db:
        counts = dict(db.execute("SELECT run, count(*) FROM evaluations GROUP BY run").fetchall())
    assert counts == {f"{name}-random/seed{seed}": 20 for name in ASKED for seed in range(2)}
    for name in counts:
        record = json.loads((tmp_path / "runs" / name / "run.json").read_text())
        assert record["n_evaluations"] == 20
        front = pd.read_csv(tmp_path / "runs" / name / "front.csv")
        assert len(front) >= 1
    for name in ("comparison.csv", "comparison.png", "report.html"):
        assert (tmp_path / name).stat().st_size > 0
    again = compare(toy(), ASKED, ["random"], seeds=2, budget=20, out=tmp_path)
    pd.testing.assert_frame_equal(again.table, comparison.table)
    with pytest.raises(OtherRunError, match="holds another run"):
        compare(toy(), ASKED, ["random"], seeds=2, budget=21, out=tmp_path)
    with pytest.raises(OtherRunError, match=r"holds a comparison, not a run\. Choose another folder"):
        search(toy(), algorithm="random", budget=20, out=tmp_path)


def test_a_comparison_does_not_go_into_the_folder_of_a_run(tmp_path):
    search(toy(), algorithm="random", budget=5, out=tmp_path)
    with pytest.raises(OtherRunError, match=r"holds a run, not a comparison\. Choose another folder"):
        compare(toy(), ASKED, ["random"], seeds=2, budget=5, out=tmp_path)


def test_an_interrupted_comparison_is_continued_by_the_same_call(tmp_path):
    whole = compare(toy(), ASKED, ["random"], seeds=1, budget=40)

    def interrupt(progress) -> None:
        if progress.name.startswith("constrained") and progress.n_evaluations >= 20:
            raise KeyboardInterrupt

    first = compare(toy(), ASKED, ["random"], seeds=1, budget=40, out=tmp_path, progress=interrupt)
    assert first.runs["constrained-random", 0].stop_reason == "interrupted"
    assert ("pareto-random", 0) not in first.runs
    again = compare(toy(), ASKED, ["random"], seeds=1, budget=40, out=tmp_path)
    pd.testing.assert_frame_equal(again.table, whole.table)


@pytest.mark.parametrize(
    ("asked", "algorithms", "seeds", "words"),
    [
        ({}, ["random"], 1, "at least one"),
        (ASKED, [], 1, "at least one"),
        (ASKED, ["random"], 0, "at least one"),
        ([Single("score"), Single("params")], ["random"], 1, "Two formulations are called 'single'"),
        ({"pareto": Pareto("score", "params")}, ["hae"], 1, "No method can run"),
    ],
)
def test_nothing_to_compare_is_refused(asked, algorithms, seeds, words):
    with pytest.raises(InputError, match=words):
        compare(toy(), asked, algorithms, seeds, 10)
