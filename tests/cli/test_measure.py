"""moo-nas measure: networks out, a table back, and a search on it."""

from pathlib import Path

import pandas as pd
import pytest

from moo_nas.cli import DONE, WRONG_INPUT, main
from moo_nas.spaces import StageSpace

pytest.importorskip("onnx")
QUICK = ["--problem-option", "latency_size=32"]


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def board(n: int = 12) -> pd.DataFrame:
    space = StageSpace.haenas()
    texts = [str(space.decode(genome)) for genome in space.sample(n, seed=0)]
    return pd.DataFrame({"architecture": texts, "latency_ms": range(10, 10 + n), "spread_ms": 0.5})


def test_what_is_exported_is_imported_once_it_is_measured(capfd):
    assert main(["measure", "export", "haenas", "nets", "--n", "2", *QUICK]) == DONE
    assert "2 networks" in capfd.readouterr().out
    table = pd.read_csv("nets/measurements.csv")
    assert len(list(Path("nets/networks").iterdir())) == len(table) == 2
    table["latency_ms"] = [3.5, 2.5]
    table.to_csv("filled.csv", index=False)
    assert main(["measure", "import", "filled.csv", "haenas", "--out", "board.csv"]) == DONE
    out = capfd.readouterr().out
    assert "2 networks of filled.csv, all rows good: latency_ms." in out
    assert pd.read_csv("board.csv")["latency_ms"].tolist() == [3.5, 2.5]


def test_nothing_is_written_unless_every_row_is_good(capfd):
    table = board()
    table.loc[7, "latency_ms"] = -4
    table.to_csv("bad.csv", index=False)
    Path("board.csv").write_text("before")
    assert main(["measure", "import", "bad.csv", "haenas", "--out", "board.csv"]) == WRONG_INPUT
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "line 9: latency_ms must be more than 0" in line
    assert Path("board.csv").read_text() == "before"
    assert {path.name for path in Path().iterdir()} == {"bad.csv", "board.csv"}


def test_imported_latency_is_a_metric_of_a_problem():
    from moo_nas import Pareto
    from problems.haenas import HaeNAS

    board().to_csv("board.csv", index=False)
    problem = HaeNAS(latency="board.csv", formulation=Pareto("params", "latency_ms"), n_reference=12)
    measured = problem.evaluations(problem.evaluator.pool)
    assert measured["latency_ms"].tolist() == [float(ms) for ms in range(10, 22)]
    # A reference sample is of what was measured: no failure.
    assert len(problem.evaluator.reference(["latency_ms"])) == 12
    others = problem.evaluations(problem.space.sample(2, seed=1))
    assert others.failed.all()
    assert "board.csv" in str(others.reasons[0])
    assert not problem.timers
