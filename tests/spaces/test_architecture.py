import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_nas.errors import SpaceError
from moo_nas.spaces import Architecture, Cell, CellStage, Head, ResidualStage, Stage, Stem
from tests.strategies import architectures, cell_architectures


@given(architectures() | cell_architectures())
def test_the_text_reads_back(architecture):
    assert Architecture.parse(str(architecture)) == architecture
    assert "\n" not in str(architecture)


@given(st.floats(0, 1, exclude_min=True))
def test_the_text_reads_back_whatever_the_squeeze_ratio(ratio):
    architecture = Architecture(Stem(), (Stage("ibn", 1, 3, 1, 2, 8, ratio),), Head())
    assert Architecture.parse(str(architecture)) == architecture


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stem_k3_s2_c16",
        "stem_k3_s2_c16 pool_conv_c64",
        "stem_k3_s2 ibn_d2_k3_s2_e6_c24 pool_conv_c64",
        "stem_k3_s2_c16 mbconv_d2_k3_s2_e6_c24 pool_conv_c64",
        "stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 fc_c64",
        "stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24_se0.2.5 pool_conv_c64",
        "stem_k3_s2_c16_relu ibn_d2_k3_s2_e6_c24 pool_conv_c64",
        "stem_k3_s1_c16 cell_d5_c16 norm_pool",
        "stem_k3_s1_c16 cell_d5_c16_|nor_conv_3x3~1| norm_pool",
        "stem_k3_s1_c16 residual_d1_k3_c32 norm_pool",
        "stem_k3_s1_c16 residual_d1_k3_s2_c32 norm_pool_c64",
        "stem_k3_s2_c16 ibn_d-2_k3_s2_e6_c24 pool_conv_c64",
    ],
)
def test_a_text_that_is_no_architecture_is_refused_as_such(text):
    with pytest.raises(SpaceError):
        Architecture.parse(text)


@given(architectures(), st.integers(1, 64))
def test_blocks_and_layers_fit_each_other(architecture, image_size):
    blocks = architecture.blocks(image_size, 10)
    assert blocks[0].in_size == image_size
    for before, after in itertools.pairwise(blocks):
        assert (before.out_channels, before.out_size) == (after.in_channels, after.in_size)
    assert blocks[-1].out_channels == 10
    layers = architecture.layers(image_size, 10)
    for before, after in itertools.pairwise(layers):
        assert before.out_channels == after.in_channels


@given(architectures())
def test_a_residual_is_there_only_where_nothing_changes_shape(architecture):
    for block in architecture.blocks(32, 10):
        if block.has_residual:
            assert block.operator in ("ibn", "fused")
            assert (block.in_channels, block.in_size) == (block.out_channels, block.out_size)


def test_scaled_by_one_is_the_same():
    a = Architecture(Stem(17), (Stage("ibn", 2, 3, 2, 6, 13),), Head(9))
    assert a.scaled() == a


@given(st.floats(0.1, 4), st.floats(0.1, 4))
def test_scaled_widths_are_multiples_of_8_and_never_a_tenth_too_narrow(width, depth):
    a = Architecture(Stem(16), (Stage("fused", 3, 3, 2, 6, 40), Stage("ibn", 1, 5, 1, 3, 96)), Head(1280))
    scaled = a.scaled(width, depth)
    for before, after in zip(a.stages, scaled.stages, strict=True):
        assert after.depth >= before.depth * depth
        assert after.depth < before.depth * depth + 1
        assert (after.operator, after.kernel, after.stride, after.expansion) == (
            before.operator,
            before.kernel,
            before.stride,
            before.expansion,
        )
    if width != 1:
        pairs = [(16, scaled.stem.channels), (1280, scaled.head.channels)]
        pairs += [(b.channels, s.channels) for b, s in zip(a.stages, scaled.stages, strict=True)]
        for before, after in pairs:
            assert after % 8 == 0
            assert after >= 0.9 * before * width


def test_efficientnet_b1_to_b3_widths_and_depths():
    # M. Tan, Q. Le: B3 is 1.2 wide and 1.4 deep, from B0's stem of 32 and head of 1280.
    a = Architecture(Stem(32), (Stage("ibn", 2, 3, 2, 6, 24), Stage("ibn", 3, 5, 2, 6, 40)), Head(1280))
    b3 = a.scaled(width=1.2, depth=1.4)
    assert (b3.stem.channels, b3.head.channels) == (40, 1536)
    assert [(s.channels, s.depth) for s in b3.stages] == [(32, 3), (48, 5)]


@pytest.mark.parametrize("multipliers", [{"width": 0}, {"depth": -1}, {"width": float("nan")}])
def test_multipliers_that_are_not_positive_are_refused(multipliers):
    with pytest.raises(SpaceError, match="positive"):
        Architecture(Stem(), (Stage("ibn", 1, 3, 1, 2, 8),), Head()).scaled(**multipliers)


def test_cell_networks_have_the_widths_that_scaling_gives_each():
    cell = Cell(("nor_conv_3x3",))
    a = Architecture(
        Stem(16, 3, 1, act=False), (CellStage(cell, 2, 16), ResidualStage(32)), Head(0, "norm_pool")
    )
    b = a.scaled(width=2, depth=1.5)
    assert str(b) == "stem_k3_s1_c32_linear cell_d3_c32_|nor_conv_3x3~0| residual_d2_k3_s2_c64 norm_pool"


def test_a_cell_stage_keeps_its_channels():
    a = Architecture(Stem(8), (CellStage(Cell(("none",)), 1, 16),), Head(0, "norm_pool"))
    with pytest.raises(SpaceError, match=r"16 channels.*got 8"):
        a.blocks(32, 10)


def test_a_head_without_hidden_layer_is_refused_one():
    with pytest.raises(SpaceError, match="channels=0; got 1280"):
        Head(order="norm_pool")
