"""What ends a search, and that its end is repeated."""

import contextlib
import json
import time

import numpy as np
import pandas as pd
import pytest

from moo_nas import NASProblem, Pareto, Single, compare, search
from moo_nas.algorithms import NSGA2
from moo_nas.cli import DONE, WRONG_INPUT, main
from moo_nas.errors import InputError, OtherRunError
from moo_nas.evaluation import Evaluator, Store
from moo_nas.meters import Analytic
from moo_nas.study.stops import Stagnation
from problems.tabular import Table
from tests.fakes import Fake, Guilty
from tests.spaces_for_tests import wide_space


class Slow(Fake):
    """Takes its time."""

    seconds = 0.05

    def measure(self, architectures, seeds):
        time.sleep(self.seconds * len(architectures))
        return super().measure(architectures, seeds)


def toy(meter=None):
    evaluator = Evaluator(wide_space(), [Analytic(16, 10), meter or Fake()], n_reference=10)
    return NASProblem(evaluator, Pareto("score", "params"))


# --- time -----------------------------------------------------------------------------------------


def test_time_ends_a_search_between_two_steps_and_what_it_found_is_published(tmp_path):
    run = search(toy(Slow()), None, NSGA2(4), 500, max_seconds=0.6, out=tmp_path)
    assert run.stop_reason == "time"
    assert 4 <= len(run.table) <= 13
    assert 0.6 <= run.record["wall_seconds"] < 2
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["stop_reason"], record["max_seconds"]) == ("time", 0.6)
    assert len(pd.read_csv(tmp_path / "front.csv")) == len(run.front)


def test_called_again_a_run_that_time_has_ended_repeats_itself_and_goes_no_further(tmp_path):
    first = search(toy(Slow()), None, NSGA2(4), 500, max_seconds=0.4, out=tmp_path)
    before = (tmp_path / "front.csv").read_bytes()
    meter = Slow()
    again = search(toy(meter), None, NSGA2(4), 500, max_seconds=0.4, out=tmp_path)
    assert again.stop_reason == "time"
    assert meter.asked == []
    pd.testing.assert_frame_equal(again.evaluations, first.evaluations)
    assert (tmp_path / "front.csv").read_bytes() == before


def test_called_again_a_run_that_the_budget_has_ended_never_ends_by_time(tmp_path):
    for _ in range(3):
        # Each sitting takes time, all of them more than there is.
        run = search(toy(Slow()), None, NSGA2(4), 4, max_seconds=0.3, out=tmp_path)
        assert (run.stop_reason, len(run.table)) == ("budget", 4)
        with contextlib.closing(Store(tmp_path / "evaluations.sqlite")) as store:
            store.spend("search", 0.2, 0.0)
    assert json.loads((tmp_path / "run.json").read_text())["stop_reason"] == "budget"


def test_time_between_sittings_does_not_count_and_time_in_all_of_them_does(tmp_path):
    def interrupt(news):
        if news.n_evaluations >= 8:
            raise KeyboardInterrupt

    begun = search(toy(Slow()), None, NSGA2(4), 500, max_seconds=1.2, out=tmp_path, progress=interrupt)
    assert begun.stop_reason == "interrupted"
    time.sleep(1.3)
    ended = search(toy(Slow()), None, NSGA2(4), 500, max_seconds=1.2, out=tmp_path)
    assert ended.stop_reason == "time"
    assert len(ended.table) > len(begun.table)
    assert len(ended.table) < 1.2 / Slow.seconds + 4
    longer = search(toy(Slow()), None, NSGA2(4), len(ended.table) + 10)
    assert ended.table.genomes.tolist() == longer.table.genomes[: len(ended.table)].tolist()


# --- stagnation -----------------------------------------------------------------------------------


def test_a_front_that_has_stopped_growing_ends_a_search():
    whole = search(toy(), Pareto("params", "macs"), budget=1152)
    run = search(toy(), Pareto("params", "macs"), budget=1152, stagnation=60)
    assert run.stop_reason == "stagnated"
    n = len(run.table)
    assert 60 < n < 600
    assert run.table.genomes.tolist() == whole.table.genomes[:n].tolist()
    late = Stagnation(60)
    late.add(run.objectives[: n - 60], run.feasible[: n - 60])
    late.add(run.objectives[n - 60 :], run.feasible[n - 60 :])
    assert late.stagnated()


@pytest.mark.parametrize("asked", [Single("score"), Pareto("score", "params", "macs")])
def test_stagnation_is_of_one_objective_too_and_the_budget_comes_first(asked):
    assert search(toy(), asked, budget=1000, stagnation=40).stop_reason == "stagnated"
    assert search(toy(), asked, budget=30, stagnation=40).stop_reason == "budget"


def test_volume_is_compared_with_what_it_was_so_many_evaluations_ago():
    steps = [(1.0, False), (0.5, False), (0.5, False), (0.4999, True), (0.1, False)]
    watch = Stagnation(2)
    assert not watch.stagnated()
    for value, stagnated in steps:
        watch.add(np.array([[value]]), np.array([True]))
        assert watch.stagnated() == stagnated


@pytest.mark.parametrize("at", [0, 5, 30])
@pytest.mark.parametrize("n_obj", [1, 2, 3])
def test_bad_networks_do_not_hide_that_a_front_grows(n_obj, at):
    rng, watch = np.random.default_rng(0), Stagnation(20)
    grown = []
    for step in range(80):
        # Along a front that comes nearer step by step, one network a million times worse, then every third.
        row = rng.dirichlet(np.ones(n_obj)) + 1 / (1 + 0.05 * step)
        bad = step == at or (step > at and step % 3 == 0)
        watch.add(row[None] * (1e6 if bad else 1.0), np.array([True]))
        grown.append(watch.stagnated())
    assert not any(grown)
    for _ in range(22):
        watch.add(row[None] * 1e6, np.array([True]))
        grown.append(watch.stagnated())
    assert grown[-2] or grown[-1]


@pytest.mark.parametrize(("least", "step", "n"), [(10.0, 1e-9, 50), (1.0, 1e-12, 40), (-10.0, 1e-9, 50)])
@pytest.mark.parametrize("n_obj", [1, 2])
def test_a_front_that_creeps_by_what_nobody_would_tell_apart_has_stagnated(least, step, n, n_obj):
    watch, ended = Stagnation(n), []
    for number in range(3 * n):
        watch.add(np.full((1, n_obj), least - step * number), np.array([True]))
        ended.append(watch.stagnated())
    assert not any(ended[: n - 1])
    assert any(ended)


def test_a_front_far_from_zero_that_grows_in_all_digits_that_are_told_goes_on():
    watch = Stagnation(20)
    for number in range(200):
        watch.add(np.array([[1000.0 - 1e-3 * number]]), np.array([True]))
        assert not watch.stagnated()


def test_while_nothing_is_feasible_nothing_stagnates():
    watch = Stagnation(2)
    for feasible in (False, False, False, False, True, True):
        watch.add(np.array([[1.0, 1.0]]), np.array([feasible]))
        assert not watch.stagnated()
    watch.add(np.array([[1.0, 1.0]]), np.array([True]))
    assert watch.stagnated()
    run = search(toy(Guilty("raise", share=1.1)), budget=50, stagnation=10)
    assert (run.stop_reason, len(run.table)) == ("infeasible", 50)


# --- both -----------------------------------------------------------------------------------------


def test_stops_are_part_of_what_defines_a_run(tmp_path):
    run = search(toy(), budget=20, stagnation=500, max_seconds=500, out=tmp_path)
    assert run.stop_reason == "budget"
    with pytest.raises(OtherRunError, match="stagnation"):
        search(toy(), budget=20, max_seconds=500, out=tmp_path)


def test_in_a_comparison_each_run_is_ended_by_itself():
    comparison = compare(toy(), [Pareto("params", "macs")], ["nsga2", "random"], 1, 1152, stagnation=60)
    reasons = {run.stop_reason for run in comparison.runs.values()}
    assert "stagnated" in reasons


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_seconds": 0}, "positive number of seconds; got 0"),
        ({"max_seconds": float("nan")}, "got nan"),
        ({"max_seconds": "60"}, "positive number of seconds; got '60'"),
        ({"stagnation": 0}, "stagnation must be a whole number of evaluations, at least 1; got 0"),
        ({"stagnation": 1.5}, "at least 1; got 1.5"),
        ({"budget": 0}, "budget must be a whole number of evaluations, at least 1; got 0"),
        # Neither would ever be reached.
        ({"budget": 10.5}, "at least 1; got 10.5"),
        ({"budget": float("nan")}, "at least 1; got nan"),
        ({"budget": "10"}, "at least 1; got '10'"),
        ({"budget": True}, "at least 1; got True"),
        ({"n_jobs": 1.5}, r"number of jobs must be a whole number \(-1: every core\), at least 1; got 1.5"),
        ({"n_jobs": 0}, "got 0"),
        ({"n_jobs": -2}, "got -2"),
        ({"timeout_s": "5"}, "positive number of seconds; got '5'"),
    ],
)
def test_impossible_stops_are_refused(change, words, tmp_path):
    given = {"budget": 5, **change}
    with pytest.raises(InputError, match=words):
        search(toy(), out=tmp_path / "run", **given)
    with pytest.raises(InputError, match=words):
        compare(toy(), [Single("score")], **given)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, True])
def test_an_impossible_seed_is_refused(seed, tmp_path):
    for call in (
        lambda: search(toy(), budget=5, seed=seed, out=tmp_path / "run"),
        lambda: compare(toy(), [Single("score")], budget=5, seeds=[seed]),
        lambda: Evaluator(wide_space(), [Fake()], seed),
    ):
        with pytest.raises(InputError, match=r"seed must be a whole number, at least 0; got"):
            call()
    assert not (tmp_path / "run").exists()


def test_numbers_of_numpy_are_numbers(tmp_path):
    plain = search(toy(), budget=12, seed=3, stagnation=9, n_jobs=1)
    given = {name: np.int64(n) for name, n in {"budget": 12, "seed": 3, "stagnation": 9, "n_jobs": 1}.items()}
    run = search(toy(), **given, max_seconds=np.float32(500), timeout_s=None, out=tmp_path)
    assert run.table.genomes.tolist() == plain.table.genomes.tolist()
    frame = pd.DataFrame({"g": [1, 2], "error": [3.0, 4.0]})
    problem = Table(frame, ["g"], {"error": "min"}, seed=np.int64(1), n_reference=np.int64(2))
    assert search(problem, budget=2, out=tmp_path / "table").record["problem"]["seed"] == 1


def test_the_command_line_has_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["search", "haenas", "--objectives", "params,macs", "--jobs", "1", "--out", "run"]
    assert main([*command, "--budget", "5000", "--stagnation", "40"]) == DONE
    assert json.loads((tmp_path / "run" / "run.json").read_text())["stop_reason"] == "stagnated"
    assert main([*command, "--max-seconds", "-1"]) == WRONG_INPUT
    assert "got -1.0" in capsys.readouterr().err
