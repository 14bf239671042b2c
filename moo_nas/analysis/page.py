"""A page of HTML that needs nothing else: sections, tables, lists of facts; text is always escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from numbers import Real
from pathlib import Path
from string import Template
from typing import Any, TypeGuard

from plotly.offline import get_plotlyjs

from moo_nas.analysis.style import number


class Html(str):
    """Text that is HTML already; every other text is escaped."""

    __slots__ = ()


class Right(str):
    """Text of a number, such as ``80 %``, that tables set right as they do numbers."""

    __slots__ = ()


_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light; }
* { box-sizing: border-box; }
html { overflow-y: scroll; } /* plots are as wide as the page is with its scroll bar */
body { margin: 0; background: #f6f7f9; color: #1d2329;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 1.15rem; margin: 0; color: #55606b; font-weight: 600; overflow-wrap: anywhere; }
.lead { font-size: 1.5rem; line-height: 1.3; margin: 6px 0 20px; font-weight: 600; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 10px; }
h3 { font-size: 1rem; margin: 20px 0 6px; }
section { background: #fff; border: 1px solid #dfe3e8; border-radius: 8px;
  padding: 18px 20px; margin: 0 0 18px; }
p { margin: 0 0 10px; max-width: 75ch; overflow-wrap: anywhere; }
.note { border-left: 4px solid #D55E00; padding: 6px 12px; background: #fff6ee; }
.note ul { margin: 4px 0; padding-left: 20px; max-width: 75ch; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 0 0 10px; }
.scroll, .cards td { /* a shadow at an edge behind which there is more; white sheets that scroll cover it */
  background: linear-gradient(to right, #fff 16px, #fff0) left / 40px 100%,
    linear-gradient(to left, #fff 16px, #fff0) right / 40px 100%,
    linear-gradient(to right, #1d232955, #1d232900) left / 14px 100%,
    linear-gradient(to left, #1d232955, #1d232900) right / 14px 100%;
  background-attachment: local, local, scroll, scroll; background-repeat: no-repeat; }
.scroll:focus-visible { outline: 2px solid #0072B2; }
table { border-collapse: collapse; font-size: 0.9rem; min-width: 50%; }
th, td { text-align: left; vertical-align: top; padding: 6px 14px 6px 0; border-bottom: 1px solid #e6e9ed; }
th { color: #55606b; font-weight: 600; vertical-align: bottom; min-width: 4em; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
td.words { max-width: 60ch; overflow-wrap: break-word; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 18px;
  margin: 0; font-size: 0.95rem; }
dt { color: #55606b; }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: 0.75rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace;
  color: #55606b; overflow-wrap: anywhere; }
td code { display: block; max-width: 640px; }
svg.architecture { display: block; max-width: none; }
svg.legend { display: block; max-width: 100%; height: auto; margin: 0 0 10px; }
svg.parallel { display: block; }
svg.parallel polyline { pointer-events: stroke; }
svg.parallel polyline:hover, svg.parallel .chosen { stroke: #D55E00; stroke-width: 4; }
svg.parallel .out, tr.out { display: none; }
tr.chosen > td { background: #fff1e5; }
tr.chosen > td:first-child { box-shadow: inset 4px 0 #D55E00; }
.filter { display: flex; flex-wrap: wrap; gap: 8px 22px; align-items: baseline; font-size: 0.9rem;
  margin: 0 0 14px; padding: 10px 12px; background: #f1f4f8; border-radius: 6px; }
.filter input { font: inherit; padding: 3px 6px; border: 1px solid #6b7681; border-radius: 4px;
  background: #fff; color: inherit; width: 8.6em; max-width: 100%; }
.filter input[type="search"] { width: 22em; }
.filter input::placeholder { color: #626c76; }
.filter button { font: inherit; padding: 3px 12px; border: 1px solid #0072B2; border-radius: 4px;
  background: #fff; color: #005a8c; cursor: pointer; }
.filter :is(input, button):focus-visible { outline: 2px solid #0072B2; outline-offset: 1px; }
.filter output { flex-basis: 100%; color: #3f4852; }
.preview { border-left: 4px solid #D55E00; padding: 2px 12px; margin: 8px 0 0; }
.preview:empty { display: none; }
.preview p { margin: 4px 0; max-width: none; }
summary { cursor: pointer; color: #005a8c; }
@media (max-width: 600px) {
  main { padding: 16px 8px 32px; }
  section { padding: 14px 12px; }
  .lead { font-size: 1.2rem; }
  .filter b { display: block; }
  .filter input { width: 6.5em; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: 8px; }
  .cards thead { display: none; }
  .cards, .cards tbody, .cards tr, .cards td { display: block; }
  .cards tr { border-bottom: 1px solid #dfe3e8; padding: 10px 0; }
  .cards td { border: 0; padding: 0; overflow-x: auto; }
  .cards td.number, .cards td.words { display: inline-block; margin-right: 16px; }
  .cards td.number::before, .cards td.words::before { content: attr(data-label) " "; color: #55606b; }
}
@media print {
  html { font-size: 11px; }
  body { background: #fff; }
  h2, h3 { break-after: avoid; }
  main { max-width: none; padding: 0; }
  section { border: 0; padding: 0; }
  .scroll { overflow: visible; }
  th, td { padding-right: 8px; }
  svg.architecture { width: 100%; height: auto; max-width: 440px; }
  tr, svg, .plotly-graph-div { break-inside: avoid; }
  .modebar, .filter { display: none; }
  svg.parallel, svg.ranks, svg.reach { max-width: 100%; height: auto; }
}
</style>
<script>$plotly</script>
</head>
<body>
<main>
<h1>$title</h1>
<p class="lead">$lead</p>
<noscript><p class="note">The plots need JavaScript; the tables do not.</p></noscript>
$body
</main>
<script>$script</script>
</body>
</html>
""")


def text(value: object) -> Html:
    """Return anything as HTML.

    Example:
        >>> text("<b>"), text(Html("<b>"))
        ('&lt;b&gt;', '<b>')
    """
    return value if isinstance(value, Html) else Html(escape(str(value)))


def page(title: str, lead: str, sections: Iterable[Html]) -> str:
    """Return a whole page, with plotly.js in it."""
    return _PAGE.substitute(
        title=text(title),
        lead=text(lead),
        plotly=get_plotlyjs(),
        body="\n".join(filter(None, sections)),
        script=Path(__file__).with_name("page.js").read_text(encoding="utf-8"),
    )


def section(heading: str, *parts: object) -> Html:
    """Return a section; parts that are not HTML are paragraphs of text, empty ones are left out."""
    body = "\n".join(p if isinstance(p, Html) else f"<p>{text(p)}</p>" for p in parts if p)
    return Html(f"<section>\n<h2>{text(heading)}</h2>\n{body}\n</section>")


def note(words: str) -> Html:
    """Return a paragraph that must not be overlooked."""
    return Html(f'<p class="note">{text(words)}</p>')


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    label: str,
    cards: bool = False,
    numbers: Sequence[object] = (),
) -> Html:
    """Return a table that scrolls in its own box; numbers are set right.

    Args:
        headings: One a column.
        rows: Cells: HTML, numbers, or text.
        label: What the table holds, for those who do not see it.
        cards: Is each row a card of its own where the page is narrow?
        numbers: Of each row, that of its evaluation, by which plots and the filter find it.
    """
    cells = [list(row) for row in rows]
    marks = [f' data-row="{text(number_)}"' for number_ in numbers] or [""] * len(cells)
    numeric = [any(_is_right(row[i]) for row in cells) for i in range(len(headings))]
    head = "".join(
        f'<th scope="col"{_class("number" if right else "")}>{text(heading)}</th>'
        for heading, right in zip(headings, numeric, strict=True)
    )
    body = "\n".join(
        f"<tr{mark}>{''.join(map(_cell, row, headings))}</tr>" for mark, row in zip(marks, cells, strict=True)
    )
    return Html(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(label)}">'
        f"<table{_class('cards' if cards else '')}>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def facts(pairs: Mapping[str, object]) -> Html:
    """Return a list of names and what they are; what is empty is left out."""
    items = "\n".join(f"<dt>{text(k)}</dt><dd>{text(v)}</dd>" for k, v in pairs.items() if v != "")
    return Html(f"<dl>\n{items}\n</dl>")


def words(value: Any, nothing: str = "none") -> str:
    """Return a JSON value for people.

    Example:
        >>> words({"limits": {"latency_ms": 5.0}, "names": ["a", "b"], "scale": None})
        'limits (latency_ms 5), names a, b, scale none'
    """
    if value is None:
        return nothing
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Mapping):
        parts = (
            f"{key} ({words(v, nothing)})" if isinstance(v, Mapping) and v else f"{key} {words(v, nothing)}"
            for key, v in value.items()
        )
        return ", ".join(parts) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(words(item, nothing) for item in value) or "none"
    return str(value)


def _cell(value: object, heading: str) -> str:
    content = text(number(float(value)) if _is_number(value) else value)
    kind = "number" if _is_right(value) else "" if isinstance(value, Html) else "words"
    return f'<td{_class(kind)} data-label="{text(heading)}">{content}</td>'


def _is_right(value: object) -> bool:
    return isinstance(value, Right) or _is_number(value)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
