"""What every meter keeps to."""

import json
import os
import pickle
import random
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.meters import Meter
from moo_nas.spaces import Architecture, SearchSpace

# Measures in a process that shares nothing with this one but the pickle.
_ELSEWHERE = """
import pickle, sys
meter, architectures, seeds = pickle.loads(sys.stdin.buffer.read())
values = meter.measure(architectures, seeds)
print(meter.key, *(float(value).hex() for value in values.ravel()))
"""


class MeterKit(ABC):
    """Tests of a :class:`~moo_nas.meters.Meter`: override :meth:`meter` and :meth:`space`.

    An exclusive meter (a stop-watch) gives another number each time: its numbers are asked for
    shape and finiteness only.

    Example:
        .. code-block:: python

            class TestMyMeter(MeterKit):
                def meter(self):
                    return MyMeter(image_size=32)

                def space(self):
                    return StageSpace.haenas()
    """

    n_drawn = 5

    @abstractmethod
    def meter(self) -> Meter:
        """Return the meter, ready to measure: prepared on the space if it needs that."""

    @abstractmethod
    def space(self) -> SearchSpace:
        """Return the space that architectures are drawn from."""

    def genomes(self) -> IntArray:
        """Return distinct genomes to measure, ``(n, n_var)``."""
        space = self.space()
        drawn = space.canonical(space.sample(20 * self.n_drawn, seed=0))
        _, first = np.unique(drawn, axis=0, return_index=True)
        return drawn[np.sort(first)][: self.n_drawn]

    def architectures(self) -> list[Architecture]:
        """Return distinct architectures to measure."""
        space = self.space()
        return [space.decode(genome) for genome in self.genomes()]

    def repeatable(self) -> Meter:
        """Return the meter; skip the test if its numbers are timings."""
        meter = self.meter()
        if meter.exclusive:
            pytest.skip("timings do not repeat")
        return meter

    def test_one_finite_float64_row_an_architecture(self) -> None:
        meter, architectures = self.meter(), self.architectures()
        values = meter.measure(architectures, range(len(architectures)))
        assert values.dtype == np.float64
        assert values.shape == (len(architectures), len(meter.metrics))
        assert np.isfinite(values).all()

    def test_no_architectures_no_rows(self) -> None:
        meter = self.meter()
        assert meter.measure([], []).shape == (0, len(meter.metrics))

    def test_a_batch_is_as_one_by_one(self) -> None:
        meter, architectures = self.repeatable(), self.architectures()
        seeds = range(len(architectures))
        together = meter.measure(architectures, seeds)
        apart = [meter.measure([a], [seed])[0] for a, seed in zip(architectures, seeds, strict=True)]
        assert together.tolist() == np.array(apart).tolist()

    def test_rows_follow_the_order_of_the_architectures(self) -> None:
        meter, architectures = self.repeatable(), self.architectures()
        seeds = list(range(len(architectures)))
        forward = meter.measure(architectures, seeds)
        assert meter.measure(architectures[::-1], seeds[::-1]).tolist() == forward[::-1].tolist()

    def test_the_same_seed_gives_the_same_numbers(self) -> None:
        meter, architectures = self.repeatable(), self.architectures()
        seeds = [7] * len(architectures)
        assert (
            meter.measure(architectures, seeds).tolist()
            == self.meter().measure(architectures, seeds).tolist()
        )

    def test_a_new_process_measures_the_same_numbers_under_the_same_key(self) -> None:
        meter, architectures = self.repeatable(), self.architectures()
        seeds = list(range(len(architectures)))
        here = [meter.key, *(float(v).hex() for v in meter.measure(architectures, seeds).ravel())]
        assert _elsewhere(meter, architectures, seeds) == here

    def test_a_meter_is_picklable_with_its_key(self) -> None:
        meter = self.meter()
        assert pickle.loads(pickle.dumps(meter)).key == meter.key  # noqa: S301  # our own bytes

    def test_equal_meters_have_equal_keys_and_settings_are_json(self) -> None:
        meter, other = self.meter(), self.meter()
        assert json.loads(json.dumps(meter.settings)) == json.loads(json.dumps(other.settings))
        assert meter.key == other.key

    def test_global_random_generators_and_threads_are_left_alone(self) -> None:
        meter, architectures = self.meter(), self.architectures()[:2]
        seeds = range(len(architectures))
        meter.measure(architectures, seeds)  # whatever is imported late is there now
        before = _global_state()
        meter.measure(architectures, seeds)
        assert _global_state() == before

    def test_metrics_are_named_once_with_a_goal_and_a_unit(self) -> None:
        metrics = self.meter().metrics
        assert metrics
        assert len({metric.name for metric in metrics}) == len(metrics)
        for metric in metrics:
            assert metric.name.isidentifier()
            assert metric.unit
            assert metric.goal in ("min", "max", None)

    def test_a_metric_measured_alone_is_as_with_the_others(self) -> None:
        meter, architectures = self.repeatable(), self.architectures()
        seeds = range(len(architectures))
        together = meter.measure(architectures, seeds)
        for position, metric in enumerate(meter.metrics):
            alone = meter.only([metric.name])
            names = [m.name for m in alone.metrics]
            values = alone.measure(architectures, seeds)[:, names.index(metric.name)]
            assert values.tolist() == together[:, position].tolist()
            assert alone.key == meter.key, "or a value would be stored under two keys"

    def test_only_leaves_the_meter_as_it_was(self) -> None:
        meter = self.meter()
        before = meter.metrics
        meter.only([before[0].name])
        assert meter.metrics == before

    def test_the_architectures_are_told_apart(self) -> None:
        meter, architectures = self.meter(), self.architectures()
        values: FloatArray = meter.measure(architectures, [0] * len(architectures))
        assert len(np.unique(values, axis=0)) > 1


def _elsewhere(meter: Meter, architectures: Sequence[Architecture], seeds: Sequence[int]) -> list[str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", _ELSEWHERE],
        input=pickle.dumps((meter, architectures, seeds)),
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().split()


def _global_state() -> list[Any]:
    numpy = np.random.get_state(legacy=False)  # noqa: NPY002  # the global one is what is watched
    state: list[Any] = [random.getstate(), str(numpy)]
    torch = sys.modules.get("torch")
    if torch is not None:
        state += [torch.get_rng_state().tolist(), torch.get_num_threads(), torch.is_grad_enabled()]
    return state
