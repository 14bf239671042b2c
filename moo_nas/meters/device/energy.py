"""Energy by the device's own counters; where there is none, no number."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import BusyError
from moo_nas.meters.base import Meter, Metric
from moo_nas.meters.device.lock import measuring
from moo_nas.meters.device.rounds import Call, Clock
from moo_nas.meters.device.rounds import seconds as seconds_of
from moo_nas.meters.device.timer import StopWatch, torch_threads
from moo_nas.spaces import Architecture

NO_METER = "no energy meter on this machine"
POWERCAP = Path("/sys/class/powercap")
_SAMPLED = 0.02  # seconds between two readings of power
_SLICE = 0.05  # seconds of work between two looks at the clock


class Counter(ABC):
    """Counts the energy a device takes, since whenever."""

    name: str

    @abstractmethod
    def joules(self) -> float:
        """Return the energy in J; it only grows."""

    def watts(self) -> float | None:
        """Return the power at the moment in W, None where only energy is counted."""
        return None


class Rapl(Counter):
    """The packages of an Intel or AMD processor, by the kernel's powercap (RAPL).

    All that runs on them is counted. The counters wrap around; they must be read more often than
    that, which takes minutes at full power.

    Args:
        zones: The folders of the package zones.
    """

    def __init__(self, zones: Sequence[Path]) -> None:
        self.name = f"RAPL ({', '.join(_read(zone / 'name') for zone in zones)})"
        self._zones = tuple(zones)
        self._ranges = [float(_read(zone / "max_energy_range_uj")) for zone in zones]
        self._last = [float(_read(zone / "energy_uj")) for zone in zones]
        self._total = 0.0
        self._reading = threading.Lock()

    @classmethod
    def here(cls, folder: Path = POWERCAP) -> "Rapl | None":
        """Return the counter of this machine, None if the kernel offers none that may be read."""
        zones = sorted(zone for zone in folder.glob("intel-rapl:*") if zone.name.count(":") == 1)
        try:
            packages = [zone for zone in zones if _read(zone / "name").startswith("package")]
            return cls(packages) if packages else None
        except (OSError, ValueError):
            return None

    def joules(self) -> float:
        with self._reading:
            for position, zone in enumerate(self._zones):
                now = float(_read(zone / "energy_uj"))
                passed = now - self._last[position]
                self._total += passed if passed >= 0 else passed + self._ranges[position]
                self._last[position] = now
            return self._total / 1e6


class Nvml(Counter):
    """An NVIDIA GPU's total energy, by its driver's library (Volta and later).

    Args:
        nvml: The module ``pynvml``, initialised.
        index: Which GPU, as the driver counts them.
    """

    def __init__(self, nvml: Any, index: int = 0) -> None:
        self._nvml = nvml
        self._handle = nvml.nvmlDeviceGetHandleByIndex(index)
        name = nvml.nvmlDeviceGetName(self._handle)
        self.name = f"NVML ({name.decode() if isinstance(name, bytes) else name})"
        self.joules()  # an older GPU refuses here

    @classmethod
    def here(cls, index: int = 0) -> "Nvml | None":
        """Return the counter of this machine's GPU, None where there is none or it does not count."""
        try:
            import pynvml
        except ImportError:
            return None
        try:
            pynvml.nvmlInit()
            return cls(pynvml, index)
        except pynvml.NVMLError:
            return None

    def joules(self) -> float:
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3

    def watts(self) -> float | None:
        return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1e3


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()


@dataclass(frozen=True, slots=True)
class Energy:
    """What repetitions of a call took beyond an idle device.

    Attributes:
        mj: Energy of one repetition in mJ, idle power subtracted.
        average_w: Power over all of them in W, idle power included.
        peak_w: The highest power read meanwhile in W.
        idle_w: Power of the device when idle in W.
    """

    mj: float
    average_w: float
    peak_w: float
    idle_w: float


def energy_of(
    call: Call,
    counter: Counter,
    seconds: float,
    idle_w: float,
    clock: Clock = seconds_of,
    now: Callable[[], float] = time.perf_counter,
) -> Energy:
    r"""Measure a call, repeated for so many seconds.

    With :math:`J` the counter's energy over :math:`n` repetitions in time :math:`T`, and
    :math:`P_0` the idle power, one repetition took :math:`(J - P_0 T) / n`.

    Args:
        call: What is repeated.
        counter: Of the device it works on.
        seconds: How long.
        idle_w: Power of the idle device in W, see :func:`idle_power`.
        clock: Repeats a call for at least so long, and returns when its work is done.
        now: Tells the time.
    """
    repeats = 0

    def counted() -> object:
        nonlocal repeats
        repeats += 1
        return call()

    with _power_sampled(counter) as powers:
        before, start = counter.joules(), now()
        while repeats == 0 or now() - start < seconds:
            clock(counted, min(_SLICE, seconds))
        joules, spent = counter.joules() - before, now() - start
    average = joules / spent
    peak = max([average, *powers])
    return Energy(1e3 * (joules - idle_w * spent) / repeats, average, peak, idle_w)


def idle_power(counter: Counter, seconds: float = 1.0) -> float:
    """Return the power in W of the device while this process does nothing."""
    before, start = counter.joules(), time.perf_counter()
    time.sleep(seconds)
    return (counter.joules() - before) / (time.perf_counter() - start)


@contextmanager
def _power_sampled(counter: Counter) -> Iterator[list[float]]:
    """Read the power every 20 ms meanwhile, from the energy where no power is told; yields the readings."""
    powers: list[float] = []
    done = threading.Event()

    def sample() -> None:
        before, start = counter.joules(), time.perf_counter()
        while not done.wait(_SAMPLED):
            joules, now = counter.joules(), time.perf_counter()
            power = counter.watts()
            powers.append((joules - before) / (now - start) if power is None else power)
            before, start = joules, now

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield powers
    finally:
        done.set()
        thread.join()


class DeviceEnergy(Meter):
    """Energy of whole networks on the device in front of us, by its own counter.

    ``energy_mj`` is of one run on the whole batch, idle power subtracted; ``average_power_w`` and
    ``peak_power_w`` include it. The counter is NVML's on a GPU and RAPL on a CPU. On a machine that
    has none nothing is measured, and the run ends with the word of it: there is no estimate under
    these names.

    Args:
        watch: On what networks run, see :func:`~moo_nas.meters.device.runtimes.stop_watch`.
        seconds: How long a network is repeated.

    Raises:
        BusyError: No energy meter on this machine, or another measurement runs.
    """

    metrics = (
        Metric("energy_mj", "mJ", "min"),
        Metric("average_power_w", "W", "min"),
        Metric("peak_power_w", "W", "min"),
    )
    exclusive = True

    def __init__(self, watch: StopWatch, seconds: float = 1.0) -> None:
        self.watch = watch
        self.seconds = seconds

    @property
    def settings(self) -> dict[str, Any]:
        return {"watch": self.watch.settings, "seconds": self.seconds}

    def counter(self) -> Counter:
        """Return the counter of the device that the watch is of."""
        found = Nvml.here() if "gpu" in self.watch.device() else Rapl.here()
        if found is None:
            raise BusyError(
                f"There is {NO_METER}: neither RAPL ({POWERCAP}) nor NVML (the package nvidia-ml-py and a "
                "GPU since Volta) can be read. Ask for latency alone, or measure on another device and "
                "import the table."
            )
        return found

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        if not len(architectures):
            return np.empty((0, len(self.metrics)))
        from moo_nas.networks import build

        watch, rows = self.watch, []
        with measuring(f"the energy of {len(architectures)} networks"), torch_threads(watch.threads):
            counter = self.counter()
            idle = idle_power(counter)
            for architecture, seed in zip(architectures, seeds, strict=True):
                call = watch.inference(build(architecture, watch.n_classes, seed), watch.image_shape)
                call()
                # By the watch's clock, so that work queued on a GPU is waited for.
                found = energy_of(call, counter, self.seconds, idle, watch.clock)
                rows.append([found.mj, found.average_w, found.peak_w])
        return np.array(rows)
