"""One network as data: stem, stages, head; the blocks they are made of; the layers of a block.

An :class:`Architecture` is what a genome stands for. Its :meth:`~Architecture.blocks` are what the
network builder builds and what a block table is measured on; a block's :meth:`~Block.layers` are
what every analytic cost is summed over. Nothing here needs torch.
"""

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from moo_nas.errors import SpaceError

Operator = Literal["ibn", "fused"]
HeadOrder = Literal["pool_conv", "conv_pool"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with weights, or a pooling: a row of the table that costs are summed over.

    Images are square, ``in_size`` pixels wide; padding is half the kernel, so a layer puts out
    ``ceil(in_size / stride)`` pixels, and a pooling one.

    Args:
        held: How many elements must stay in memory beside this layer's own input and output: a
            block's input that is added at its end, or the tensor a squeeze-and-excite scales.
    """

    kind: Literal["conv", "linear", "pool"]
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
        return -(-self.in_size // self.stride) if self.kind == "conv" else 1


@dataclass(frozen=True, slots=True)
class Block:
    """The unit that is built, timed and tabulated: a stem, one layer of a stage, or a head.

    Args:
        operator: ``conv`` (the stem), ``ibn``, ``fused``, or a head's ``pool_conv``, ``conv_pool``.
        in_channels: Channels of the input.
        hidden: Channels inside: the expanded width of an inverted bottleneck, the width of a
            head's hidden layer; a stem has none (0).
        out_channels: Channels of the output; of a head, the number of classes.
        in_size: Width of the (square) input in pixels.
        se: Squeeze-and-excite's inner width as a share of ``hidden``; 0 for none.
    """

    operator: Literal["conv", "ibn", "fused", "pool_conv", "conv_pool"]
    in_channels: int
    hidden: int
    out_channels: int
    in_size: int
    kernel: int = 1
    stride: int = 1
    se: float = 0.0

    @property
    def out_size(self) -> int:
        """How many pixels wide the output is."""
        return 1 if self.is_head else -(-self.in_size // self.stride)

    @property
    def is_head(self) -> bool:
        """Is this the last block of a network?"""
        return self.operator in ("pool_conv", "conv_pool")

    @property
    def has_residual(self) -> bool:
        """Is the block's input added to its output?"""
        inner = self.operator in ("ibn", "fused")
        return inner and self.stride == 1 and self.in_channels == self.out_channels

    @property
    def squeezed(self) -> int:
        """How many channels squeeze-and-excite squeezes to; 0 without it."""
        return max(1, round(self.hidden * self.se)) if self.se else 0

    def layers(self) -> tuple[Layer, ...]:
        """Return the block's layers in the order they run."""
        size, inside, outside = self.in_size, self.hidden, self.out_channels
        if self.operator == "conv":
            return (Layer("conv", self.in_channels, outside, size, self.kernel, self.stride, norm=True),)
        if self.operator == "pool_conv":
            return (
                Layer("pool", self.in_channels, self.in_channels, size),
                Layer("conv", self.in_channels, inside, 1, bias=True),
                Layer("conv", inside, outside, 1, bias=True),
            )
        if self.operator == "conv_pool":
            return (
                Layer("conv", self.in_channels, inside, size, norm=True),
                Layer("pool", inside, inside, size),
                Layer("linear", inside, outside, 1, bias=True),
            )
        held = self.in_channels * size * size if self.has_residual else 0
        if self.operator == "fused":
            layers = [Layer("conv", self.in_channels, inside, size, self.kernel, self.stride, norm=True)]
        else:
            layers = []
            # Where nothing expands, the block's input is the depthwise layer's own, not held beside it.
            held_inside = 0
            if inside != self.in_channels:
                layers.append(Layer("conv", self.in_channels, inside, size, norm=True))
                held_inside = held
            layers.append(
                Layer(
                    "conv",
                    inside,
                    inside,
                    size,
                    self.kernel,
                    self.stride,
                    inside,
                    norm=True,
                    held=held_inside,
                )
            )
        if self.squeezed:
            scaled = held + inside * self.out_size**2
            layers += [
                Layer("pool", inside, inside, self.out_size, held=held),
                Layer("conv", inside, self.squeezed, 1, bias=True, held=scaled),
                Layer("conv", self.squeezed, inside, 1, bias=True, held=scaled),
            ]
        layers.append(Layer("conv", inside, outside, self.out_size, norm=True, held=held))
        return tuple(layers)


@dataclass(frozen=True, slots=True)
class Stem:
    """The first convolution."""

    channels: int = 16
    kernel: int = 3
    stride: int = 2


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of like blocks; the first takes the stride and the change of channels."""

    operator: Operator
    depth: int
    kernel: int
    stride: int
    expansion: int
    channels: int
    se: float = 0.0

    def blocks(self, in_channels: int, in_size: int) -> tuple[Block, ...]:
        """Return the stage's blocks for an input of so many channels and pixels."""
        blocks: list[Block] = []
        stride = self.stride
        for _ in range(self.depth):
            hidden = in_channels * self.expansion
            blocks.append(
                Block(
                    self.operator, in_channels, hidden, self.channels, in_size, self.kernel, stride, self.se
                )
            )
            in_channels, in_size, stride = self.channels, blocks[-1].out_size, 1
        return tuple(blocks)


@dataclass(frozen=True, slots=True)
class Head:
    """What turns the last feature map into class scores.

    Args:
        channels: Width of the hidden layer.
        order: ``pool_conv``: average pooling, then two 1x1 convolutions (MobileNetV3 and the text
            of HaeNAS); ``conv_pool``: a 1x1 convolution, average pooling, a fully connected layer
            (MobileNetV2 and Table 1 of HaeNAS).
    """

    channels: int = 1280
    order: HeadOrder = "pool_conv"


@dataclass(frozen=True, slots=True)
class Architecture:
    """One network as data; frozen and hashable.

    ``str(architecture)`` is one line that :meth:`parse` reads back::

        stem_k3_s2_c16 ibn_d1_k3_s1_e3_c16 fused_d3_k5_s2_e6_c24_se0.25 ... pool_conv_c1280

    Example:
        >>> a = Architecture(Stem(), (Stage("ibn", 2, 3, 2, 6, 24),), Head())
        >>> str(a)
        'stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c1280'
        >>> Architecture.parse(str(a)) == a
        True
    """

    stem: Stem
    stages: tuple[Stage, ...]
    head: Head

    def __str__(self) -> str:
        stages = (
            f"{s.operator}_d{s.depth}_k{s.kernel}_s{s.stride}_e{s.expansion}_c{s.channels}"
            + (f"_se{float(s.se)!r}" if s.se else "")
            for s in self.stages
        )
        stem = f"stem_k{self.stem.kernel}_s{self.stem.stride}_c{self.stem.channels}"
        return " ".join([stem, *stages, f"{self.head.order}_c{self.head.channels}"])

    @classmethod
    def parse(cls, text: str) -> "Architecture":
        """Return the architecture that a line of text stands for.

        Raises:
            SpaceError: A word of the line is none of a stem, a stage or a head.
        """
        words = text.split()
        if len(words) < 3:
            raise SpaceError(f"An architecture's text is 'stem_... stage... head'; got {text!r}.")
        stem = _match(r"stem_k(\d+)_s(\d+)_c(\d+)", words[0], "a stem such as stem_k3_s2_c16")
        head = _match(r"(pool_conv|conv_pool)_c(\d+)", words[-1], "a head such as pool_conv_c1280")
        stages = []
        for word in words[1:-1]:
            operator, *counts, se = _match(
                r"(ibn|fused)_d(\d+)_k(\d+)_s(\d+)_e(\d+)_c(\d+)(?:_se(\d+(?:\.\d+)?(?:e-?\d+)?))?",
                word,
                "a stage such as ibn_d2_k3_s2_e6_c24",
            )
            depth, kernel, stride, expansion, channels = map(int, counts)
            ratio = float(se or 0)
            stages.append(Stage(operator, depth, kernel, stride, expansion, channels, ratio))  # type: ignore[arg-type]  # the pattern admits operators only
        kernel, stride, channels = map(int, stem)
        order, hidden = head
        return cls(Stem(channels, kernel, stride), tuple(stages), Head(int(hidden), order))  # type: ignore[arg-type]  # the pattern admits orders only

    def blocks(self, image_size: int, n_classes: int) -> tuple[Block, ...]:
        """Return every block, from the stem to the head, for images of so many pixels."""
        stem = self.stem
        blocks = [Block("conv", 3, 0, stem.channels, image_size, stem.kernel, stem.stride)]
        for stage in self.stages:
            blocks += stage.blocks(blocks[-1].out_channels, blocks[-1].out_size)
        last = blocks[-1]
        head = Block(self.head.order, last.out_channels, self.head.channels, n_classes, last.out_size)
        return (*blocks, head)

    def layers(self, image_size: int, n_classes: int) -> tuple[Layer, ...]:
        """Return every layer: the table that costs are summed over."""
        return tuple(layer for block in self.blocks(image_size, n_classes) for layer in block.layers())

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> "Architecture":
        """Return the architecture wider and deeper by these multipliers.

        Channels are rounded to a multiple of 8, never down by more than 10 %; depths are rounded
        up: EfficientNet's rules (M. Tan, Q. Le. EfficientNet. ICML 2019).
        """
        if not (width > 0 and depth > 0):
            raise SpaceError(f"Multipliers must be positive; got width={width}, depth={depth}.")
        return Architecture(
            replace(self.stem, channels=_scale_channels(self.stem.channels, width)),
            tuple(
                replace(s, channels=_scale_channels(s.channels, width), depth=math.ceil(s.depth * depth))
                for s in self.stages
            ),
            replace(self.head, channels=_scale_channels(self.head.channels, width)),
        )


def _scale_channels(channels: int, width: float) -> int:
    if width == 1.0:
        return channels
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * channels * width else scaled


def _match(pattern: str, word: str, expected: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, word)
    if found is None:
        raise SpaceError(f"Expected {expected}; got '{word}'.")
    return found.groups()
