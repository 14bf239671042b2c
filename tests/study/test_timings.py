"""What a run says of its timings: in measured.csv, in run.json, in the report, on the terminal."""

import io
import json
import time

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from moo_nas import Constrained, NASProblem, Pareto, compare, search
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, CpuLatency, DeviceEnergy, Metric
from moo_nas.meters.device import energy
from moo_nas.meters.device.counters import Counter, Rapl
from moo_nas.meters.device.timer import Reference
from moo_nas.printing import print_comparison, print_run
from tests.fakes import Fake
from tests.spaces_for_tests import wide_space

FAULT = "the machine was busy: the reference took 2.00 times as long as undisturbed"


class Doubtful(CpuLatency):
    """Batches of two; the first of them is at fault."""

    largest_chunk = 2
    n_timed = 0

    def _time_reference(self) -> Reference:
        return Reference(1.0)

    def _timed(self, modules, shapes):
        Doubtful.n_timed += 1
        ratios = np.full((3, len(modules)), 2.0)
        faults = [FAULT] if Doubtful.n_timed == 1 else []
        return {"ratios": ratios.tolist(), "reference_ms": [], "quiet_ms": 1.5, "faults": faults}


class Latency(Fake):
    def __init__(self) -> None:
        super().__init__("latency_ms", "t")
        self.metrics = (Metric("latency_ms", "ms", "min"),)


@pytest.fixture
def problem():
    Doubtful.n_timed = 0
    evaluator = Evaluator(wide_space(), [Analytic(16, 10), Fake(), Latency()])
    return NASProblem(evaluator, Pareto("score", "latency_ms"), timers={"latency_ms": Doubtful(16)})


def told(found, show=print_run) -> str:
    text = io.StringIO()
    show(found, Console(file=text, soft_wrap=True))
    return text.getvalue()


def test_doubtful_timings_are_flagged_everywhere_and_kept(problem, tmp_path):
    run = search(problem, budget=60, out=tmp_path / "run")
    table = pd.read_csv(tmp_path / "run/measured.csv", keep_default_na=False)
    assert len(table) == len(run.front) >= 2
    assert table["fault"].tolist() == [FAULT, FAULT, *[""] * (len(table) - 2)]
    assert (table["latency_ms"] == 3.0).all()  # 2 x the reference's 1.5 ms
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["timings"] == {"batches": -(-len(table) // 2), "faults": [f"2 networks or blocks: {FAULT}"]}
    assert not any("timed rounds" in name for name in record["setup"])
    assert f"2 of these measurements are doubtful: {FAULT}." in (tmp_path / "run/report.html").read_text()
    assert f"Timings are doubtful: 2 networks or blocks: {FAULT}." in told(run)
    n_timed = Doubtful.n_timed
    search(problem, budget=60, out=tmp_path / "run")
    assert Doubtful.n_timed == n_timed


def test_timings_without_a_fault_are_not_doubted(problem, tmp_path):
    Doubtful.n_timed = 1
    run = search(problem, budget=20, out=tmp_path / "run")
    assert run.record["timings"]["faults"] == []
    assert "doubtful" not in told(run)
    assert "doubtful" not in (tmp_path / "run/report.html").read_text().split("</style>")[-1][-200_000:]


def test_a_limit_that_is_broken_when_measured_is_told_on_page_and_terminal(problem, tmp_path):
    asked = Constrained("score", limits={"latency_ms": 1.0})  # measured, all have 3 ms
    run = search(problem, asked, budget=20, out=tmp_path / "run")
    words = "Measured on this machine, latency is 3 ms: beyond the limit of 1 ms."
    assert len(run.front) == 1
    assert words in told(run)
    assert (tmp_path / "run/report.html").read_text().count(words) == 2


def test_one_doubtful_network_is_one(problem):
    run = search(problem, Constrained("score", limits={"latency_ms": 1.0}), budget=20)
    assert run.record["timings"]["faults"] == [f"1 network or block: {FAULT}"]


def test_a_timer_of_another_metric_checks_nothing(problem):
    problem.timers = {"score": Doubtful(16)}
    run = search(problem, budget=10)
    assert run.measured is None
    told(run)


class Watts(Counter):
    """50 W, whatever is done."""

    name = "made up"

    def joules(self) -> float:
        return 50.0 * time.perf_counter()


@pytest.fixture
def restless(monkeypatch):
    """A problem of energy on a device whose idle power is 20 W at first, and 30 W from then on."""
    idle = iter([(20.0, ()), *[(30.0, ())] * 100])
    monkeypatch.setattr(energy, "settled_idle", lambda counter, seconds: next(idle))
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Watts()))
    meter = DeviceEnergy(CpuLatency(16), seconds=0.01)
    return NASProblem(Evaluator(wide_space(), [Analytic(16, 10), meter]), Pareto("params", "energy_mj"))


UNLIKE = (
    "the idle power is not within 10% of the 20 W that are subtracted: 30 W before these networks, 30 W after"
)


def test_doubtful_energies_are_told_everywhere_and_the_idle_power_is_kept(restless, tmp_path):
    run = search(restless, algorithm="random", budget=8, out=tmp_path / "run")
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["energies"]["batches"] >= 1
    assert all(UNLIKE in fault for fault in record["energies"]["faults"])
    assert record["timings"] == {"batches": 0, "faults": []}
    assert not any("measured energies" in name for name in record["setup"])
    (idle,) = [value for name, value in record["setup"].items() if name.startswith("idle power")]
    assert (idle["idle_w"], idle["counter"]) == (20, "made up")
    assert (
        f"Energies are doubtful. {record['energies']['faults'][0]}."
        in (tmp_path / "run/report.html").read_text()
    )
    assert f"Energies are doubtful: {record['energies']['faults'][0]}" in told(run)


def test_a_comparison_tells_what_is_doubtful_in_all_its_runs(restless, tmp_path):
    asked = {"pareto": Pareto("params", "energy_mj")}
    found = compare(restless, asked, ["random"], 2, 8, out=tmp_path)
    assert all(run.record["energies"]["faults"] for run in found.runs.values())
    (last, first) = (found.runs["pareto-random", k].record["energies"] for k in (1, 0))
    assert last["batches"] > first["batches"]
    page = (tmp_path / "report.html").read_text()
    assert page.count("Energies are doubtful") == 1
    assert all(fault in page for fault in last["faults"])
    assert f"Energies are doubtful: {last['faults'][0]}" in told(found, print_comparison)
