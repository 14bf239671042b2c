"""Hypothesis strategies for the nouns; a new gene or block must join them."""

import numpy as np
from hypothesis import strategies as st

from moo_nas.evaluation import Evaluations
from moo_nas.meters import Metric
from moo_nas.spaces import (
    Architecture,
    Cell,
    CellStage,
    Head,
    ResidualStage,
    SearchSpace,
    Stage,
    StageChoices,
    StageSpace,
    Stem,
)

ratios = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.integers(1, 64).map(lambda n: n / 64)


@st.composite
def stages(draw) -> Stage:
    return Stage(
        draw(st.sampled_from(["ibn", "fused"])),
        depth=draw(st.integers(1, 3)),
        kernel=draw(st.sampled_from([1, 3, 5, 7])),
        stride=draw(st.integers(1, 2)),
        expansion=draw(st.integers(1, 4)),
        channels=draw(st.integers(1, 12)),
        se=draw(ratios),
    )


@st.composite
def architectures(draw) -> Architecture:
    stem = Stem(draw(st.integers(1, 12)), draw(st.sampled_from([1, 3, 5])), draw(st.integers(1, 2)))
    head = Head(draw(st.integers(1, 20)), draw(st.sampled_from(["pool_conv", "conv_pool"])))
    architecture = Architecture(stem, tuple(draw(st.lists(stages(), min_size=1, max_size=3))), head)
    if draw(st.booleans()):
        scales = st.sampled_from([0.5, 0.75, 1.0, 1.3, 2.0])
        architecture = architecture.scaled(width=draw(scales), depth=draw(scales))
    return architecture


@st.composite
def cells(draw, most: int = 5) -> Cell:
    """Cells of two to ``most`` nodes."""
    n_nodes = draw(st.integers(2, most))
    names = ["skip_connect", "none", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "nor_conv_5x5"]
    n_edges = n_nodes * (n_nodes - 1) // 2
    return Cell(tuple(draw(st.lists(st.sampled_from(names), min_size=n_edges, max_size=n_edges))))


@st.composite
def cell_architectures(draw) -> Architecture:
    """Networks with cell stages and residual stages among others."""
    stem = Stem(draw(st.integers(1, 8)), 3, draw(st.integers(1, 2)), act=draw(st.booleans()))
    chosen, channels = [], stem.channels
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["cell", "residual", "stage"]))
        if kind == "cell":
            chosen.append(CellStage(draw(cells()), draw(st.integers(1, 2)), channels))
            continue
        if kind == "residual":
            depth, kernel = draw(st.integers(1, 2)), draw(st.sampled_from([1, 3, 5]))
            chosen.append(ResidualStage(draw(st.integers(1, 12)), draw(st.integers(1, 3)), depth, kernel))
        else:
            chosen.append(draw(stages()))
        channels = chosen[-1].channels
    head = draw(st.sampled_from([Head(0, "norm_pool"), Head(6, "pool_conv"), Head(5, "conv_pool")]))
    return Architecture(stem, tuple(chosen), head)


def some(values, most=3):
    """One to ``most`` distinct choices of these values, in their order."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(
        lambda chosen: tuple(sorted(chosen))
    )


@st.composite
def spaces(draw) -> StageSpace:
    """Stage spaces with any of the six genes, at least one."""
    image_size = draw(st.integers(1, 40))
    stem = Stem(draw(st.integers(1, 12)), 3, draw(st.integers(1, 2)))
    size = -(-image_size // stem.stride)
    rows = []
    for number in range(draw(st.integers(1, 3))):
        stride = draw(st.integers(1, 2))
        operators = ("ibn", "fused") if number == 0 else draw(some(["fused", "ibn"]))
        rows.append(
            StageChoices(
                size,
                stride,
                channels=draw(some([4, 8, 12])),
                operator=operators,
                kernel=draw(some([3, 5, 7])),
                expansion=draw(some([1, 2, 3])),
                depth=draw(some([1, 2, 3])),
                se=draw(some([0.0, 0.25, 0.5], most=2)),
                se_of=draw(st.sampled_from(["hidden", "input"])),
            )
        )
        size = -(-size // stride)
    head = Head(draw(st.integers(1, 20)), draw(st.sampled_from(["pool_conv", "conv_pool"])))
    return StageSpace(rows, stem, head, image_size)


def genomes(space: SearchSpace, n: int = 5):
    """``n`` genomes of a space, ``(n, n_var)``."""
    return st.integers(0, 2**32 - 1).map(lambda seed: space.sample(n, seed))


@st.composite
def tables(draw, metrics: tuple[Metric, ...], values=None, least: int = 1) -> Evaluations:
    """Tables of up to eight rows, finite."""
    values = st.floats(-1e6, 1e6) if values is None else values
    row = st.lists(values, min_size=len(metrics), max_size=len(metrics))
    return Evaluations.of(metrics, np.array(draw(st.lists(row, min_size=least, max_size=8))))
