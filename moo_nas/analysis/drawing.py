"""An architecture as a picture: inline SVG in the manner of Figure 5 of HaeNAS."""

from collections.abc import Iterable
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
    stem, head = architecture.stem, architecture.head
    parts = [
        _box(
            0,
            f"Stem: convolution {stem.kernel}x{stem.kernel}, stride {stem.stride}, {stem.channels} channels",
            kernel_colour(stem.kernel),
            ("conv", "stem", f"{stem.kernel}x{stem.kernel}", "x1", str(stem.channels)),
        )
    ]
    cells = cells_of(architecture)
    for i, stage in enumerate(architecture.stages, start=1):
        parts.append(_stage(i, stage, cells))
    order = _HEADS.get(head.order, head.order)
    inside = (str(head.channels), "head") if head.channels else ("head", "")
    texts = (order, *inside, "x1", "classes")
    title = f"Head: {order}" + (f", {head.channels} channels inside" if head.channels else "")
    parts.append(_box(len(parts), title, _NEUTRAL, texts))
    width, middle = len(parts) * (_WIDTH + _GAP) - _GAP + 2.0, _TOP + _BOX / 2
    arrows = "".join(
        f'<path d="M{x} {middle}h{_GAP - 4}m-3 -3l3 3l-3 3" fill="none" stroke="#666666"/>'
        for x in (1 + i * (_WIDTH + _GAP) - _GAP + 2 for i in range(1, len(parts)))
    )
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
        f"<title>{escape(str(architecture))}</title>{arrows}{''.join(parts)}{graphs}</svg>"
    )


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


def _stage(place: int, stage: Stage | CellStage | ResidualStage, cells: dict[Cell, str]) -> str:
    depth, channels = f"x{stage.depth}", str(stage.channels)
    if isinstance(stage, CellStage):
        title = f"Stage {place}: {stage.depth} cells {stage.cell}, {channels} channels"
        return _box(place, title, _CELL, ("cell", cells[stage.cell], "", depth, channels))
    if isinstance(stage, ResidualStage):
        title = (
            f"Stage {place}: residual {stage.kernel}x{stage.kernel}, depth {stage.depth}, "
            f"stride {stage.stride}, {channels} channels"
        )
        texts = ("residual", f"/{stage.stride}", f"{stage.kernel}x{stage.kernel}", depth, channels)
        return _box(place, title, kernel_colour(stage.kernel), texts)
    title = (
        f"Stage {place}: {_WORDS.get(stage.operator, stage.operator)} {stage.kernel}x{stage.kernel}, "
        f"expansion {stage.expansion}, depth {stage.depth}, stride {stage.stride}, {channels} channels"
        + (f", squeeze-and-excite {stage.se:g}" if stage.se else "")
    )
    texts = (
        _LABELS.get(stage.operator, stage.operator),
        f"e{stage.expansion}",
        f"{stage.kernel}x{stage.kernel}",
        depth,
        channels,
    )
    return _box(place, title, kernel_colour(stage.kernel), texts, bool(stage.se))


def _box(place: int, title: str, colour: str, texts: tuple[str, str, str, str, str], se: bool = False) -> str:
    """Return one block: above, two lines inside, two below."""
    x = 1 + place * (_WIDTH + _GAP)
    middle, ink = x + _WIDTH / 2, text_colour(colour)
    lines = (
        (_TOP - 6, 11, "#222222", "normal"),
        (_TOP + 22, 16, ink, "bold"),
        (_TOP + 39, 11, ink, "normal"),
        (_TOP + _BOX + 17, 14, "#222222", "bold"),
        (_TOP + _BOX + 32, 11, "#555555", "normal"),
    )
    written = "".join(
        f'<text x="{middle}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}">'
        f"{escape(text)}</text>"
        for text, (y, size, fill, weight) in zip(texts, lines, strict=True)
    )
    mark = _disc(x + _WIDTH - 1, _TOP + 3) if se else ""
    return (
        f'<g><title>{escape(title)}</title><rect x="{x}" y="{_TOP}" width="{_WIDTH}" height="{_BOX}" rx="5" '
        f'fill="{colour}" stroke="#333333"/>{mark}{written}</g>'
    )


def _disc(x: float, y: float) -> str:
    return (
        f'<circle cx="{x}" cy="{y}" r="8" fill="#FFFFFF" stroke="#333333"/>'
        f'<text x="{x}" y="{y + 3}" font-size="8.5" font-weight="bold" fill="#000000" '
        f'text-anchor="middle">SE</text>'
    )
