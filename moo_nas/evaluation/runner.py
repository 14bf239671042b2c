"""Running a meter over many architectures in parallel; results come as they are ready."""

import math
import signal
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field

import joblib
import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError, MeterError, SourceError
from moo_nas.meters import Meter
from moo_nas.spaces import Architecture


@dataclass(frozen=True, slots=True)
class Outcome:
    """What measuring one architecture gave: its metrics ``(n_metrics,)``, or why there are none.

    ``reasons`` says, by a metric's name, why it alone has no value.
    """

    index: int
    values: FloatArray | None
    reason: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


Task = tuple[Meter, Sequence[Architecture], Sequence[int], Sequence[int]]


class Runner:
    """Measures architectures in worker processes, a chunk at a time.

    Workers live as long as the search does (joblib's loky pool) and use one thread each; another
    joblib backend (Dask, Ray) is used if one is active. How many there are never changes a result:
    an architecture's values depend on it and its seed alone.

    Args:
        n_jobs: How many processes; 1 measures in this one, -1 uses every core.
    """

    def __init__(self, n_jobs: int = 1) -> None:
        if n_jobs == 0 or n_jobs < -1:
            raise InputError(f"The number of jobs must be positive, or -1 for every core; got {n_jobs}.")
        self.n_jobs = joblib.cpu_count() if n_jobs == -1 else n_jobs
        self.worker_seconds = 0.0  # CPU time that other processes have spent on measuring

    def run(
        self, meter: Meter, architectures: Sequence[Architecture], seeds: Sequence[int]
    ) -> Iterator[list[Outcome]]:
        """Yield outcomes chunk by chunk, in whatever order they are ready.

        Exclusive meters work in this process, with nothing beside them.
        """
        n = len(architectures)
        if n == 0:
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
                    yield [Outcome(i, None, "the worker process died while measuring it")]

    def _parallel(self, tasks: Iterable[Task]) -> Iterator[list[Outcome]]:
        parallel = joblib.Parallel(
            n_jobs=self.n_jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="all"
        )
        # loky replaces workers that stop, and says so in a thread of its own, also after Ctrl-C.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        with _interrupts_held():
            results = parallel(joblib.delayed(_work)(*task) for task in tasks)
        for outcomes, seconds in results:
            self.worker_seconds += seconds
            yield outcomes


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let processes that are started inside never hear of Ctrl-C or SIGTERM.

    A terminal interrupts the whole group of processes, and a service manager terminates it; workers
    would die in the middle of whatever they do, each with a traceback, when it is this process that
    ends them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def measure_chunk(
    meter: Meter, architectures: Sequence[Architecture], seeds: Sequence[int], indices: Sequence[int]
) -> list[Outcome]:
    """Measure a chunk; if it raises, its architectures one by one, so that only those at fault fail."""
    try:
        values = _checked(meter, architectures, seeds)
    except ImportError as error:
        # No fault of the architecture's: the run ends, and goes on once it is mended.
        raise MeterError(f"{type(meter).__name__} cannot measure on this machine: {error}.") from error
    except SourceError:
        raise
    except Exception as error:
        if len(architectures) == 1:
            return [Outcome(indices[0], None, f"{type(error).__name__}: {error}")]
        return [
            outcome
            for a, seed, i in zip(architectures, seeds, indices, strict=True)
            for outcome in measure_chunk(meter, [a], [seed], [i])
        ]
    return [
        Outcome(i, row, reasons=_why_missing(meter, a, seed, row))
        for i, a, seed, row in zip(indices, architectures, seeds, values, strict=True)
    ]


def _why_missing(meter: Meter, architecture: Architecture, seed: int, values: FloatArray) -> dict[str, str]:
    """Return why metrics have no value, by asking a meter that can measure one alone for it."""
    reasons: dict[str, str] = {}
    for metric, value in zip(meter.metrics, values, strict=True):
        alone = meter if np.isfinite(value) else meter.only([metric.name])
        if len(alone.metrics) < len(meter.metrics):
            try:
                alone.measure([architecture], [seed])
            except Exception as error:
                reasons[metric.name] = f"{type(error).__name__}: {error}"
    return reasons


def _work(
    meter: Meter, architectures: Sequence[Architecture], seeds: Sequence[int], indices: Sequence[int]
) -> tuple[list[Outcome], float]:
    started = time.process_time()
    outcomes = measure_chunk(meter, architectures, seeds, indices)
    return outcomes, time.process_time() - started


def _checked(meter: Meter, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
    values = np.asarray(meter.measure(architectures, seeds), dtype=np.float64)
    expected = (len(architectures), len(meter.metrics))
    if values.shape != expected:
        raise ValueError(f"{type(meter).__name__}.measure must return shape {expected}; got {values.shape}")
    return values
