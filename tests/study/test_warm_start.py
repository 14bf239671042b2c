"""A search that starts from what another one found."""

import numpy as np
import pandas as pd
import pytest
from pymoo.algorithms.moo.sms import SMSEMOA

from moo_nas import NASProblem, Pareto, compare, search
from moo_nas.algorithms import NSGA2
from moo_nas.cli import DONE, WRONG_INPUT, main
from moo_nas.errors import InputError, OtherRunError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.study.warm_start import read_warm_start
from problems.tabular import Table
from tests.fakes import Fake
from tests.spaces_for_tests import tiny_space, wide_space

COSTS = Pareto("params", "peak_activation_bytes")


def toy(space=None, salt="", pool=None):
    meters = [Analytic(16, 10), Fake(salt=salt)]
    return NASProblem(
        Evaluator(space or wide_space(), meters, n_reference=30, pool=pool), Pareto("score", "params")
    )


def test_the_front_of_one_run_is_evaluated_first_by_another_in_its_order(tmp_path):
    found = search(toy(), budget=60, out=tmp_path / "found").front
    for start in (found, pd.read_csv(tmp_path / "found" / "front.csv")):
        run = search(toy(salt="elsewhere"), budget=40, seed=1, warm_start=start)
        n = len(found)
        assert run.evaluations["architecture"].tolist()[:n] == found["architecture"].tolist()
        assert len(run.evaluations) == 40
        assert not run.evaluations.duplicated("architecture").any()


def test_genomes_start_it_too_and_repeats_are_left_out():
    problem = toy()
    genomes = problem.space.canonical(problem.space.sample(5, seed=0))
    run = search(problem, budget=20, warm_start=genomes[[3, 1, 3, 0]])
    assert run.table.genomes[:3].tolist() == genomes[[3, 1, 0]].tolist()


def test_choices_that_look_like_numbers_or_like_nothing_are_read_as_they_are_written(tmp_path):
    rows = {"op": ["None", "01", "NA", "1"], "width": [8, 16, 8, 16], "rate": [0.1, 0.1, 1e-3, 1e-3]}
    frame = pd.DataFrame({**rows, "error": [1.0, 2.0, 3.0, 4.0]})
    table = Table(frame, ["op", "width", "rate"], {"error": "min"}, n_reference=2)
    frame.to_csv(tmp_path / "as_it_is.csv", index=False)
    # As programs write whole numbers beside missing ones, and people decimals.
    frame.astype({"width": float}).replace({"rate": {0.1: "0.10"}}).to_csv(tmp_path / "as_floats.csv")
    for name in ("as_it_is.csv", "as_floats.csv"):
        run = search(table, budget=4, warm_start=read_warm_start(tmp_path / name))
        assert run.evaluations["op"].tolist() == rows["op"]
        assert run.evaluations["rate"].tolist() == rows["rate"]


@pytest.mark.parametrize("budget", [1, 9])
def test_a_warm_start_counts_and_is_cut_off_by_the_budget(budget):
    problem = toy()
    start = np.unique(problem.space.canonical(problem.space.sample(50, seed=0)), axis=0)[:30]
    run = search(problem, budget=budget, warm_start=start)
    assert run.table.genomes.tolist() == start[:budget].tolist()
    assert run.stop_reason == "budget"


def test_it_is_part_of_what_defines_a_run(tmp_path):
    problem = toy()
    start = problem.space.sample(3, seed=0)
    run = search(problem, budget=10, warm_start=start, out=tmp_path)
    assert run.record["warm_start"] == problem.space.canonical(start).tolist()
    search(problem, budget=10, warm_start=start, out=tmp_path)
    with pytest.raises(OtherRunError, match="warm_start"):
        search(problem, budget=10, out=tmp_path)


def test_of_a_table_each_start_stands_for_its_nearest_row_and_the_table_is_exhausted():
    space = wide_space()
    pool = np.unique(space.canonical(space.sample(40, seed=0)), axis=0)
    start = space.canonical(space.sample(5, seed=3))
    run = search(toy(pool=pool), budget=1000, warm_start=start)
    assert run.stop_reason == "exhausted"
    assert np.unique(run.table.genomes, axis=0).tolist() == pool.tolist()


def test_runs_of_a_comparison_start_alike():
    problem = toy()
    start = problem.space.canonical(problem.space.sample(3, seed=0))
    comparison = compare(
        problem, [COSTS], {"ours": NSGA2(8), "random": "random"}, seeds=1, budget=9, warm_start=start
    )
    for run in comparison.runs.values():
        assert run.table.genomes[:3].tolist() == start.tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.iloc[:0], "at least one"),
        (lambda table: table.drop(columns="stage2.kernel"), "stage2.kernel"),
        (lambda table: table.assign(**{"stage2.kernel": 4}), r"choices \(3, 5\); got 4 in row 0"),
        (lambda table: table.assign(**{"stage2.kernel": [[3], [5], [3]]}), r"got \[3\] in row 0"),
        (lambda table: table.assign(**{"stage2.kernel": [3, np.nan, 5]}), r"got nan in row 1"),
        (lambda table: tiny_space().sample(3, seed=0), "have"),
        (lambda table: [], "at least one"),
        (lambda table: "front.csv", r"read 'front.csv' first, with moo_nas.study.warm_start.read_warm_start"),
    ],
)
def test_a_warm_start_that_does_not_fit_is_refused_with_the_reason(change, words, tmp_path):
    problem = toy()
    table = problem.space.choices(problem.space.sample(3, seed=0))
    with pytest.raises(InputError, match=words):
        search(problem, budget=10, warm_start=change(table), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_algorithm_that_takes_none_says_so():
    problem = toy()
    with pytest.raises(InputError, match="SMSEMOA takes no warm start"):
        search(problem, algorithm=SMSEMOA(), budget=5, warm_start=problem.space.sample(2, seed=0))


def test_on_the_command_line_it_is_the_csv_of_a_front(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["search", "haenas", "--objectives", "params,macs", "--budget", "12", "--jobs", "1"]
    assert main([*arguments, "--out", "first"]) == DONE
    assert main([*arguments, "--seed", "1", "--out", "second", "--warm-start", "first/front.csv"]) == DONE
    first, second = (pd.read_csv(f"{run}/front.csv") for run in ("first", "second"))
    assert {*first["architecture"]} & {*second["architecture"]}
    assert main([*arguments, "--out", "third", "--warm-start", "nowhere.csv"]) == WRONG_INPUT
    assert "nowhere.csv cannot be read" in capsys.readouterr().err
