"""Worker processes that are killed where a measurement takes too long."""

import math
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor

from moo_nas.errors import MeterError
from moo_nas.evaluation.chunk import Outcome, work
from moo_nas.evaluation.interrupts import interrupts_held, serve_parent
from moo_nas.meters import Meter
from moo_nas.spaces import Architecture

DIED = "the worker process died while measuring it"

# One thread a worker, as joblib has it: what libraries read when they are loaded.
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB", "NUMEXPR")
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _LIBRARIES}


class _Worker:
    """A process with one architecture at a time: started when it is needed, and again after a kill."""

    def __init__(self) -> None:
        self._pool: Any = None
        self.loaded: set[str] = set()  # the meters that are ready there

    def submit(self, function: Any, *arguments: Any) -> "Future[Any]":
        """Have a function called there."""
        if self._pool is None:
            # A pool of one, so that a kill takes nobody else along.
            self._pool = ProcessPoolExecutor(max_workers=1, timeout=None, env=_ONE_THREAD)
        # loky replaces a worker that has grown much, and says so in a thread of its own.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        with interrupts_held():
            future: Future[Any] = self._pool.submit(function, *arguments)
        return future

    def kill(self) -> None:
        """End the process and all that it started, whatever it is at."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=True)
        self._pool = None
        self.loaded.clear()


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker is at: an architecture, or, without one, loading the meter."""

    worker: _Worker
    index: int | None
    deadline: float


class Workers:
    """Processes that measure one architecture each, and are replaced where one takes too long.

    The clock runs while an architecture is measured, not while a process starts or the meter loads
    there (:meth:`~moo_nas.meters.Meter.load`).

    Args:
        n: How many.
        timeout_s: How long one architecture may take, in seconds.
    """

    def __init__(self, n: int, timeout_s: float) -> None:
        self._workers = [_Worker() for _ in range(n)]
        self._timeout_s = timeout_s

    def run(
        self, meter: Meter, architectures: Sequence[Architecture], seeds: Sequence[int]
    ) -> Iterator[tuple[list[Outcome], float]]:
        """Yield outcomes as they are ready, with the CPU seconds that they took.

        Raises:
            MeterError: A worker died while it loaded the meter.
        """
        waiting = deque(range(len(architectures)))
        busy: dict[Future[Any], _Job] = {}
        try:
            while waiting or busy:
                at_work = [job.worker for job in busy.values()]
                for worker in self._workers:
                    loading = sum(job.index is None for job in busy.values())
                    # No more of them load the meter than there is work for.
                    if worker in at_work or len(waiting) <= (0 if meter.key in worker.loaded else loading):
                        continue
                    # One that died while it had nothing to do is replaced in the next round.
                    with suppress(BrokenProcessPool):
                        self._give(worker, meter, architectures, seeds, waiting, busy)
                soonest = min((job.deadline for job in busy.values()), default=0.0) - time.monotonic()
                ready, _ = wait(busy, None if math.isinf(soonest) else max(soonest, 0.0), FIRST_COMPLETED)
                for future in ready:
                    yield from _finish(busy.pop(future), future, meter)
                for future, job in list(busy.items()):
                    if job.index is not None and job.deadline <= time.monotonic() and not future.done():
                        del busy[future]
                        job.worker.kill()
                        yield [Outcome(job.index, None, f"took longer than {self._timeout_s:g} s")], 0.0
        finally:
            # Whoever stops listening, by Ctrl-C maybe, waits for none of them.
            for job in busy.values():
                job.worker.kill()

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.kill()

    def _give(
        self,
        worker: _Worker,
        meter: Meter,
        architectures: Sequence[Architecture],
        seeds: Sequence[int],
        waiting: deque[int],
        busy: dict["Future[Any]", _Job],
    ) -> None:
        """Give a worker the next architecture, or have it load the meter first."""
        try:
            if meter.key not in worker.loaded:
                busy[worker.submit(_load, meter)] = _Job(worker, None, math.inf)
                return
            i = waiting[0]
            future = worker.submit(work, meter, [architectures[i]], [seeds[i]], range(i, i + 1))
        except BrokenProcessPool:
            worker.kill()
            raise
        waiting.popleft()
        busy[future] = _Job(worker, i, time.monotonic() + self._timeout_s)


def _finish(job: _Job, future: "Future[Any]", meter: Meter) -> Iterator[tuple[list[Outcome], float]]:
    """Yield what a job gave, if it was a measurement."""
    try:
        result = future.result()
    except BrokenProcessPool as error:
        job.worker.kill()
        if job.index is None:
            raise MeterError(f"A worker process died while it loaded {type(meter).__name__}.") from error
        yield [Outcome(job.index, None, DIED)], 0.0
        return
    if job.index is None:
        job.worker.loaded.add(meter.key)
    else:
        yield result


def _load(meter: Meter) -> None:
    serve_parent()
    # What cannot be imported or loaded is said when something is measured, as it is without a time-out.
    with suppress(Exception):
        meter.load()
