"""Results from elsewhere: judged alike, refused where they do not compare."""

import numpy as np
import pandas as pd
import pytest

from moo_nas import Pareto, Single, compare
from moo_nas.cli import DONE, WRONG_INPUT, main
from moo_nas.errors import InputError
from moo_nas.meters import Metric
from moo_nas.study import read_foreign
from problems.tabular import Table

METRICS = {"error": Metric("error", "%", "min"), "latency_ms": Metric("latency_ms", "ms", "min")}
JUDGE = Pareto("error", "latency_ms")


def problem() -> Table:
    a, b = np.meshgrid(np.arange(6), np.arange(6))
    error, latency = 10.0 - a.ravel() + 0.5 * b.ravel(), 1.0 + a.ravel() ** 1.5 + b.ravel()
    frame = pd.DataFrame({"a": a.ravel(), "b": b.ravel(), "error": error, "latency_ms": latency})
    return Table(frame, genes=["a", "b"], metrics={"error": "min", "latency_ms": "min"})


def exported(run, method: str = "theirs", seed: int = 0) -> pd.DataFrame:
    table = run.evaluations[["error", "latency_ms", "architecture"]].reset_index()
    return table.assign(evaluation=table["evaluation"] + 1, method=method, seed=seed)


def test_what_was_found_elsewhere_is_judged_as_what_was_found_here(tmp_path):
    own = compare(problem(), {"p": JUDGE, "s": Single("error")}, ["random"], seeds=3, budget=20)
    frames = [exported(own.runs["p-random", seed], seed=seed) for seed in range(3)]
    path = tmp_path / "theirs.csv"
    pd.concat(frames).to_csv(path, index=False)
    both = compare(problem(), {"s": Single("error")}, ["random"], 3, 20, foreign=[path], out=tmp_path / "c")
    columns = ["seed", "evaluations", "failed", "hypervolume", "igd_plus", "front_size", "reached"]
    theirs = both.table[both.table["method"] == "theirs"][columns].reset_index(drop=True)
    ours = own.table[own.table["method"] == "p-random"][columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(theirs, ours)
    assert set(both.table["origin"].dropna()) == {"theirs.csv"}
    assert list(both.runs) == [("s-random", seed) for seed in range(3)]
    assert both.rankings["igd_plus"].methods == ("s-random", "theirs")
    added = compare(problem(), {"s": Single("error")}, ["random"], 3, 20).add(read_foreign(path, METRICS))
    pd.testing.assert_frame_equal(added.table, both.table)
    with pytest.raises(InputError, match="nothing is written over"):
        both.add(read_foreign(path, METRICS))


def test_gaps_failures_and_other_seeds_are_taken_as_they_are(tmp_path):
    rows = [
        ("theirs", 7, 3, 9.5, 2.5, None),
        ("theirs", 7, 1, 9.5, 3.5, None),
        ("theirs", 7, 5, np.nan, 4.0, "out of memory"),
    ]
    names = ["method", "seed", "evaluation", "error", "latency_ms", "reason"]
    path = tmp_path / "some.csv"
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    (entry,) = read_foreign(path, METRICS)
    assert (entry.n_evaluations, entry.evaluation.tolist()) == (5, [1, 3, 5])
    assert entry.table.reasons == (None, None, "out of memory")
    asked = {"p": JUDGE, "s": Single("error")}
    found = compare(problem(), asked, ["random"], 2, 20, foreign=[path])
    curve = found.curves[found.curves["method"] == "theirs"].set_index("evaluation")["igd_plus"]
    assert curve[1] == curve[2] > curve[3] == curve[5]
    assert "theirs is left out of the tests: it has no run of seed 0." in found.notes


def test_results_that_were_rounded_are_taken_and_those_in_other_units_are_not(tmp_path):
    """Rounded, some are a little better than the exact front."""
    path = tmp_path / "theirs.csv"
    rounded = problem().exact_front()[["error", "latency_ms"]].round(3).reset_index(drop=True)
    assert (rounded["latency_ms"] < problem().exact_front()["latency_ms"].to_numpy()).any()
    theirs = rounded.assign(method="theirs", seed=0, evaluation=rounded.index + 1)
    theirs.to_csv(path, index=False)
    found = compare(problem(), {"s": Single("error")}, ["random"], 1, 9, judge=JUDGE, foreign=[path])
    assert "theirs" in found.table["method"].tolist()
    assert not any("another problem" in note for note in found.notes)
    for factor in (1e-3, 1e-2, 0.98):
        theirs.assign(latency_ms=rounded["latency_ms"] * factor).to_csv(path, index=False)
        with pytest.raises(InputError, match="in other units"):
            compare(problem(), {"s": Single("error")}, ["random"], 1, 9, judge=JUDGE, foreign=[path])


GOOD = {"method": ["t", "t"], "seed": [0, 0], "evaluation": [1, 2], "error": [9.5, 9.5], "latency_ms": [3, 4]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"latency_ms": None},
            "lacks latency_ms: a comparison takes the columns method, seed, evaluation, error",
        ),
        ({"seed": None}, "lacks seed"),
        ({"error": [9.5, "cheap"]}, "row 3: error is a number; got 'cheap'"),
        ({"evaluation": [1, 1]}, "row 3: method t, seed 0, evaluation 1 is there twice"),
        ({"evaluation": [0, 1]}, "row 2: evaluation is a whole number of 1 to 1,000,000; got '0'"),
        ({"seed": [0.5, 0]}, "row 2: seed is a whole number of at least 0; got '0.5'"),
        (
            {"problem": ["table", "nasbench201"]},
            "row 3: of the problem 'nasbench201', while 'table' is compared",
        ),
        ({"error": [9.5, 0.1]}, "evaluation 2 of 't', seed 0, has error 0.1, latency_ms 4: no network"),
        ({"evaluation": [1, 10**12]}, "row 3: evaluation is a whole number of 1 to 1,000,000"),
        ({"method": ["t", None]}, "row 3: the method has no name"),
        ({"method": ["s-random", "t"]}, "the comparison has another 's-random'"),
    ],
)
def test_what_does_not_compare_is_refused_before_anything_is_written(change, words, tmp_path):
    columns = {name: values for name, values in {**GOOD, **change}.items() if values is not None}
    path = tmp_path / "t.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    with pytest.raises(InputError, match=words):
        compare(problem(), {"s": Single("error")}, ["random"], 1, 9, foreign=[path], out=tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_no_table_and_no_rows_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read as a CSV table"):
        read_foreign(tmp_path / "none.csv", METRICS)
    (tmp_path / "bytes.csv").write_bytes(b"\x80\x04\x95\x00\x00")
    with pytest.raises(InputError, match="cannot be read as a CSV table"):
        read_foreign(tmp_path / "bytes.csv", METRICS)
    pd.DataFrame(GOOD).iloc[:0].to_csv(tmp_path / "empty.csv", index=False)
    with pytest.raises(InputError, match="has no rows"):
        read_foreign(tmp_path / "empty.csv", METRICS)


def test_the_command_line_takes_plans_spreads_and_files(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours = ["compare", "additive", "--algorithms", "random", "--seeds", "1", "--budget", "10", "--jobs", "1"]
    ours += ["--objectives", "error,params", "--formulations", "pareto,weighted-sum:2", "--out", "here"]
    assert main(ours) == DONE
    table = pd.read_csv("here/comparison.csv")
    assert table["method"].tolist() == ["pareto-random", "weighted-sum-x2-random"]
    pd.DataFrame({**GOOD, "params": [1e7, 2e7], "error": [70.0, 60.0]}).to_csv("t.csv", index=False)
    assert main([*ours[:-1], "there", "--with", "t.csv"]) == DONE
    assert "t" in pd.read_csv("there/comparison.csv")["method"].tolist()
    capfd.readouterr()
    assert main([*ours[:-1], "other", "--with", "none.csv"]) == WRONG_INPUT
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "none.csv cannot be read" in line
    assert main([*ours[:-3], "weighted-sum:many", "--out", "other"]) == WRONG_INPUT
    assert "such as weighted-sum:5; got 'weighted-sum:many'" in capfd.readouterr().err
    assert main([*ours[:-3], "pareto,pareto", "--out", "other"]) == WRONG_INPUT
    assert "--formulations has 'pareto' twice" in capfd.readouterr().err
