"""What of an architecture its cost on a device depends on: layers, work and traffic, by kind and by stage."""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.meters.analytic import layer_cost
from moo_nas.spaces import Architecture, Block, Layer
from moo_nas.spaces.graph import Cell, Edge

_PER_MILLION = 1e-6
_WORK = ("layers", "macs", "params", "traffic")


def cost_features(architecture: Architecture, image_size: int, n_classes: int) -> dict[str, float]:
    """Return the cost features of an architecture by name; what is not named is zero.

    They are read off blocks and layers, so any space has them, and an architecture has the same ones
    in all. Work is in millions: of multiply-accumulates, parameters, elements read and written.

    ================================== =======================================================
    ``all.layers``                     how many layers run: what launching them costs
    ``all.macs``, ``all.params``       work, and weights that are read
    ``all.traffic``                    elements that layers read and write, weights not counted
    ``conv3.layers``, ``.macs``, ...   the same of one kind of layer: ``conv3`` is a convolution
                                       of kernel 3, ``depthwise5`` a depthwise one, ``grouped3``
                                       one in groups; ``linear``, ``pool``, ``avg_pool3``, ``norm``
    ``stage2.layers``, ``.macs``, ...  the same of one stage, ``stage0`` being the stem; the head
                                       is ``head``
    ``stage2.depthwise5.layers``, ...  the same of one kind of layer in one stage
    ``blocks``, ``residuals``          how many blocks, and how many add their input at their end
    ``squeezes``, ``stage2.squeezes``  how many blocks squeeze and excite
    ================================== =======================================================

    Of cells, summed over them, four times: over all edges (``cell``); over the *needed* ones, which
    lead to the output (``needed``: an exporter that goes back from the output leaves out the rest);
    over those and an edge that leads nowhere where there is just one (``run``: HW-NAS-Bench's
    Raspberry Pi took time for such a one, not for several); and over the *live* ones, which the
    input reaches as well (``live``: what a compiler keeps that knows a sum of nothing to be
    nothing). Features of single nodes are of the first two alone:

    ================================== =======================================================
    ``needed.conv3``, ``needed.skip``  how many edges have this operation
    ``needed.additions``               sums of two feature maps
    ``needed.lone_additions``          those that no convolution can be fused with: of a node's, all
                                       but one if a convolution leads to it
    ``needed.nodes``                   nodes that an edge leads to
    ``needed.activated``               nodes that convolutions read: what goes through ReLU before
    ``needed.siblings.conv3``          layers of one kind that read the same node, less one: what a
                                       compiler might run as one
    ``needed.path``                    edges on the longest path to the output
    ``needed.layer_path``              layers on the path that has most of them
    ``needed.conv_path``               convolutions on the path that has most of them
    ``needed.node3.in``, ``.in_convs`` edges, and convolutions, that lead to a node
    ``needed.node3.convolved``         does a convolution lead to it?
    ``needed.node1.out``, ...          the same of edges that leave a node: ``.out_convs``,
                                       ``.activated``
    ================================== =======================================================

    Example:
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c1280")
        >>> features = cost_features(a, image_size=224, n_classes=1000)
        >>> features["stage1.depthwise3.layers"], features["residuals"]
        (2.0, 1.0)
        >>> round(features["all.params"], 6)
        1.327432
    """
    total: dict[str, float] = {}
    cells: Counter[Cell] = Counter()
    for place, blocks in _placed(architecture, image_size, n_classes):
        for block, times in Counter(blocks).items():
            _add(total, _block_features(place, block), times)
            if block.cell is not None:
                cells[block.cell] += times
    for cell, times in cells.items():
        _add(total, _cell_features(cell), times)
    return total


def _add(total: dict[str, float], features: Iterable[tuple[str, float]], times: int) -> None:
    for name, value in features:
        total[name] = total.get(name, 0.0) + times * value


def feature_matrix(features: Sequence[Mapping[str, float]], names: Sequence[str]) -> FloatArray:
    """Return these features as a matrix ``(n, len(names))``, zero where one is not named."""
    return np.array([[row.get(name, 0.0) for name in names] for row in features]).reshape(-1, len(names))


def feature_groups(names: Sequence[str]) -> tuple[str, ...]:
    """Return which features are alike: totals, those of stages, of nodes, and each view of cells.

    Example:
        >>> feature_groups(["all.macs", "conv3.layers", "stage2.macs", "needed.conv3", "needed.node2.in"])
        ('total', 'total', 'stage', 'needed', 'node')
    """
    return tuple(_group(name) for name in names)


def _group(name: str) -> str:
    first, _, rest = name.partition(".")
    if first in ("cell", "needed", "run", "live"):
        return "node" if rest.startswith("node") and "." in rest else first
    return "stage" if first.startswith("stage") or first == "head" else "total"


def _placed(
    architecture: Architecture, image_size: int, n_classes: int
) -> Iterable[tuple[str, tuple[Block, ...]]]:
    stem = architecture.stem.block(image_size)
    yield "stage0", (stem,)
    channels, size = stem.out_channels, stem.out_size
    for number, stage in enumerate(architecture.stages, start=1):
        blocks = stage.blocks(channels, size)
        yield f"stage{number}", blocks
        if blocks:
            channels, size = blocks[-1].out_channels, blocks[-1].out_size
    yield "head", (architecture.head.block(channels, size, n_classes),)


@functools.lru_cache(maxsize=1 << 17)
def _block_features(place: str, block: Block) -> tuple[tuple[str, float], ...]:
    work: dict[str, FloatArray] = {}
    for layer in block.layers():
        kind = _kind(layer)
        work[kind] = work[kind] + _work(layer) if kind in work else _work(layer)
    made = {f"{place}.{kind}": values for kind, values in work.items()}
    made["all"] = made[place] = sum(work.values(), np.zeros(len(_WORK)))
    named = [
        (f"{where}.{what}", value)
        for where, values in {**work, **made}.items()
        for what, value in zip(_WORK, values.tolist(), strict=True)
        if value
    ]
    named.append(("blocks", 1.0))
    if block.has_residual:
        named.append(("residuals", 1.0))
    if block.squeezed:
        named += [("squeezes", 1.0), (f"{place}.squeezes", 1.0)]
    return tuple(named)


def _kind(layer: Layer) -> str:
    if layer.kind == "conv":
        if layer.groups == 1:
            return f"conv{layer.kernel}"
        return f"{'depthwise' if layer.groups == layer.in_channels else 'grouped'}{layer.kernel}"
    return f"avg_pool{layer.kernel}" if layer.kind == "avg_pool" else layer.kind


@functools.lru_cache(maxsize=1 << 16)
def _work(layer: Layer) -> FloatArray:
    params, _, macs, *_ = layer_cost(layer)
    traffic = layer.in_channels * layer.in_size**2 + layer.out_channels * layer.out_size**2
    return np.array([1.0, macs * _PER_MILLION, params * _PER_MILLION, traffic * _PER_MILLION])


@functools.lru_cache(maxsize=1 << 15)
def _cell_features(cell: Cell) -> tuple[tuple[str, float], ...]:
    needed = needed_edges(cell)
    idle = len(cell.present) - len(needed)
    named: list[tuple[str, float]] = []
    for name, edges, by_node in (
        ("cell", cell.present, True),
        ("needed", needed, True),
        ("run", cell.present if idle == 1 else needed, False),
        ("live", live_edges(cell), False),
    ):
        counts = _graph_features(cell, edges) | (_node_features(cell, edges) if by_node else {})
        named += [(f"{name}.{what}", float(value)) for what, value in counts.items() if value]
    return tuple(named)


def _graph_features(cell: Cell, edges: tuple[Edge, ...]) -> dict[str, int]:
    made: Counter[str] = Counter(_operation(edge) for edge in edges)
    convolutions = [edge for edge in edges if edge.operation.kind == "conv"]
    into, convolved = Counter(edge.target for edge in edges), {edge.target for edge in convolutions}
    made["additions"] = sum(n - 1 for n in into.values())
    made["lone_additions"] = sum(max(n - 1 - (node in convolved), 0) for node, n in into.items())
    made["nodes"] = len(into)
    made["activated"] = len({edge.source for edge in convolutions})
    layers = Counter((edge.source, _operation(edge)) for edge in edges if edge.operation.is_layer)
    for (_, name), n in layers.items():
        made[f"siblings.{name}"] += n - 1
    made["path"] = _longest(cell, edges, lambda edge: True)
    made["layer_path"] = _longest(cell, edges, lambda edge: edge.operation.is_layer)
    made["conv_path"] = _longest(cell, edges, lambda edge: edge.operation.kind == "conv")
    return made


def _node_features(cell: Cell, edges: tuple[Edge, ...]) -> dict[str, int]:
    made: Counter[str] = Counter()
    for edge in edges:
        made[f"node{edge.target}.in"] += 1
        made[f"node{edge.source}.out"] += 1
        if edge.operation.kind == "conv":
            made[f"node{edge.target}.in_convs"] += 1
            made[f"node{edge.source}.out_convs"] += 1
            made[f"node{edge.target}.convolved"] = 1
            made[f"node{edge.source}.activated"] = 1
    return made


def _operation(edge: Edge) -> str:
    operation = edge.operation
    return f"{operation.kind}{operation.kernel}" if operation.is_layer else operation.kind


def needed_edges(cell: Cell) -> tuple[Edge, ...]:
    """Return the edges that lead to a cell's output, whether its input reaches them or not.

    Example:
        >>> cell = Cell(("nor_conv_3x3", "none", "skip_connect", "none", "none", "nor_conv_1x1"))
        >>> [(edge.source, edge.target) for edge in needed_edges(cell)]
        [(1, 4), (3, 4)]
    """
    needed = {cell.n_nodes}
    for edge in sorted(cell.present, key=lambda edge: -edge.source):
        if edge.target in needed:
            needed.add(edge.source)
    return tuple(edge for edge in cell.present if edge.target in needed)


def live_edges(cell: Cell) -> tuple[Edge, ...]:
    """Return the edges that a path from a cell's input to its output takes.

    Example:
        >>> cell = Cell(("nor_conv_3x3", "none", "skip_connect", "none", "none", "nor_conv_1x1"))
        >>> [(edge.source, edge.target) for edge in live_edges(cell)]
        [(1, 4)]
    """
    reached = {1}
    for edge in sorted(cell.present, key=lambda edge: edge.target):
        if edge.source in reached:
            reached.add(edge.target)
    return tuple(edge for edge in needed_edges(cell) if edge.source in reached)


def _longest(cell: Cell, edges: tuple[Edge, ...], counts: Callable[[Edge], bool]) -> int:
    # From any node on: not all that is built is reached from the input.
    longest = dict.fromkeys(range(1, cell.n_nodes + 1), 0)
    for edge in sorted(edges, key=lambda edge: edge.target):
        longest[edge.target] = max(longest[edge.target], longest[edge.source] + counts(edge))
    return longest[cell.n_nodes]
