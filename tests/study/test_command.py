"""The command that a record tells makes the same run again."""

import os
import shlex

import numpy as np
import pytest

from moo_nas import Run, registry, search
from moo_nas.algorithms import SurrogateSearch
from moo_nas.cli import DONE, main
from moo_nas.study.command import command


def made(name, **options):
    """Return a registered problem."""
    if name != "additive" and "MOO_NAS_DATA" not in os.environ:
        pytest.skip("MOO_NAS_DATA is not set: there are no benchmark tables to read")
    return registry.load("problem", name)(**options)


def assert_made_again(run):
    told = command(run.record)
    assert told is not None
    assert main([*shlex.split(told)[1:], "--jobs", "1", "--out", "again"]) == DONE
    again = Run.load("again")
    assert again.record["problem"] == run.record["problem"]
    assert again.table.genomes.tolist() == run.table.genomes.tolist()
    assert np.array_equal(again.objectives, run.objectives)


@pytest.mark.parametrize("name", ["additive", "nasbench201", "nasbench201-devices", "mnasnet"])
def test_a_problem_as_it_is_by_default_is_searched_again(name, tmp_path, monkeypatch):
    problem = made(name)
    monkeypatch.chdir(tmp_path)
    assert_made_again(search(problem, budget=12))


def test_truth_values_are_told(tmp_path, monkeypatch):
    problem = made("nasbench201", low_fidelity=True)
    monkeypatch.chdir(tmp_path)
    run = search(problem, algorithm=SurrogateSearch(free_metrics=False), budget=12)
    told = command(run.record) or ""
    assert "--problem-option low_fidelity=True" in told
    assert "--algorithm-option free_metrics=False" in told
    assert_made_again(run)
