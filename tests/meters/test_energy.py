"""Energy by counters: RAPL's and NVML's as the kernel and the driver give them, and no number without."""

import sys
import types

import numpy as np
import pytest

from moo_nas.errors import BusyError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import CpuLatency
from moo_nas.meters.device import DeviceEnergy, energy
from moo_nas.meters.device.energy import Counter, Nvml, Rapl, energy_of, idle_power
from tests.spaces_for_tests import tiny_space

WATCH = CpuLatency(image_size=16, n_rounds=2, min_seconds=0.0)


@pytest.fixture
def powercap(tmp_path):
    """Two packages, a core inside one, and the platform, as the kernel lays them out."""
    for name, label in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl:2", "psys"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(f"{label}\n")
        (tmp_path / name / "max_energy_range_uj").write_text("1000000\n")
        (tmp_path / name / "energy_uj").write_text("900000\n")
    return tmp_path


def put(powercap, **microjoules) -> None:
    for zone, value in microjoules.items():
        (powercap / f"intel-rapl:{zone[1:].replace('_', ':')}" / "energy_uj").write_text(f"{value}\n")


def test_the_packages_are_summed_once_each_and_wrap_around(powercap):
    counter = Rapl.here(powercap)
    assert counter.name == "RAPL (package-0, package-1)"
    assert counter.joules() == 0
    put(powercap, z0=950_000, z0_0=999_999, z1=900_010, z2=1)
    assert counter.joules() == pytest.approx(0.05001)
    put(powercap, z0=20_000)  # over the end of the counter
    assert counter.joules() == pytest.approx(0.12001)


def test_a_machine_whose_counters_cannot_be_read_has_none(tmp_path, powercap):
    assert Rapl.here(tmp_path / "nowhere") is None
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    (powercap / "intel-rapl:1" / "energy_uj").mkdir()  # unreadable, as for users who are not root
    assert Rapl.here(powercap) is None


class FakeNvml(types.ModuleType):
    """A driver whose GPU has taken so many mJ."""

    class NVMLError(Exception):
        pass

    def __init__(self, mj=5000, refuses=False):
        super().__init__("pynvml")
        self.mj, self.refuses = mj, refuses

    def nvmlInit(self):
        pass

    def nvmlDeviceGetHandleByIndex(self, index):
        assert index == 0
        return "handle"

    def nvmlDeviceGetName(self, handle):
        return b"A GPU"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        assert handle == "handle"
        if self.refuses:
            raise self.NVMLError("not supported")
        return self.mj

    def nvmlDeviceGetPowerUsage(self, handle):
        return 123_000


def test_a_gpu_tells_energy_and_power_in_si_units(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    counter = Nvml.here()
    assert (counter.name, counter.joules(), counter.watts()) == ("NVML (A GPU)", 5.0, 123.0)


def test_a_gpu_too_old_to_count_or_no_driver_is_no_counter(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(refuses=True))
    assert Nvml.here() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Nvml.here() is None


class Device(Counter):
    """Takes ``idle`` W always and ``work`` J a call; time passes by calls alone."""

    name = "made up"

    def __init__(self, idle: float, work: float, seconds: float) -> None:
        self.idle, self.work, self.seconds = idle, work, seconds
        self.now, self.calls = 0.0, 0

    def call(self) -> None:
        self.calls += 1
        self.now += self.seconds

    def clock(self, call, least: float) -> float:
        call()
        return self.seconds

    def joules(self) -> float:
        return self.idle * self.now + self.work * self.calls

    def watts(self) -> float:
        return 77.0


def test_idle_power_is_subtracted_and_average_and_peak_are_kept():
    device = Device(idle=10, work=0.5, seconds=0.02)
    found = energy_of(device.call, device, 1.0, 10.0, device.clock, lambda: device.now)
    assert found.mj == pytest.approx(500)
    assert found.average_w == pytest.approx(10 + 0.5 / 0.02)
    assert found.peak_w >= found.average_w
    assert found.idle_w == 10
    assert device.now >= 1.0


def test_every_repetition_within_a_clock_s_stretch_counts():
    device = Device(idle=0, work=2, seconds=0.01)

    def three(call, least):
        for _ in range(3):
            call()
        return 0.01

    found = energy_of(device.call, device, 0.1, 0.0, three, lambda: device.now)
    assert device.calls % 3 == 0
    assert found.mj == pytest.approx(2000)


def test_idle_power_is_what_a_counter_says_while_nothing_is_done():
    class Clocked(Device):
        def joules(self) -> float:
            return 12.0 * energy.time.perf_counter()

    assert idle_power(Clocked(0, 0, 0), 0.05) == pytest.approx(12, rel=0.01)


def test_without_a_meter_there_is_no_number(monkeypatch, tmp_path):
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: None))
    meter, space = DeviceEnergy(WATCH), tiny_space()
    with pytest.raises(BusyError, match="no energy meter on this machine"):
        meter.measure([space.decode(space.genome_at(0))], [0])
    with pytest.raises(BusyError, match="no energy meter on this machine"):
        Evaluator(space, [meter]).evaluate(space.sample(1, seed=0), ["energy_mj"])


def test_networks_are_measured_where_there_is_a_meter(monkeypatch):
    class Growing(Counter):
        """50 W, whatever is done."""

        name = "made up"

        def joules(self) -> float:
            return 50.0 * energy.time.perf_counter()

    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Growing()))
    monkeypatch.setattr(energy, "idle_power", lambda counter: 20.0)
    space = tiny_space()
    rows = DeviceEnergy(WATCH, 0.05).measure([space.decode(space.genome_at(i)) for i in range(2)], [0, 0])
    assert rows.shape == (2, 3)
    assert (rows[:, 0] > 0).all()
    assert rows[:, 1] == pytest.approx(50, rel=0.05)
    assert (rows[:, 2] >= rows[:, 1]).all()
    assert DeviceEnergy(WATCH).measure([], []).shape == (0, 3)
    assert np.isfinite(rows).all()
