"""moo-nas measure: networks out, a table back, and a search on it."""

import functools
import re
import shlex
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from moo_nas import Pareto
from moo_nas.cli import DONE, WRONG_INPUT, main
from moo_nas.errors import InputError
from moo_nas.meters import Analytic, CpuLatency
from moo_nas.spaces import StageSpace
from problems.haenas import HaeNAS

pytest.importorskip("onnx")
QUICK = ["--problem-option", "latency_size=32"]


def board(n: int = 12) -> pd.DataFrame:
    space = StageSpace.haenas()
    texts = [str(space.decode(genome)) for genome in space.sample(n, seed=0)]
    macs = Analytic(32, 10).measure([space.decode(g) for g in space.sample(n, seed=0)], [0] * n)[:, 2]
    known = {"image_size": 32, "batch_size": 1, "n_classes": 10, "idle_subtracted": "yes"}
    latency = 2 + macs / 1e7
    return pd.DataFrame(
        {"architecture": texts, "latency_ms": latency, "spread_ms": 0.05, "energy_mj": 3 * latency, **known}
    )


def test_what_is_exported_is_imported_once_it_is_measured(capfd):
    assert main(["measure", "export", "haenas", "nets", "--n", "2", *QUICK]) == DONE
    assert "2 networks" in capfd.readouterr().out
    table = pd.read_csv("nets/measurements.csv")
    assert len(list(Path("nets/networks").iterdir())) == len(table) == 2
    table["latency_ms"] = [3.5, 2.5]
    table.to_csv("filled.csv", index=False)
    readme = Path("nets/README.md").read_text()
    (line,) = [line.strip() for line in readme.splitlines() if "moo-nas measure import" in line]
    program, *words = shlex.split(line)
    assert program == "moo-nas"
    assert words[-2:] == QUICK
    renamed = {"measurements.csv": "filled.csv", "measured.csv": "board.csv"}
    words = [renamed.get(word, word) for word in words]
    assert main(words) == DONE
    out = capfd.readouterr().out
    assert "2 networks of filled.csv, all rows good: latency_ms." in out
    assert pd.read_csv("board.csv")["latency_ms"].tolist() == [3.5, 2.5]
    assert main(["measure", "import", "filled.csv", "haenas"]) == WRONG_INPUT  # at 96 pixels
    assert "for 32 pixels, batch 1 and 10 classes; asked for 96 pixels" in capfd.readouterr().err


def test_what_can_be_predicted_from_a_table_is_told(capfd):
    table = board(20)
    table.loc[4:, "energy_mj"] = np.nan
    table["peak_power_w"] = 5.0
    table.to_csv("board.csv", index=False)
    assert main(["measure", "import", "board.csv", "haenas", *QUICK]) == DONE
    lines = capfd.readouterr().out.splitlines()
    assert lines[1] == "latency_ms: 20 networks."
    assert lines[2] == "energy_mj: 4 networks. A fit needs at least 5 measured samples; got 4."
    assert lines[3].startswith(
        "peak_power_w: 20 networks. All 20 samples cost 5.0: there is nothing to learn."
    )
    assert re.fullmatch(
        r"Of random .* \d+% are like the samples; 90% would be of about \d+ measured .*", lines[4]
    )
    asked = ["search", "haenas", "--problem-option", "latency=board.csv", *QUICK, "--budget", "2"]
    assert main([*asked, "--objectives", "params,energy_mj", "--jobs", "1"]) == WRONG_INPUT
    assert "'energy_mj' of board.csv" in capfd.readouterr().err


def test_a_path_with_brackets_is_printed_as_it_is(capfd):
    folder = Path("nets[/red][bold]")
    board(3).to_csv("a[b].csv", index=False)
    out = str(folder / "o[red].csv")
    folder.mkdir(parents=True)
    assert main(["measure", "import", "a[b].csv", "haenas", "--out", out, *QUICK]) == DONE
    printed = capfd.readouterr().out
    assert "3 networks of a[b].csv" in printed
    assert f"File: {out}" in printed


def test_nothing_is_written_unless_every_row_is_good(capfd):
    table = board()
    table.loc[7, "latency_ms"] = -4
    table.to_csv("bad.csv", index=False)
    Path("board.csv").write_text("before")
    assert main(["measure", "import", "bad.csv", "haenas", "--out", "board.csv", *QUICK]) == WRONG_INPUT
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "line 9: latency_ms must be more than 0" in line
    assert Path("board.csv").read_text() == "before"
    assert {path.name for path in Path().iterdir()} == {"bad.csv", "board.csv"}


def test_a_table_that_came_back_predicts_every_architecture_of_the_space():
    table = board(60)
    table.to_csv("board.csv", index=False)
    asked = Pareto("params", "latency_ms")
    problem = HaeNAS(latency="board.csv", latency_size=32, formulation=asked)
    assert not problem.timers
    others = problem.space.sample(20, seed=1)
    found = problem.evaluations(others)
    assert not found.failed.any()
    macs = Analytic(32, 10).measure([problem.space.decode(g) for g in others], [0] * 20)[:, 2]
    assert np.median(np.abs(found["latency_ms"] / (2 + macs / 1e7) - 1)) < 0.05
    energy = problem.under(Pareto("params", "energy_mj")).evaluations(others)
    assert np.median(np.abs(energy["energy_mj"] / (6 + 3 * macs / 1e7) - 1)) < 0.05
    setup = problem.evaluator.store.setup()
    kept = {v["metric"]: v for n, (v, _) in setup.items() if n.startswith("predicted cost of")}
    assert set(kept) == {"latency_ms", "energy_mj"}
    assert kept["latency_ms"]["n_samples"] == kept["latency_ms"]["held_out"]["n"] == 60
    assert "board.csv" in kept["latency_ms"]["source"]
    assert "idle power subtracted" in kept["energy_mj"]["source"]


def test_a_table_of_another_size_batch_or_number_of_classes_is_not_loaded():
    board().to_csv("board.csv", index=False)
    with pytest.raises(InputError, match="for 32 pixels, batch 1 and 10 classes; asked for 96 pixels"):
        HaeNAS(latency="board.csv")
    with pytest.raises(InputError, match="asked for 32 pixels, batch 64"):
        HaeNAS(latency="board.csv", latency_size=32, latency_batch=64)
    with pytest.raises(InputError, match="and 1000 classes"):
        HaeNAS(latency="board.csv", latency_size=32, n_classes=1000)


def test_a_search_on_a_table_says_whose_numbers_how_good_and_what_lies_outside(capfd):
    # Measured were networks of the smaller expansions alone.
    table = board(400)
    table = table[~table["architecture"].str.contains("_e6_")].head(25)
    assert len(table) >= 10
    table.drop(columns="energy_mj").to_csv("board.csv", index=False)
    arguments = ["search", "haenas", "--objectives", "params,latency_ms", "--budget", "30", *QUICK]
    arguments += ["--problem-option", "latency=board.csv", "--jobs", "1", "--algorithm", "random"]
    assert main([*arguments, "--out", "one"]) == DONE
    out = capfd.readouterr().out
    front = pd.read_csv("one/front.csv").fillna({"outside": ""})
    n = int((front["outside"] != "").sum())
    assert n > 0
    assert front.loc[front["outside"] != "", "outside"].str.startswith("latency_ms: ").all()
    lie = "lies" if n == 1 else "lie"
    summary = f"{n} of the front's {len(front)} architectures {lie} outside of the samples that latency_ms"
    reach = "measured. Of random architectures of the space"
    page = " ".join(re.sub("<[^>]+>", " ", unescape(Path("one/report.html").read_text())).split())
    for text in (" ".join(out.split()), page):
        assert summary in text
        assert reach in text
        assert "board.csv" in text
        assert "Spearman" in text
        assert "coverage of 90 % intervals" in text
    assert "latency_ms, predicted (predicted cost of latency_ms: board.csv" in out
    assert main([*arguments, "--out", "two"]) == DONE
    assert Path("one/front.csv").read_bytes() == Path("two/front.csv").read_bytes()


def test_the_table_of_blocks_of_this_device_is_measured_and_searched_on(capfd, monkeypatch):
    options = [*QUICK, "--problem-option", "n_networks=5"]
    monkeypatch.setattr(CpuLatency, "__init__", functools.partialmethod(CpuLatency.__init__, n_rounds=2))
    assert main(["measure", "table", "haenas", "here.json", *options]) == DONE
    out = capfd.readouterr().out
    assert "218 blocks of" in out
    assert "on 5 networks left out in turn: Spearman" in out
    assert [path.name for path in Path().iterdir()] == ["here.json"]
    problem = HaeNAS(latency="here.json", latency_size=32)
    assert set(problem.timers) == {"latency_ms"}
    with pytest.raises(InputError, match="with threads 1; asked for 2"):
        HaeNAS(latency="here.json", latency_size=32, latency_threads=2)
    asked = Pareto("params", "latency_ms")
    assert not problem.under(asked).evaluations(problem.space.sample(3, seed=0)).failed.any()


def test_a_problem_without_a_table_of_blocks_has_none_to_measure(capfd):
    arguments = ["measure", "table", "haenas", "here.json", "--problem-option", "latency=measured"]
    assert main(arguments) == WRONG_INPUT
    assert "there is no table to measure" in capfd.readouterr().err
    assert main(["measure", "table", "haenas", "no/here.json"]) == WRONG_INPUT
    assert not list(Path().iterdir())
