"""What a search itself takes: energy by the machine's counters, and the CO2-equivalent of it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from moo_nas.errors import InputError
from moo_nas.meters.device.energy import NO_METER, Counter, Nvml, Rapl

# The world's mean in 2018. IEA, Global Energy & CO2 Status Report 2019, Emissions.
WORLD_GRID = 475.0

UNKNOWN = "unknown"


class Footprint:
    """The energy of one sitting of a run, from its making on.

    Only what counters read is told, never an estimate from a processor's name. RAPL counts whole
    packages: whatever else runs on them is counted with the search.

    Args:
        uses_gpu: Is a GPU at work, so that it counts too?
    """

    def __init__(self, uses_gpu: bool = False) -> None:
        found: Sequence[Counter | None] = (Rapl.here(), Nvml.here() if uses_gpu else None)
        self._counters = [counter for counter in found if counter is not None]
        self._start = time.perf_counter()
        self._before = [counter.joules() for counter in self._counters]

    def read(self) -> dict[str, Any] | None:
        """Return the sitting's ``joules``, ``seconds`` and ``counters`` so far; None without a counter."""
        if not self._counters:
            return None
        pairs = zip(self._counters, self._before, strict=True)
        return {
            "joules": sum(counter.joules() - before for counter, before in pairs),
            "seconds": time.perf_counter() - self._start,
            "counters": [counter.name for counter in self._counters],
        }


def check_grid(grid: float) -> None:
    """Refuse what can be no carbon intensity.

    Raises:
        InputError: It is negative or not finite.
    """
    if not 0 <= grid < float("inf"):
        raise InputError(f"The grid's carbon intensity must be 0 g/kWh or more; got {grid}.")


def footprint(sittings: Sequence[Mapping[str, Any]], grid: float) -> dict[str, Any]:
    r"""Return a run's energy and CO2-equivalent over its sittings.

    .. math:: CO_2e = \frac{J}{3.6 \cdot 10^6} \, g

    with :math:`J` in joules and :math:`g` the grid's carbon intensity in g/kWh.

    Args:
        sittings: What :meth:`Footprint.read` gave of each that had a counter.
        grid: The carbon intensity in g CO2-equivalent a kWh.

    Example:
        >>> footprint([{"joules": 7.2e6, "seconds": 60.0, "counters": ["RAPL"]}], 100.0)["co2e_g"]
        200.0
        >>> footprint([], 100.0)["co2e_g"]
        'unknown'
    """
    if not sittings:
        return {"kwh": UNKNOWN, "co2e_g": UNKNOWN, "grid_g_per_kwh": grid, "reason": NO_METER}
    kwh = sum(sitting["joules"] for sitting in sittings) / 3.6e6
    return {
        "kwh": round(kwh, 9),
        "co2e_g": round(kwh * grid, 6),
        "grid_g_per_kwh": grid,
        "seconds": round(sum(sitting["seconds"] for sitting in sittings), 3),
        "counters": sorted({name for sitting in sittings for name in sitting["counters"]}),
    }
