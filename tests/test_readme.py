"""Every command and snippet of the README runs."""

import importlib
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from moo_nas.cli import DONE, main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
SHELL = [text.strip().splitlines() for language, text in BLOCKS if language == "sh"]
SNIPPETS = [text for language, text in BLOCKS if language == "python"]
# The same commands on small images, samples and budgets: as printed they take minutes.
SMALL = ["--jobs", "1"]
for option in ("image_size=16", "batch_size=8", "n_reference=8", "n_networks=5"):
    SMALL += ["--problem-option", option]
for option in ("latency_size=32", "latency_rounds=2"):
    SMALL += ["--problem-option", option]


def test_the_first_block_is_the_main_job_and_the_tests_a_line_each():
    job, tests = SHELL[0]
    assert job.endswith("moo-nas search haenas")
    assert tests.endswith("tox")
    for line in (job, tests):
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt")


@pytest.mark.parametrize("command", [SHELL[0][0].rpartition("bin/")[2], *SHELL[1]])
def test_each_command_runs(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program, verb, *rest = shlex.split(command)
    assert program == "moo-nas"
    # However busy the machine is, some network keeps within the limit.
    rest = [word.replace("latency_ms=15", "latency_ms=10000") for word in rest]
    if verb in ("show", "report"):
        searched = next(line for line in SHELL[1] if f"--out {rest[0]}" in line)
        assert main([*shlex.split(searched)[1:], "--budget", "8", *SMALL]) == DONE
        assert main([verb, *rest]) == DONE
        return
    small = (
        [] if verb == "list" else ["--n", "10", *SMALL] if verb == "proxies" else ["--budget", "8", *SMALL]
    )
    if verb == "compare":
        small += ["--seeds", "1"]
    assert main([verb, *rest, *small]) == DONE
    if verb == "search":
        (folder,) = [path.parent for path in Path().rglob("run.json")]
        there = {path.name for path in folder.iterdir()}
        named = re.findall(r"^\| `([a-z.]+)` \|", README, flags=re.MULTILINE)
        assert set(named) - {"measured.csv"} <= there
        assert ("measured.csv" in there) == ("--objectives" not in rest)


def test_networks_go_out_and_a_table_comes_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out, back = (shlex.split(line)[1:] for line in SHELL[2])
    options = [word for word in SMALL if word not in ("--jobs", "1")]
    assert main([*out[:-1], "2", *options]) == DONE
    path = Path(back[2])
    table = pd.read_csv(path)
    table["latency_ms"] = [3.5, 4.5]
    table.to_csv(path, index=False)
    assert main([*back, *options]) == DONE
    assert pd.read_csv(back[-1])["latency_ms"].tolist() == [3.5, 4.5]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_each_snippet_runs(snippet, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "README.md", "exec"), {})
    assert "budget" in capsys.readouterr().out


def test_every_link_leads_to_a_file():
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_files_and_formulations_in_the_table_exist():
    import moo_nas
    from moo_nas import spaces

    for name in set(re.findall(r"`(\w+)[.(]", README)) & {
        "Single",
        "Constrained",
        "WeightedProduct",
        "Pareto",
        "ReferencePoint",
        "Tchebycheff",
        "WeightedSum",
    }:
        assert hasattr(moo_nas, name)
    assert hasattr(spaces, "StageChoices")


def test_the_table_of_proxies_is_that_of_the_studys_results(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "studies")
    study = importlib.import_module("proxy_correlation")
    results = pd.read_csv(ROOT / "studies" / "results" / "proxy_correlation.csv")
    assert f"{study.MARKS[0]}\n{study.readme_table(results)}\n{study.MARKS[1]}" in README
