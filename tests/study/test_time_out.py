"""Measurements that take too long are failures of a run like others."""

import json

import pandas as pd
import pytest

from moo_nas import NASProblem, Pareto, search
from moo_nas.algorithms import NSGA2
from moo_nas.cli import WRONG_INPUT, main
from moo_nas.errors import InputError, OtherRunError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from tests.fakes import Sleepy
from tests.spaces_for_tests import wide_space


def sleepy(folder):
    meter = Sleepy(folder / "notes")
    evaluator = Evaluator(wide_space(), [Analytic(16, 10), meter], n_reference=10)
    return NASProblem(evaluator, Pareto("score", "params")), meter


def test_a_quarter_that_takes_too_long_still_ends_with_a_clean_front_and_is_kept(tmp_path):
    out = tmp_path / "run"
    problem, meter = sleepy(tmp_path)
    first = search(problem, None, NSGA2(4), 6, seed=0, n_jobs=2, out=out, timeout_s=0.3)
    assert first.stop_reason == "budget"
    assert first.table.failed.tolist() == [meter.guilty(problem.space.decode(g)) for g in first.table.genomes]
    assert 0 < first.table.failed.sum() < 3
    assert set(first.evaluations["reason"].dropna()) == {"took longer than 0.3 s"}
    assert len(first.front)
    assert first.front["status"].eq("ok").all()
    assert json.loads((out / "run.json").read_text())["timeout_s"] == 0.3
    # What took too long is not tried again: the run repeats itself.
    slept = meter.notes.read_text()
    again = search(sleepy(tmp_path)[0], None, NSGA2(4), 6, seed=0, out=out, timeout_s=0.3)
    pd.testing.assert_frame_equal(again.evaluations, first.evaluations)
    assert meter.notes.read_text() == slept
    # With another time-out it would be another run.
    with pytest.raises(OtherRunError, match=r"timeout_s is 0.3 there, 60.0 here"):
        search(sleepy(tmp_path)[0], None, NSGA2(4), 6, seed=0, out=out, timeout_s=60.0)


def test_an_impossible_time_out_is_refused_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="time-out must be a positive number of seconds; got 0"):
        search(sleepy(tmp_path)[0], None, NSGA2(4), 4, out=tmp_path / "run", timeout_s=0)
    assert main(["search", "haenas", "--objectives", "params,macs", "--timeout", "-1"]) == WRONG_INPUT
    assert "time-out" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
