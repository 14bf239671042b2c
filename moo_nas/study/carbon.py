"""What a search itself takes: energy by the machine's counters, and the CO2-equivalent of it."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Self

from moo_nas.errors import BusyError, StoreError, check_number
from moo_nas.meters.device.counters import Counter, Nvml, Rapl
from moo_nas.meters.device.energy import NO_METER

# The world's mean in 2018. IEA, Global Energy & CO2 Status Report 2019, Emissions.
WORLD_GRID = 475.0

UNKNOWN = "unknown"

_MINUTE = 60.0  # seconds between two readings, or fewer:
_HIGHEST_W = 500.0  # a counter's range lasts three readings at such a power
_THREAD = "moo_nas footprint"

Reading = dict[str, Any]


class Footprint:
    """The energy of one sitting of a run, from its making on.

    Only what counters read is told, never an estimate from a processor's name. RAPL counts whole
    packages: whatever else runs on them is counted with the search. A GPU that is at work counts
    with all others that torch sees.

    Inside the context, a thread reads the counters every minute, or three times in what a counter's
    range lasts at 500 W, so that none wraps around unseen; and each reading is kept as it arrives,
    so that a kill loses what came after the last.

    Args:
        uses_gpu: Is a GPU at work, so that it counts too?
        keep: Keeps a reading, in any thread.
    """

    def __init__(self, uses_gpu: bool = False, keep: Callable[[Reading], object] | None = None) -> None:
        self._keep = keep
        self._missing: dict[str, str] = {}
        self._counters: dict[str, tuple[Counter, float]] = {}
        for device, find in _devices(uses_gpu).items():
            try:
                counter = find()
                self._counters[device] = counter, counter.joules()
            except BusyError as error:
                self._missing[device] = str(error)
        self._joules = dict.fromkeys(self._counters, 0.0)
        self._start = time.perf_counter()
        ranges = [counter.range_j for counter, _ in self._counters.values()]
        self._period = min([_MINUTE, *(range_j / _HIGHEST_W / 3 for range_j in ranges)])
        self._reading = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=_THREAD, daemon=True)

    def __enter__(self) -> Self:
        self.read()  # of a sitting that is killed at once it is known that it was
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._done.is_set():
            # Whatever ended the run so early has a message of its own.
            with suppress(StoreError):
                self.finish()

    def read(self, finished: bool = False) -> Reading:
        """Return what the sitting took so far, and keep it.

        Returns:
            Its ``joules`` by the ``counters`` named, in ``seconds``; which devices are ``missing``, and
            why; and whether it is ``finished``.
        """
        with self._reading:
            for device, (counter, before) in self._counters.items():
                try:
                    self._joules[device] = counter.joules() - before
                except BusyError as error:
                    self._missing[device] = str(error)
                if counter.restarts:
                    self._missing[device] = (
                        f"{counter.name} began anew, and what it had counted since the reading before is lost"
                    )
            reading = {
                "joules": sum(self._joules.values()),
                "seconds": time.perf_counter() - self._start,
                "counters": [counter.name for counter, _ in self._counters.values()],
                "missing": dict(self._missing),
                "finished": finished,
            }
            if self._keep is not None:
                self._keep(reading)
            return reading

    def finish(self) -> Reading:
        """Stop the thread, and return and keep the last reading."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        return self.read(finished=True)

    def _watch(self) -> None:
        # Ctrl-C and SIGTERM are the main thread's, which holds them back while processes are started.
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        while not self._done.wait(self._period):
            # What is wrong with the store the search's own next write says.
            with suppress(StoreError):
                self.read()


def _devices(uses_gpu: bool) -> dict[str, Callable[[], Counter]]:
    """Return how each device that works is asked for its counter, by its name."""
    devices: dict[str, Callable[[], Counter]] = {"processor": Rapl.here}
    if uses_gpu:
        import torch

        # Workers choose among them for themselves.
        for i in range(torch.cuda.device_count()):
            devices[f"GPU {i}"] = partial(Nvml.here, i)
        if len(devices) == 1:
            devices["GPU"] = _no_gpu
    return devices


def _no_gpu() -> Counter:
    raise BusyError("torch sees none")


def check_grid(grid: float) -> None:
    """Refuse what can be no carbon intensity.

    Raises:
        InputError: It is no number, negative or not finite.
    """
    check_number("The grid's carbon intensity in g/kWh", grid)


def sittings(readings: Iterable[tuple[str, Reading]]) -> list[Reading]:
    """Return the last reading of each sitting.

    Args:
        readings: Each with its sitting's name, in the order in which they were kept.
    """
    return list(dict(readings).values())


def footprint(sittings: Sequence[Mapping[str, Any]], grid: float) -> dict[str, Any]:
    r"""Return a run's energy and CO2-equivalent over its sittings.

    .. math:: CO_2e = \frac{J}{3.6 \cdot 10^6} \, g

    with :math:`J` in joules and :math:`g` the grid's carbon intensity in g/kWh.

    Args:
        sittings: The last reading of each, as :meth:`Footprint.read` gave it.
        grid: The carbon intensity in g CO2-equivalent a kWh.

    Returns:
        ``kwh`` and ``co2e_g`` of what was counted, or ``unknown``; over how many ``seconds`` and by
        which ``counters``; which devices are ``missing`` in it, and the ``reason``; how many sittings
        are ``not_finished`` (killed, or still at work), of which only what came before their last
        reading is counted; and how many ``uncounted_seconds`` sittings without any counter took.

    Example:
        >>> footprint([{"joules": 7.2e6, "seconds": 60.0, "counters": ["RAPL"]}], 100.0)["co2e_g"]
        200.0
        >>> footprint([], 100.0)["co2e_g"]
        'unknown'
    """
    counted = [sitting for sitting in sittings if sitting["counters"]]
    missing = {device: why for sitting in sittings for device, why in sitting.get("missing", {}).items()}
    kwh = sum(sitting["joules"] for sitting in counted) / 3.6e6
    lacks = "; ".join(f"{device}: {why}" for device, why in missing.items())
    told = {
        "kwh": round(kwh, 9) if counted else UNKNOWN,
        "co2e_g": round(kwh * grid, 6) if counted else UNKNOWN,
        "grid_g_per_kwh": grid,
        "seconds": _seconds(counted),
        "counters": _union(sitting["counters"] for sitting in counted),
        "missing": sorted(missing),
        "not_finished": sum(not sitting.get("finished", True) for sitting in sittings),
        "uncounted_seconds": _seconds(sitting for sitting in sittings if not sitting["counters"]),
    }
    reason = lacks if counted else f"{NO_METER} ({lacks})" if sittings else "nothing was read"
    return {**told, "reason": reason} if reason else told


def total(footprints: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the energy and CO2-equivalent of several runs together.

    Args:
        footprints: What :func:`footprint` gave of each.

    Returns:
        The same of all whose energy is known; of how many ``runs``, and of how many of them it is
        not, ``unknown_runs``. Where they were told different carbon intensities, all of these.

    Example:
        >>> known = footprint([{"joules": 7.2e6, "seconds": 60.0, "counters": ["RAPL"]}], 100.0)
        >>> both = total([known, footprint([], 100.0)])
        >>> both["kwh"], both["co2e_g"], both["unknown_runs"], both["runs"]
        (2.0, 200.0, 1, 2)
    """
    known = [one for one in footprints if one["kwh"] != UNKNOWN]
    grids = sorted({one["grid_g_per_kwh"] for one in known or footprints})
    reasons = dict.fromkeys(one["reason"] for one in footprints if one.get("reason"))
    return {
        "kwh": round(sum(one["kwh"] for one in known), 9) if known else UNKNOWN,
        "co2e_g": round(sum(one["co2e_g"] for one in known), 6) if known else UNKNOWN,
        "grid_g_per_kwh": grids[0] if len(grids) == 1 else grids,
        "seconds": _seconds(known),
        "counters": _union(one.get("counters", ()) for one in known),
        "missing": _union(one.get("missing", ()) for one in footprints),
        "not_finished": sum(one.get("not_finished", 0) for one in footprints),
        "uncounted_seconds": round(sum(one.get("uncounted_seconds", 0.0) for one in footprints), 3),
        "runs": len(footprints),
        "unknown_runs": len(footprints) - len(known),
        **({"reason": "; ".join(reasons)} if reasons else {}),
    }


def _seconds(parts: Iterable[Mapping[str, Any]]) -> float:
    return round(sum(float(part["seconds"]) for part in parts), 3)


def _union(names: Iterable[Iterable[str]]) -> list[str]:
    return sorted({name for some in names for name in some})
