"""Which machine this is: part of every timing's identity."""

import functools
import os
import platform
from importlib.metadata import version
from pathlib import Path


@functools.cache
def machine() -> dict[str, str | int]:
    """Return the processor's name, the number of its cores, the system and torch's version."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return {
        "cpu": name,
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "torch": version("torch"),
    }
