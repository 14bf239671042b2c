"""What a terminal shows while something runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from moo_nas.analysis.style import number
from moo_nas.cli.consoles import ERR
from moo_nas.study import Progress

_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN_EVERY_S = 10.0


@contextmanager
def counter(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of how many on stderr; yields what to call with both."""
    with Bar(TextColumn(what), BarColumn(), MofNCompleteColumn(), console=ERR, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def live_view() -> Iterator[Callable[[Progress], None]]:
    """Show how a search gets on, on stderr; yields what to call with each :class:`Progress`.

    On a terminal: a bar, the predicted end, the hypervolume so far (of one objective the best), the
    front's range in each objective, and what came to it last. Elsewhere plain lines, now and then.
    """
    if not ERR.is_terminal:
        yield _Plain()
        return
    view = View()
    live = Live(get_renderable=view.render, console=ERR, refresh_per_second=4)

    def listen(progress: Progress) -> None:
        # Started by the first news, so that wrong input gets its one line and nothing else.
        view.add(progress)
        if not live.is_started:
            live.start()

    try:
        yield listen
    finally:
        if live.is_started:
            live.refresh()
            live.stop()


class View:
    """The best so far of a search, in a few lines."""

    def __init__(self) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[detail]}"),
            console=ERR,
        )
        self._task = self._bar.add_task("", total=None, detail="")
        self._now: Progress | None = None
        self._grown: list[tuple[int, float]] = []  # after how many evaluations the front had grown to what
        self._newest: dict[str, float] = {}

    def add(self, progress: Progress) -> None:
        """Take in news."""
        before, self._now = self._now, progress
        if before is None or before.name != progress.name:
            self._bar.reset(self._task)
            self._grown, self._newest, before = [], {}, None
        self._bar.update(
            self._task,
            description=progress.name,
            total=progress.budget,
            completed=progress.n_evaluations,
            detail=progress.detail,
        )
        if not self._grown or progress.growth > self._grown[-1][1]:
            self._grown.append((progress.n_evaluations, progress.growth))
        self._newest = _came(before, progress) or self._newest

    def render(self) -> RenderableType:
        """Return what there is to show."""
        if self._now is None:
            return ""
        told = Table.grid(padding=(0, 2))
        last, volume = self._grown[-1]
        if volume > 0:
            line = sparkline(self._grown, self._now.n_evaluations)
            told.add_row(*_worth(self._now), f"{line}  last grew after {last} evaluation{'s' * (last != 1)}")
        for name, column in self._now.front.items():
            if len(column) and len(self._now.front) > 1:
                ends = [number(float(q)) for q in (column.min(), np.median(column), column.max())]
                shown = " … ".join(ends) if len(column) > 1 else ends[0]
                told.add_row(name, "", shown)
        size = self._now.front_size
        told.add_row(
            "front", str(size), f"failed {self._now.n_failed}" if self._now.n_failed else "none failed"
        )
        if self._newest:
            words = ", ".join(f"{name} {number(value)}" for name, value in self._newest.items())
            told.add_row("newest", "", words)
        return Group(self._bar, told)


class _Plain:
    """Lines where there is no terminal: at the beginning, then seldom, and at the end of the search."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, told: Progress) -> None:
        now, searches = time.monotonic(), told.detail == "search"
        if now < self._next and not (searches and told.n_evaluations == told.budget):
            return
        self._next = now + _PLAIN_EVERY_S
        ERR.print(
            f"{told.name}: {told.n_evaluations} of {told.budget} evaluated, front {told.front_size}, "
            f"{' '.join(_worth(told))}, failed {told.n_failed}"
            if searches
            else f"{told.name}: {told.detail}"
        )


def sparkline(grown: list[tuple[int, float]], n: int, width: int = 24) -> str:
    """Return how a value grew over ``n`` evaluations, in one line of blocks.

    Example:
        >>> sparkline([(0, 0.0), (5, 0.5), (9, 1.0)], 10, 5)
        '▁▁▄▄█'
    """
    at = np.array([place for place, _ in grown])
    values = np.array([value for _, value in grown])
    places = np.linspace(0, n, width)
    shares = values[np.maximum(np.searchsorted(at, places, side="right") - 1, 0)] / (values.max() or 1.0)
    return "".join(_BLOCKS[int(share * (len(_BLOCKS) - 1))] for share in shares)


def _worth(progress: Progress) -> tuple[str, str]:
    """Return what a front is worth so far: what is told, and how much it is."""
    if len(progress.front) == 1:
        ((name, column),) = progress.front.items()
        way = " (less is better)" if name == "fitness" else ""
        return f"best {name}", f"{number(float(column[0]))}{way}" if len(column) else "none yet"
    return "hypervolume", f"{progress.hypervolume:.4g} of the box around all it found"


def _came(before: Progress | None, now: Progress) -> dict[str, float]:
    """Return a row that the front has and did not have before, the last of several."""
    known = set() if before is None else set(_rows(before))
    new = [row for row in _rows(now) if row not in known]
    return dict(zip(now.front, new[-1], strict=True)) if new else {}


def _rows(progress: Progress) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in progress.front.values()), strict=True))
