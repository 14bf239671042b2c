"""Costs by formula of networks of cells."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from moo_nas.meters import Analytic
from moo_nas.networks import build
from moo_nas.spaces import Block, Cell
from tests.strategies import cell_architectures

NAMES = [metric.name for metric in Analytic.metrics]
MAP = 4 * 5 * 7**2  # bytes of a feature map of 5 channels of 7x7


@settings(max_examples=40)
@given(cell_architectures(), st.integers(1, 33), st.integers(1, 12))
def test_params_and_macs_are_those_of_the_built_network(architecture, size, n_classes):
    network, macs = build(architecture, n_classes).eval(), 0

    def count(module, inputs, output):
        nonlocal macs
        macs += module.weight[0].numel() * output.numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.zeros(1, 3, size, size))
    costs = dict(zip(NAMES, Analytic(size, n_classes).measure([architecture], [0])[0], strict=True))
    assert costs["params"] == sum(p.numel() for p in network.parameters())
    assert costs["params_survey"] == sum(
        p.numel() for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear) for p in m.parameters()
    )
    assert (costs["macs"], costs["flops"]) == (macs, 2 * macs)


C, S, N, P = "nor_conv_3x3", "skip_connect", "none", "avg_pool_3x3"


@pytest.mark.parametrize(
    ("operators", "maps"),
    [
        ((C, N, N, C, N, C), 2),  # a chain: one in, one out
        ((C, N, S, C, N, C), 3),  # and the input, added at the end
        ((N, N, C, N, N, N), 2),
        ((C, C, C, C, C, C), 4),  # at edge (2,3): nodes 1 and 2, the sum in node 3, the edge's result
        ((P, P, N, N, C, C), 3),  # the first pooling is kept during the second; or the sum
        ((S, S, C, N, C, C), 3),  # nodes 2 and 3 are the input itself; the sum so far
        ((S, C, N, N, S, N), 2),  # the output is the input, and what leads nowhere is computed beside it
        ((N, N, N, N, N, N), 0),
        ((S, N, S, N, S, N), 0),  # nothing is computed
    ],
)
def test_peak_memory_counts_the_nodes_that_are_needed_later(operators, maps):
    block = Block("cell", 5, 0, 5, 7, cell=Cell(operators))
    assert Analytic(7, 2).block_cost(block)[NAMES.index("peak_activation_bytes")] == maps * MAP


def test_peak_memory_of_a_residual_block_counts_the_input_until_the_shortcut_is_made():
    peak = NAMES.index("peak_activation_bytes")
    # Of 8x8: 4 channels in (256), 6 channels of 4x4 (96) out, twice; then the pooled input (64).
    reducing = Analytic(8, 2).block_cost(Block("residual", 4, 0, 6, 8, 3, 2))[peak]
    assert reducing == 4 * max(256 + 96, 96 + 96 + 256, 256 + 64 + 96, 64 + 96 + 96)
    keeping = Analytic(8, 2).block_cost(Block("residual", 4, 0, 4, 8, 3, 1))[peak]
    assert keeping == 4 * 3 * 256
