"""Costs by formula of every space's networks against networks that were built, and against fvcore."""

import itertools
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from moo_nas.meters import Analytic
from moo_nas.networks import build
from moo_nas.spaces import CellSpace, StageSpace
from tests.strategies import architectures, cell_architectures

with warnings.catch_warnings():
    # fvcore's last release compiles and traces by what torch has since deprecated.
    warnings.filterwarnings("ignore", ".*torch.jit", DeprecationWarning)
    from fvcore.nn import FlopCountAnalysis, parameter_count

SPACES = {
    "haenas": StageSpace.haenas(),
    "mnasnet": StageSpace.mnasnet(),
    "nasbench201": CellSpace.nasbench201(merge=False),
    "nasbench201, merged": CellSpace.nasbench201(),
}
WITH_WEIGHTS = (nn.Conv2d, nn.Linear)
POOLINGS = (nn.AdaptiveAvgPool2d, nn.AvgPool2d)


def n_bytes(tensor, bits):
    return (tensor.numel() * bits + 7) // 8


def lone_norms(network):
    """Batch norms that follow no convolution: those that are the first of their sequence."""
    for module in network.modules():
        if isinstance(module, nn.Sequential) and len(module):
            for before, after in itertools.pairwise([None, *module]):
                if isinstance(after, nn.BatchNorm2d) and not isinstance(before, nn.Conv2d):
                    yield after


def counted(network, size, weight_bits, activation_bits):
    """Sums over what a built network has and does with one image."""
    sums = dict.fromkeys(("macs", "activation_bytes"), 0)

    def count(module, inputs, output):
        sums["activation_bytes"] += n_bytes(inputs[0], activation_bits) + n_bytes(output, activation_bits)
        if isinstance(module, WITH_WEIGHTS):
            sums["macs"] += module.weight[0].numel() * output.numel()

    watched = [m for m in network.modules() if isinstance(m, (*WITH_WEIGHTS, *POOLINGS))]
    for module in (*watched, *lone_norms(network)):
        module.register_forward_hook(count)
    with torch.inference_mode():
        network.eval()(torch.zeros(1, 3, size, size))
    weights = [m.weight for m in network.modules() if isinstance(m, WITH_WEIGHTS)]
    params = sum(p.numel() for p in network.parameters())
    wide = params - sum(weight.numel() for weight in weights)
    stored = 4 * wide + sum(n_bytes(weight, weight_bits) for weight in weights)
    return {
        **sums,
        "params": params,
        "weight_bytes": stored,
        "flops": 2 * sums["macs"],
        "arithmetic_intensity": 2 * sums["macs"] / (stored + sums["activation_bytes"]),
        "bit_operations": sums["macs"] * weight_bits * activation_bits,
    }


def by_formula(architecture, size, n_classes, weight_bits=32, activation_bits=32):
    meter = Analytic(size, n_classes, weight_bits, activation_bits)
    values = meter.measure([architecture], [0])[0].tolist()
    return dict(zip([metric.name for metric in meter.metrics], values, strict=True))


def check(architecture, size, n_classes, weight_bits, activation_bits):
    found = counted(build(architecture, n_classes), size, weight_bits, activation_bits)
    formula = by_formula(architecture, size, n_classes, weight_bits, activation_bits)
    assert {name: formula[name] for name in found} == found


bits = st.sampled_from([32, 16, 8, 4, 3, 1])


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=5)
@given(data=st.data())
def test_costs_are_those_of_the_built_network_in_every_space(name, data):
    space, seed = SPACES[name], data.draw(st.integers(0, 2**32))
    architecture = space.decode(space.sample(1, seed)[0])
    check(architecture, data.draw(st.sampled_from([32, 47])), 10, data.draw(bits), data.draw(bits))


@settings(max_examples=50)
@given(architectures() | cell_architectures(), st.integers(1, 33), st.integers(1, 12), bits, bits)
def test_costs_are_those_of_any_built_network(architecture, size, n_classes, weight_bits, activation_bits):
    check(architecture, size, n_classes, weight_bits, activation_bits)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", SPACES)
def test_fvcore_counts_the_same_multiply_accumulates_and_parameters(name):
    space = SPACES[name]
    for genome in space.sample(3, seed=1):
        architecture = space.decode(genome)
        network = build(architecture, 10).eval()
        analysis = FlopCountAnalysis(network, torch.zeros(1, 3, 32, 32))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        counts, formula = analysis.by_operator(), by_formula(architecture, 32, 10)
        assert formula["macs"] == counts["conv"] + counts["linear"]
        assert formula["params"] == parameter_count(network)[""]
