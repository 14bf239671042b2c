"""NAS-Bench-201's networks against the definition written down once more."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from moo_nas.networks import build, build_block
from moo_nas.spaces import Architecture, Block, Cell, CellSpace
from tests.strategies import cell_architectures

SPACE = CellSpace(n_cells=1, channels=(4, 6, 8), merge=False)


def relu_conv_norm(module: nn.Module, x: Tensor, stride: int = 1) -> Tensor:
    conv, norm = module[1], module[2]
    x = functional.conv2d(x.clamp(min=0), conv.weight, stride=stride, padding=conv.kernel_size[0] // 2)
    return functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True)


def cell_by_definition(module: nn.Module, cell: Cell, x: Tensor) -> Tensor:
    nodes = {1: x, 2: 0 * x, 3: 0 * x, 4: 0 * x}
    for target in (2, 3, 4):
        for edge in cell.edges:
            if edge.target != target:
                continue
            source = nodes[edge.source]
            if edge.operator == "skip_connect":
                term = source
            elif edge.operator == "avg_pool_3x3":
                # Means of the pixels that are there.
                ones = torch.ones_like(source)
                kernel = torch.ones(source.shape[1], 1, 3, 3, dtype=source.dtype)
                sums = [functional.conv2d(t, kernel, padding=1, groups=t.shape[1]) for t in (source, ones)]
                term = sums[0] / sums[1]
            elif edge.operator == "none":
                term = 0 * source
            else:
                term = relu_conv_norm(module.edges[f"{edge.source}_{edge.target}"], source)
            nodes[target] = nodes[target] + term
    return nodes[4]


def network_by_definition(network: nn.Sequential, cell: Cell, images: Tensor) -> Tensor:
    conv, norm = network[0]
    x = functional.conv2d(images, conv.weight, padding=1)
    x = functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True)
    for module in list(network)[1:-1]:
        if hasattr(module, "edges"):
            x = cell_by_definition(module, cell, x)
        else:
            out = relu_conv_norm(module.body[1], relu_conv_norm(module.body[0], x, stride=2))
            n, c, h, w = x.shape
            means = x.reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))
            x = functional.conv2d(means, module.shortcut[-1].weight) + out
    norm, linear = network[-1][0], network[-1][-1]
    x = functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True)
    return x.clamp(min=0).mean((2, 3)) @ linear.weight.T + linear.bias


@settings(max_examples=40)
@given(st.integers(0, SPACE.size - 1))
def test_a_network_computes_what_the_benchmark_defines(index):
    architecture = SPACE.decode(SPACE.genome_at(index))
    network = build(architecture, 7, seed=index).double().train()
    images = torch.randn(3, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network_by_definition(network, architecture.stages[0].cell, images)
        assert torch.allclose(network(images), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=40)
@given(st.integers(0, SPACE.size - 1))
def test_every_weight_and_the_images_have_a_gradient_even_where_it_is_zero(index):
    network = build(SPACE.decode(SPACE.genome_at(index)), 5)
    images = torch.randn(2, 3, 8, 8, requires_grad=True)
    network(images).square().sum().backward()
    for tensor in (images, *network.parameters()):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()


def test_a_cell_without_edges_puts_out_zeros():
    module = build_block(Block("cell", 3, 0, 3, 5, cell=Cell(("none",) * 6)))
    assert not module(torch.randn(1, 3, 5, 5)).any()


def test_a_cell_does_not_change_its_input():
    cell = Cell(
        ("skip_connect", "nor_conv_3x3", "avg_pool_3x3", "nor_conv_1x1", "skip_connect", "skip_connect")
    )
    module = build_block(Block("cell", 3, 0, 3, 5, cell=cell))
    x = torch.randn(2, 3, 5, 5)
    before = x.clone()
    module(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("stride", "out_channels", "shortcut"), [(1, 4, []), (1, 6, ["Conv2d"]), (2, 4, ["AvgPool2d", "Conv2d"])]
)
def test_the_shortcut_is_the_input_where_shapes_allow(stride, out_channels, shortcut):
    block = Block("residual", 4, 0, out_channels, 7, 3, stride)
    module = build_block(block)[0]
    assert [type(m).__name__ for m in module.shortcut] == shortcut
    assert module(torch.randn(1, 4, 7, 7)).shape[1:] == (out_channels, block.out_size, block.out_size)


def test_a_stem_without_relu_lets_negative_numbers_through():
    plain, rectified = (
        build(Architecture.parse(f"stem_k3_s1_c8{word} cell_d1_c8_|skip_connect~0| norm_pool"), 3)[0]
        for word in ("_linear", "")
    )
    images = torch.randn(2, 3, 6, 6)
    assert (plain(images) < 0).any()
    assert not (rectified(images) < 0).any()


@settings(max_examples=25)
@given(cell_architectures(), st.integers(1, 40), st.integers(1, 3))
def test_every_block_puts_out_what_its_description_says(architecture, size, n):
    x = torch.zeros(n, 3, size, size)
    with torch.inference_mode():
        for module, block in zip(build(architecture, 7).eval(), architecture.blocks(size, 7), strict=True):
            x = module(x)
            shape = (n, 7) if block.is_head else (n, block.out_channels, block.out_size, block.out_size)
            assert x.shape == shape
