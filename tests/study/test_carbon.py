"""Energy and CO2-equivalent of the search itself."""

import json
import math

import pytest

from moo_nas import NASProblem, Pareto, search
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.meters.device.energy import Counter, Rapl
from moo_nas.study.carbon import WORLD_GRID, footprint
from tests.fakes import Fake
from tests.spaces_for_tests import wide_space


def problem() -> NASProblem:
    return NASProblem(Evaluator(wide_space(), [Analytic(16, 10), Fake()]), Pareto("score", "params"))


class Steps(Counter):
    """3.6 kJ (1 Wh) more at each reading."""

    name = "RAPL (made up)"

    def __init__(self) -> None:
        self.total = 0.0

    def joules(self) -> float:
        self.total += 3600
        return self.total


@pytest.fixture
def metered(monkeypatch):
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Steps()))


def recorded(folder) -> dict:
    return json.loads((folder / "run.json").read_text())["energy"]


def test_where_nothing_can_be_read_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: None))
    search(problem(), budget=10, out=tmp_path / "run")
    energy = recorded(tmp_path / "run")
    assert energy["kwh"] == energy["co2e_g"] == "unknown"
    assert energy["reason"] == "no energy meter on this machine"
    assert "no energy meter on this machine" in (tmp_path / "run/report.html").read_text()


def test_what_counters_read_is_told_with_the_grid_asked_for(tmp_path, metered):
    search(problem(), budget=10, out=tmp_path / "run", grid=50.0)
    energy = recorded(tmp_path / "run")
    assert energy["counters"] == ["RAPL (made up)"]
    assert energy["kwh"] >= 0.001
    assert energy["co2e_g"] == pytest.approx(50 * energy["kwh"])
    assert energy["seconds"] > 0


def test_the_sittings_of_a_run_add_up_and_the_run_is_the_same(tmp_path, metered):
    def interrupt(news):
        if news.n_evaluations >= 60:
            raise KeyboardInterrupt

    first = search(problem(), budget=100, out=tmp_path / "run", progress=interrupt)
    assert first.stop_reason == "interrupted"
    before = recorded(tmp_path / "run")
    search(problem(), budget=100, out=tmp_path / "run", grid=1.0)
    after = recorded(tmp_path / "run")
    assert after["kwh"] >= before["kwh"] + 0.001
    assert after["seconds"] > before["seconds"]
    search(problem(), budget=100, out=tmp_path / "run")
    assert recorded(tmp_path / "run") == after  # finished before: what it took then stays


@pytest.mark.parametrize("grid", [-1.0, math.nan, math.inf])
def test_what_can_be_no_carbon_intensity_is_refused(grid):
    with pytest.raises(InputError, match="carbon intensity"):
        search(problem(), budget=5, grid=grid)


def test_the_default_is_the_world_s_mean():
    sitting = {"joules": 3.6e6, "seconds": 1.0, "counters": ["RAPL"]}
    assert footprint([sitting], WORLD_GRID)["co2e_g"] == 475
