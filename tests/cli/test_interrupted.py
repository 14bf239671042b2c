"""An interrupted command: what it says, how it ends, what the same command makes of it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from moo_nas import registry
from moo_nas.cli import DONE, INTERRUPTED, main
from moo_nas.study import Spread
from moo_nas.study.session import Session
from tests.cli.test_cli import QUICK


@pytest.mark.parametrize(
    ("number", "score", "moment"),
    [
        (signal.SIGINT, "snip", "evaluations"),
        (signal.SIGTERM, "snip", "evaluations"),
        (signal.SIGINT, "score", "measurements"),  # of the reference sample: the set-up
    ],
)
def test_an_interrupted_search_exits_with_130_and_is_continued_by_the_same_command(
    number, score, moment, tmp_path
):
    arguments = ["search", "haenas", "--objectives", f"{score},params", "--jobs", "2", *QUICK]
    arguments += ["--problem-option", "n_reference=40", "--algorithm-option", "pop_size=5"]
    arguments += ["--budget", "15", "--out", "here"]
    command = [sys.executable, "-m", "moo_nas.cli", *arguments]
    # A shell's background jobs ignore SIGINT, and so would their children: not what is tested here.
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        start_new_session=True,
    )
    while process.poll() is None and moment not in recorded("here"):
        time.sleep(0.01)
    os.killpg(process.pid, number)  # workers and all, as a terminal does
    _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, err
    assert err.splitlines()[-1] == "Interrupted: the same command continues.", err
    for noise in ("Traceback", "Exception", "leaked", "Warning"):
        assert noise not in err, err
    if moment == "evaluations":
        assert json.loads(Path("here/run.json").read_text())["stop_reason"] == "interrupted"
    else:
        assert not Path("here/front.csv").exists()  # no report of nothing
    assert main(arguments) == DONE
    assert main([*arguments[:-1], "elsewhere"]) == DONE
    assert Path("here/front.csv").read_bytes() == Path("elsewhere/front.csv").read_bytes()


def recorded(folder: str) -> str:
    """Return the names of the store's tables that have rows."""
    try:
        with closing(sqlite3.connect(f"file:{folder}/evaluations.sqlite?mode=ro", uri=True)) as db:
            tables = ("measurements", "evaluations")
            return " ".join(t for t in tables if db.execute(f"SELECT count(*) FROM {t}").fetchone()[0])
    except sqlite3.Error:
        return ""


def test_a_comparison_interrupted_between_parts_of_a_plan_exits_with_130_and_its_report(capfd, monkeypatch):
    arguments = ["compare", "additive", "--formulations", "weighted-sum:2", "--algorithms", "random"]
    arguments += [
        "--objectives",
        "error,params",
        "--seeds",
        "1",
        "--budget",
        "10",
        "--jobs",
        "1",
        "--out",
        "here",
    ]

    def interrupted(self, number, *rest, part=Spread.part):
        if number:
            raise KeyboardInterrupt
        return part(self, number, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Spread, "part", interrupted)
        assert main(arguments) == INTERRUPTED
    assert "the same command continues" in capfd.readouterr().err
    (row,) = pd.read_csv("here/comparison.csv").to_dict("records")
    assert (row["evaluations"], row["stop_reason"]) == (5, "interrupted")
    assert main(arguments) == DONE
    assert pd.read_csv("here/comparison.csv")["evaluations"].tolist() == [10]


def test_a_comparison_interrupted_before_a_later_method_exits_with_130_and_says_so(capfd, monkeypatch):
    arguments = ["compare", "additive", "--formulations", "pareto,single", "--algorithms", "random"]
    arguments += ["--objectives", "error,params", "--seeds", "1", "--budget", "10", "--jobs", "1"]
    arguments += ["--out", "here"]
    begin = Session.begin

    def interrupted(self):
        if "single" in self.name:
            raise KeyboardInterrupt
        return begin(self)

    with monkeypatch.context() as patched:
        patched.setattr(Session, "begin", interrupted)
        assert main(arguments) == INTERRUPTED
    out, err = capfd.readouterr()
    assert "the same command continues" in err
    assert "Interrupted before these evaluated anything: single-random (seed 0)" in " ".join(out.split())
    assert main(arguments) == DONE
    assert set(pd.read_csv("here/comparison.csv")["stop_reason"]) == {"budget"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["list"], "nothing is kept"), (["search", "haenas"], "the same command continues")],
)
def test_an_interrupt_promises_to_go_on_only_where_that_is_so(arguments, words, capfd, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "names", interrupted)
    monkeypatch.setattr(registry, "make", interrupted)
    assert main(arguments) == INTERRUPTED
    assert capfd.readouterr().err.strip() == f"Interrupted: {words}."
