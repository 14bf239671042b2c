"""An architecture as a picture: inline SVG in the manner of Figure 5 of HaeNAS."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from moo_nas.analysis.cell_drawing import cell_size, draw_cell
from moo_nas.analysis.style import kernel_colour, text_colour
from moo_nas.spaces import Architecture, Cell, CellStage, ResidualStage, Stage

_NEUTRAL, _CELL = "#E8E8E8", "#FFFFFF"
_LABELS = {"ibn": "IBN", "fused": "F-IBN"}
_WORDS = {"ibn": "inverted bottleneck", "fused": "fused inverted bottleneck"}
_HEADS = {"pool_conv": "pool, conv", "conv_pool": "conv, pool", "norm_pool": "norm, pool"}
_WIDTH, _GAP, _TOP, _BOX, _HEIGHT = 56, 9, 20, 48, 106


def draw_architecture(architecture: Architecture) -> str:
    """Return an architecture as one line of SVG: stem, stages and head in a row.

    Of each, the operator stands above, the kernel size and its colour and the expansion inside,
    the depth and the channels below. A white disc marks squeeze-and-excite. Cells have letters;
    each different one is drawn as a graph below.

    Example:
        >>> a = Architecture.parse("stem_k3_s2_c16 fused_d2_k5_s2_e6_c24 pool_conv_c1280")
        >>> svg = draw_architecture(a)
        >>> svg.count("<rect"), "F-IBN" in svg, "x2" in svg
        (3, True, True)
    """
    parts, cells = parts_of(architecture), cells_of(architecture)
    width, middle = len(parts) * (_WIDTH + _GAP) - _GAP + 2.0, _TOP + _BOX / 2
    arrows = "".join(
        f'<path d="M{x} {middle}h{_GAP - 4}m-3 -3l3 3l-3 3" fill="none" stroke="#666666"/>'
        for x in (1 + i * (_WIDTH + _GAP) - _GAP + 2 for i in range(1, len(parts)))
    )
    boxes = "".join(_box(place, part) for place, part in enumerate(parts))
    graphs, height = "", float(_HEIGHT)
    for cell, name in cells.items():
        graphs += (
            f'<text x="8" y="{height + 16}" font-size="14" font-weight="bold" fill="#222222">{name}</text>'
            + draw_cell(cell, name, 16, height)
        )
        width, height = max(width, 16 + cell_size(cell)[0]), height + cell_size(cell)[1] + 6
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="architecture" role="img" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'font-family="system-ui, sans-serif" text-anchor="middle" '
        f'aria-label="{escape(f"Architecture {architecture}")}">'
        f"<title>{escape(str(architecture))}</title>{arrows}{boxes}{graphs}</svg>"
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A stem, a stage or a head as a drawing has it.

    Attributes:
        title: What it is, in words.
        colour: Its kernel's, ``#rrggbb``.
        above: The operator.
        inside: The expansion, and the kernel.
        below: The depth, and the channels put out.
        se: Has it squeeze-and-excite?
    """

    title: str
    colour: str
    above: str
    inside: tuple[str, str]
    below: tuple[str, str]
    se: bool = False


def parts_of(architecture: Architecture) -> list[Part]:
    """Return what an architecture's drawing is made of, from stem to head.

    Example:
        >>> _, stage, _ = parts_of(Architecture.parse("stem_k3_s2_c16 ibn_d2_k5_s2_e6_c24 conv_pool_c1280"))
        >>> stage.above, stage.inside, stage.below
        ('IBN', ('e6', '5x5'), ('x2', '24'))
    """
    stem, head = architecture.stem, architecture.head
    size = f"{stem.kernel}x{stem.kernel}"
    title = f"Stem: convolution {size}, stride {stem.stride}, {stem.channels} channels"
    below = ("x1", str(stem.channels))
    parts = [Part(title, kernel_colour(stem.kernel), "conv", ("stem", size), below)]
    cells = cells_of(architecture)
    parts += [_stage(i, stage, cells) for i, stage in enumerate(architecture.stages, start=1)]
    order = _HEADS.get(head.order, head.order)
    inside = (str(head.channels), "head") if head.channels else ("head", "")
    title = f"Head: {order}" + (f", {head.channels} channels inside" if head.channels else "")
    return [*parts, Part(title, _NEUTRAL, order, inside, ("x1", "classes"))]


def cells_of(architecture: Architecture) -> dict[Cell, str]:
    """Return the different cells of an architecture, each with a letter."""
    cells = dict.fromkeys(s.cell for s in architecture.stages if isinstance(s, CellStage))
    return {cell: chr(ord("A") + i) if i < 26 else str(i + 1) for i, cell in enumerate(cells)}


def kernels_of(architecture: Architecture) -> set[int]:
    """Return the kernel sizes whose colours an architecture's drawing has."""
    kernels = {architecture.stem.kernel}
    for stage in architecture.stages:
        if isinstance(stage, CellStage):
            kernels |= {e.operation.kernel for e in stage.cell.present if e.operation.kind == "conv"}
        else:
            kernels.add(stage.kernel)
    return kernels


def has_squeeze(architecture: Architecture) -> bool:
    """Does a stage have squeeze-and-excite?"""
    return any(isinstance(stage, Stage) and stage.se > 0 for stage in architecture.stages)


def kernel_legend(kernels: Iterable[int], se: bool = True) -> str:
    """Return SVG that says what the drawings' colours and marks stand for.

    Args:
        kernels: The kernel sizes that the drawings have.
        se: Is squeeze-and-excite among them?

    Example:
        >>> kernel_legend([3, 5, 3]).count("<rect")
        2
    """
    sizes = sorted(set(kernels))
    swatches = "".join(
        f'<rect x="{1 + 70 * i}" y="3" width="16" height="16" rx="3" fill="{kernel_colour(k)}" '
        f'stroke="#333333"/><text x="{23 + 70 * i}" y="16">{k}x{k}</text>'
        for i, k in enumerate(sizes)
    )
    start = 70 * len(sizes)
    disc = f'{_disc(start + 10, 11)}<text x="{start + 24}" y="16">squeeze-and-excite</text>' if se else ""
    words, width = "kernels " + ", ".join(f"{k}x{k}" for k in sizes), start + 150 * se
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="legend" role="img" aria-label="Legend: {words}" '
        f'viewBox="0 0 {width} 22" width="{width}" height="22" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#222222">{swatches}{disc}</svg>'
    )


def _stage(place: int, stage: Stage | CellStage | ResidualStage, cells: dict[Cell, str]) -> Part:
    below = (f"x{stage.depth}", str(stage.channels))
    if isinstance(stage, CellStage):
        title = f"Stage {place}: {stage.depth} cells {stage.cell}, {stage.channels} channels"
        return Part(title, _CELL, "cell", (cells[stage.cell], ""), below)
    size, colour = f"{stage.kernel}x{stage.kernel}", kernel_colour(stage.kernel)
    if isinstance(stage, ResidualStage):
        title = (
            f"Stage {place}: residual {size}, depth {stage.depth}, stride {stage.stride}, "
            f"{stage.channels} channels"
        )
        return Part(title, colour, "residual", (f"/{stage.stride}", size), below)
    title = (
        f"Stage {place}: {_WORDS.get(stage.operator, stage.operator)} {size}, expansion {stage.expansion}, "
        f"depth {stage.depth}, stride {stage.stride}, {stage.channels} channels"
        + (f", squeeze-and-excite {stage.se:g}" if stage.se else "")
    )
    operator = _LABELS.get(stage.operator, stage.operator)
    return Part(title, colour, operator, (f"e{stage.expansion}", size), below, bool(stage.se))


def _box(place: int, part: Part) -> str:
    """Return one block: above, two lines inside, two below."""
    x = 1 + place * (_WIDTH + _GAP)
    middle, ink = x + _WIDTH / 2, text_colour(part.colour)
    # A line alone stands in the middle.
    upper = _TOP + (22 if part.inside[1] else 30)
    lines = (
        (part.above, _TOP - 6, 11, "#222222", "normal"),
        (part.inside[0], upper, 16, ink, "bold"),
        (part.inside[1], _TOP + 39, 11, ink, "normal"),
        (part.below[0], _TOP + _BOX + 17, 14, "#222222", "bold"),
        (part.below[1], _TOP + _BOX + 32, 11, "#555555", "normal"),
    )
    written = "".join(
        f'<text x="{middle}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}">'
        f"{escape(text)}</text>"
        for text, y, size, fill, weight in lines
        if text
    )
    mark = _disc(x + _WIDTH - 1, _TOP + 3) if part.se else ""
    return (
        f'<g><title>{escape(part.title)}</title><rect x="{x}" y="{_TOP}" width="{_WIDTH}" height="{_BOX}" '
        f'rx="5" fill="{part.colour}" stroke="#333333"/>{mark}{written}</g>'
    )


def _disc(x: float, y: float) -> str:
    return (
        f'<circle cx="{x}" cy="{y}" r="8" fill="#FFFFFF" stroke="#333333"/>'
        f'<text x="{x}" y="{y + 3}" font-size="8.5" font-weight="bold" fill="#000000" '
        f'text-anchor="middle">SE</text>'
    )
