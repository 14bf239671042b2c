import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from moo_nas.errors import InputError
from moo_nas.initialisation import INITS
from moo_nas.networks import build, build_block
from moo_nas.networks.blocks import InvertedBottleneck
from moo_nas.spaces import Architecture, Block
from tests.strategies import architectures

A = Architecture.parse("stem_k3_s2_c8 fused_d2_k3_s1_e2_c8 ibn_d2_k5_s2_e3_c12_se0.25 pool_conv_c16")
B = Architecture.parse("stem_k3_s2_c8 fused_d2_k3_s1_e2_c8 ibn_d2_k5_s2_e3_c12_se0.5 pool_conv_c16")


def equal(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_and_architecture_make_the_same_weights():
    assert equal(build(A, 10, seed=3), build(A, 10, seed=3))


def test_another_seed_makes_other_weights():
    assert not equal(build(A, 10, seed=3), build(A, 10, seed=4))


def test_another_architecture_makes_other_weights():
    # B differs in its squeeze ratio only: the stem's shape is the same, its weights are not.
    assert not torch.equal(build(A, 10)[0][0].weight, build(B, 10)[0][0].weight)


def test_torchs_global_generator_is_neither_read_nor_moved():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build(A, 10)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert equal(first, build(A, 10))


def test_every_parameter_can_be_trained_and_lives_on_the_cpu():
    network = build(A, 10)
    assert all(p.requires_grad and p.is_leaf and p.device.type == "cpu" for p in network.parameters())
    network(torch.randn(2, 3, 9, 9)).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_batch_norm_begins_as_the_identity():
    for module in build(A, 10).modules():
        if isinstance(module, nn.BatchNorm2d):
            assert torch.equal(module.running_mean, torch.zeros_like(module.running_mean))
            assert torch.equal(module.running_var, torch.ones_like(module.running_var))
            assert int(module.num_batches_tracked) == 0
            assert torch.equal(module.weight, torch.ones_like(module.weight))


@pytest.mark.parametrize("init", INITS)
def test_weights_are_drawn_at_the_initialisations_scale(init):
    network = build(Architecture.parse("stem_k3_s2_c64 fused_d1_k3_s1_e4_c64 conv_pool_c512"), 100, init=init)
    for module in network.modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        fan_in, weight = module.weight[0].numel(), module.weight.detach()
        fan_out = weight.shape[0] * weight[0, 0].numel()
        deviations = {
            "kaiming": (2 / fan_in) ** 0.5,
            "xavier": (2 / (fan_in + fan_out)) ** 0.5,
            "torch": (1 / (3 * fan_in)) ** 0.5,
        }
        if weight.numel() > 5000:
            assert float(weight.std()) == pytest.approx(deviations[init], rel=0.05)
        if init == "torch":
            assert float(weight.abs().max()) <= fan_in**-0.5
        if module.bias is not None:
            assert bool(module.bias.any()) == (init == "torch")


def test_an_initialisation_that_is_not_known_is_refused_with_the_closest():
    with pytest.raises(InputError, match="did you mean 'kaiming'"):
        build(A, 10, init="kaimin")


def test_activations_stay_in_one_memory_format():
    # One that changes from layer to layer made networks twice as slow as their blocks.
    network, met = build(B, 10), []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            own = nn.Conv2d(module.in_channels, module.out_channels, module.kernel_size, groups=module.groups)
            assert module.weight.stride() == own.weight.stride()
            module.register_forward_hook(lambda m, x, y: met.append(y.is_contiguous()))
    network.eval()(torch.randn(1, 3, 32, 32))
    assert met
    assert all(met)


@pytest.mark.parametrize("init", INITS)
def test_the_memory_format_changes_no_weight(init):
    last = build(B, 10, seed=3, init=init, memory_format=torch.channels_last)
    assert equal(build(B, 10, seed=3, init=init), last)
    assert last[1].body[0][0].weight.is_contiguous(memory_format=torch.channels_last)


@settings(max_examples=25)
@given(architectures(), st.integers(1, 12))
def test_for_images_of_one_size_only_weights_that_meet_nothing_but_padding_are_left_out(architecture, size):
    small = build(architecture, 5, image_size=size).double().eval()
    whole = build(architecture, 5).double().eval()
    for ours, full in zip(small.modules(), whole.modules(), strict=True):
        if not isinstance(ours, nn.Conv2d):
            continue
        assert ours.kernel_size == full.kernel_size
        margin = (full.weight.shape[-1] - ours.weight.shape[-1]) // 2
        full.weight = nn.Parameter(nn.functional.pad(ours.weight, [margin] * 4))
    whole.load_state_dict({n: t for n, t in small.state_dict().items() if t.dim() != 4}, strict=False)
    images = torch.randn(2, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(small(images), whole(images), rtol=1e-9, atol=1e-9)


def test_a_kernel_that_was_left_a_part_is_drawn_at_the_whole_ones_scale():
    a = Architecture.parse("stem_k3_s2_c8 fused_d1_k7_s2_e8_c128 fused_d1_k7_s1_e8_c128 conv_pool_c8")
    layer = build(a, 10, image_size=4)[2].body[0][0]
    assert layer.weight.shape == (1024, 128, 1, 1)
    assert float(layer.weight.detach().std()) == pytest.approx((2 / (128 * 49)) ** 0.5, rel=0.02)


def test_a_built_layer_can_be_drawn_anew_by_torch():
    layer = build(A, 10)[0][0]
    before = layer.weight.detach().clone()
    layer.reset_parameters()
    assert not torch.equal(layer.weight, before)


@settings(max_examples=25)
@given(architectures(), st.integers(1, 40), st.integers(1, 12), st.integers(1, 3))
def test_images_of_any_size_become_scores_of_any_number_of_classes(architecture, size, n_classes, n):
    network = build(architecture, n_classes).eval()
    with torch.inference_mode():
        assert network(torch.zeros(n, 3, size, size)).shape == (n, n_classes)


def test_images_need_not_be_square():
    assert build(A, 5).eval()(torch.zeros(1, 3, 21, 34)).shape == (1, 5)


@settings(max_examples=15)
@given(architectures(), st.integers(5, 40))
def test_every_block_puts_out_what_its_description_says(architecture, size):
    x = torch.zeros(1, 3, size, size)
    with torch.inference_mode():
        for module, block in zip(build(architecture, 7).eval(), architecture.blocks(size, 7), strict=True):
            x = module(x)
            shape = (1, 7) if block.is_head else (1, block.out_channels, block.out_size, block.out_size)
            assert x.shape == shape


@pytest.mark.parametrize("operator", ["ibn", "fused"])
@pytest.mark.parametrize(
    ("out_channels", "stride", "expected"), [(8, 1, True), (8, 2, False), (12, 1, False)]
)
def test_the_input_is_added_only_where_shapes_allow(operator, out_channels, stride, expected):
    block = Block(operator, 8, 16, out_channels, 6, 3, stride)
    module = build_block(block).eval()[0]
    x = torch.randn(1, 8, 6, 6)
    with torch.inference_mode():
        body = module.body(x.clone())
        assert torch.equal(module(x), x + body if expected else body)


def test_expansion_1_has_no_expanding_convolution():
    convs = [m for m in build_block(Block("ibn", 8, 8, 8, 6, 3)).modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size, c.groups) for c in convs] == [((3, 3), 8), ((1, 1), 1)]


def test_squeeze_and_excite_scales_channels_between_the_convolutions():
    block = Block("ibn", 4, 8, 6, 5, 3, se=0.5)
    module = build_block(block).eval()[0]
    x = torch.randn(2, 4, 5, 5)
    inside = module.body[1](module.body[0](x))
    se = module.body[2]
    weights = torch.sigmoid(se.excite(torch.relu(se.squeeze(inside.mean((2, 3), keepdim=True)))))
    assert torch.allclose(module(x), module.body[3](inside * weights), atol=1e-6)
    assert se.squeeze.out_channels == 4


def test_a_block_alone_is_deterministic_and_does_not_change_its_input():
    block = Block("ibn", 8, 8, 8, 6, 3)  # the depthwise layer reads the block's own input
    assert equal(build_block(block, 1), build_block(block, 1))
    x = torch.randn(1, 8, 6, 6)
    before = copy.deepcopy(x)
    module = build_block(block).eval()
    assert isinstance(module[0], InvertedBottleneck)
    module(x)
    assert torch.equal(x, before)
