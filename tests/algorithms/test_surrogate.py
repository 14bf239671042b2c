"""Surrogate search: the algorithm kit, and what it must find."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from moo_nas import Constrained, NASProblem, Pareto, Single, search
from moo_nas.algorithms import RandomSearch, SurrogateSearch
from moo_nas.algorithms.surrogate import candidates
from moo_nas.algorithms.surrogate.features import Features
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.spaces import CellSpace, FlatSpace, Gene, JointSpace, StageSpace
from moo_nas.testing import AlgorithmKit
from moo_nas.testing.algorithms import StandIn
from problems.tabular import Table
from tests.spaces_for_tests import wide_space


class TestLimits(AlgorithmKit):
    budget = 14
    formulations = (Constrained("score", {"params": None, "score": 0.4}),)

    def algorithm(self):
        return SurrogateSearch(n_initial=5)


class TestBatches(AlgorithmKit):
    budget = 38  # the surroundings of the front are looked at from the 30th on
    formulations = (Pareto("score", "params", "peak_activation_bytes"),)

    def algorithm(self):
        return SurrogateSearch(n_initial=5, batch_size=3)


def table(n=4, free=(), shift=0.0):
    """A table of 4**n rows: a cost that adds up, and an error of which two genes make a part together."""
    genomes = np.indices((4,) * n).reshape(n, -1).T
    rng = np.random.default_rng(0)
    cost_of, worth_of = rng.random((2, n, 4))
    cost = 1 + cost_of[np.arange(n), genomes].sum(axis=1)
    worth = worth_of[np.arange(n), genomes].sum(axis=1) + 0.5 * (genomes[:, 0] == genomes[:, 1])
    error = 5 + 20 * np.exp(-worth) + 0.02 * rng.random(len(genomes))
    frame = pd.DataFrame(genomes, columns=[f"e{i}" for i in range(n)])
    frame["error"], frame["cost"] = error + shift, cost
    return Table(frame, list(frame.columns[:n]), {"error": "min", "cost": "min"}, free)


def regret(problem, run):
    found, exact = (
        run.front[["error", "cost"]].to_numpy(),
        problem.exact_front()[["error", "cost"]].to_numpy(),
    )
    # The mean distance, by the scaled objective that is worse, from the exact front to what was found.
    away = np.maximum(found[:, None] - exact[None], 0) / np.ptp(exact, axis=0)
    return away.max(axis=2).min(axis=0).mean()


def test_it_finds_a_front_that_random_search_is_far_from():
    problem = table()
    found = [regret(problem, search(problem, None, SurrogateSearch(), 50, seed)) for seed in range(2)]
    drawn = [regret(problem, search(problem, None, RandomSearch(), 50, seed)) for seed in range(2)]
    assert np.mean(found) < 0.3 * np.mean(drawn)


def test_objectives_that_are_not_positive_are_searched_as_well():
    problem = table(shift=-20.0)
    assert regret(problem, search(problem, None, SurrogateSearch(), 50)) < 0.05


def test_what_is_known_in_advance_is_exact():
    # Every row of the front is known before it is measured, so each evaluation after the first few is one.
    problem = table(free=["error", "cost"])
    run = search(problem, None, SurrogateSearch(n_initial=3), 23)
    exact = {tuple(row) for row in problem.exact_front()[["error", "cost"]].to_numpy()}
    found = [tuple(row) for row in run.evaluations[["error", "cost"]].to_numpy()[3:]]
    assert sum(row in exact for row in found) >= min(len(exact), 20) - 1


def test_one_objective_within_limits_is_found():
    problem = table(free=["cost"]).under(Constrained("error", {"cost": 2.8}))
    every = problem.evaluations(problem.space.sample(4000, 0))
    best = every["error"][every["cost"] <= 2.8].min()
    run = search(problem, None, SurrogateSearch(), 30)
    assert run.front["error"].iloc[0] <= best + 0.1
    assert (run.evaluations["cost"][10:] <= 2.8).all()


def test_of_a_table_with_gaps_only_rows_are_asked_for_however_many(monkeypatch):
    space = wide_space()
    pool = np.unique(space.canonical(space.sample(300, 0)), axis=0)
    runs = []
    for enumerated in (20_000, 10):
        monkeypatch.setattr(candidates, "ENUMERATED", enumerated)
        evaluator = Evaluator(space, [Analytic(16), StandIn()], pool=pool)
        run = search(NASProblem(evaluator, Pareto("score", "params")), None, SurrogateSearch(), 30)
        members = {tuple(genome) for genome in pool.tolist()}
        assert {tuple(genome) for genome in run.table.genomes.tolist()} <= members
        runs.append(run.table.genomes.tolist())
    assert runs[0] != runs[1]


def test_the_first_half_of_the_start_is_spread_evenly_and_the_rest_random():
    problem = table()
    one, other = (search(problem, None, SurrogateSearch(), 10, seed).table.genomes for seed in range(2))
    assert one[:5].tolist() == [[0] * 4, [1] * 4, [2] * 4, [3] * 4, one[4].tolist()]
    assert one[5:].tolist() != other[5:].tolist()


def test_a_warm_start_is_evaluated_first():
    problem = table()
    start = problem.space.canonical(problem.space.sample(4, 1))
    run = search(problem, None, SurrogateSearch(), 20, warm_start=start)
    assert run.table.genomes[:4].tolist() == start.tolist()


@pytest.mark.parametrize("threads", ["1", "2"])
def test_another_process_with_any_number_of_threads_makes_the_same_run(threads):
    code = (
        "from tests.algorithms.test_surrogate import table; from moo_nas import search; "
        "from moo_nas.algorithms import SurrogateSearch; "
        "print(search(table(), None, SurrogateSearch(), 40, 3).table.genomes.tolist())"
    )
    environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
    there = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    here = search(table(), None, SurrogateSearch(), 40, 3).table.genomes.tolist()
    assert there.stdout.strip() == str(here)


def test_where_nothing_can_be_measured_the_search_goes_on():
    problem = NASProblem(Evaluator(wide_space(), [Analytic(16), StandIn(failing=1.0)]), Single("score"))
    run = search(problem, None, SurrogateSearch(n_initial=3), 12)
    assert run.table.failed.all()
    assert run.stop_reason == "infeasible"


def test_features_of_a_cell_are_of_what_is_live():
    space = CellSpace.nasbench201(merge=False)
    dead = ["nor_conv_3x3", "none", "skip_connect", "none", "none", "nor_conv_1x1"]
    clean = ["none", "none", "skip_connect", "none", "none", "none"]
    genomes = np.array([space.genome_of(dead), space.genome_of(clean)])
    population = space.sample(500, 0)
    features = Features(space, population, np.empty((500, 0)))
    first, second = features(genomes, np.empty((2, 0)))
    apart = [float(np.abs(first[group] - second[group]).max()) for group in features.groups]
    assert all(part > 0 for part in apart[:2])  # genes, and how many have each operation
    assert apart[2] > 0  # a convolution that nothing reaches leads to the output
    assert apart[3:] == [0, 0]  # operations on paths; paths


def test_cells_of_a_joint_space_have_the_features_of_cells():
    cells = CellSpace.nasbench201()
    joint = JointSpace(cells, [Gene("device", ("phone", "board"), "categorical")])
    genomes, no_metrics = joint.sample(50, seed=0), np.empty((50, 0))
    alone = Features(cells, genomes[:, : cells.n_var], no_metrics)
    both = Features(joint, genomes, no_metrics)
    assert len(both.groups) == len(alone.groups) + 1
    columns = {tuple(column) for column in both(genomes, no_metrics).T.round(9)}
    own = alone(genomes[:, : cells.n_var], no_metrics).T.round(9)
    assert all(tuple(column) in columns for column in own)


def test_a_gene_with_thousands_of_choices_takes_few_columns_that_tell_them_apart():
    space = FlatSpace([Gene("arch", tuple(f"a{i}" for i in range(5000)), "categorical")])
    genomes = np.arange(5000)[:, None]
    matrix = Features(space, genomes, np.empty((5000, 0)))(genomes, np.empty((5000, 0)))
    assert matrix.shape[1] <= 64
    apart = ((matrix[:100, None] - matrix[None, :100]) ** 2).sum(axis=2)[~np.eye(100, dtype=bool)]
    assert apart.min() > 0.3 * apart.mean()


def test_features_are_standard_and_known_metrics_that_repeat_another_are_left_out():
    space = StageSpace.haenas()
    population = space.sample(400, 0)
    rng = np.random.default_rng(0)
    size, other = np.exp(rng.standard_normal(400)), rng.standard_normal(400)
    free = np.column_stack([size, 2 * size, other, np.ones(400), np.full(400, np.nan)])
    features = Features(space, population, free)
    matrix = features(population, free)
    assert len(features.groups) == len(Features(space, population, np.empty((400, 0))).groups) + 2
    for group in features.groups:
        assert (matrix[:, group] ** 2).sum(axis=1).mean() == pytest.approx(1)
    missing = features(population[:1], np.full((1, 5), np.nan))
    assert np.isfinite(missing).all()


def test_settings_that_cannot_be_are_refused():
    for options in ({"n_initial": 1}, {"batch_size": 0}, {"n_initial": 4.5}):
        with pytest.raises(InputError, match=f"{next(iter(options))} must be a whole number"):
            SurrogateSearch(**options)
