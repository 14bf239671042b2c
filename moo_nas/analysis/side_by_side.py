"""Several architectures in one picture, one below the other: Figure 5 of HaeNAS."""

from collections.abc import Sequence
from html import escape
from xml.etree import ElementTree

from moo_nas.analysis.drawing import draw_architecture, has_squeeze, kernel_legend, kernels_of
from moo_nas.spaces import Architecture

_TITLE, _GAP, _MARGIN, _LETTER = 46, 22, 14, 0.6  # letters by their size


def draw_side_by_side(rows: Sequence[tuple[str, str, Architecture]]) -> str:
    """Return architectures as one SVG: of each its title, a line about it, its drawing; then the legend.

    Args:
        rows: Title, a line about it, and the architecture, of each.

    Example:
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c1280")
        >>> svg = draw_side_by_side([("a CPU", "5 ms", a), ("a GPU", "1 ms", a)])
        >>> svg.count("<svg"), "a GPU" in svg
        (4, True)

    References:
        HaeNAS, Figure 5.
    """
    parts, height, width = [], float(_MARGIN), 0.0
    for title, about, architecture in rows:
        parts += [
            _line(title, height + 16, 16, "bold", "#222222"),
            _line(about, height + 36, 13, "normal", "#444444"),
        ]
        drawn = draw_architecture(architecture)
        size = _size(drawn)
        parts.append(_placed(drawn, height + _TITLE))
        height = height + _TITLE + size[1] + _GAP
        width = max(width, size[0], _LETTER * 16 * len(title), _LETTER * 13 * len(about))
    architectures = [architecture for *_, architecture in rows]
    kernels = {kernel for architecture in architectures for kernel in kernels_of(architecture)}
    legend = kernel_legend(kernels, any(map(has_squeeze, architectures)))
    parts.append(_placed(legend, height))
    width, height = max(width, _size(legend)[0]) + 2 * _MARGIN, height + _size(legend)[1] + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="system-ui, sans-serif" '
        f'aria-label="{escape(", ".join(title for title, *_ in rows))}">'
        f'<rect x="0" y="0" width="{width:g}" height="{height:g}" fill="#FFFFFF"/>{"".join(parts)}</svg>'
    )


def _line(words: str, y: float, size: int, weight: str, colour: str) -> str:
    return (
        f'<text x="{_MARGIN}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{colour}">'
        f"{escape(words)}</text>"
    )


def _size(svg: str) -> tuple[float, float]:
    _, _, width, height = map(float, ElementTree.fromstring(svg).attrib["viewBox"].split())  # noqa: S314  # ours
    return width, height


def _placed(svg: str, y: float) -> str:
    return svg.replace("<svg ", f'<svg x="{_MARGIN}" y="{y:g}" ', 1)
