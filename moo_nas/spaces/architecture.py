"""One network as data: stem, stages, head.

An :class:`Architecture` is what a genome stands for; its :meth:`~Architecture.blocks` are built,
timed, and costed layer by layer. Nothing here needs torch.
"""

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from moo_nas.errors import SpaceError
from moo_nas.spaces.block import Block, Layer
from moo_nas.spaces.graph import Cell

BETWEEN = " @ "  # an architecture's text and that of the configuration it runs on

Operator = Literal["ibn", "fused"]
HeadOrder = Literal["pool_conv", "conv_pool", "norm_pool"]


@dataclass(frozen=True, slots=True)
class Stem:
    """The first convolution and its batch normalisation.

    Args:
        act: Does a ReLU follow? It does not where the blocks after it begin with one.
    """

    channels: int = 16
    kernel: int = 3
    stride: int = 2
    act: bool = True

    def __str__(self) -> str:
        return f"stem_k{self.kernel}_s{self.stride}_c{self.channels}" + ("" if self.act else "_linear")

    def block(self, image_size: int) -> Block:
        """Return the stem as a block, for images of so many pixels."""
        return Block("conv", 3, 0, self.channels, image_size, self.kernel, self.stride, act=self.act)


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

    def __str__(self) -> str:
        text = (
            f"{self.operator}_d{self.depth}_k{self.kernel}_s{self.stride}_e{self.expansion}_c{self.channels}"
        )
        return text + (f"_se{float(self.se)!r}" if self.se else "")

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
class CellStage:
    """A run of equal cells, which keep channels and pixels."""

    cell: Cell
    depth: int
    channels: int

    def __str__(self) -> str:
        return f"cell_d{self.depth}_c{self.channels}_{self.cell}"

    def blocks(self, in_channels: int, in_size: int) -> tuple[Block, ...]:
        """Return the stage's cells.

        Raises:
            SpaceError: Another number of channels comes in.
        """
        if in_channels != self.channels:
            raise SpaceError(
                f"A cell stage of {self.channels} channels needs as many to come in; got {in_channels}. "
                "Put a residual stage before it."
            )
        block = Block("cell", in_channels, 0, self.channels, in_size, cell=self.cell)
        return (block,) * self.depth


@dataclass(frozen=True, slots=True)
class ResidualStage:
    """A run of ResNet's basic blocks in NAS-Bench-201's form; the first takes stride and channels.

    Two times ReLU, convolution and batch normalisation, plus a shortcut: the input itself where
    shapes allow, else its average pooled by the stride, then a 1x1 convolution without
    normalisation.
    """

    channels: int
    stride: int = 2
    depth: int = 1
    kernel: int = 3

    def __str__(self) -> str:
        return f"residual_d{self.depth}_k{self.kernel}_s{self.stride}_c{self.channels}"

    def blocks(self, in_channels: int, in_size: int) -> tuple[Block, ...]:
        """Return the stage's blocks for an input of so many channels and pixels."""
        blocks: list[Block] = []
        stride = self.stride
        for _ in range(self.depth):
            blocks.append(Block("residual", in_channels, 0, self.channels, in_size, self.kernel, stride))
            in_channels, in_size, stride = self.channels, blocks[-1].out_size, 1
        return tuple(blocks)


AnyStage = Stage | CellStage | ResidualStage


@dataclass(frozen=True, slots=True)
class Head:
    """What turns the last feature map into class scores.

    Args:
        channels: Width of the hidden layer; 0 without one.
        order: ``pool_conv``: average pooling, then two 1x1 convolutions (MobileNetV3 and the text
            of HaeNAS); ``conv_pool``: a 1x1 convolution, average pooling, a fully connected layer
            (MobileNetV2 and Table 1 of HaeNAS); ``norm_pool``: batch normalisation, ReLU, average
            pooling, a fully connected layer, without hidden layer (NAS-Bench-201).

    Raises:
        SpaceError: A hidden layer in a head that has none.
    """

    channels: int = 1280
    order: HeadOrder = "pool_conv"

    def __post_init__(self) -> None:
        if self.order == "norm_pool" and self.channels:
            raise SpaceError(f"A norm_pool head has no hidden layer, channels=0; got {self.channels}.")

    def __str__(self) -> str:
        return self.order + (f"_c{self.channels}" if self.order != "norm_pool" else "")

    def block(self, in_channels: int, in_size: int, n_classes: int) -> Block:
        """Return the head as a block, for an input of so many channels and pixels."""
        return Block(self.order, in_channels, self.channels, n_classes, in_size)


@dataclass(frozen=True, slots=True)
class Architecture:
    """One network as data; frozen and hashable.

    ``str(architecture)`` is one line that :meth:`parse` reads back::

        stem_k3_s2_c16 ibn_d1_k3_s1_e3_c16 fused_d3_k5_s2_e6_c24_se0.25 ... pool_conv_c1280
        stem_k3_s1_c16_linear cell_d5_c16_|nor_conv_3x3~0|+... residual_d1_k3_s2_c32 ... norm_pool

    Example:
        >>> a = Architecture(Stem(), (Stage("ibn", 2, 3, 2, 6, 24),), Head())
        >>> str(a)
        'stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c1280'
        >>> Architecture.parse(str(a)) == a
        True
    """

    stem: Stem
    stages: tuple[AnyStage, ...]
    head: Head

    def __str__(self) -> str:
        return " ".join(map(str, (self.stem, *self.stages, self.head)))

    @classmethod
    def parse(cls, text: str) -> "Architecture":
        """Return the architecture that a line of text stands for; on a configuration, if it names one.

        Raises:
            SpaceError: A word of the line is none of a stem, a stage or a head.
        """
        if cls is Architecture and BETWEEN in text:
            from moo_nas.spaces.joint import Configured  # here, as it is an architecture

            return Configured.parse(text)
        words = text.split()
        if len(words) < 3:
            raise SpaceError(f"An architecture's text is 'stem_... stage... head'; got {text!r}.")
        return cls(_stem(words[0]), tuple(map(_stage, words[1:-1])), _head(words[-1]))

    def blocks(self, image_size: int, n_classes: int) -> tuple[Block, ...]:
        """Return every block, from the stem to the head, for images of so many pixels."""
        blocks = [self.stem.block(image_size)]
        for stage in self.stages:
            blocks += stage.blocks(blocks[-1].out_channels, blocks[-1].out_size)
        return (*blocks, self.head.block(blocks[-1].out_channels, blocks[-1].out_size, n_classes))

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
    if width == 1.0 or channels == 0:
        return channels
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * channels * width else scaled


def _stem(word: str) -> Stem:
    *sizes, linear = _match(r"stem_k(\d+)_s(\d+)_c(\d+)(_linear)?", word, "a stem such as stem_k3_s2_c16")
    kernel, stride, channels = map(int, sizes)
    return Stem(channels, kernel, stride, act=linear is None)


def _stage(word: str) -> AnyStage:
    if word.startswith("cell_"):
        *counts, cell = _match(r"cell_d(\d+)_c(\d+)_(\S+)", word, "a stage such as cell_d5_c16_|none~0|")
        return CellStage(Cell.parse(cell), *map(int, counts))
    if word.startswith("residual_"):
        pattern = r"residual_d(\d+)_k(\d+)_s(\d+)_c(\d+)"
        sizes = _match(pattern, word, "a stage such as residual_d1_k3_s2_c32")
        depth, kernel, stride, channels = map(int, sizes)
        return ResidualStage(channels, stride, depth, kernel)
    operator, *counts, se = _match(
        r"(ibn|fused)_d(\d+)_k(\d+)_s(\d+)_e(\d+)_c(\d+)(?:_se(\d+(?:\.\d+)?(?:e-?\d+)?))?",
        word,
        "a stage such as ibn_d2_k3_s2_e6_c24",
    )
    depth, kernel, stride, expansion, channels = map(int, counts)
    return Stage(operator, depth, kernel, stride, expansion, channels, float(se or 0))  # type: ignore[arg-type]  # the pattern admits operators only


def _head(word: str) -> Head:
    if word == "norm_pool":
        return Head(0, "norm_pool")
    order, hidden = _match(r"(pool_conv|conv_pool)_c(\d+)", word, "a head such as pool_conv_c1280")
    return Head(int(hidden), order)  # type: ignore[arg-type]  # the pattern admits orders only


def _match(pattern: str, word: str, expected: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, word)
    if found is None:
        raise SpaceError(f"Expected {expected}; got '{word}'.")
    return found.groups()
