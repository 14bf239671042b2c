"""A cell as a small graph in SVG: nodes in a row, operations as arcs between them."""

from html import escape

from moo_nas.analysis.style import kernel_colour
from moo_nas.spaces import Cell
from moo_nas.spaces.graph import Edge

_STEP, _ARC, _RADIUS, _LABEL, _MARGIN = 108, 36, 11, 21, 14
_POOL, _SKIP = "#555555", "#8C8C8C"


def cell_size(cell: Cell) -> tuple[float, float]:
    """Return a drawing's width and height."""
    above, below = _reach(cell)
    return (cell.n_nodes - 1) * _STEP + 2 * (_RADIUS + _MARGIN), above + below


def draw_cell(cell: Cell, name: str, x: float, y: float) -> str:
    """Return a group of SVG elements, its upper left corner at ``(x, y)``.

    Convolutions are in the colour of their kernel, average poolings dashed, skips thin; each is
    labelled. Edges that are ``none`` are left out.

    Example:
        >>> cell = Cell(("nor_conv_3x3", "none", "skip_connect", "none", "avg_pool_3x3", "none"))
        >>> draw_cell(cell, "A", 0, 0).count("<path")
        3
    """
    line = y + _reach(cell)[0]
    centre = {n: x + _MARGIN + _RADIUS + (n - 1) * _STEP for n in range(1, cell.n_nodes + 1)}
    paths = "".join(_edge(edge, centre, line) for edge in cell.present)
    nodes = "".join(
        f'<circle cx="{cx}" cy="{line}" r="{_RADIUS}" fill="#FFFFFF" stroke="#333333"/>'
        f'<text x="{cx}" y="{line + 4}" font-size="11" fill="#222222">{_node(n, cell.n_nodes)}</text>'
        for n, cx in centre.items()
    )
    labels = "".join(_label(edge, centre, line) for edge in cell.present)
    words = ", ".join(f"{e.operator} from {e.source} to {e.target}" for e in cell.present) or "no edges"
    return f"<g><title>{escape(f'Cell {name}: {words}')}</title>{paths}{nodes}{labels}</g>"


def _node(node: int, last: int) -> str:
    return "in" if node == 1 else "out" if node == last else str(node)


def _bow(edge: Edge) -> float:
    """Return how far above (positive) or below the line an edge's middle is: no two arcs cross a node."""
    span = edge.target - edge.source
    if span == 1:
        return 0.0
    return (_ARC * (span - 1) + 6) * (1 if edge.source % 2 else -1)


def _reach(cell: Cell) -> tuple[float, float]:
    """Return how much room a cell takes above and below the line of its nodes."""
    bows = [_bow(edge) for edge in cell.present]
    room = _LABEL / 2 + 6
    return max([*bows, _RADIUS]) + room, max([*(-b for b in bows), _RADIUS]) + room


def _edge(edge: Edge, centre: dict[int, float], line: float) -> str:
    start, end, bow = centre[edge.source], centre[edge.target], _bow(edge)
    if bow:
        # A Bezier curve's middle is three quarters of the way to its two handles.
        handle = line - bow / 0.75
        path = f"M{start} {line}C{start + _STEP / 3} {handle} {end - _STEP / 3} {handle} {end} {line}"
    else:
        path = f"M{start} {line}H{end}"
    kind = edge.operation.kind
    if kind == "conv":
        look = f'stroke="{kernel_colour(edge.operation.kernel)}" stroke-width="4"'
    elif kind == "avg_pool":
        look = f'stroke="{_POOL}" stroke-width="2.5" stroke-dasharray="7 4"'
    else:
        look = f'stroke="{_SKIP}" stroke-width="1.5"'
    return f'<path d="{path}" fill="none" {look}/>'


def _label(edge: Edge, centre: dict[int, float], line: float) -> str:
    kernel = f"{edge.operation.kernel}x{edge.operation.kernel}"
    text = {"conv": f"conv {kernel}", "avg_pool": f"pool {kernel}"}.get(edge.operation.kind, "skip")
    middle, height = (centre[edge.source] + centre[edge.target]) / 2, line - _bow(edge)
    wide = 6.2 * len(text) + 8
    return (
        f'<rect x="{middle - wide / 2:.1f}" y="{height - _LABEL / 2 + 2}" width="{wide:.1f}" '
        f'height="{_LABEL - 4}" rx="3" fill="#FFFFFF"/>'
        f'<text x="{middle}" y="{height + 4}" font-size="11" fill="#222222">{text}</text>'
    )
