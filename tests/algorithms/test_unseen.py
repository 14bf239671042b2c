"""Nothing twice, and of a pool nothing that is not in it."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from moo_nas import NASProblem, Pareto, Single, registry, search
from moo_nas.algorithms import NSGA2
from moo_nas.algorithms.unseen import Unseen, evenly
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.spaces import PrunedSpace, StageSpace
from tests.spaces_for_tests import cube_space, wide_space


def unseen(space, pool, warm_start=None):
    problem = NASProblem(Evaluator(space, [Analytic(16)], pool=pool), Single("params"))
    return Unseen(problem, warm_start)


def rows(genomes):
    return [tuple(genome) for genome in genomes.tolist()]


def some(space, n, seed=0):
    return np.unique(space.canonical(space.sample(n, seed)), axis=0)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 12), max_size=6))
def test_of_a_pool_every_member_is_proposed_once_and_nothing_else(seed, sizes):
    space, rng = wide_space(), np.random.default_rng(seed)
    pool = some(space, 30, seed)
    fresh, seen = unseen(space, pool), []
    for n in [*sizes, len(pool)]:
        proposed = fresh.fresh(n, lambda k: space.sample(k, rng), rng)
        assert len(proposed) == min(n, len(pool) - len(seen))
        seen += rows(proposed)
    assert sorted(seen) == rows(pool)
    assert fresh.sample(1, rng).shape == (0, space.n_var)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_a_proposal_outside_is_replaced_by_the_nearest_member_not_yet_proposed(seed):
    space, rng = wide_space(), np.random.default_rng(seed)
    pool = some(space, 40, seed)
    fresh = unseen(space, pool)
    left = set(rows(pool)) - set(rows(fresh.sample(len(pool) // 2, rng)))
    outside = next(g for g in space.canonical(space.sample(500, rng)) if tuple(g) not in set(rows(pool)))
    (chosen,) = rows(fresh.fresh(1, lambda n: np.repeat(outside[None], n, axis=0), rng))

    def distance(genome):
        return sum(a != b for a, b in zip(genome, outside.tolist(), strict=True))

    assert chosen in left
    assert distance(chosen) == min(map(distance, left))


def test_a_member_stands_for_itself():
    space = wide_space()
    pool = some(space, 40)
    assert rows(unseen(space, pool).fresh(3, lambda n: pool[:3], np.random.default_rng(0))) == rows(pool[:3])


def test_among_equally_near_members_chance_decides():
    space = cube_space()
    pool, outside = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]), np.zeros((1, 3), dtype=np.int64)
    rng = np.random.default_rng(0)
    first = [tuple(unseen(space, pool).fresh(1, lambda _: outside, rng)[0]) for _ in range(600)]
    counts = [first.count(tuple(member)) for member in pool.tolist()]
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("pool", [None, some(wide_space(), 30)], ids=["a space", "a pool"])
def test_a_warm_start_comes_first_in_its_order_and_is_not_proposed_again(pool):
    space, rng = wide_space(), np.random.default_rng(0)
    given_first = (some(space, 60) if pool is None else pool)[[7, 2, 5]]
    fresh = unseen(space, pool, given_first)
    first = fresh.first(10, rng)
    assert rows(first)[:3] == rows(given_first)
    assert len(set(rows(first))) == 10
    again = fresh.fresh(5, lambda n: np.repeat(given_first, n, axis=0), rng)
    assert not {*rows(first)} & {*rows(again)}


def test_a_warm_start_longer_than_asked_for_is_proposed_whole():
    space = wide_space()
    start = some(space, 30)
    assert rows(unseen(space, None, start).first(4, np.random.default_rng(0))) == rows(start)


def test_a_replacement_among_5000_genomes_of_28_genes_takes_less_than_a_millisecond():
    space, rng = StageSpace.mnasnet(), np.random.default_rng(0)
    fresh = unseen(space, some(space, 5138))
    proposals = space.canonical(space.sample(200, 1))
    fresh.fresh(1, lambda n: proposals[:n], rng)
    started = time.process_time()
    assert len(fresh.fresh(199, lambda n: proposals[-n:], rng)) == 199
    assert (time.process_time() - started) / 199 < 1e-3


def haenas_of_few(n_rare: int) -> PrunedSpace:
    """HaeNAS's space with one option in each stage; in the first stages another beside it, seldom drawn."""
    whole = StageSpace.haenas()
    replaced = {}
    for number, row in enumerate(whole.stages, start=1):
        first, rare, *others = row.options()
        replaced[number] = dict.fromkeys(others if number <= n_rare else (rare, *others), first)
    return PrunedSpace(whole, replaced)


@pytest.mark.parametrize(("n_rare", "n"), [(0, 1), (5, 32)])
def test_of_a_large_space_pruned_to_a_few_these_are_proposed_and_then_nothing(n_rare, n):
    problem = NASProblem(Evaluator(haenas_of_few(n_rare), [Analytic(96)]), Single("params"))
    run = search(problem, None, "random", 100)
    assert (run.stop_reason, len(run.table)) == ("exhausted", n)
    assert len(Unseen(problem).sample(n + 1, np.random.default_rng(0))) == n


def evenly_spread(space, n):
    return [tuple(genome) for genome in space.canonical(evenly(space, n)).tolist()]


@pytest.mark.parametrize("name", ["nsga2", "aging", "moead", "smsemoa", "local-search"])
def test_the_first_networks_are_spread_evenly_and_the_rest_random(name):
    space, cls = StageSpace.haenas(), registry.load("algorithm", name)
    problem = NASProblem(Evaluator(space, [Analytic(16)]), Pareto("params", "macs"))
    firsts = [rows(search(problem, algorithm=cls(), budget=16, seed=seed).table.genomes) for seed in (0, 1)]
    spread = list(dict.fromkeys(evenly_spread(space, 5 if name == "aging" else 4)))
    for first in firsts:
        assert first[: len(spread)] == spread
    assert firsts[0][len(spread)] != firsts[1][len(spread)]


def test_without_any_spread_evenly_all_are_random():
    problem = NASProblem(Evaluator(StageSpace.haenas(), [Analytic(16)]), Single("params"))
    found = rows(search(problem, algorithm=NSGA2(n_even=0), budget=16).table.genomes)
    assert not set(found) & set(evenly_spread(problem.space, 4))


def test_a_warm_start_comes_before_what_is_spread_evenly():
    space = wide_space()
    start = some(space, 3)
    fresh = unseen(space, None, start)
    first = rows(fresh.first(10, np.random.default_rng(0), n_even=4))
    assert first[:3] == rows(start)
    assert set(evenly_spread(space, 4)) <= set(first[:7])
    assert len(set(first)) == 10
