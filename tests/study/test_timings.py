"""What a run says of its timings: in measured.csv, in run.json, in the report, on the terminal."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from moo_nas import NASProblem, Pareto, search
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, CpuLatency
from moo_nas.meters.device.timer import Reference
from moo_nas.printing import print_run
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


@pytest.fixture
def problem():
    Doubtful.n_timed = 0
    evaluator = Evaluator(wide_space(), [Analytic(16, 10), Fake(), Fake("latency_ms", "t")])
    return NASProblem(evaluator, Pareto("score", "latency_ms"), timers={"latency_ms": Doubtful(16)})


def told(run) -> str:
    text = io.StringIO()
    print_run(run, Console(file=text, soft_wrap=True))
    return text.getvalue()


def test_doubtful_timings_are_flagged_everywhere_and_kept(problem, tmp_path):
    run = search(problem, budget=60, out=tmp_path / "run")
    table = pd.read_csv(tmp_path / "run/measured.csv", keep_default_na=False)
    assert len(table) == len(run.front) > 2
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


def test_a_timer_of_another_metric_checks_nothing(problem):
    problem.timers = {"score": Doubtful(16)}
    run = search(problem, budget=10)
    assert run.measured is None
    told(run)
