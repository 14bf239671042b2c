"""The command line: exit codes, one clear line for wrong input, and nothing on disk harmed by it."""

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from moo_nas import registry
from moo_nas.cli import DONE, WRONG_INPUT, main
from moo_nas.meters import DEVICE_MODELS

FORMULAS = ["search", "haenas", "--objectives", "params,peak_activation_bytes", "--jobs", "1"]
QUICK = ["--problem-option", "image_size=16", "--problem-option", "batch_size=8"]


def contents(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["search", "haens"], "did you mean 'haenas'?"),
        (["search", "haenas", "--algorithm", "nsga22"], "did you mean 'nsga2'?"),
        (["search", "haenas", "--formulation", "paretto"], "did you mean 'pareto'?"),
        (["search", "haenas", "--formulation", "two-stage"], "moo-nas compare takes it"),
        (["compare", "haenas", "--formulations", "two-stag"], "did you mean 'two-stage'?"),
        (["search", "haenas", "--objectives", "score,latency"], "did you mean 'latency_ms'?"),
        (["search", "haenas", "--formulation", "constrained", "--limit", "latency=5"], "'latency_ms'"),
        (["search", "haenas", "--limit", "latency_ms"], "name=value"),
        (["search", "haenas", "--limit", "latency_ms=fast"], "metric=number"),
        (["search", "haenas", "--budget", "0"], "evaluations, at least 1; got 0"),
        (["search", "haenas", "--budget", "-3"], "evaluations, at least 1; got -3"),
        (["search", "haenas", "--budget", "many"], "'--budget': it must be a whole number; got 'many'."),
        (["search", "haenas", "--seed", "1.5"], "'--seed': it must be a whole number; got '1.5'."),
        (["search", "haenas", "--timeout", "soon"], "'--timeout': it must be a number; got 'soon'."),
        (["compare", "haenas", "--seeds", "a"], "'--seeds': it must be a whole number; got 'a'."),
        (["search", "haenas", "--seed", "-1"], "whole number, at least 0; got"),
        (["search", "haenas", "--jobs", "0"], "at least 1; got"),
        (["search", "haenas", "--speed", "9"], "--speed"),
        (["search", "haenas", "--problem-option", "image_sise=32"], "did you mean 'image_size'?"),
        (["search", "haenas", "--problem-option", "image_size=big"], "image_size"),
        (["search", "haenas", "--problem-option", "data=cifar"], "Known: digits, noise"),
        (["search", "haenas", "--problem-option", "data=./images.zip"], "no file or folder 'images.zip'"),
        (["search", "haenas", "--algorithm-option", "pop_size=1"], "number, at least 2; got 1"),
        (["search", "haenas", "--algorithm", "hae"], "no scalar fitness"),
        (["search", "haenas", "--formulation", "single", "--objectives", "score,params"], "one objective"),
        (["search", "haenas", "--objectives", "score"], "at least two objectives"),
        (["compare", "haenas", "--formulations", "single,best"], "Unknown formulation or plan 'best'"),
        (["compare", "haenas", "--algorithms", "nsga22"], "did you mean 'nsga2'?"),
        (["compare", "haenas", "--seeds", "0"], "at least one"),
        (["search", "haenas", "--objectives", ","], "separated by commas"),
        (["search", "haenas", "--limit", "macs=1", "--limit", "macs=2"], "'macs' twice"),
        (["search", "haenas", "--formulation", "constrained", "--objectives", "params"], "needs a limit"),
        (["search", "haenas", "--problem-option", "n_networks=3"], "at least 5"),
        (["serch", "haenas"], "search"),
        (["search"], "problem"),
        ([], "command"),
        (["measure"], "command"),
        (["measure", "export", "haenas"], "'out'"),
        (["measure", "export", "haens", "nets"], "did you mean 'haenas'?"),
        (["measure", "export", "haenas", "nets", "--n", "0"], "At least 1 network"),
        (["measure", "import", "none.csv", "haenas"], "none.csv cannot be read"),
        (["search", "haenas", "--problem-option", "latency=fast"], "path that ends in .json or .csv"),
        (["search", "haenas", "--problem-option", "latency=no.json"], "no.json cannot be read"),
        (["search", "haenas", "--problem-option", "device=tpu"], "Known: cpu, cuda, onnxruntime"),
    ],
)
def test_wrong_input_gets_one_clear_line_and_leaves_no_file(arguments, expected, capfd):
    assert main(arguments) == WRONG_INPUT
    out, err = capfd.readouterr()
    lines = (out + err).strip().splitlines()
    assert len(lines) == 1, lines
    assert expected in lines[0]
    assert contents(Path()) == {}


def test_a_search_writes_its_folder_and_says_what_it_found(capfd):
    assert main([*FORMULAS, "--budget", "50", "--out", "here"]) == DONE
    record = json.loads(Path("here/run.json").read_text())
    front = pd.read_csv("here/front.csv")
    assert record["stop_reason"] == "budget"
    assert record["n_evaluations"] == 50
    assert len(front) >= 1
    assert {"stage3.kernel", "params", "status", "feasible", "architecture"} <= set(front.columns)
    assert {"front.png", "report.html", "evaluations.sqlite"} <= set(contents(Path("here")))
    assert f"Front: {len(front)} architectures" in capfd.readouterr().out


def test_runs_of_different_options_have_different_default_folders():
    assert main([*FORMULAS, "--budget", "10"]) == DONE
    assert main([*FORMULAS, "--budget", "10", "--algorithm-option", "pop_size=5"]) == DONE
    folders = [path.parent.name for path in Path("runs").glob("*/front.csv")]
    assert len(folders) == 2
    assert all(name.startswith("haenas-pareto-nsga2-10-seed0-") for name in folders)


def test_another_run_in_the_folder_is_refused_and_nothing_changes(capfd):
    assert main([*FORMULAS, "--budget", "10", "--out", "here"]) == DONE
    before = contents(Path("here"))
    capfd.readouterr()
    for change in (["--budget", "11"], ["--budget", "10", "--seed", "1"], ["--budget", "10", *QUICK]):
        assert main([*FORMULAS, *change, "--out", "here"]) == WRONG_INPUT
        (line,) = capfd.readouterr().err.strip().splitlines()
        assert "here holds another run" in line
        assert contents(Path("here")) == before
    assert main(["compare", "haenas", "--budget", "10", "--out", "here"]) == WRONG_INPUT
    assert contents(Path("here")) == before


def test_a_run_of_another_version_is_refused_by_name(capfd, monkeypatch):
    assert main([*FORMULAS, "--budget", "10", "--out", "here"]) == DONE
    before = contents(Path("here"))
    monkeypatch.setattr(sys.modules["moo_nas.study.search"], "version", lambda name: "9.9")
    assert main([*FORMULAS, "--budget", "10", "--out", "here"]) == WRONG_INPUT
    assert "versions.moo_nas is" in capfd.readouterr().err
    assert contents(Path("here")) == before


def damage_truncated(store: Path) -> None:
    store.write_bytes(store.read_bytes()[: store.stat().st_size // 2])


def damage_emptied(store: Path) -> None:
    store.write_bytes(b"")


def damage_garbage(store: Path) -> None:
    store.write_bytes(b"not a database" * 100)


def damage_newer_schema(store: Path) -> None:
    with closing(sqlite3.connect(store)) as db:
        db.execute("PRAGMA user_version=99")


def damage_read_only(store: Path) -> None:
    store.chmod(0o444)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (damage_truncated, "damaged"),
        (damage_emptied, "truncated or not a store"),
        (damage_garbage, "truncated or not a store"),
        (damage_newer_schema, "schema 99"),
        (damage_read_only, "read-only"),
    ],
)
def test_a_store_that_cannot_be_used_is_refused_and_left_as_it_is(damage, expected, capfd):
    assert main([*FORMULAS, "--budget", "60", "--out", "here"]) == DONE
    damage(Path("here/evaluations.sqlite"))
    before = contents(Path("here"))
    capfd.readouterr()
    assert main([*FORMULAS, "--budget", "60", "--out", "here"]) == WRONG_INPUT
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert expected in line
    assert contents(Path("here")) == before


def test_files_of_a_run_without_its_store_are_not_written_over(capfd):
    Path("here").mkdir()
    Path("here/front.csv").write_text("mine\n")
    assert main([*FORMULAS, "--budget", "10", "--out", "here"]) == WRONG_INPUT
    assert "no evaluations.sqlite" in capfd.readouterr().err
    assert contents(Path("here")) == {"front.csv": b"mine\n"}


def test_a_file_in_place_of_the_folder_is_said_so(capfd):
    Path("here").write_text("a file")
    assert main([*FORMULAS, "--budget", "10", "--out", "here"]) == WRONG_INPUT
    assert len(capfd.readouterr().err.strip().splitlines()) == 1
    assert Path("here").read_text() == "a file"


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from moo_nas.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("room", [0, 20_000, 60_000])
def test_a_disk_without_room_ends_with_one_line_and_the_run_continues_once_there_is(room, tmp_path):
    # A limit on the size of files is what a full disk is to a process: writing fails.
    arguments = [*FORMULAS, "--budget", "300", "--out", "here"]
    full = subprocess.run(
        [sys.executable, "-c", LIMITED, str(room), *arguments], capture_output=True, text=True, check=False
    )
    assert full.returncode == WRONG_INPUT, full.stderr
    assert full.stderr.strip().splitlines()[-1].startswith("moo-nas: ")
    assert "Traceback" not in full.stderr
    assert main(arguments) == DONE
    assert main([*arguments[:-1], "elsewhere"]) == DONE
    assert Path("here/front.csv").read_bytes() == Path("elsewhere/front.csv").read_bytes()


def test_limits_that_nothing_meets_end_as_infeasible_and_show_the_least_violating(capfd):
    arguments = ["search", "haenas", "--formulation", "constrained", "--limit", "params=1000"]
    assert main([*arguments, "--objectives", "macs", "--budget", "30", "--out", "here"]) == DONE
    out = capfd.readouterr().out
    assert json.loads(Path("here/run.json").read_text())["stop_reason"] == "infeasible"
    assert "stopped: infeasible" in out
    assert "least violating" in out
    with closing(sqlite3.connect("here/evaluations.sqlite")) as db:
        params = [json.loads(row[0])["params"] for row in db.execute("SELECT metrics FROM evaluations")]
    assert f"{min(params):,.0f}" in out
    assert pd.read_csv("here/front.csv").empty


def test_a_problem_whose_tables_are_not_there_is_listed_with_the_reason(capfd, monkeypatch):
    monkeypatch.delenv("MOO_NAS_DATA", raising=False)
    assert main(["list"]) == DONE
    listed = capfd.readouterr().out
    assert "mnasnet" in listed
    assert "MOO_NAS_DATA" in listed
    assert main(["list", "mnasnet"]) == DONE
    told = capfd.readouterr().out
    assert "MOO_NAS_DATA" in told
    assert "top1_error (min)" not in told
    assert "zcu102" in told
    assert main(["search", "mnasnet"]) == WRONG_INPUT
    assert "MOO_NAS_DATA" in capfd.readouterr().err


def test_list_names_what_there_is(capfd):
    assert main(["list"]) == DONE
    out = capfd.readouterr().out
    for kind in ("problem", "formulation", "plan", "algorithm"):
        for name in registry.names(kind):
            assert name in out
    assert "by default: score, latency_ms" in out


def test_list_says_what_a_problem_measures_and_takes(capfd):
    assert main(["list", "haenas"]) == DONE
    lines = capfd.readouterr().out.splitlines()
    out = " ".join(" ".join(lines).split())  # lines are broken
    assert "latency_ms (min)" in out
    assert "score (max)" in out
    options = {line.split()[0]: line.split()[1] for line in lines if line[:1].isalpha() and " " in line}
    assert options["image_size"] == "32"
    assert options["score"] == "log(snip),log(params)"
    assert "store" not in options  # nothing that text cannot tell
    assert "latency_size 96 Pixels of the images that latency is of" in out
    for device in DEVICE_MODELS:
        assert device in out


@pytest.mark.parametrize("kind", ["problem", "formulation", "plan", "algorithm"])
def test_list_has_words_for_every_option(kind, capfd):
    for name in registry.names(kind):
        assert main(["list", name]) == DONE
        out = capfd.readouterr().out
        options = registry.options(registry.load(kind, name)) if kind in ("problem", "algorithm") else {}
        for option, default in options.items():
            said = re.search(rf"^{option} +{re.escape(default)} +\w", out, re.MULTILINE)
            assert said, (name, option)


def test_list_names_the_closest_to_what_there_is_not(capfd):
    assert main(["list", "surogate"]) == WRONG_INPUT
    assert "did you mean 'surrogate'?" in capfd.readouterr().err


def test_compare_runs_every_pair_and_says_which_is_refused(capfd):
    arguments = ["compare", "haenas", "--formulations", "single,constrained,product,pareto"]
    arguments += ["--algorithms", "nsga2,hae", "--seeds", "1", "--budget", "8", "--jobs", "1", *QUICK]
    arguments += ["--problem-option", "n_reference=8", "--problem-option", "n_networks=5"]
    arguments += [
        "--problem-option",
        "latency_size=32",
        "--problem-option",
        "latency_rounds=2",
        "--out",
        "here",
    ]
    assert main(arguments) == DONE
    table = pd.read_csv("here/comparison.csv")
    ran = table[table["stop_reason"] == "budget"]
    assert len(ran) == 7
    assert (ran["evaluations"] == 8).all()
    assert table.loc[table["stop_reason"] == "refused", "method"].tolist() == ["pareto-hae"]
    assert "pareto-hae: refused." in capfd.readouterr().out
    assert {"comparison.png", "report.html"} <= set(contents(Path("here")))
    before = table.to_csv()
    assert main(arguments) == DONE
    assert pd.read_csv("here/comparison.csv").to_csv() == before
