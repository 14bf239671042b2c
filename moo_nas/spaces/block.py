"""The blocks that networks are made of, as data, and the layers of a block.

Blocks are what the network builder builds and what a block table is measured on; a block's
:meth:`~Block.layers` are what every analytic cost is summed over.
"""

from dataclasses import dataclass
from typing import Literal

from moo_nas.spaces.graph import Cell


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with weights, or a pooling: a row of the table that costs are summed over.

    Images are square, ``in_size`` pixels wide; padding is half the kernel, so a layer puts out
    ``ceil(in_size / stride)`` pixels, and a global pooling one.

    Args:
        kind: ``conv``, ``linear``, ``pool`` (the mean of the whole image), ``avg_pool`` (the mean
            of a window) or ``norm`` (a batch normalisation that follows no convolution).
        held: How many elements must stay in memory beside this layer's own input and output: a
            block's input that is added at its end, the tensor a squeeze-and-excite scales, or a
            cell's nodes that are needed later.
    """

    kind: Literal["conv", "linear", "pool", "avg_pool", "norm"]
    in_channels: int
    out_channels: int
    in_size: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bias: bool = False
    norm: bool = False
    held: int = 0

    @property
    def out_size(self) -> int:
        """How many pixels wide the output is."""
        return 1 if self.kind in ("linear", "pool") else -(-self.in_size // self.stride)


@dataclass(frozen=True, slots=True)
class Block:
    """The unit that is built, timed and tabulated: a stem, one layer of a stage, or a head.

    Args:
        operator: ``conv`` (the stem), ``ibn``, ``fused``, ``cell``, ``residual`` (ResNet's basic
            block), or a head's ``pool_conv``, ``conv_pool``, ``norm_pool``.
        in_channels: Channels of the input.
        hidden: Channels inside: the expanded width of an inverted bottleneck, the width of a
            head's hidden layer; 0 for blocks that have no such width.
        out_channels: Channels of the output; of a head, the number of classes.
        in_size: Width of the (square) input in pixels.
        se: Squeeze-and-excite's inner width as a share of ``hidden``; 0 for none.
        act: Does a ReLU follow a stem's batch normalisation?
        cell: The graph of a ``cell``.
    """

    operator: Literal["conv", "ibn", "fused", "cell", "residual", "pool_conv", "conv_pool", "norm_pool"]
    in_channels: int
    hidden: int
    out_channels: int
    in_size: int
    kernel: int = 1
    stride: int = 1
    se: float = 0.0
    act: bool = True
    cell: Cell | None = None

    @property
    def out_size(self) -> int:
        """How many pixels wide the output is."""
        return 1 if self.is_head else -(-self.in_size // self.stride)

    @property
    def is_head(self) -> bool:
        """Is this the last block of a network?"""
        return self.operator in ("pool_conv", "conv_pool", "norm_pool")

    @property
    def has_residual(self) -> bool:
        """Is the block's input added to its output as it is?"""
        inner = self.operator in ("ibn", "fused", "residual")
        return inner and self.stride == 1 and self.in_channels == self.out_channels

    @property
    def squeezed(self) -> int:
        """How many channels squeeze-and-excite squeezes to; 0 without it."""
        return max(1, round(self.hidden * self.se)) if self.se else 0

    def layers(self) -> tuple[Layer, ...]:
        """Return the block's layers in the order they run."""
        if self.is_head:
            return _head(self)
        if self.operator == "conv":
            return (
                Layer(
                    "conv",
                    self.in_channels,
                    self.out_channels,
                    self.in_size,
                    self.kernel,
                    self.stride,
                    norm=True,
                ),
            )
        if self.operator == "cell":
            return _cell(self)
        return _residual(self) if self.operator == "residual" else _bottleneck(self)


def _head(block: Block) -> tuple[Layer, ...]:
    before, inside, outside, size = block.in_channels, block.hidden, block.out_channels, block.in_size
    if block.operator == "pool_conv":
        return (
            Layer("pool", before, before, size),
            Layer("conv", before, inside, 1, bias=True),
            Layer("conv", inside, outside, 1, bias=True),
        )
    if block.operator == "conv_pool":
        return (
            Layer("conv", before, inside, size, norm=True),
            Layer("pool", inside, inside, size),
            Layer("linear", inside, outside, 1, bias=True),
        )
    return (
        Layer("norm", before, before, size, norm=True),
        Layer("pool", before, before, size),
        Layer("linear", before, outside, 1, bias=True),
    )


def _bottleneck(block: Block) -> tuple[Layer, ...]:
    size, inside = block.in_size, block.hidden
    held = block.in_channels * size * size if block.has_residual else 0
    if block.operator == "fused":
        layers = [Layer("conv", block.in_channels, inside, size, block.kernel, block.stride, norm=True)]
    else:
        layers = []
        # Where nothing expands, the block's input is the depthwise layer's own, not held beside it.
        held_inside = 0
        if inside != block.in_channels:
            layers.append(Layer("conv", block.in_channels, inside, size, norm=True))
            held_inside = held
        layers.append(
            Layer(
                "conv", inside, inside, size, block.kernel, block.stride, inside, norm=True, held=held_inside
            )
        )
    if block.squeezed:
        scaled = held + inside * block.out_size**2
        layers += [
            Layer("pool", inside, inside, block.out_size, held=held),
            Layer("conv", inside, block.squeezed, 1, bias=True, held=scaled),
            Layer("conv", block.squeezed, inside, 1, bias=True, held=scaled),
        ]
    layers.append(Layer("conv", inside, block.out_channels, block.out_size, norm=True, held=held))
    return tuple(layers)


def _cell(block: Block) -> tuple[Layer, ...]:
    assert block.cell is not None
    channels, size = block.in_channels, block.in_size
    return tuple(
        Layer(
            "conv" if edge.operation.kind == "conv" else "avg_pool",
            channels,
            channels,
            size,
            edge.operation.kernel,
            norm=edge.operation.kind == "conv",
            held=held * channels * size**2,
        )
        for edge, held in block.cell.steps()
    )


def _residual(block: Block) -> tuple[Layer, ...]:
    before, outside, size, small = block.in_channels, block.out_channels, block.in_size, block.out_size
    layers = [
        Layer("conv", before, outside, size, block.kernel, block.stride, norm=True),
        Layer("conv", outside, outside, small, block.kernel, norm=True, held=before * size**2),
    ]
    if not block.has_residual:
        held = outside * small**2
        if block.stride > 1:
            layers.append(Layer("avg_pool", before, before, size, block.stride, block.stride, held=held))
        layers.append(Layer("conv", before, outside, small, held=held))
    return tuple(layers)
