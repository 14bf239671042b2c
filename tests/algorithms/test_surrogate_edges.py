"""Surrogate search where numbers are unusual: nothing to gain, zeros, any units, many observations."""

from itertools import pairwise
from typing import ClassVar

import moocore
import numpy as np
import pandas as pd
import pytest

from moo_nas import Constrained, NASProblem, Pareto, search
from moo_nas.algorithms import RandomSearch, SurrogateSearch
from moo_nas.algorithms.operators import priority
from moo_nas.algorithms.surrogate import candidates
from moo_nas.algorithms.surrogate.acquisition import Acquisition
from moo_nas.algorithms.surrogate.candidates import Source
from moo_nas.algorithms.surrogate.features import Features
from moo_nas.algorithms.surrogate.gaussian_process import ConditionedProcess
from moo_nas.algorithms.surrogate.improvement import Exact, Normal, expected_improvement
from moo_nas.algorithms.surrogate.outcome import Outcome
from moo_nas.algorithms.surrogate.scale import least_positive, logarithm
from moo_nas.algorithms.unseen import Unseen
from moo_nas.analysis.indicators import hypervolume, nondominated
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, Meter, Metric
from moo_nas.spaces import FlatSpace, Gene, PrunedSpace, StageSpace
from moo_nas.testing.algorithms import StandIn
from problems.tabular import Table
from tests.algorithms.test_surrogate import table
from tests.spaces_for_tests import wide_space


def sums(genes=6, choices=4, seed=0):
    """A table of sums over genes: an error, and a cost between 10 and 10.1."""
    genomes = np.indices((choices,) * genes).reshape(genes, -1).T
    costs, errors = np.random.default_rng(seed).random((2, genes, choices))
    cost = costs[np.arange(genes), genomes].sum(axis=1)
    frame = pd.DataFrame(genomes, columns=[f"e{i}" for i in range(genes)])
    frame["error"] = 5 + errors[np.arange(genes), genomes].sum(axis=1)
    frame["cost"] = 10 + 0.1 * (cost - cost.min()) / np.ptp(cost)
    return frame


def as_table(frame, free=()):
    genes = [name for name in frame if name.startswith("e") and name != "error"]
    return Table(frame, genes, {name: "min" for name in frame if name not in genes}, free)


@pytest.mark.parametrize(
    "formulation", [Constrained("error", {"cost": 2.8}), Pareto("error", "cost", limits={"cost": 3})]
)
def test_no_evaluation_goes_to_what_is_known_to_break_a_limit(formulation):
    problem = table(5, free=["cost"]).under(formulation)
    run = search(problem, None, SurrogateSearch(), 100)
    limit = 2.8 if isinstance(formulation, Constrained) else 3.0
    assert (run.evaluations["cost"][10:] <= limit).all()


@pytest.mark.parametrize("free", [(), ("cost",)])
def test_where_no_network_keeps_a_limit_the_least_violating_is_found(free):
    problem = as_table(sums(), free).under(Constrained("error", {"cost": 5.0}))
    found = search(problem, None, SurrogateSearch(), 50)
    drawn = search(problem, None, RandomSearch(), 50)
    assert found.stop_reason == "infeasible"
    assert found.evaluations["cost"].min() - 10 < 0.3 * (drawn.evaluations["cost"].min() - 10)


def test_where_a_known_limit_cannot_be_kept_the_least_violating_come_in_order():
    frame = sums(seed=1)
    problem = as_table(frame, ["cost"]).under(Constrained("error", {"cost": 5.0}))
    run = search(problem, None, SurrogateSearch(), 20)
    costs = run.evaluations["cost"].to_numpy()
    left = np.setdiff1d(np.sort(frame["cost"]), costs[:10])
    assert costs[10:] == pytest.approx(left[:10])


def test_where_nothing_is_left_to_gain_the_next_best_networks_come():
    problem = table(5, free=["error", "cost"])
    every = problem.known_genomes()
    rank = dict(
        zip(
            map(tuple, every.tolist()),
            moocore.pareto_rank(problem.fg(problem.evaluations(every))[0]),
            strict=True,
        )
    )
    run = search(problem, None, SurrogateSearch(), 36)
    ranks = [int(rank[tuple(genome)]) for genome in run.table.genomes.tolist()[10:]]
    assert ranks[:4] == [0] * 4  # the front
    assert max(ranks) <= 6 < max(rank.values()) / 5


@pytest.mark.parametrize("batch_size", [1, 4])
def test_now_and_then_the_surroundings_of_the_front_are_looked_at(batch_size, monkeypatch):
    looks = []
    look = SurrogateSearch._look_around

    def spied(self, seen, acquisition, chosen):
        look(self, seen, acquisition, chosen)
        front = seen.candidates.genomes[nondominated(seen.f)]
        looks.append((len(seen), int((front != chosen[0]).sum(axis=1).min()) if chosen else None))

    monkeypatch.setattr(SurrogateSearch, "_look_around", spied)
    search(table(5), None, SurrogateSearch(batch_size=batch_size), 62)
    evaluations = [n for n, _ in looks]
    assert 30 <= evaluations[0] < 30 + batch_size
    assert all(6 <= after - n < 6 + 2 * batch_size for n, after in pairwise(evaluations))
    assert [genes for _, genes in looks] == [1] * len(looks)


def test_of_a_pool_its_nearest_members_are_looked_at(monkeypatch):
    space = wide_space()
    pool = np.unique(space.canonical(space.sample(300, 0)), axis=0)
    problem = NASProblem(Evaluator(space, [Analytic(16), StandIn()], pool=pool), Pareto("score", "params"))
    run = search(problem, None, SurrogateSearch(), 60)
    members = {tuple(genome) for genome in pool.tolist()}
    assert {tuple(genome) for genome in run.table.genomes.tolist()} <= members
    assert len(run.table) == 60


def test_one_zero_takes_no_detail_from_a_cost_over_decades():
    genomes = np.indices((4,) * 6).reshape(6, -1).T
    logs, worths = np.random.default_rng(0).random((2, 6, 4))
    logs[:, 0], logs[:, 1:] = 0.0, logs[:, 1:] + 0.3
    log_cost = 1.2 * logs[np.arange(6), genomes].sum(axis=1)
    worth = (worths + 0.8 * logs)[np.arange(6), genomes].sum(axis=1)
    frame = pd.DataFrame(genomes, columns=[f"e{i}" for i in range(6)])
    frame["error"] = 5 + 30 * np.exp(-worth)
    found = []
    for least in (1.0, 0.0):
        # All genes at their first choice, which is of the start: the cheapest.
        problem = as_table(frame.assign(cost=np.where(log_cost == 0, least, np.exp(log_cost))))
        for seed in range(3):
            f = search(problem, None, SurrogateSearch(), 50, seed).objectives
            f = np.column_stack([f[:, 0], np.log(np.maximum(f[:, 1], 1.0))])
            found.append(hypervolume(f, np.array([frame["error"].max(), log_cost.max()])))
    most = hypervolume(
        np.column_stack([frame["error"], log_cost]), np.array([frame["error"].max(), log_cost.max()])
    )
    with_one, with_zero = 1 - np.array(found).reshape(2, 3).mean(axis=1) / most
    assert with_zero < 3 * with_one


def test_a_logarithm_is_taken_where_most_is_positive_and_nothing_negative():
    assert least_positive(np.array([0.0, 1e-9, 2.0])) == 1e-9
    assert least_positive(np.array([0.0, 0.0, 2.0])) is None
    assert least_positive(np.array([-1e-9, 1.0, 2.0])) is None
    assert logarithm(np.array([0.0, 1.0, np.e]), 1.0).tolist() == [0.0, 0.0, 1.0]


def test_a_free_metric_with_a_zero_still_tells_the_others_apart():
    space = FlatSpace([Gene("a", tuple(range(1000)), "ordinal")])
    logs = np.random.default_rng(0).standard_normal(1000)
    values = np.where(np.arange(1000) == 7, 0.0, np.exp(20 * logs))
    features = Features(space, np.arange(1000)[:, None], values[:, None])
    column = features(np.arange(1000)[:, None], values[:, None])[:, features.groups[-1]][:, 0]
    assert np.corrcoef(np.delete(column, 7), np.delete(logs, 7))[0, 1] > 0.99


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_where_half_of_the_values_are_equal_the_unit_changes_nothing(unit):
    features = np.random.default_rng(0).standard_normal((40, 2))
    values = np.where(np.arange(40) < 31, 0.0, np.arange(40) - 30.0)
    shares = []
    for factor in (1.0, unit):
        outcome = Outcome([np.array([0]), np.array([1])])
        outcome.learn(features, values * factor)
        shares.append(outcome.scaled(values * factor) / outcome.scaled(values * factor).max())
    assert shares[1] == pytest.approx(shares[0])


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e6])
def test_with_one_objective_a_candidate_is_worth_its_expected_improvement(unit):
    # The models expect far better than was observed: more than any box of fronts.
    belief = Normal(np.array([-1000.0, -905.0, -890.0]) * unit, np.array([1.0, 30.0, 60.0]) * unit)
    acquisition = Acquisition(np.array([[-900.0], [-850.0]]) * unit, np.array([[-1000.0]]) * unit)
    worth = acquisition([belief], np.ones(3))
    expected = belief.below(np.array([-900.0 * unit]))[:, 0]
    assert worth / worth[0] == pytest.approx(expected / expected[0])


def test_tiny_units_change_no_choice():
    f = np.array([[-3.0, 1.0], [-1.0, 0.2], [-2.0, 0.5]])
    worth = []
    for unit in (1.0, 1e-14):
        scale = np.array([unit, 1.0])
        beliefs = [
            Normal(np.array([-3.0, -4.0, -2.0]) * unit, np.full(3, 0.1) * unit),
            Normal(np.array([0.3, 1.0, 0.19]), np.full(3, 0.01)),
        ]
        worth.append(Acquisition(f * scale, (f - 0.01) * scale)(beliefs, np.ones(3)))
    assert worth[1] == pytest.approx(worth[0])


def test_spreads_stay_right_with_hundreds_of_observations_of_thousands_of_candidates():
    rng = np.random.default_rng(0)
    process = ConditionedProcess([np.arange(3)])
    features, others = rng.standard_normal((500, 3)), rng.standard_normal((5000, 3))
    targets = np.sin(features).sum(axis=1)
    process.learn(features, targets)
    process.condition(features, targets)
    process.track(others)
    mean, variance = process.predict(others)
    assert np.abs(process.mean - mean).max() < 0.01 * np.sqrt(np.median(variance))
    assert np.abs(process.variance - variance).max() < 0.01 * np.median(variance)


def test_an_observation_added_leaves_the_precision_as_it_was():
    rng = np.random.default_rng(0)
    process = ConditionedProcess([np.arange(3)])
    features, candidates = rng.standard_normal((60, 3)), rng.standard_normal((6000, 3))
    process.learn(features, np.sin(features[:, 0]))
    process.condition(features, np.sin(features[:, 0]))
    process.track(candidates)
    process.add(np.zeros(3), 0.3)
    mean, _ = process.predict(candidates[:500])
    process.keep(np.arange(500))
    assert process.mean == pytest.approx(mean, abs=1e-9)


def test_improvement_of_many_objectives_is_computed():
    for n in (12, 13, 14):
        beliefs = [Exact(np.full(1, 0.5)) for _ in range(n)]
        worth = expected_improvement(np.full((1, n), 0.75), np.ones(n), beliefs)
        assert worth[0] == pytest.approx(0.5**n - 0.25**n)


class Patchy(Meter):
    """A cost that is known in advance, of one part of a space alone."""

    metrics = (Metric("cost", "1", "min"),)
    instant = True
    settings: ClassVar = {}

    def measure(self, architectures, seeds):
        genes = np.array([[choice for _, choice in a.choices] for a in architectures])
        return np.where(genes[:, :1] < 4, np.nan, 1.0 + genes.sum(axis=1, keepdims=True))


def test_what_lacks_a_number_that_others_have_in_advance_breeds_no_candidates(monkeypatch):
    space = FlatSpace([Gene(f"g{i}", tuple(range(6)), "categorical") for i in range(12)])
    problem = NASProblem(Evaluator(space, [StandIn(("score",)), Patchy()]), Pareto("score", "cost"))
    ranked = []

    def spied(f, violation, rng):
        ranked.append(np.isfinite(f).all())
        return priority(f, violation, rng)

    monkeypatch.setattr(candidates, "priority", spied)
    run = search(problem, None, SurrogateSearch(), 30)
    assert ranked
    assert all(ranked)
    assert not run.table.failed[10:].any()


def test_a_large_space_that_is_pruned_to_few_networks_is_looked_at_whole():
    whole = StageSpace.haenas()
    kept = {number: row.options()[: 2 if number < 6 else 1] for number, row in enumerate(whole.stages, 1)}
    replaced = {
        number: {option: kept[number][0] for option in row.options() if option not in kept[number]}
        for number, row in enumerate(whole.stages, 1)
    }
    space = PrunedSpace(whole, replaced)
    problem = NASProblem(Evaluator(space, [Analytic(16), StandIn()]), Pareto("score", "params"))
    source = Source(problem, Unseen(problem), np.random.default_rng(0), ())
    assert source.enumerates
    assert space.n_distinct == 32
    run = search(problem, None, SurrogateSearch(), 40)
    assert (run.stop_reason, len(run.table)) == ("exhausted", 32)


def test_free_metrics_are_looked_at_or_not():
    with pytest.raises(InputError, match="free_metrics must be True or False; got 'no'"):
        SurrogateSearch(free_metrics="no")
