"""Options that are never worth it on a device, against a slow computation of the same."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas import NASProblem, Pareto
from moo_nas.algorithms.exact import exact_front
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, BlockTable, pruned
from moo_nas.spaces import StageSpace
from problems.additive import Additive, BlockSum, own_table
from tests.spaces_for_tests import tiny_space, wide_space

COST = Analytic(16, 10)


def table(space, ms, name="made up", weights=None) -> BlockTable:
    blocks = space.blocks(16, 10)
    return BlockTable(dict(zip(blocks, ms, strict=False)), 16, 10, {"name": name}, weights=weights)


@st.composite
def block_tables(draw, space) -> BlockTable:
    n = len(space.blocks(16, 10))
    # Few values, so that some latencies are equal.
    ms = draw(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.8, 2.0]), min_size=n, max_size=n))
    return table(space, ms, weights=draw(st.sampled_from([None, (1.0, 0.01, 2.0)])))


def offers(architecture):
    """What a score can profit from, stage by stage."""
    size, channels, found = 8, 8, []
    for stage in architecture.stages:
        blocks = stage.blocks(channels, size)
        costs = np.sum([COST.block_cost(block) for block in blocks], axis=0)
        found.append([costs[0], costs[2], stage.kernel, stage.depth, stage.se])
        channels, size = stage.channels, blocks[-1].out_size
    return np.array(found)


def every(space):
    return [space.decode(space.genome_at(i)) for i in range(space.size)]


@pytest.mark.parametrize("make", [tiny_space, wide_space])
@given(data=st.data())
@settings(max_examples=8)
def test_for_each_network_there_is_one_left_as_fast_and_as_large_in_every_stage(make, data):
    space = make()
    known = data.draw(block_tables(space))
    left = pruned(space, known).space
    for index in data.draw(st.lists(st.integers(0, space.size - 1), min_size=5, max_size=40)):
        before, after = space.decode(space.genome_at(index)), left.decode(space.genome_at(index))
        ms = [known.summed(one.blocks(16, 10)) for one in (before, after)]
        assert ms[1] <= ms[0] + 1e-12
        assert [s.channels for s in before.stages] == [s.channels for s in after.stages]
        assert (offers(after) >= offers(before)).all()


@given(data=st.data())
@settings(max_examples=15)
def test_what_is_dropped_is_what_a_slow_look_finds_dominated(data):
    space = tiny_space()
    known = data.draw(block_tables(space))
    found = pruned(space, known)
    channels, size = 8, 8
    for number, row in enumerate(space.stages, start=1):
        measured = []
        for option in row.options():
            blocks = row.stage(option).blocks(channels, size)
            costs = np.sum([COST.block_cost(block) for block in blocks], axis=0)
            measured.append((known.summed(blocks), [costs[0], costs[2], option[1], option[3]]))
        dominated = set()
        for (i, (ms, has)), (j, (other_ms, other_has)) in itertools.permutations(enumerate(measured), 2):
            better = other_ms <= ms and all(a >= b for a, b in zip(other_has, has, strict=True))
            if better and ((other_ms, other_has) != (ms, has) or j < i):
                dominated.add(row.options()[i])
        assert set(found.space.replaced.get(number, {})) == dominated
        channels, size = row.channels[0], -(-size // row.stride)


class Large(Analytic):
    """More parameters are better."""

    metrics = tuple(replace(m, goal="max" if m.name == "params" else m.goal) for m in Analytic.metrics)


def test_no_point_of_a_front_in_what_is_protected_is_lost():
    whole, latency = StageSpace.haenas(), BlockSum(own_table())
    fronts = [
        exact_front(NASProblem(Evaluator(one, [latency, Large(96, 10)]), Pareto("params", "latency_ms"))).f
        for one in (whole, pruned(whole, own_table()).space)
    ]
    assert len(fronts[0]) == len(fronts[1]) > 100
    assert fronts[1] == pytest.approx(fronts[0])


def test_on_a_real_table_a_fifth_is_left_with_nearly_all_of_another_front():
    # The error of the problem is better for fused stages beyond what their size says.
    problem = Additive(Pareto("error", "latency_ms"))
    found = pruned(problem.space, own_table())
    assert found.space.n_architectures / problem.space.size == pytest.approx(0.21, abs=0.01)
    assert (found.dropped["reason"] == "dominated").all()
    assert (found.dropped["taken_latency_ms"] <= found.dropped["latency_ms"]).all()
    left = exact_front(NASProblem(Evaluator(found.space, problem.evaluator.sources), problem.formulation)).f
    whole = problem.exact_objectives()
    worse = [((left - point) / np.ptp(whole, axis=0)).max(axis=1).min() for point in whole]
    assert max(worse) < 0.02


def test_what_is_slow_for_its_size_goes_only_where_that_is_asked():
    space = tiny_space()
    blocks = space.blocks(16, 10)
    macs = np.array([COST.block_cost(block)[2] for block in blocks])
    # As many ms per multiply-accumulate as can be, but for one block of the second stage.
    ms = 1e-5 * macs
    at = next(i for i, b in enumerate(blocks) if b.operator == "ibn" and b.kernel == 5 and b.stride == 2)
    ms[at] *= 9
    known = table(space, ms)
    plain, found = pruned(space, known), pruned(space, known, slower_than=2)
    assert set(plain.dropped["reason"]) == {"dominated"}
    slow = found.dropped[found.dropped["reason"] == "inefficient"]
    # With one layer it is dominated anyhow; with two it is not, as no other is as large.
    assert slow["option"].tolist() == ["ibn_d2_k5_s2_e1_c16"]
    assert set(found.dropped["option"]) - set(plain.dropped["option"]) == {"ibn_d2_k5_s2_e1_c16"}
    assert f"{len(slow)} take over 2 times the median" in found.sentence


def test_of_several_devices_it_goes_if_it_is_worse_on_all_of_them():
    space = tiny_space()
    n = len(space.blocks(16, 10))
    one, other = table(space, np.linspace(1, 2, n), "one"), table(space, np.linspace(2, 1, n), "other")
    both = pruned(space, [one, other])
    for alone in (pruned(space, one), pruned(space, other)):
        assert set(both.dropped["option"]) <= set(alone.dropped["option"])
    assert "of one and other" in both.sentence
    assert pruned(space, [one, one]).dropped.equals(pruned(space, one).dropped)


def test_the_record_says_what_stands_for_what_and_why():
    found = pruned(StageSpace.haenas(), own_table())
    record = found.record
    assert record["sentence"] == found.sentence
    assert sum(map(len, record["dropped"].values())) == len(found.dropped) == 55
    said = record["dropped"]["stage2"]["ibn_d2_k3_s2_e3_c24"]
    assert said == "dominated: 0.7694 ms; fused_d2_k3_s2_e3_c24 stands for it, 0.6834 ms"


def test_where_everything_is_worth_it_nothing_goes_and_it_is_said():
    space = tiny_space()
    costs = [COST.block_cost(block) for block in space.blocks(16, 10)]
    # What is larger takes longer, exactly.
    found = pruned(space, table(space, [float(cost[2] + cost[0] / 7) for cost in costs]))
    assert found.space.n_architectures == space.size
    assert found.sentence.startswith("Nothing was pruned by the block table of made up: each of 20 stage")
    assert found.record["dropped"] == {}


@pytest.mark.parametrize(
    ("tables", "slower_than", "words"),
    [
        ([], None, "at least one block table"),
        (own_table(), 1.0, "above 1; got 1"),
        (replace(own_table(), ms={}), None, "another space: it lacks"),
    ],
)
def test_what_cannot_prune_is_refused(tables, slower_than, words):
    with pytest.raises(InputError, match=words):
        pruned(StageSpace.haenas(), tables, slower_than)
