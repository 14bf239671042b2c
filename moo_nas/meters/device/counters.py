"""Counters of energy: a processor's by the kernel, an NVIDIA GPU's by its driver."""

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moo_nas.errors import BusyError

POWERCAP = Path("/sys/class/powercap")

_HIGHEST_W = 2000.0  # of a package: what a counter cannot have gained more than
_UNTOLD = 0.01  # seconds that a counter may be behind


class Counter(ABC):
    """Counts the energy a device takes, since whenever.

    Attributes:
        name: What counts, of which device.
        range_j: After how many J it begins anew: it must be read more often than that.
        averaged: Is all that it tells of power an average over a second? That is no peak.
        restarts: How often it was seen to begin anew before its range was full: what the device took
            since the reading before is not known, and only what it shows by then is counted.
    """

    name: str
    range_j: float = math.inf
    averaged: bool = False
    restarts: int = 0

    @abstractmethod
    def joules(self) -> float:
        """Return the energy in J; it only grows.

        Raises:
            BusyError: It cannot be read any more.
        """

    def watts(self) -> float | None:
        """Return the power at the moment in W, None where only energy is counted."""
        return None


class Rapl(Counter):
    """The packages of an Intel or AMD processor, by the kernel's powercap (RAPL).

    All that runs on them is counted. The counters wrap around; they must be read more often than
    that, which takes minutes at full power. A counter that is lower than before has wrapped around
    only if it could have in the time that passed, at 2 kW; else it has begun anew.

    Args:
        zones: The folders of the package zones.
    """

    def __init__(self, zones: Sequence[Path]) -> None:
        self.name = f"RAPL ({', '.join(_read(zone / 'name') for zone in zones)})"
        self._zones = tuple(zones)
        self._ranges = [float(_read(zone / "max_energy_range_uj")) for zone in zones]
        self._last = [float(_read(zone / "energy_uj")) for zone in zones]
        self._when = [time.perf_counter() for _ in zones]
        self._total = 0.0
        self._reading = threading.Lock()
        self.range_j = min(self._ranges) / 1e6

    @classmethod
    def here(cls, folder: Path = POWERCAP) -> "Rapl":
        """Return the counter of this machine.

        Raises:
            BusyError: The kernel offers none, or none that this user may read; the message says which.
        """
        try:
            zones = sorted(zone for zone in folder.glob("intel-rapl:*") if zone.name.count(":") == 1)
            packages = [zone for zone in zones if _read(zone / "name").startswith("package")]
            if packages:
                return cls(packages)
        except PermissionError as error:
            raise BusyError(
                f"RAPL is there but not readable ({error}): most kernels let root alone read it. Have root "
                f"allow it (chmod a+r {folder}/intel-rapl:*/energy_uj), or run as root"
            ) from error
        except (OSError, ValueError) as error:
            raise BusyError(f"RAPL is there but cannot be read ({error})") from error
        raise BusyError(f"no RAPL of a processor's package under {folder}")

    def joules(self) -> float:
        with self._reading:
            for position, zone in enumerate(self._zones):
                try:
                    now = float(_read(zone / "energy_uj"))
                except (OSError, ValueError) as error:
                    raise BusyError(f"{self.name} is not readable any more ({error})") from error
                self._total += self._gained(position, now)
            return self._total / 1e6

    def _gained(self, position: int, now: float) -> float:
        """Return the energy in µJ since a zone's last reading, which this one becomes."""
        last, self._last[position] = self._last[position], now
        before, self._when[position] = self._when[position], time.perf_counter()
        gained = now - last
        if gained >= 0:
            return gained
        gained += self._ranges[position]
        most = 1e6 * _HIGHEST_W * (self._when[position] - before + _UNTOLD)
        if gained <= most:
            return gained
        self.restarts += 1
        return min(now, most)


class Nvml(Counter):
    """An NVIDIA GPU's total energy, by its driver's library (Volta and later).

    Power is the driver's instantaneous one (``NVML_FI_DEV_POWER_INSTANT``) where that is offered;
    elsewhere none is told, as the driver's other one is an average on most GPUs since Ampere, and
    the counter says ``averaged``.

    Args:
        nvml: The module ``pynvml``, initialised.
        handle: The driver's handle of the GPU.

    References:
        NVIDIA, NVML API Reference: Field Value Enums.
    """

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self.averaged = self.watts() is None
        name, uuid = (_text(of(handle)) for of in (nvml.nvmlDeviceGetName, nvml.nvmlDeviceGetUUID))
        # As many digits as tell one GPU of a machine from the others.
        power = ", power average over 1 s" if self.averaged else ""
        self.name = f"NVML ({name}, {uuid[:12]}{power})"
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)  # an older GPU refuses here

    @classmethod
    def here(cls, index: int | None = None) -> "Nvml":
        """Return the counter of one of the GPUs that torch sees, found in the driver by its UUID.

        Torch counts the GPUs of ``CUDA_VISIBLE_DEVICES``, the driver all there are, in another order.

        Args:
            index: Which, as torch counts them; by default the one it works on.

        Raises:
            BusyError: There is no way to it, or it does not count its energy; the message says which.
        """
        try:
            import pynvml
        except ImportError as error:
            raise BusyError(
                "NVML needs the package nvidia-ml-py, which is not installed: pip install 'moo_nas[nvml]'"
            ) from error
        import torch

        gpu = torch.cuda.get_device_properties(torch.cuda.current_device() if index is None else index)
        uuid = getattr(gpu, "uuid", None)
        if uuid is None:
            raise BusyError(
                f"torch {torch.__version__} does not say which of the driver's GPUs its {gpu.name} is; "
                "torch 2.4 and later do"
            )
        try:
            pynvml.nvmlInit()
            return cls(pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}"))
        except pynvml.NVMLError as error:
            raise BusyError(f"NVML does not count the energy of {gpu.name}, GPU-{uuid} ({error})") from error

    def joules(self) -> float:
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3
        except self._nvml.NVMLError as error:
            raise BusyError(f"{self.name} does not answer any more ({error})") from error

    def watts(self) -> float | None:
        field = getattr(self._nvml, "NVML_FI_DEV_POWER_INSTANT", None)
        if field is None:
            return None
        try:
            (found,) = self._nvml.nvmlDeviceGetFieldValues(self._handle, [field])
        except self._nvml.NVMLError:
            return None
        return float(found.value.uiVal) / 1e3 if found.nvmlReturn == self._nvml.NVML_SUCCESS else None


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
