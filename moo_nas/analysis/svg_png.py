"""The package's own drawings, SVG, as PNG: rectangles, circles, paths and texts, by matplotlib."""

import io
import re
import warnings
from typing import Any, Literal
from xml.etree import ElementTree

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

_SVG = "{http://www.w3.org/2000/svg}"
_ANCHORS: dict[str, Literal["left", "center", "right"]] = {
    "start": "left",
    "middle": "center",
    "end": "right",
}


def svg_png(svg: str, scale: float = 2.0) -> bytes:
    """Return a drawing of this package as PNG.

    Args:
        svg: What :func:`~moo_nas.analysis.drawing.draw_architecture` and its kin make; what they do not
            use of SVG is not understood.
        scale: How many pixels of the picture for one of the drawing.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314  # made here, never read from elsewhere
    x, y, width, height = map(float, root.attrib["viewBox"].split())
    figure = Figure(figsize=(width / 96, height / 96), dpi=96 * scale)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(x, x + width)
    axes.set_ylim(y + height, y)
    axes.set_axis_off()
    for place, (element, style, corner) in enumerate(_elements(root, {}, (0.0, 0.0))):
        artist = _artist(element, style)
        if artist is not None:
            artist.set_zorder(place)
            artist.set_transform(Affine2D().translate(*corner) + axes.transData)
            axes.add_artist(artist)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A name may be in a script that the font lacks; boxes are no reason to fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format="png", dpi=96 * scale, metadata={"Software": None})
    return buffer.getvalue()


def _elements(
    element: ElementTree.Element, inherited: dict[str, str], corner: tuple[float, float]
) -> list[tuple[ElementTree.Element, dict[str, str], tuple[float, float]]]:
    """Return every element in the order it is painted, with what it has and inherits, and where it is.

    A drawing within the drawing lies at its ``x`` and ``y``.
    """
    style = {**inherited, **element.attrib}
    if element.tag == f"{_SVG}svg":
        corner = corner[0] + float(element.get("x", 0)), corner[1] + float(element.get("y", 0))
    found = [(element, style, corner)]
    passed_on: dict[str, str] = {
        key: style[key] for key in ("text-anchor", "font-size", "fill") if key in style
    }
    for child in element:
        found += _elements(child, passed_on, corner)
    return found


def _artist(
    element: ElementTree.Element, style: dict[str, str]
) -> FancyBboxPatch | Circle | PathPatch | Text | None:
    kind = element.tag.removeprefix(_SVG)
    if kind == "text":
        return _text(element, style)
    fill = style.get("fill", "#000000")
    look: dict[str, Any] = {
        "facecolor": fill,
        "edgecolor": style.get("stroke", "none"),
        "linewidth": _points(style.get("stroke-width", "1")),
    }
    if kind == "rect":
        x, y, width, height = (float(style[key]) for key in ("x", "y", "width", "height"))
        radius = float(style.get("rx", 0))
        return FancyBboxPatch((x, y), width, height, boxstyle=f"round,pad=0,rounding_size={radius}", **look)
    if kind == "circle":
        return Circle((float(style["cx"]), float(style["cy"])), float(style["r"]), **look)
    if kind == "path":
        patch = PathPatch(_path(style["d"]), capstyle="butt", **look)
        if "stroke-dasharray" in style:
            width = float(style.get("stroke-width", "1"))
            patch.set_linestyle((0, tuple(float(part) / width for part in style["stroke-dasharray"].split())))
        return patch
    return None


def _text(element: ElementTree.Element, style: dict[str, str]) -> Text:
    made = Text(
        float(style["x"]),
        float(style["y"]),
        element.text or "",
        color=style.get("fill", "#000000"),
        fontsize=_points(style.get("font-size", "16")),
        fontweight=style.get("font-weight", "normal"),
        horizontalalignment=_ANCHORS[style.get("text-anchor", "start")],
        verticalalignment="baseline",
    )
    made.set_parse_math(False)  # a dollar sign in a name is a dollar sign
    return made


def _points(pixels: str) -> float:
    return float(pixels) * 72 / 96


def _path(data: str) -> Path:
    """Return a path of M, m, L, l, H, h, V, v, C, each with one point or three."""
    numbers: list[tuple[float, float]] = []
    codes: list[Any] = []
    at = (0.0, 0.0)
    for command, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", data):
        values = [float(value) for value in re.findall(r"-?[\d.]+", rest)]
        start = at if command.islower() else (0.0, 0.0)
        if command in "Hh":
            points = [(start[0] + values[0], at[1])]
        elif command in "Vv":
            points = [(at[0], start[1] + values[0])]
        else:
            points = [(start[0] + a, start[1] + b) for a, b in zip(values[::2], values[1::2], strict=True)]
        numbers += points
        codes += [Path.MOVETO if command in "Mm" else Path.CURVE4 if command == "C" else Path.LINETO] * len(
            points
        )
        at = points[-1]
    return Path(numbers, codes)
