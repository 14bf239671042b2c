"""A cell as data: a small graph whose edges are operations."""

import functools
import math
import re
from dataclasses import dataclass
from typing import Literal

from moo_nas.errors import SpaceError

# Operations of NAS-Bench-201, in the order of its digit codes.
NASBENCH201_OPERATORS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")


@dataclass(frozen=True, slots=True)
class Operation:
    """What an edge does.

    Args:
        kind: ``none`` (there is no edge), ``skip`` (the identity), ``conv`` (ReLU, convolution,
            batch normalisation) or ``avg_pool`` (the mean of the pixels under the window, those
            outside of the image not counted).
        kernel: Width of the window; 1 without one.
    """

    kind: Literal["none", "skip", "conv", "avg_pool"]
    kernel: int = 1

    @property
    def is_layer(self) -> bool:
        """Does it compute anything?"""
        return self.kind in ("conv", "avg_pool")


@functools.cache
def operation(name: str) -> Operation:
    """Return what the field's name of an operation stands for.

    Raises:
        SpaceError: No such operation.

    Example:
        >>> operation("nor_conv_3x3")
        Operation(kind='conv', kernel=3)
    """
    if name == "none":
        return Operation("none")
    if name == "skip_connect":
        return Operation("skip")
    found = re.fullmatch(r"(nor_conv|avg_pool)_([1-9]\d*)x\2", name)
    if found is None or int(found[2]) % 2 == 0:
        raise SpaceError(
            "An operation is skip_connect, none, nor_conv_KxK or avg_pool_KxK with an odd K, such as "
            f"nor_conv_3x3; got '{name}'."
        )
    return Operation("conv" if found[1] == "nor_conv" else "avg_pool", int(found[2]))


@dataclass(frozen=True, slots=True)
class Edge:
    """An operation from one node, counted from 1, to a later one."""

    source: int
    target: int
    operator: str

    @property
    def operation(self) -> Operation:
        """What the edge does."""
        return operation(self.operator)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: nodes in a row, and an operation from each to each later one.

    Node 1 is the input, the last node the output; a node is the sum of what its edges bring.
    ``str(cell)`` is NAS-Bench-201's own notation, in which nodes are counted from 0.

    Args:
        operators: One an edge, in the order (1,2) (1,3) (1,4) (2,3) (2,4) (3,4).

    Raises:
        SpaceError: An unknown operation, or not as many as any number of nodes needs.

    Example:
        >>> cell = Cell(("nor_conv_3x3", "none", "skip_connect", "none", "avg_pool_3x3", "none"))
        >>> str(cell)
        '|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|avg_pool_3x3~1|none~2|'
        >>> Cell.parse(str(cell)) == cell
        True

    References:
        X. Dong, Y. Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
        Search. ICLR 2020.
    """

    operators: tuple[str, ...]

    def __post_init__(self) -> None:
        n = self.n_nodes
        if n < 2 or n * (n - 1) // 2 != len(self.operators):
            raise SpaceError(
                "A cell needs an operation from each node to each later one, 1, 3, 6, 10, ... of them; got "
                f"{len(self.operators)}."
            )
        for name in self.operators:
            operation(name)

    def __str__(self) -> str:
        return _text(self)

    @classmethod
    def parse(cls, text: str) -> "Cell":
        """Return the cell that NAS-Bench-201's notation stands for.

        Raises:
            SpaceError: The text is no cell.
        """
        found: dict[tuple[int, int], str] = {}
        for target, node in enumerate(text.split("+"), start=2):
            edges = re.findall(r"([a-z_0-9]+)~(\d+)", node)
            written = "|".join(f"{name}~{source}" for name, source in edges)
            if node != f"|{written}|" or [int(s) for _, s in edges] != list(range(target - 1)):
                raise SpaceError(
                    "A cell is such as |nor_conv_3x3~0|+|none~0|skip_connect~1|, one group a node, one "
                    f"operation from every earlier node; got '{text}'."
                )
            found.update({(int(source) + 1, target): name for name, source in edges})
        return cls(tuple(found[pair] for pair in sorted(found)))

    @property
    def n_nodes(self) -> int:
        """How many nodes there are, the input and the output among them."""
        return (1 + math.isqrt(1 + 8 * len(self.operators))) // 2

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Every edge, ``none`` too, in the order of ``operators``."""
        return tuple(
            Edge(source, target, operator)
            for (source, target), operator in zip(pairs(self.n_nodes), self.operators, strict=True)
        )

    @property
    def present(self) -> tuple[Edge, ...]:
        """The edges that are not ``none``."""
        return tuple(edge for edge in self.edges if edge.operator != "none")

    def steps(self) -> tuple[tuple[Edge, int], ...]:
        """Return the edges that compute something in the order they run, and what is held beside each.

        Nodes are made one after the other, and of a node's edges those that compute come before
        those that add an earlier node. Held are, as a number of feature maps of the cell's size,
        earlier nodes that are still needed and the sum so far; not the edge's own input and output.
        """
        return _steps(self)


@functools.cache
def pairs(n_nodes: int) -> tuple[tuple[int, int], ...]:
    """Return the (source, target) of every edge among so many nodes, in a cell's order."""
    return tuple((i, j) for i in range(1, n_nodes + 1) for j in range(i + 1, n_nodes + 1))


@functools.lru_cache(maxsize=1 << 15)
def _text(cell: Cell) -> str:
    into: dict[int, list[str]] = {}
    for edge in sorted(cell.edges, key=lambda edge: (edge.target, edge.source)):
        into.setdefault(edge.target, []).append(f"{edge.operator}~{edge.source - 1}")
    return "+".join(f"|{'|'.join(edges)}|" for edges in into.values())


@functools.lru_cache(maxsize=1 << 15)
def _steps(cell: Cell) -> tuple[tuple[Edge, int], ...]:
    last, present = cell.n_nodes, cell.present
    # The feature map of a node with a lone skip is that of the node it comes from.
    owner = {1: 1}
    for node in range(2, last + 1):
        into = [edge for edge in present if edge.target == node]
        lone = len(into) == 1 and into[0].operation.kind == "skip"
        owner[node] = owner[into[0].source] if lone else node
    order = sorted(
        (edge for edge in present if owner[edge.target] == edge.target),
        key=lambda edge: (edge.target, edge.operation.kind == "skip", edge.source),
    )
    steps = []
    for position, edge in enumerate(order):
        if not edge.operation.is_layer:
            continue
        held = {owner[later.source] for later in order[position:] if later.source < edge.target}
        if position and order[position - 1].target == edge.target:
            held.add(edge.target)
        if owner[last] < edge.target:  # the output, made already
            held.add(owner[last])
        steps.append((edge, len(held - {owner[edge.source]})))
    return tuple(steps)
