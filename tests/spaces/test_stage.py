import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.errors import SpaceError
from moo_nas.meters import Analytic
from moo_nas.networks import build
from moo_nas.spaces import Head, StageChoices, StageSpace, Stem
from tests import strategies
from tests.spaces_for_tests import cube_space, tiny_space, wide_space


def test_haenas_has_26_genes_and_its_size():
    space = StageSpace.haenas()
    assert (space.n_var, space.size) == (26, 148769467776)


def test_haenas_genes_are_named_by_stage_and_only_operators_are_categorical():
    space = StageSpace.haenas()
    names = [
        f"stage{stage}.{gene}"
        for stage in range(1, 8)
        for gene in ("operator", "kernel", "expansion", "depth")
        if gene != "depth" or stage not in (1, 7)
    ]
    assert [gene.name for gene in space.genes] == names
    choices = {
        "operator": ("ibn", "fused"),
        "kernel": (3, 5, 7),
        "expansion": (3, 4, 6),
        "depth": (2, 3, 4),
    }
    for gene in space.genes:
        assert gene.choices == choices[gene.name.split(".")[1]]
        assert gene.kind == ("categorical" if gene.name.endswith("operator") else "ordinal")


def test_haenas_built_has_table_1s_feature_maps():
    space = StageSpace.haenas()
    smallest = space.decode(space.genome_at(0))
    assert [stage.depth for stage in smallest.stages] == [1, 2, 2, 2, 2, 2, 1]
    network = build(smallest, n_classes=3).eval()
    # One row a stage input, and the head's: channels and pixels.
    expected = [(16, 112), (16, 112), (24, 56), (40, 28), (80, 14), (112, 14), (160, 7), (960, 7)]
    first_block = np.cumsum([1] + [stage.depth for stage in smallest.stages])
    seen = {}
    for number, block in enumerate(network):
        block.register_forward_pre_hook(lambda m, x, number=number: seen.update({number: tuple(x[0].shape)}))
    with torch.inference_mode():
        network(torch.zeros(1, 3, 224, 224))
    assert [seen[number] for number in first_block] == [(1, c, size, size) for c, size in expected]


def test_haenas_head_pools_before_two_1x1_convolutions():
    *_, head = StageSpace.haenas().decode(StageSpace.haenas().genome_at(0)).blocks(224, 1000)
    assert [(x.kind, x.in_channels, x.out_channels) for x in head.layers()] == [
        ("pool", 960, 960),
        ("conv", 960, 1280),
        ("conv", 1280, 1000),
    ]


def test_haenas_has_as_many_distinct_blocks_as_the_block_table_says():
    assert len(StageSpace.haenas().blocks(96, 10)) == 218


def test_the_stride_is_on_a_stages_first_block():
    stage = StageSpace.haenas().decode(StageSpace.haenas().genome_at(0)).stages[1]
    assert [block.stride for block in stage.blocks(16, 112)] == [2, 1]


@given(strategies.spaces(), st.data())
def test_decode_and_encode_are_inverse_on_any_table(space, data):
    for genome in data.draw(strategies.genomes(space)):
        assert space.encode(space.decode(genome)).tolist() == genome.tolist()


@given(strategies.spaces(), st.data())
@settings(max_examples=40)
def test_tabulated_costs_are_the_measured_ones(space, data):
    genomes = data.draw(strategies.genomes(space, n=8))
    meter = Analytic(image_size=data.draw(st.integers(1, 64)), n_classes=data.draw(st.integers(1, 20)))
    tables = space.tabulate(meter)
    measured = meter.measure([space.decode(genome) for genome in genomes], [0] * len(genomes))
    assert tables(genomes).tolist() == measured.tolist()


@pytest.mark.parametrize("make", [tiny_space, wide_space, cube_space])
def test_tabulated_costs_are_the_measured_ones_for_every_network(make):
    space, meter = make(), Analytic(image_size=15, n_classes=7)
    genomes = np.array([space.genome_at(i) for i in range(space.size)])
    measured = meter.measure([space.decode(genome) for genome in genomes], [0] * len(genomes))
    assert space.tabulate(meter)(genomes).tolist() == measured.tolist()


def test_tabulated_costs_of_more_genomes_than_a_chunk_keep_their_order():
    space, meter = StageSpace.haenas(), Analytic(96, 10)
    genomes = space.sample(20_000, seed=0)
    tables = space.tabulate(meter)
    assert (tables(genomes)[::-1] == tables(genomes[::-1])).all()
    rows = [0, 8191, 8192, 19_999]
    measured = meter.measure([space.decode(genomes[row]) for row in rows], [0] * len(rows))
    assert tables(genomes)[rows].tolist() == measured.tolist()
    assert tables(genomes[:0]).shape == (0, len(meter.metrics))


@given(strategies.spaces())
@settings(max_examples=25)
def test_every_block_of_every_network_is_among_the_spaces_blocks(space):
    known = set(space.blocks(20, 5))
    for genome in space.sample(20, seed=0):
        assert known >= set(space.decode(genome).blocks(20, 5))


def test_a_resolution_that_the_strides_do_not_make_is_refused_by_its_stage():
    rows = [StageChoices(112, 2, (16,)), StageChoices(112, 1, (16,))]
    with pytest.raises(SpaceError, match=r"Stage 2's resolution must be 56.*got 112"):
        StageSpace(rows)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kernel": (3, 4)}, "odd"),
        ({"depth": (0, 1)}, "depth must be positive"),
        ({"expansion": ()}, "at least one choice of expansion"),
        ({"operator": ("ibn", "mbconv")}, "ibn and fused"),
        ({"se": (0.0, 1.5)}, r"\[0, 1\]"),
        ({"se_of": "output"}, "hidden or input; got 'output'"),
        ({"channels": (-8,)}, "channels must be positive"),
    ],
)
def test_a_row_that_cannot_be_built_is_refused(wrong, message):
    with pytest.raises(SpaceError, match=message):
        StageChoices(112, 1, **{"channels": (16,), **wrong})


@given(strategies.spaces(), st.data())
def test_squeeze_and_excite_is_of_the_expanded_width_or_of_what_comes_in(space, data):
    genomes = data.draw(strategies.genomes(space))
    for genome, (_, chosen) in zip(genomes, space.choices(genomes).iterrows(), strict=True):
        for number, (row, stage) in enumerate(
            zip(space.stages, space.decode(genome).stages, strict=True), start=1
        ):
            ratio = chosen.get(f"stage{number}.se", row.se[0])
            for block in stage.blocks(12, 9):
                width = block.hidden if row.se_of == "hidden" else block.in_channels
                assert block.squeezed == round(width * ratio)  # widths that the ratios divide


def test_a_row_without_a_say_in_it_has_the_settings_it_always_had():
    usual, other = (StageChoices(112, 1, (16,), se=(0.0, 0.25), se_of=of) for of in ("hidden", "input"))
    assert "se_of" not in usual.settings
    assert other.settings == {**usual.settings, "se_of": "input"}


def test_squeeze_and_excite_of_another_ratio_is_refused_on_either_scale():
    space = StageSpace.mnasnet()
    architecture = space.decode(space.genome_at(space.size - 1))  # expansion 6: a quarter of a sixth
    assert space.encode(architecture).tolist() == (space.n_choices - 1).tolist()
    text = str(architecture).replace(f"_se{0.25 / 6!r}", "_se0.25", 1)
    with pytest.raises(SpaceError, match=r"'stage1.se' has choices \(0.0, 0.0416.*\); got 0.25"):
        space.encode(type(architecture).parse(text))


def test_no_stages_are_refused():
    with pytest.raises(SpaceError, match="at least one stage"):
        StageSpace([])


def test_an_architecture_of_another_space_is_refused_with_the_reason(tiny):
    other = StageSpace(tiny.stages, tiny.stem, Head(99), tiny.image_size)
    with pytest.raises(SpaceError, match="99"):
        tiny.encode(other.decode(other.genome_at(0)))
    architecture = tiny.decode(tiny.genome_at(0))
    with pytest.raises(SpaceError, match=r"'stage1.kernel' has choices \(3,\); got 7"):
        tiny.encode(type(architecture).parse(str(architecture).replace("k3_s1", "k7_s1")))
    with pytest.raises(SpaceError, match="2 stages; got 1"):
        tiny.encode(type(architecture)(architecture.stem, architecture.stages[:1], architecture.head))
    with pytest.raises(SpaceError, match="stride"):
        tiny.encode(type(architecture).parse(str(architecture).replace("k3_s1", "k3_s2")))


def test_two_tables_that_differ_have_different_settings(tiny):
    other = StageSpace(tiny.stages, Stem(8, kernel=5), tiny.head, tiny.image_size)
    assert other.settings != tiny.settings
    assert tiny_space().settings == tiny.settings
