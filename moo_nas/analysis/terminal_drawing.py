"""An architecture on a terminal: the boxes of its drawing, in colours where the terminal has them."""

from rich.text import Text

from moo_nas.analysis.drawing import Part, cells_of, parts_of
from moo_nas.analysis.style import text_colour
from moo_nas.spaces import Architecture

_INSIDE, _GAP = 10, 3


def terminal_drawing(architecture: Architecture, width: int) -> Text:
    """Return an architecture's drawing in lines of at most this width, and its cells in words.

    Of each part, the operator stands above, expansion and kernel inside, the depth and the channels
    below.

    Example:
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k5_s2_e6_c24 pool_conv_c1280")
        >>> lines = terminal_drawing(a, 80).plain.splitlines()
        >>> [word for word in lines[2].split() if "x" in word or word.startswith("e")]
        ['e6']
        >>> len(lines)
        6
    """
    parts = parts_of(architecture)
    n = max(1, (width + _GAP) // (_INSIDE + 2 + _GAP))
    lines: list[Text] = []
    for start in range(0, len(parts), n):
        some = parts[start : start + n]
        for height in range(6):
            pieces = [_line(part, height) for part in some]
            ends = " →" if height == 3 and start + n < len(parts) else ""
            lines.append(Text.assemble(Text(" → " if height == 3 else "   ").join(pieces), ends))
            lines[-1].rstrip()
        lines.append(Text())
    for cell, name in cells_of(architecture).items():
        edges = ", ".join(f"{edge.source}→{edge.target} {edge.operator}" for edge in cell.present)
        lines.append(Text(f"cell {name}: {edges or 'no edges'}"))
    return Text("\n").join(lines)


def _line(part: Part, line: int) -> Text:
    """Return one of the six lines of a box."""
    wide = _INSIDE + 2
    if line in (2, 3):
        colours = f"{text_colour(part.colour)} on {part.colour}"
        inside = Text(
            f"{part.inside[line - 2]:^{_INSIDE}}", style=f"bold {colours}" if line == 2 else colours
        )
        return Text.assemble("│", inside, "│")
    below = " ".join(part.below) + (" SE" if part.se else "")
    words = {
        0: f"{part.above[:wide]:^{wide}}",
        1: f"┌{'─' * _INSIDE}┐",
        4: f"└{'─' * _INSIDE}┘",
        5: f"{below:^{wide}}",
    }
    return Text(words[line])
