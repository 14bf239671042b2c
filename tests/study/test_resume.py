"""A run killed at any moment ends as if it had never stopped, whatever the number of workers."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from moo_nas import Pareto, Run, search
from moo_nas.algorithms import NSGA2
from problems.haenas import HaeNAS

BUDGET = 24
SEARCH = f"""
import sys
from moo_nas import Pareto, search
from moo_nas.algorithms import NSGA2
from problems.haenas import HaeNAS
search(HaeNAS(image_size=16, batch_size=8), Pareto("params", "snip"), NSGA2(8), {BUDGET}, seed=3,
       n_jobs=int(sys.argv[2]), out=sys.argv[1])
"""


def run_here(out: Path, n_jobs: int) -> Run:
    problem = HaeNAS(image_size=16, batch_size=8)
    return search(problem, Pareto("params", "snip"), NSGA2(8), BUDGET, seed=3, n_jobs=n_jobs, out=out)


def rows(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "evaluations.sqlite")) as db:
        return db.execute("SELECT * FROM evaluations ORDER BY run, position").fetchall()


def measured(folder: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{folder}/evaluations.sqlite?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM measurements").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("unbroken")
    run_here(out, 1)
    return out


def same_result(a: Path, b: Path) -> None:
    assert (a / "front.csv").read_bytes() == (b / "front.csv").read_bytes()
    assert rows(a) == rows(b)
    assert len(rows(a)) == BUDGET


def test_killed_three_times_and_started_again_it_ends_as_an_unbroken_run(unbroken, tmp_path):
    out, moments = tmp_path / "killed", random.Random(os.urandom(8))
    killed_at = []
    for _ in range(3):
        # Killed at a random number of measurements beyond those there are, wherever it is by then.
        target = measured(out) + moments.randint(1, 6)
        process = subprocess.Popen([sys.executable, "-c", SEARCH, str(out), "2"], start_new_session=True)
        while process.poll() is None and measured(out) < target:
            time.sleep(0.005)
        assert process.poll() is None, "the run ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        killed_at.append(measured(out))
    assert 0 < killed_at[0] < killed_at[-1] < BUDGET
    assert not (out / "front.csv").exists()
    subprocess.run([sys.executable, "-c", SEARCH, str(out), "2"], check=True)
    same_result(unbroken, out)


def test_the_number_of_workers_never_changes_a_result(unbroken, tmp_path):
    run_here(tmp_path, 2)
    same_result(unbroken, tmp_path)


def test_a_finished_run_called_again_measures_nothing_and_writes_the_same(unbroken):
    before, count = (unbroken / "front.csv").read_bytes(), measured(unbroken)
    run = run_here(unbroken, 1)
    assert (unbroken / "front.csv").read_bytes() == before
    assert measured(unbroken) == count
    assert len(run.evaluations) == BUDGET
