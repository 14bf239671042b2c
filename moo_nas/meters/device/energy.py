"""Energy by the device's own counters; where there is none, no number."""

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Any, Self

import numpy as np

from moo_nas.arrays import FloatArray, stable_hash
from moo_nas.errors import BusyError, MeterError
from moo_nas.meters.base import Memory, Meter, Metric
from moo_nas.meters.device.counters import Counter, Nvml, Rapl
from moo_nas.meters.device.lock import measuring
from moo_nas.meters.device.power import IDLE_SHARE, energy_of, same_power, settled_idle
from moo_nas.meters.device.timer import REFERENCE, StopWatch, torch_threads
from moo_nas.spaces import Architecture, SearchSpace

NO_METER = "no energy meter on this machine"

# What idle powers and measured batches are kept under in a memory.
IDLE = "idle power/"
ENERGIES = "measured energies/"

_FIELDS = {"energy_mj": "mj", "average_power_w": "average_w", "peak_power_w": "peak_w"}


class DeviceEnergy(Meter):
    r"""Energy of whole networks on the device in front of us, by its own counter.

    ``energy_mj`` is of one run on the whole batch, idle power subtracted; ``average_power_w`` and
    ``peak_power_w`` include it. The counter is NVML's on a GPU and RAPL on a CPU, whose peak is of
    0.1 s. On a machine that has none nothing is measured, and the run ends with the word of it: there
    is no estimate under these names. Nor is there a peak where a GPU tells its power as an average
    alone.

    A prepared meter measures the idle power once, after the stop-watch's reference network has
    warmed the device up and it has settled (:func:`settled_idle`), and keeps it in its memory: the
    same is subtracted from every network, so that they compare. Before and after each batch of
    networks the idle power is measured again. If it is not within 10 % of what is subtracted, the
    batch is doubtful, which is told with it and not averaged away.

    Args:
        watch: On what networks run, see :func:`~moo_nas.meters.device.runtimes.stop_watch`.
        seconds: How long a network is repeated.
        idle_seconds: How long a window of idleness is.

    Raises:
        BusyError: No energy meter on this machine, or another measurement runs.
    """

    metrics: tuple[Metric, ...] = (
        Metric("energy_mj", "mJ", "min"),
        Metric("average_power_w", "W", "min"),
        Metric("peak_power_w", "W", "min"),
    )
    exclusive = True
    largest_chunk = 40  # the idle power is checked around each

    def __init__(self, watch: StopWatch, seconds: float = 1.0, idle_seconds: float = 1.0) -> None:
        self.watch = watch
        self.uses_gpu = watch.uses_gpu
        self.seconds = seconds
        self.idle_seconds = idle_seconds
        self._idle_w: float | None = None
        self._memory: Memory | None = None
        self._known: dict[tuple[str, int], dict[str, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        # A memory may be an open file; another process has its own.
        return {**self.__dict__, "_memory": None}

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "watch": self.watch.settings,
            "seconds": self.seconds,
            "idle_seconds": self.idle_seconds,
            "reference": str(REFERENCE),
        }

    def counter(self) -> Counter:
        """Return the counter of the device that the watch is of."""
        gpu = "gpu" in self.watch.device()
        try:
            return Nvml.here() if gpu else Rapl.here()
        except BusyError as error:
            raise BusyError(
                f"There is {NO_METER} for its {'GPU' if gpu else 'processor'}: {error}. Ask for latency "
                "alone, or measure on another device and import the table."
            ) from error

    def only(self, names: Collection[str]) -> "DeviceEnergy":
        meter = copy.copy(self)
        meter.metrics = tuple(metric for metric in self.metrics if metric.name in names)
        meter._memory = self._memory  # which a copy is made without
        return meter

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        meter = copy.copy(self)
        meter._idle_w = memory.recall(f"{IDLE}{self.key}", self._idle)["idle_w"]
        meter._memory, meter._known = memory, {}
        return meter

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        if not len(architectures):
            return np.empty((0, len(self.metrics)))
        if self._idle_w is None:
            ready = copy.copy(self)
            ready._idle_w, ready._known = self._idle()["idle_w"], {}
            return ready.measure(architectures, seeds)
        asked = [(str(a), int(seed)) for a, seed in zip(architectures, seeds, strict=True)]
        # Known are those of a batch with a failure in it, of which each is asked for again alone.
        if not set(asked) <= self._known.keys():
            batch = self._batch(asked, lambda: self._measured(architectures, seeds))
            self._known.update(zip(asked, batch["networks"], strict=True))
        return np.array([self._row(self._known[network]) for network in asked])

    def _batch(self, asked: Sequence[tuple[str, int]], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if self._memory is None:
            return make()
        return self._memory.recall(f"{ENERGIES}{self.key}/{stable_hash(asked)}", make)

    def _row(self, found: dict[str, Any]) -> list[float]:
        if "reason" in found:
            raise MeterError(found["reason"])
        row = [found[_FIELDS[metric.name]] for metric in self.metrics]
        if row == [None]:
            raise MeterError("this GPU tells its power as an average over a second alone, which is no peak")
        return [np.nan if value is None else value for value in row]

    def _idle(self) -> dict[str, Any]:
        """Return the power of the idle device, which has just worked, and what counts it, as JSON."""
        from moo_nas.networks import build

        watch = self.watch
        with measuring("the idle power"), torch_threads(watch.threads):
            counter = self.counter()
            call = watch.inference(build(REFERENCE, watch.n_classes, 0), watch.image_shape)
            watch.clock(call, self.seconds)
            idle_w, faults = settled_idle(counter, self.idle_seconds)
        return {"idle_w": idle_w, "counter": counter.name, "faults": list(faults)}

    def _measured(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> dict[str, Any]:
        """Return what networks took, the idle power around them, and faults, as JSON."""
        from moo_nas.networks import build

        assert self._idle_w is not None
        watch, networks = self.watch, []
        with measuring(f"the energy of {len(architectures)} networks"), torch_threads(watch.threads):
            counter = self.counter()
            before, _ = settled_idle(counter, self.idle_seconds)
            for architecture, seed in zip(architectures, seeds, strict=True):
                call = watch.inference(build(architecture, watch.n_classes, seed), watch.image_shape)
                call()
                try:
                    # By the watch's clock, so that work queued on a GPU is waited for.
                    found = asdict(energy_of(call, counter, self.seconds, self._idle_w, watch.clock))
                except MeterError as error:
                    found = {"reason": str(error)}
                networks.append(found)
            after, _ = settled_idle(counter, self.idle_seconds)
        faults = []
        if not (same_power(self._idle_w, before) and same_power(self._idle_w, after)):
            faults.append(
                f"the idle power is not within {IDLE_SHARE:.0%} of the {self._idle_w:.3g} W that are "
                f"subtracted: {before:.3g} W before these networks, {after:.3g} W after them"
            )
        return {
            "networks": networks,
            "idle_w": self._idle_w,
            "before_w": before,
            "after_w": after,
            "faults": faults,
        }
