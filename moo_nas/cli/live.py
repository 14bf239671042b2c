"""What a terminal shows while something runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from moo_nas.cli.consoles import ERR
from moo_nas.study import Progress


@contextmanager
def counter(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of how many on stderr; yields what to call with both."""
    with Bar(TextColumn(what), BarColumn(), MofNCompleteColumn(), console=ERR, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def live_view() -> Iterator[Any]:
    """Show a progress bar on stderr; yields what to call with each :class:`Progress`."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("front {task.fields[front]}  hv {task.fields[volume]:.3f}  failed {task.fields[failed]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[detail]}"),
    ]
    # Started by the first news, so that wrong input gets its one line and no empty bar.
    bar = Bar(*columns, console=ERR)
    task = bar.add_task("", total=None, front=0, volume=0.0, failed=0, detail="")

    def listen(progress: Progress) -> None:
        bar.start()
        bar.update(
            task,
            description=progress.name,
            total=progress.budget,
            completed=progress.n_evaluations,
            front=progress.front_size,
            volume=progress.hypervolume,
            failed=progress.n_failed,
            detail=progress.detail,
        )

    try:
        yield listen
    finally:
        if bar.live.is_started:
            bar.stop()
