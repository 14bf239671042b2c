"""Measurements on the device in front of us, and on others."""

from moo_nas.meters.device.elsewhere import DeviceTable
from moo_nas.meters.device.energy import DeviceEnergy
from moo_nas.meters.device.machine import machine
from moo_nas.meters.device.runtimes import TARGETS, stop_watch
from moo_nas.meters.device.timer import CpuLatency, StopWatch

__all__ = ["TARGETS", "CpuLatency", "DeviceEnergy", "DeviceTable", "StopWatch", "machine", "stop_watch"]
