"""An architecture as a picture: inline SVG in the manner of Figure 5 of HaeNAS."""

from collections.abc import Iterable
from html import escape

from moo_nas.analysis.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, text_colour
from moo_nas.spaces import Architecture

_KERNELS = {1: "#BBBBBB", 3: SKY, 5: ORANGE, 7: GREEN, 9: PURPLE, 11: BLUE, 13: VERMILLION}
_NEUTRAL = "#E8E8E8"
_LABELS = {"ibn": "IBN", "fused": "F-IBN"}
_WORDS = {"ibn": "inverted bottleneck", "fused": "fused inverted bottleneck"}
_HEADS = {"pool_conv": "pool, conv", "conv_pool": "conv, pool"}
_WIDTH, _GAP, _TOP, _BOX, _HEIGHT = 56, 9, 20, 48, 106


def kernel_colour(kernel: int) -> str:
    """Return a kernel size's colour: the same in every drawing."""
    others = tuple(_KERNELS.values())
    return _KERNELS.get(kernel) or others[kernel % len(others)]


def draw_architecture(architecture: Architecture) -> str:
    """Return an architecture as one line of SVG: stem, stages and head in a row.

    Of each, the operator stands above, the kernel size and its colour and the expansion inside,
    the depth and the channels below. A white disc marks squeeze-and-excite.

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
    for i, s in enumerate(architecture.stages, start=1):
        title = (
            f"Stage {i}: {_WORDS.get(s.operator, s.operator)} {s.kernel}x{s.kernel}, expansion {s.expansion},"
            f" depth {s.depth}, stride {s.stride}, {s.channels} channels"
            + (f", squeeze-and-excite {s.se:g}" if s.se else "")
        )
        texts = (
            _LABELS.get(s.operator, s.operator),
            f"e{s.expansion}",
            f"{s.kernel}x{s.kernel}",
            f"x{s.depth}",
            str(s.channels),
        )
        parts.append(_box(i, title, kernel_colour(s.kernel), texts, bool(s.se)))
    order = _HEADS.get(head.order, head.order)
    texts = (order, str(head.channels), "head", "x1", "classes")
    title = f"Head: {order}, {head.channels} channels inside"
    parts.append(_box(len(parts), title, _NEUTRAL, texts))
    width, middle = len(parts) * (_WIDTH + _GAP) - _GAP + 2, _TOP + _BOX / 2
    arrows = "".join(
        f'<path d="M{x} {middle}h{_GAP - 4}m-3 -3l3 3l-3 3" fill="none" stroke="#666666"/>'
        for x in (1 + i * (_WIDTH + _GAP) - _GAP + 2 for i in range(1, len(parts)))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="architecture" role="img" '
        f'viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}" '
        f'font-family="system-ui, sans-serif" text-anchor="middle" '
        f'aria-label="{escape(f"Architecture {architecture}")}">'
        f"<title>{escape(str(architecture))}</title>{arrows}{''.join(parts)}</svg>"
    )


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
