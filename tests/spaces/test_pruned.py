"""Pruned stage spaces: what was dropped is never met, and everything else stays as it was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.errors import SpaceError
from moo_nas.meters import Analytic
from moo_nas.spaces import Gene, JointSpace, PrunedSpace, StageSpace
from tests.spaces_for_tests import tiny_space, wide_space
from tests.strategies import spaces


def every(space):
    return np.array([space.genome_at(i) for i in range(space.size)])


@st.composite
def pruned_spaces(draw) -> PrunedSpace:
    """A random space with random options replaced by others of the same channels."""
    space = draw(spaces())
    replaced = {}
    for number, row in enumerate(space.stages, start=1):
        options = row.options()
        kept = draw(st.sets(st.sampled_from(options), min_size=1))
        stands = {
            option: draw(st.sampled_from(sorted(k for k in kept if k[4] == option[4])))
            for option in options
            if option not in kept and any(k[4] == option[4] for k in kept)
        }
        replaced[number] = stands
    return PrunedSpace(space, replaced)


@given(pruned_spaces(), st.integers(0, 2**31))
@settings(max_examples=40)
def test_each_stage_has_what_stands_for_its_option(space, seed):
    genomes = space.sample(6, seed)
    for genome, canonical in zip(genomes, space.canonical(genomes), strict=True):
        before, after = space.whole.decode(genome), space.decode(genome)
        assert after == space.whole.decode(canonical)
        for number, (old, new) in enumerate(zip(before.stages, after.stages, strict=True), start=1):
            row, stands = space.stages[number - 1], space.replaced.get(number, {})
            meant = {str(row.stage(option)): row.stage(taken) for option, taken in stands.items()}
            assert new == meant.get(str(old), old)


@given(pruned_spaces(), st.integers(0, 2**31))
@settings(max_examples=25)
def test_costs_looked_up_are_those_of_the_networks_that_are_decoded(space, seed):
    genomes, cost = space.sample(5, seed), Analytic(space.image_size, 10)
    measured = cost.measure([space.decode(genome) for genome in genomes], [0] * 5)
    assert space.tabulate(cost)(genomes) == pytest.approx(measured)


@pytest.mark.parametrize("make", [tiny_space, wide_space])
def test_how_many_architectures_are_left_is_exact(make):
    whole = make()
    options = whole.stages[1].options()
    space = PrunedSpace(whole, {2: {options[-1]: next(o for o in options if o[4] == options[-1][4])}})
    left = {str(space.decode(genome)) for genome in every(space)}
    assert len(left) == space.n_architectures == whole.size - whole.size // len(options)


@given(pruned_spaces())
@settings(max_examples=20)
def test_those_that_are_left_are_numbered(space):
    n = space.n_distinct
    numbers = range(n) if n <= 300 else sorted({*range(0, n, max(n // 50, 1)), n - 1})
    left = np.array([space.distinct_at(i) for i in numbers])
    assert (space.canonical(left) == left).all()
    assert len(np.unique(left, axis=0)) == len(numbers)
    joint = JointSpace(space, [Gene("threads", (1, 2, 4), "ordinal")])
    assert joint.n_distinct == 3 * n
    assert len({tuple(joint.distinct_at(i)) for i in range(min(3 * n, 60))}) == min(3 * n, 60)


def test_its_blocks_are_those_that_are_left():
    whole = StageSpace.haenas()
    fused = [option for option in whole.stages[0].options() if option[0] == "fused"]
    space = PrunedSpace(whole, {1: {option: ("ibn", *option[1:]) for option in fused}})
    gone = set(whole.blocks(96, 10)) - set(space.blocks(96, 10))
    assert {block.operator for block in gone} == {"fused"}
    assert len(gone) == len(fused) == 9


def test_a_pruned_network_is_refused_by_what_stands_for_it():
    whole = tiny_space()
    first, second = whole.stages[0].options()[:2]
    space = PrunedSpace(whole, {1: {second: first}})
    genome = next(g for g in every(whole) if (space.canonical(g[None]) != g).any())
    with pytest.raises(SpaceError, match=r"was pruned from this space; 'stem_.*' stands for it"):
        space.encode(whole.decode(genome))


@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        ({3: {("ibn",): ("fused",)}}, "stages 1 to 2; got 3"),
        ({1: {("ibn", 9, 2, 1, 8, 0.0): ("ibn", 3, 2, 1, 8, 0.0)}}, "no option"),
        (
            {
                1: {
                    ("ibn", 3, 2, 1, 8, 0.0): ("fused", 3, 2, 1, 8, 0.0),
                    ("fused", 3, 2, 1, 8, 0.0): ("ibn", 3, 2, 2, 8, 0.0),
                }
            },
            "dropped too",
        ),
    ],
)
def test_what_cannot_stand_for_another_is_refused(replaced, words):
    with pytest.raises(SpaceError, match=words):
        PrunedSpace(tiny_space(), replaced)


def test_other_channels_cannot_stand_for_an_option():
    options = wide_space().stages[0].options()
    narrow, wide = options[0], next(o for o in options if o[4] != options[0][4])
    with pytest.raises(SpaceError, match="other channels"):
        PrunedSpace(wide_space(), {1: {wide: narrow}})


def test_a_pruned_space_is_not_pruned_again():
    with pytest.raises(SpaceError, match="pruned already"):
        PrunedSpace(PrunedSpace(tiny_space(), {}), {})
