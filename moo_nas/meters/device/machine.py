"""Which machine this is: part of every timing's identity."""

import functools
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

_DEVICE_TREE = ("proc/device-tree/model", "sys/firmware/devicetree/base/model")


@functools.cache
def machine() -> dict[str, str | int]:
    """Return the processor's name, the number of its cores, the system and torch's version."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "torch": version("torch"),
    }


def processor(root: Path = Path("/")) -> str:
    """Return what the processor, or the board that it is on, is called.

    An ARM processor has no name of its own, so there it is the board's: by its device tree, or as
    ``/proc/cpuinfo`` knows it; where neither does, what chip and what cores they are.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    if platform.system() == "Darwin":
        return _brand() or platform.processor() or platform.machine()
    for path in _DEVICE_TREE:
        board = _read(root / path).strip("\0 \n")
        if board:
            return board
    told: dict[str, list[str]] = {}
    for line in _read(root / "proc/cpuinfo").splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if value and value not in told.setdefault(key, []):
            told[key].append(value)
    # With ARM's parts beside it, a model name is the architecture's, "ARMv7 Processor".
    for key in ("Model", *(() if "CPU part" in told else ("model name",))):
        if key in told:
            return told[key][0]
    cores = [
        f"{key} {', '.join(sorted(told[key]))}"
        for key in ("Hardware", "CPU implementer", "CPU part")
        if key in told
    ]
    return " ".join([platform.machine(), *cores]) if cores else platform.processor() or platform.machine()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _brand() -> str:
    """Return what macOS calls the processor; nothing where it does not say."""
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
