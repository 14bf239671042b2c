"""Stage spaces: a table of stages, each with choices; HaeNAS's Table 1 is one such table."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import SpaceError
from moo_nas.spaces.architecture import Architecture, Head, Operator, Stage, Stem
from moo_nas.spaces.block import Block
from moo_nas.spaces.gene import Choice, Gene
from moo_nas.spaces.space import SearchSpace
from moo_nas.spaces.tables import BlockCost, CostTables, StageCost, StageTable

# The order of a stage's genes, and the kind of each.
KINDS = {
    "operator": "categorical",
    "kernel": "ordinal",
    "expansion": "ordinal",
    "depth": "ordinal",
    "channels": "ordinal",
    "se": "ordinal",
}


@dataclass(frozen=True, slots=True)
class StageChoices:
    """A row of the table: one stage's resolution, stride, and what can be chosen in it.

    Args:
        resolution: Pixels of the stage's *input*, as Table 1 of HaeNAS prints it.
        stride: Stride of the stage's first block.
        channels: Choices for the channels it puts *out*, which the next stage takes in.
        operator: Choices among ``ibn`` and ``fused``.
        kernel: Choices of odd kernel sizes.
        expansion: Choices of the expansion ratio.
        depth: Choices of the number of blocks.
        se: Choices of squeeze-and-excite's ratio; 0 is none.
        se_of: What the ratio is of: ``hidden``, the block's expanded width (MobileNetV3), or
            ``input``, the width that comes into the block (EfficientNet).
    """

    resolution: int
    stride: int
    channels: Sequence[int]
    operator: Sequence[Operator] = ("ibn", "fused")
    kernel: Sequence[int] = (3, 5, 7)
    expansion: Sequence[int] = (3, 4, 6)
    depth: Sequence[int] = (2, 3, 4)
    se: Sequence[float] = (0.0,)
    se_of: Literal["hidden", "input"] = "hidden"

    def __post_init__(self) -> None:
        for name in KINDS:
            # Python's own numbers, whatever array they came in.
            choices = tuple(c.item() if isinstance(c, np.generic) else c for c in getattr(self, name))
            object.__setattr__(self, name, choices)
            if not choices:
                raise SpaceError(f"A stage needs at least one choice of {name}; got none.")
        if any(operator not in ("ibn", "fused") for operator in self.operator):
            raise SpaceError(f"A stage's operators are ibn and fused; got {self.operator}.")
        if self.stride < 1 or self.resolution < 1:
            raise SpaceError(
                f"A stage's resolution and stride must be positive; got {self.resolution}, {self.stride}."
            )
        if any(kernel < 1 or kernel % 2 == 0 for kernel in self.kernel):
            raise SpaceError(f"A stage's kernels must be odd and positive; got {self.kernel}.")
        for name in ("channels", "expansion", "depth"):
            if any(value < 1 for value in getattr(self, name)):
                raise SpaceError(f"A stage's {name} must be positive; got {getattr(self, name)}.")
        if any(not 0 <= ratio <= 1 for ratio in self.se):
            raise SpaceError(f"A stage's se ratios lie in [0, 1]; got {self.se}.")
        if self.se_of not in ("hidden", "input"):
            raise SpaceError(f"A stage's se is a ratio of hidden or input; got '{self.se_of}'.")

    @property
    def settings(self) -> dict[str, Any]:
        """The row as JSON."""
        settings = asdict(self)
        # The common case stays unsaid, so that stores made before there was another are found again.
        if self.se_of == "hidden":
            del settings["se_of"]
        return settings

    def options(self) -> list[tuple[Choice, ...]]:
        """Return every combination of choices, last attribute fastest."""
        return list(itertools.product(*(getattr(self, name) for name in KINDS)))

    def stage(self, option: Sequence[Any]) -> Stage:
        """Return the stage of one combination."""
        operator, kernel, expansion, depth, channels, se = option
        return Stage(operator, depth, kernel, self.stride, expansion, channels, self.hidden_se(se, expansion))

    def hidden_se(self, se: float, expansion: int) -> float:
        """Return a choice of squeeze-and-excite as a share of the expanded width, as stages have it."""
        return se / expansion if self.se_of == "input" else se


class StageSpace(SearchSpace):
    """Stages in a row, each with its operator, kernel, expansion, depth (and width, SE) chosen.

    An attribute with one choice is no gene. Genes are named ``stage3.kernel``, stages counted
    from 1. The table is data: another table is another space.

    Args:
        stages: The rows of the table.
        stem: The first convolution.
        head: What follows the last stage.
        image_size: The resolution that the table is written for; networks take any other too.

    Raises:
        SpaceError: No stages, or a row's resolution is not what the rows before it put out.

    Example:
        >>> space = StageSpace.haenas()
        >>> space.n_var, space.size
        (26, 148769467776)
        >>> str(space.decode(space.sample(1, seed=0)[0])).split()[1]
        'fused_d1_k5_s1_e4_c16'

    References:
        Y. Ren, C. Chen, Z. Qi. HaeNAS: Hardware-Aware Efficient Neural Architecture Search via
        Zero-Cost Proxy. Table 1.
    """

    name = "stage space"

    def __init__(
        self,
        stages: Sequence[StageChoices],
        stem: Stem | None = None,
        head: Head | None = None,
        image_size: int = 224,
    ) -> None:
        if not stages:
            raise SpaceError("A stage space needs at least one stage; got none.")
        self.stages = tuple(stages)
        self.stem = stem or Stem()
        if min(self.stem.channels, self.stem.kernel, self.stem.stride, image_size) < 1:
            raise SpaceError(f"A stem and an image size must be positive; got {self.stem}, {image_size}.")
        self.head = head or Head()
        self.image_size = image_size
        size = -(-image_size // self.stem.stride)
        for number, row in enumerate(self.stages, start=1):
            if row.resolution != size:
                raise SpaceError(
                    f"Stage {number}'s resolution must be {size}, as the strides before it make of "
                    f"{image_size} pixels; got {row.resolution}."
                )
            size = -(-size // row.stride)
        self.genes = tuple(
            Gene(f"stage{number}.{name}", getattr(row, name), kind)  # type: ignore[arg-type]
            for number, row in enumerate(self.stages, start=1)
            for name, kind in KINDS.items()
            if len(getattr(row, name)) > 1
        )
        if not self.genes:
            raise SpaceError("A stage space needs something to choose: every attribute has one choice.")
        # Columns of the genome that belong to each stage's attributes; -1 where it is no gene.
        position = {gene.name: i for i, gene in enumerate(self.genes)}
        self._columns = [
            [position.get(f"stage{number}.{name}", -1) for name in KINDS]
            for number in range(1, len(self.stages) + 1)
        ]

    @classmethod
    def haenas(cls) -> "StageSpace":
        """Return HaeNAS's Table 1: 26 genes, 148,769,467,776 architectures.

        A stage's output is the next row's input; stage 7 ends in 960 channels.
        """
        rows = [  # resolution, stride, channels put out, depths
            (112, 1, 16, (1,)),
            (112, 2, 24, (2, 3, 4)),
            (56, 2, 40, (2, 3, 4)),
            (28, 2, 80, (2, 3, 4)),
            (14, 1, 112, (2, 3, 4)),
            (14, 2, 160, (2, 3, 4)),
            (7, 1, 960, (1,)),
        ]
        return cls(
            [StageChoices(size, stride, (out,), depth=depth) for size, stride, out, depth in rows],
            stem=Stem(16),
            head=Head(1280, "pool_conv"),
        )

    @classmethod
    def mnasnet(cls) -> "StageSpace":
        """Return the MnasNet-like space of Accel-NASBench: 28 genes, 104,485,552,128 architectures.

        EfficientNet-B0's widths; seven stages of inverted bottlenecks, each with its kernel,
        expansion, depth and squeeze-and-excite (a quarter of the width that comes into the block, or none).

        References:
            A. Ahmad et al. Accel-NASBench: Sustainable Benchmarking for Accelerator-Aware NAS.
            DAC 2024.
        """
        rows = [  # resolution, stride, channels put out, depths
            (112, 1, 16, (1, 2, 3)),
            (112, 2, 24, (1, 2, 3)),
            (56, 2, 40, (1, 2, 3)),
            (28, 2, 80, (1, 2, 3)),
            (14, 1, 112, (1, 2, 3)),
            (14, 2, 192, (1, 2, 3, 4)),
            (7, 1, 320, (1, 2, 3)),
        ]
        return cls(
            [
                StageChoices(size, stride, (out,), ("ibn",), (3, 5), (1, 4, 6), depth, (0.0, 0.25), "input")
                for size, stride, out, depth in rows
            ],
            stem=Stem(32),
            head=Head(1280, "conv_pool"),
        )

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "stages": [row.settings for row in self.stages],
            "stem": asdict(self.stem),
            "head": asdict(self.head),
            "image_size": self.image_size,
        }

    def decode(self, genome: IntArray) -> Architecture:
        genome = self.check(genome)[0]
        stages = []
        for row, columns in zip(self.stages, self._columns, strict=True):
            option = [
                getattr(row, name)[genome[column] if column >= 0 else 0]
                for name, column in zip(KINDS, columns, strict=True)
            ]
            stages.append(row.stage(option))
        return Architecture(self.stem, tuple(stages), self.head)

    def encode(self, architecture: Architecture) -> IntArray:
        if (architecture.stem, architecture.head) != (self.stem, self.head):
            raise SpaceError(
                f"This space has {self.stem} and {self.head}; got {architecture.stem}, {architecture.head}."
            )
        if len(architecture.stages) != len(self.stages):
            raise SpaceError(f"This space has {len(self.stages)} stages; got {len(architecture.stages)}.")
        genome = np.empty(self.n_var, dtype=np.int64)
        for number, (row, columns, stage) in enumerate(
            zip(self.stages, self._columns, architecture.stages, strict=True), start=1
        ):
            if not isinstance(stage, Stage):
                raise SpaceError(f"Stage {number} is of inverted bottlenecks; got '{stage}'.")
            if stage.stride != row.stride:
                raise SpaceError(f"Stage {number} has stride {row.stride}; got {stage.stride}.")
            for name, column in zip(KINDS, columns, strict=True):
                choices, choice = getattr(row, name), getattr(stage, name)
                if name == "se":
                    choices = tuple(row.hidden_se(se, stage.expansion) for se in choices)
                if choice not in choices:
                    raise SpaceError(f"Gene 'stage{number}.{name}' has choices {choices}; got {choice!r}.")
                if column >= 0:
                    genome[column] = choices.index(choice)
        return genome

    def blocks(self, image_size: int, n_classes: int) -> tuple[Block, ...]:
        """Return every distinct block that an architecture of this space can have."""
        found: dict[Block, None] = {}
        for block in itertools.chain.from_iterable(
            blocks for part in self.parts(image_size, n_classes) for blocks in part.values()
        ):
            found[block] = None
        return tuple(found)

    def tabulate(self, cost: BlockCost) -> CostTables:
        """Return a cost that is summed (or maximised) over blocks, as tables over the genes.

        Stages act separately but for the channels that come in, so a cost is a chain of tables,
        one a stage, indexed by the stage's own genes and the width of the stage before: filled
        once from the one definition on blocks, then looked up for millions of genomes a second.
        """
        memo: dict[Block, FloatArray] = {}

        def total(blocks: tuple[Block, ...]) -> FloatArray:
            for block in blocks:
                if block not in memo:
                    memo[block] = np.asarray(cost.block_cost(block), dtype=np.float64)
            return cost.reduce(np.array([memo[block] for block in blocks]))

        stem, *stages, head = self.parts(cost.image_size, cost.n_classes)
        values = [[total(blocks) for blocks in part.values()] for part in (*stages, head)]
        return CostTables(total(stem[()]), self._chain(values), cost)

    def tabulate_stages(self, cost: StageCost) -> CostTables:
        """Return a cost that is summed (or maximised) over stages, whatever comes in, as tables."""
        nothing = np.zeros(len(cost.reductions))
        values, n_widths = [], 1
        for number, row in enumerate(self.stages, start=1):
            stages = [row.stage(self._taken(number, option)) for option in row.options()]
            costs = [np.asarray(cost.stage_cost(number, stage), dtype=float) for stage in stages]
            values.append(costs * n_widths)
            n_widths = len(row.channels)
        return CostTables(nothing, self._chain([*values, [nothing] * n_widths]), cost)

    def _taken(self, number: int, option: tuple[Choice, ...]) -> tuple[Choice, ...]:
        """Return the option that a stage, counted from 1, has where this one is chosen."""
        return option

    def _chain(self, values: Sequence[Sequence[FloatArray]]) -> list[StageTable]:
        """Lay out each stage's and the head's costs, given by the width that comes in and option."""
        before = [-1, *(columns[4] for columns in self._columns)]
        own = [*self._columns, []]
        return [
            StageTable.build([width, *columns], self.n_choices, costs)
            for width, columns, costs in zip(before, own, values, strict=True)
        ]

    def parts(self, image_size: int, n_classes: int) -> list[dict[tuple[Choice, ...], tuple[Block, ...]]]:
        """Return the stem's, each stage's and the head's blocks, by width that comes in and option."""
        stem = self.stem.block(image_size)
        parts: list[dict[tuple[Choice, ...], tuple[Block, ...]]] = [{(): (stem,)}]
        widths: Sequence[int] = (self.stem.channels,)
        size = stem.out_size
        for number, row in enumerate(self.stages, start=1):
            parts.append(
                {
                    (width, *option): row.stage(self._taken(number, option)).blocks(width, size)
                    for width in widths
                    for option in row.options()
                }
            )
            widths, size = row.channels, -(-size // row.stride)
        parts.append({(w,): (self.head.block(w, size, n_classes),) for w in widths})
        return parts
