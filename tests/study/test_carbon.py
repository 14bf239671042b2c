"""Energy and CO2-equivalent of the search itself."""

import io
import json
import math
import sys

import pandas as pd
import pytest
from rich.console import Console

from moo_nas import NASProblem, Pareto, compare, search
from moo_nas.errors import BusyError, InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.meters.device.counters import Counter, Rapl
from moo_nas.printing import print_comparison, print_run
from moo_nas.study.carbon import WORLD_GRID, Footprint, footprint, total
from tests.fakes import Fake
from tests.nvml import FakeNvml, gpus_seen
from tests.spaces_for_tests import wide_space


def problem(meter: Fake | None = None, **options) -> NASProblem:
    evaluator = Evaluator(wide_space(), [Analytic(16, 10), meter or Fake()])
    return NASProblem(evaluator, Pareto("score", "params"), options=options)


class Steps(Counter):
    """3.6 kJ (1 Wh) more at each reading."""

    name = "RAPL (made up)"

    def __init__(self) -> None:
        self.total = 0.0

    def joules(self) -> float:
        self.total += 3600
        return self.total


def absent(cls, folder=None):
    raise BusyError("no RAPL under /here")


@pytest.fixture
def metered(monkeypatch):
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Steps()))


@pytest.fixture
def unmetered(monkeypatch):
    monkeypatch.setattr(Rapl, "here", classmethod(absent))


def recorded(folder) -> dict:
    return json.loads((folder / "run.json").read_text())["energy"]


def printed(show, found) -> str:
    text = io.StringIO()
    show(found, Console(file=text, soft_wrap=True))
    return text.getvalue()


def interrupt_at(n):
    def listen(news):
        if news.n_evaluations >= n:
            raise KeyboardInterrupt

    return listen


# --- what is recorded -------------------------------------------------------------------------------


def test_where_nothing_can_be_read_it_is_unknown(tmp_path, unmetered):
    run = search(problem(), budget=10, out=tmp_path / "run")
    energy = recorded(tmp_path / "run")
    assert energy["kwh"] == energy["co2e_g"] == "unknown"
    assert energy["missing"] == ["processor"]
    assert energy["reason"] == "no energy meter on this machine (processor: no RAPL under /here)"
    words = f"unknown: {energy['reason']}; CO2-equivalent unknown"
    assert words in (tmp_path / "run/report.html").read_text()
    assert f"Energy of the search itself: {words}." in printed(print_run, run)


def test_what_counters_read_is_told_with_the_grid_asked_for(tmp_path, metered):
    run = search(problem(), budget=10, out=tmp_path / "run", grid=50.0)
    energy = recorded(tmp_path / "run")
    assert energy["counters"] == ["RAPL (made up)"]
    assert energy["kwh"] >= 0.001
    assert energy["co2e_g"] == pytest.approx(50 * energy["kwh"])
    assert energy["seconds"] > 0
    assert (energy["missing"], energy["not_finished"], energy["uncounted_seconds"]) == ([], 0, 0)
    assert "reason" not in energy
    told = printed(print_run, run)
    assert f"Energy of the search itself: {1e3 * energy['kwh']:.3g} Wh, " in told
    assert "at 50 g/kWh, by RAPL (made up) over " in told


def test_the_first_record_has_what_was_counted_by_then(tmp_path, metered):
    records = []

    def listen(news):
        if (tmp_path / "run/run.json").exists() and not records:
            records.append(recorded(tmp_path / "run"))

    search(problem(), budget=10, out=tmp_path / "run", progress=listen)
    (first,) = records
    assert first["kwh"] >= 0.001
    assert first["not_finished"] == 1


def test_the_sittings_of_a_run_add_up_and_the_run_is_the_same(tmp_path, metered):
    first = search(problem(), budget=100, out=tmp_path / "run", progress=interrupt_at(60))
    assert first.stop_reason == "interrupted"
    before = recorded(tmp_path / "run")
    search(problem(), budget=100, out=tmp_path / "run", grid=1.0)
    after = recorded(tmp_path / "run")
    assert after["kwh"] >= before["kwh"] + 0.001
    assert after["seconds"] > before["seconds"]
    assert after["not_finished"] == 0
    search(problem(), budget=100, out=tmp_path / "run")
    assert recorded(tmp_path / "run") == after  # finished before: what it took then stays


def test_a_sitting_that_was_killed_is_counted_to_its_last_reading_and_said(tmp_path, metered, monkeypatch):
    class Killed(BaseException):
        """The end of the process, for whose sake nothing more is written."""

    def kill(news):
        if news.n_evaluations >= 60:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Footprint, "__exit__", lambda self, *_: self._done.set())
        with pytest.raises(Killed):
            search(problem(), budget=100, out=tmp_path / "run", progress=kill)
    run = search(problem(), budget=100, out=tmp_path / "run")
    energy = recorded(tmp_path / "run")
    assert energy["not_finished"] == 1
    assert energy["kwh"] >= 0.004  # two readings of each sitting
    told = printed(print_run, run)
    assert "at least " in told
    assert "1 sitting is not finished, or was killed: what it took after its last reading is not" in told


def test_a_sitting_that_an_error_ended_is_counted_to_its_end(tmp_path, metered):
    def fail(news):
        if news.n_evaluations >= 60:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search(problem(), budget=100, out=tmp_path / "run", progress=fail)
    search(problem(), budget=100, out=tmp_path / "run")
    assert recorded(tmp_path / "run")["not_finished"] == 0


def test_a_sitting_without_a_counter_is_said(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Rapl, "here", classmethod(absent))
        search(problem(), budget=100, out=tmp_path / "run", progress=interrupt_at(60))
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Steps()))
    run = search(problem(), budget=100, out=tmp_path / "run")
    energy = recorded(tmp_path / "run")
    assert energy["kwh"] >= 0.001
    assert energy["uncounted_seconds"] > 0
    assert energy["missing"] == ["processor"]
    assert "not counted: processor: no RAPL under /here; sittings of " in printed(print_run, run)


# --- GPUs -------------------------------------------------------------------------------------------


def test_a_gpu_s_energy_is_missing_where_its_package_is(tmp_path, metered, monkeypatch):
    gpus_seen(monkeypatch, ["aaaaaaaa-1111"])
    monkeypatch.setitem(sys.modules, "pynvml", None)
    meter = Fake()
    meter.uses_gpu = True
    run = search(problem(meter), budget=10, out=tmp_path / "run")
    energy = recorded(tmp_path / "run")
    assert energy["kwh"] >= 0.001
    assert energy["missing"] == ["GPU 0"]
    told = printed(print_run, run)
    assert "at least " in told
    assert "not counted: GPU 0: NVML needs the package nvidia-ml-py, which is not installed" in told
    assert "not counted: GPU 0: NVML needs" in (tmp_path / "run/report.html").read_text()


def test_all_gpus_that_torch_sees_are_summed_and_named(unmetered, monkeypatch):
    driver = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    gpus_seen(monkeypatch, ["bbbbbbbb-2222", "aaaaaaaa-1111"])
    taken = Footprint(uses_gpu=True)
    driver.mj["GPU-aaaaaaaa-1111"] += 2_000
    driver.mj["GPU-bbbbbbbb-2222"] += 40_000
    driver.mj["GPU-cccccccc-3333"] += 900_000  # not ours
    reading = taken.read()
    assert reading["joules"] == pytest.approx(42)
    assert reading["counters"] == ["NVML (A GPU, GPU-bbbbbbbb)", "NVML (A GPU, GPU-aaaaaaaa)"]
    assert list(reading["missing"]) == ["processor"]


def test_a_gpu_that_torch_does_not_see_is_missing(metered, monkeypatch):
    gpus_seen(monkeypatch, [])
    assert Footprint(uses_gpu=True).read()["missing"] == {"GPU": "torch sees none"}


def test_a_counter_that_fails_in_between_ends_no_search_and_is_said(monkeypatch, tmp_path):
    class Failing(Steps):
        def joules(self) -> float:
            if self.total >= 7200:
                raise BusyError("RAPL (made up) is not readable any more")
            return super().joules()

    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Failing()))
    search(problem(), budget=10, out=tmp_path / "run")
    energy = recorded(tmp_path / "run")
    assert energy["kwh"] == 0.001
    assert energy["reason"] == "processor: RAPL (made up) is not readable any more"


# --- comparisons ------------------------------------------------------------------------------------


def test_a_comparison_tells_the_energy_of_all_its_runs(metered, tmp_path):
    asked = {"pareto": Pareto("score", "params")}
    found = compare(problem(), asked, ["random", "nsga2"], 2, 10, out=tmp_path, grid=50.0)
    records = [recorded(tmp_path / f"runs/pareto-{a}/seed{k}") for a in ("random", "nsga2") for k in (0, 1)]
    wh = 1e3 * sum(record["kwh"] for record in records)
    words = f"{wh:.3g} Wh, {wh / 20:.3g} g CO2-equivalent at 50 g/kWh, by RAPL (made up) over "
    assert words in (tmp_path / "report.html").read_text()
    assert f"Energy of the search itself: {words}" in printed(print_comparison, found)
    again = compare(problem(), asked, ["random", "nsga2"], 2, 10, out=tmp_path, grid=50.0)
    pd.testing.assert_frame_equal(again.table, found.table)


def test_a_comparison_says_of_which_runs_the_energy_is_unknown(tmp_path, monkeypatch):
    n = []

    def here(cls, folder=None):
        n.append(1)
        if len(n) == 2:
            raise BusyError("no RAPL under /here")
        return Steps()

    monkeypatch.setattr(Rapl, "here", classmethod(here))
    found = compare(problem(), {"pareto": Pareto("score", "params")}, ["random"], 3, 10)
    assert "of 1 of 3 runs it is unknown" in printed(print_comparison, found)


def test_runs_under_several_grids_add_up():
    sitting = {"joules": 3.6e6, "seconds": 1.0, "counters": ["RAPL"]}
    both = total([footprint([sitting], 100.0), footprint([sitting], 50.0), footprint([], 1.0)])
    assert (both["kwh"], both["co2e_g"], both["grid_g_per_kwh"]) == (2.0, 150.0, [50.0, 100.0])
    assert (both["unknown_runs"], both["runs"]) == (1, 3)
    assert total([footprint([], 1.0)])["kwh"] == "unknown"


@pytest.mark.parametrize("grid", [-1.0, math.nan, math.inf])
def test_what_can_be_no_carbon_intensity_is_refused(grid):
    with pytest.raises(InputError, match="carbon intensity"):
        search(problem(), budget=5, grid=grid)


def test_the_default_is_the_world_s_mean():
    sitting = {"joules": 3.6e6, "seconds": 1.0, "counters": ["RAPL"]}
    assert footprint([sitting], WORLD_GRID)["co2e_g"] == 475
