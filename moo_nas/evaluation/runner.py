"""Running a meter over many architectures in parallel; results come as they are ready."""

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from typing import Any

import joblib

from moo_nas.errors import InputError, positive_seconds, whole_number
from moo_nas.evaluation.chunk import Outcome, measure_chunk, work
from moo_nas.evaluation.interrupts import interrupts_held
from moo_nas.evaluation.workers import DIED, Workers
from moo_nas.meters import Meter
from moo_nas.spaces import Architecture

_LOKY = "LokyBackend"

Task = tuple[Meter, Sequence[Architecture], Sequence[int], Sequence[int]]


class Runner:
    """Measures architectures in worker processes, a chunk at a time.

    Workers live as long as the search does (joblib's loky pool) and use one thread each; another
    joblib backend (Dask, Ray) is used if one is active. How many there are never changes a result:
    an architecture's values depend on it and its seed alone.

    With a time-out, architectures are measured one at a time in processes of this machine; one that
    takes longer is a failure that says so, and its process is killed and replaced. What is measured in
    this process has none: exclusive meters, instant ones, and what a meter is prepared with. A time-out
    may be the machine's fault, and is kept like any other failure: what was measured is never silently
    measured again, and a run that is continued would otherwise go another way than it went. So choose
    several times what the slowest architecture takes.

    Args:
        n_jobs: How many processes; 1 measures in this one (with a time-out, in one other), -1 uses
            every core.
        timeout_s: How long an architecture may take a meter, in seconds.

    Raises:
        InputError: An impossible number of jobs or time-out.
    """

    def __init__(self, n_jobs: int = 1, timeout_s: float | None = None) -> None:
        if n_jobs == -1:
            n_jobs = joblib.cpu_count()
        self.n_jobs = whole_number("The number of jobs must be a whole number (-1: every core)", n_jobs, 1)
        if timeout_s is not None:
            timeout_s = positive_seconds("The time-out", timeout_s)
        self.timeout_s = timeout_s
        self.worker_seconds = 0.0  # CPU time that other processes have spent on measuring
        self._workers = None if timeout_s is None else Workers(self.n_jobs, timeout_s)

    @property
    def settings(self) -> dict[str, Any]:
        """What a result may depend on, as JSON: the time-out where there is one."""
        return {} if self.timeout_s is None else {"timeout_s": self.timeout_s}

    def close(self) -> None:
        """End processes that nothing else would reuse."""
        if self._workers is not None:
            self._workers.close()

    def run(
        self, meter: Meter, architectures: Sequence[Architecture], seeds: Sequence[int]
    ) -> Iterator[list[Outcome]]:
        """Yield outcomes chunk by chunk, in whatever order they are ready.

        Exclusive meters work in this process, with nothing beside them.
        """
        n = len(architectures)
        if n == 0:
            return
        if self._workers is not None and not meter.exclusive:
            self._check_backend()
            for outcomes, seconds in self._workers.run(meter, architectures, seeds):
                self.worker_seconds += seconds
                yield outcomes
            return
        alone = meter.exclusive or self.n_jobs == 1
        # Timings interleave as many as they can; other work is dealt out in small pieces.
        size = min(meter.largest_chunk, n if meter.exclusive else math.ceil(n / (4 * self.n_jobs)))
        chunks = [range(start, min(start + size, n)) for start in range(0, n, size)]
        tasks = (
            (meter, [architectures[i] for i in chunk], [seeds[i] for i in chunk], chunk) for chunk in chunks
        )
        if alone:
            yield from (measure_chunk(*task) for task in tasks)
            return
        done: set[int] = set()
        try:
            for outcomes in self._parallel(tasks):
                done.update(outcome.index for outcome in outcomes)
                yield outcomes
        except BrokenProcessPool:
            # Something killed a worker (memory, a crash in native code): find out which it was.
            for i in sorted(set(range(n)) - done):
                try:
                    yield from self._parallel([(meter, [architectures[i]], [seeds[i]], range(i, i + 1))])
                except BrokenProcessPool:
                    yield [Outcome(i, None, DIED)]

    def _parallel(self, tasks: Iterable[Task]) -> Iterator[list[Outcome]]:
        parallel = joblib.Parallel(
            n_jobs=self.n_jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="all"
        )
        # loky replaces workers that stop, and says so in a thread of its own, also after Ctrl-C.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        # An interrupt leaves tasks: what of them was measured is in the store, the rest is measured again.
        warnings.filterwarnings("ignore", r"\d+ tasks (which were still|have been)", UserWarning)
        with interrupts_held(processes=_backend() == _LOKY):
            results = parallel(joblib.delayed(work)(*task) for task in tasks)
        with closing(results):
            for outcomes, seconds in results:
                self.worker_seconds += seconds
                yield outcomes

    def _check_backend(self) -> None:
        if _backend() != _LOKY:
            raise InputError(
                f"A time-out is kept by processes of this machine; joblib's {_backend()} is active. Leave "
                "out one of them: clusters have time-outs of their own."
            )


def _backend() -> str:
    """Return the name of the joblib backend that is active."""
    return type(joblib.parallel.get_active_backend()[0]).__name__
