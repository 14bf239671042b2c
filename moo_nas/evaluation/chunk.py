"""Measuring a chunk of architectures: what each gave, or why there is nothing."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import MeterError, SourceError
from moo_nas.evaluation.interrupts import serve_parent
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
    except (Exception, SystemExit) as error:  # a script that ends itself ends no search
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


def work(
    meter: Meter, architectures: Sequence[Architecture], seeds: Sequence[int], indices: Sequence[int]
) -> tuple[list[Outcome], float]:
    """Measure a chunk in a worker, and return the CPU seconds that it took too."""
    serve_parent()
    started = time.process_time()
    outcomes = measure_chunk(meter, architectures, seeds, indices)
    return outcomes, time.process_time() - started


def _checked(meter: Meter, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
    values = np.asarray(meter.measure(architectures, seeds), dtype=np.float64)
    expected = (len(architectures), len(meter.metrics))
    if values.shape != expected:
        raise ValueError(f"{type(meter).__name__}.measure must return shape {expected}; got {values.shape}")
    return values
