"""Measurements on the device in front of us."""

from moo_nas.meters.device.machine import machine
from moo_nas.meters.device.timer import CpuLatency

__all__ = ["CpuLatency", "machine"]
