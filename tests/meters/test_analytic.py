"""Costs by formula against networks that were built and run."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from moo_nas.errors import InputError
from moo_nas.meters import Analytic
from moo_nas.meters.analytic import COSTS, layer_cost
from moo_nas.networks import build
from moo_nas.networks.blocks import InvertedBottleneck, SqueezeExcite
from moo_nas.spaces import Architecture, Layer, StageSpace
from tests.spaces_for_tests import wide_space
from tests.strategies import architectures

NAMES = [metric.name for metric in Analytic.metrics]


def measured(architecture: Architecture, image_size: int, n_classes: int) -> dict[str, float]:
    values = Analytic(image_size, n_classes).measure([architecture], [0])[0]
    return dict(zip(NAMES, values.tolist(), strict=True))


class Watched:
    """Runs a network on one image and counts what its layers do and what they hold."""

    def __init__(self, network: nn.Module, image_size: int) -> None:
        self.macs = 0
        self.peak = 0
        self.survey = 0
        self.held: list[torch.Tensor] = []  # tensors that live until their module ends
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.AdaptiveAvgPool2d):
                module.register_forward_hook(self.layer)
            if isinstance(module, SqueezeExcite) or (
                isinstance(module, InvertedBottleneck) and module.residual
            ):
                module.register_forward_pre_hook(lambda m, x: self.held.append(x[0]))
                module.register_forward_hook(self.release)
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, image_size, image_size))
        assert not self.held

    def release(self, module: nn.Module, inputs: object, output: object) -> None:
        self.held.pop()

    def layer(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        x = inputs[0]
        alive = {t.data_ptr(): t.numel() for t in (*self.held, x, output)}
        self.peak = max(self.peak, 4 * sum(alive.values()))
        if isinstance(module, nn.Conv2d):
            k = module.kernel_size[0] * module.kernel_size[1] * module.in_channels // module.groups
            self.macs += k * output.numel()
            self.survey += 2 * x.shape[2] * x.shape[3] * (k + 1) * module.out_channels
        elif isinstance(module, nn.Linear):
            self.macs += module.in_features * output.numel()
            self.survey += 2 * (module.in_features - 1) * module.out_features


def check(architecture: Architecture, image_size: int, n_classes: int) -> None:
    network = build(architecture, n_classes)
    costs, watched = measured(architecture, image_size, n_classes), Watched(network, image_size)
    assert costs["params"] == sum(p.numel() for p in network.parameters())
    assert costs["params_survey"] == sum(
        p.numel() for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear) for p in m.parameters()
    )
    assert costs["macs"] == watched.macs
    assert costs["flops"] == 2 * watched.macs
    assert costs["flops_survey"] == watched.survey
    assert costs["peak_activation_bytes"] == watched.peak


@settings(max_examples=60)
@given(architectures(), st.integers(1, 40), st.integers(1, 12))
def test_costs_are_those_of_the_built_network(architecture, image_size, n_classes):
    check(architecture, image_size, n_classes)


@settings(max_examples=30)
@given(st.integers(0, wide_space().size - 1), st.integers(1, 33))
def test_costs_are_those_of_the_built_network_with_width_and_se_genes(index, image_size):
    space = wide_space()
    check(space.decode(space.genome_at(index)), image_size, 10)


@settings(max_examples=6)
@given(st.integers(0, 2**32), st.sampled_from([32, 47, 64]))
def test_costs_are_those_of_the_built_haenas_network(seed, image_size):
    space = StageSpace.haenas()
    check(space.decode(space.sample(1, seed)[0]), image_size, 10)


def test_costs_are_those_of_a_scaled_network():
    space = StageSpace.haenas()
    check(space.decode(space.genome_at(0)).scaled(width=0.5, depth=1.4), 35, 10)


def test_mobilenet_like_case_by_hand():
    # One image of 8x8. Stem 3x3 stride 2, 3 -> 8: 4x4. IBN of expansion 2, 8 -> 8, residual.
    # Head: pooling, 8 -> 16, 16 -> 5.
    costs = measured(Architecture.parse("stem_k3_s2_c8 ibn_d1_k3_s1_e2_c8 pool_conv_c16"), 8, 5)
    stem, expand, depthwise, project = 3 * 9 * 8, 8 * 16, 9 * 16, 16 * 8
    hidden, classes = 8 * 16, 16 * 5
    norms = 2 * (8 + 16 + 16 + 8)
    assert costs["params"] == stem + expand + depthwise + project + norms + hidden + 16 + classes + 5
    assert costs["params_survey"] == costs["params"] - norms
    assert costs["macs"] == 16 * (stem + expand + depthwise + project) + hidden + classes
    assert costs["flops_survey"] == 2 * (
        64 * (27 + 1) * 8  # eq. 3 with the stem's input of 8x8
        + 16 * ((8 + 1) * 16 + (9 + 1) * 16 + (16 + 1) * 8)
        + (8 + 1) * 16
        + (16 + 1) * 5
    )
    # The depthwise layer: 16 channels in and out, and the 8 to be added later, of 4x4.
    assert costs["peak_activation_bytes"] == 4 * max(3 * 64 + 8 * 16, (16 + 16 + 8) * 16)
    # In and out: the stem, the three convolutions of the block, pooling, hidden layer, classes.
    moved = 4 * ((192 + 128) + (128 + 256) + (256 + 256) + (256 + 128) + (128 + 8) + (8 + 16) + (16 + 5))
    assert costs["activation_bytes"] == moved
    assert costs["weight_bytes"] == 4 * costs["params"]
    assert costs["arithmetic_intensity"] == 2 * costs["macs"] / (4 * costs["params"] + moved)
    assert costs["bit_operations"] == 32 * 32 * costs["macs"]


def test_eq_3_to_6_of_single_layers():
    def cost(layer: Layer) -> dict[str, float]:
        return dict(zip(COSTS, layer_cost(layer), strict=True))

    conv = cost(Layer("conv", 4, 6, 10, kernel=3, stride=2, bias=True))
    assert conv["flops_survey"] == 2 * 10 * 10 * (4 * 9 + 1) * 6
    assert conv["params_survey"] == 4 * 9 * 6 + 6
    assert conv["macs"] == 5 * 5 * 4 * 9 * 6
    grouped = cost(Layer("conv", 8, 8, 5, kernel=3, groups=8))
    assert grouped["flops_survey"] == 2 * 5 * 5 * (9 + 1) * 8
    assert grouped["params_survey"] == 9 * 8
    linear = cost(Layer("linear", 20, 7, 1, bias=True))
    assert linear["flops_survey"] == 2 * (20 - 1) * 7
    assert linear["params_survey"] == 20 * 7 + 7
    assert linear["macs"] == 20 * 7


@pytest.mark.parametrize("image_size", [1, 2, 223, 225, 256])
def test_params_do_not_depend_on_the_image_size(image_size):
    architecture = StageSpace.haenas().decode(StageSpace.haenas().genome_at(0))
    assert measured(architecture, image_size, 10)["params"] == measured(architecture, 224, 10)["params"]


def test_bytes_of_a_layer_of_few_bits_are_rounded_up_and_biases_stay_wide():
    cost = dict(
        zip(COSTS, layer_cost(Layer("conv", 3, 5, 3, bias=True, norm=True, held=1), 2, 3), strict=True)
    )
    assert cost["weight_bytes"] == 4 + 4 * (5 + 2 * 5)  # 15 weights of 2 bits: 30 bits
    assert cost["activation_bytes"] == 11 + 17  # 27 of 3 bits: 81 bits; 45: 135 bits
    assert cost["peak_activation_bytes"] == 28  # 27 + 45 + 1: 219 bits


def test_fewer_bits_change_bytes_and_bit_operations_and_nothing_else():
    architecture = Architecture.parse("stem_k3_s2_c8 ibn_d1_k3_s1_e2_c8 pool_conv_c16")
    wide = dict(zip(NAMES, Analytic(8, 4).measure([architecture], [0])[0], strict=True))
    narrow = dict(zip(NAMES, Analytic(8, 4, 8, 4).measure([architecture], [0])[0], strict=True))
    for name in ("params", "params_survey", "macs", "flops", "flops_survey"):
        assert narrow[name] == wide[name]
    assert narrow["bit_operations"] == 8 * 4 * wide["macs"]
    assert narrow["activation_bytes"] == wide["activation_bytes"] / 8
    assert narrow["peak_activation_bytes"] == wide["peak_activation_bytes"] / 8
    kernels = 3 * 9 * 8 + 8 * 16 + 9 * 16 + 16 * 8 + 8 * 16 + 16 * 4
    assert narrow["weight_bytes"] == kernels + 4 * (wide["params"] - kernels)


@pytest.mark.parametrize("name", ["weight_bits", "activation_bits"])
@pytest.mark.parametrize("bits", [0, 33, -8])
def test_bits_are_1_to_32(name, bits):
    with pytest.raises(InputError, match=f"{name} must be 1 to 32; got {bits}"):
        Analytic(8, 5, **{name: bits})


def test_the_key_tells_bits_apart():
    meters = [Analytic(8, 5), Analytic(8, 5, 8), Analytic(8, 5, 32, 8), Analytic(8, 5, 8, 8)]
    assert len({meter.key for meter in meters}) == 4
