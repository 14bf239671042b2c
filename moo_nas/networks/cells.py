"""The torch modules of NAS-Bench-201's networks: cells, reduction blocks, head.

References:
    X. Dong, Y. Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
    Search. ICLR 2020.
"""

import functools
import operator

import torch
from torch import Tensor, nn

from moo_nas.networks.layers import Conv2d, Linear
from moo_nas.spaces import Block
from moo_nas.spaces.graph import Operation


class ReluConvNorm(nn.Sequential):
    """ReLU, convolution without bias, batch normalisation; the input is left as it was."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(inplace=False),
            Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outside),
        )


class CellModule(nn.Module):
    """A cell: each node the sum of what its edges bring, the last node put out.

    ``none`` edges are not computed. What nothing reaches is zero, and what leads nowhere is
    multiplied by zero and added, as the benchmark's networks do by their ``none``: so every weight
    and the images have a gradient, if a zero one.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        assert block.cell is not None
        present = block.cell.present
        self.n_nodes = block.cell.n_nodes
        self.sources = {
            node: [edge.source for edge in present if edge.target == node]
            for node in range(2, self.n_nodes + 1)
        }
        read = {edge.source for edge in present}
        written = {edge.target for edge in present}
        self.dead_ends = sorted(written - read - {self.n_nodes})
        self.needed = read | written | {self.n_nodes}
        self.edges = nn.ModuleDict(
            {f"{e.source}_{e.target}": _edge(e.operation, block.in_channels) for e in present}
        )

    def forward(self, x: Tensor) -> Tensor:
        nodes = {1: x}
        for node in range(2, self.n_nodes + 1):
            if node not in self.needed:
                continue
            terms = [self.edges[f"{source}_{node}"](nodes[source]) for source in self.sources[node]]
            if node == self.n_nodes:
                terms += [nodes[dead] * 0.0 for dead in self.dead_ends]
            nodes[node] = functools.reduce(operator.add, terms) if terms else x * 0.0
        return nodes[self.n_nodes]


class ResidualBlock(nn.Module):
    """ResNet's basic block as NAS-Bench-201 has it: two ReLU-convolution-norm, and a shortcut.

    The shortcut is the input where shapes allow; else average pooling by the stride (of an odd
    size, the last window is smaller), then a 1x1 convolution without normalisation.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        inside, outside, stride = block.in_channels, block.out_channels, block.stride
        self.body = nn.Sequential(
            ReluConvNorm(inside, outside, block.kernel, stride), ReluConvNorm(outside, outside, block.kernel)
        )
        shortcut: list[nn.Module] = []
        if not block.has_residual:
            if stride > 1:
                shortcut.append(nn.AvgPool2d(stride, stride, ceil_mode=True))
            shortcut.append(Conv2d(inside, outside, 1, bias=False))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(self.shortcut(x), self.body(x))


def norm_head(block: Block) -> nn.Module:
    """Return the head without hidden layer: batch norm, ReLU, average pooling, fully connected."""
    return nn.Sequential(
        nn.BatchNorm2d(block.in_channels),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        Linear(block.in_channels, block.out_channels),
    )


def _edge(operation: Operation, channels: int) -> nn.Module:
    if operation.kind == "skip":
        return nn.Identity()
    if operation.kind == "avg_pool":
        return nn.AvgPool2d(operation.kernel, 1, operation.kernel // 2, count_include_pad=False)
    return ReluConvNorm(channels, channels, operation.kernel)
