"""Energy of networks by a device's counter, idle power subtracted; and no number without a counter."""

import pickle
import time

import numpy as np
import pytest

from moo_nas.errors import BusyError, MeterError
from moo_nas.evaluation import Evaluator, Store
from moo_nas.meters import CpuLatency, DeviceEnergy
from moo_nas.meters.device import energy
from moo_nas.meters.device.counters import Counter, Nvml, Rapl
from moo_nas.meters.device.energy import energy_of, idle_power, settled_idle
from tests.spaces_for_tests import tiny_space

WATCH = CpuLatency(image_size=16, n_rounds=2, min_seconds=0.0)


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


@pytest.mark.parametrize("idle_w", [50.0, 60.0])
def test_no_work_takes_nothing_or_less_than_nothing(idle_w):
    device = Device(idle=50, work=0, seconds=0.01)
    with pytest.raises(MeterError, match=f"more than 0; got .* mJ a run: 50 W at work, {idle_w:g} W idle"):
        energy_of(device.call, device, 0.1, idle_w, device.clock, lambda: device.now)


def test_an_average_is_no_peak():
    device = Device(idle=10, work=0.5, seconds=0.02)
    device.averaged = True
    assert energy_of(device.call, device, 0.1, 10.0, device.clock, lambda: device.now).peak_w is None


class Scripted(Counter):
    """So many W in each window of idleness, one after the other; the last ones from then on."""

    name = "made up"

    def __init__(self, watts) -> None:
        self.watts_left, self.total, self.asked = list(watts), 0.0, 0

    def joules(self) -> float:
        self.asked += 1
        if self.asked % 2 == 0:  # the end of a window of a second
            self.total += self.watts_left.pop(0) if len(self.watts_left) > 1 else self.watts_left[0]
        return self.total


@pytest.fixture
def seconds(monkeypatch):
    """Time passes by sleeping alone."""
    now = [0.0]
    monkeypatch.setattr(energy.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(energy.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
    return now


def test_idle_power_is_what_a_counter_says_while_nothing_is_done(seconds):
    assert idle_power(Scripted([12.0]), 1.0) == pytest.approx(12)


def test_idle_power_is_taken_when_the_device_has_come_to_rest(seconds):
    assert settled_idle(Scripted([90, 80, 70, 60, 51, 50, 49, 20]), 1.0) == (pytest.approx(50), ())
    assert seconds[0] == 7


def test_a_device_that_does_not_come_to_rest_is_doubtful(seconds):
    idle_w, faults = settled_idle(Scripted([40, 60] * 20), 1.0)
    assert 40 < idle_w < 60
    assert faults == ("the idle power did not settle: 40 to 60 W after 20 s",)
    assert seconds[0] == 20


def absent(cls, folder=None):
    raise BusyError("no RAPL under /here")


def test_without_a_meter_there_is_no_number(monkeypatch):
    monkeypatch.setattr(Rapl, "here", classmethod(absent))
    meter, space = DeviceEnergy(WATCH), tiny_space()
    words = "no energy meter on this machine for its processor: no RAPL under /here"
    with pytest.raises(BusyError, match=words):
        meter.measure([space.decode(space.genome_at(0))], [0])
    with pytest.raises(BusyError, match=words):
        Evaluator(space, [meter]).evaluate(space.sample(1, seed=0), ["energy_mj"])


class Growing(Counter):
    """50 W, whatever is done."""

    name = "made up"

    def joules(self) -> float:
        return 50.0 * time.perf_counter()


class Metered(DeviceEnergy):
    """On a device of 50 W, with the idle powers told here: one when prepared, then two a batch."""

    def __init__(self, monkeypatch, *idle) -> None:
        super().__init__(WATCH, 0.02, 0.001)
        self.told = [*idle]
        monkeypatch.setattr(energy, "settled_idle", lambda counter, seconds: (self.told.pop(0), ()))
        monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Growing()))


def networks(n):
    space = tiny_space()
    return [space.decode(space.genome_at(i)) for i in range(n)]


def test_networks_are_measured_where_there_is_a_meter(monkeypatch):
    rows = Metered(monkeypatch, 20.0, 20.0, 20.0).measure(networks(2), [0, 0])
    assert rows.shape == (2, 3)
    assert (rows[:, 0] > 0).all()
    assert rows[:, 1] == pytest.approx(50, rel=0.05)
    assert (rows[:, 2] >= rows[:, 1]).all()
    assert DeviceEnergy(WATCH).measure([], []).shape == (0, 3)
    assert np.isfinite(rows).all()


def test_one_idle_power_is_of_all_batches_and_kept_in_memory(monkeypatch):
    store = Store()
    meter = Metered(monkeypatch, 20.0, 21.0, 19.5, 20.0, 20.5).prepare(tiny_space(), store, 0)
    meter.measure(networks(2), [0, 0])
    meter.measure(networks(4)[2:], [0, 0])
    (idle,) = kept(store, "idle power/")
    assert (idle["idle_w"], idle["counter"]) == (20.0, "made up")
    first, second = kept(store, "measured energies/")
    assert {n["idle_w"] for n in first["networks"] + second["networks"]} == {20.0}
    assert (first["before_w"], first["after_w"], first["faults"]) == (21.0, 19.5, [])
    again = Metered(monkeypatch).prepare(tiny_space(), store, 0)  # nothing is measured again
    assert again.measure(networks(2), [0, 0]).shape == (2, 3)


def kept(store, prefix):
    return [value for name, (value, _) in store.setup().items() if name.startswith(prefix)]


@pytest.mark.parametrize(("before", "after"), [(23.0, 20.0), (20.0, 17.0)])
def test_an_idle_power_that_changes_makes_a_batch_doubtful(monkeypatch, before, after):
    store = Store()
    meter = Metered(monkeypatch, 20.0, before, after).prepare(tiny_space(), store, 0)
    meter.measure(networks(2), [0, 0])
    (batch,) = kept(store, "measured energies/")
    assert batch["faults"] == [
        f"the idle power is not within 10% of the 20 W that are subtracted: {before:g} W before these "
        f"networks, {after:g} W after them"
    ]


def test_energy_that_is_not_positive_fails_its_network_alone_with_the_reason(monkeypatch):
    space, store = tiny_space(), Store()
    meter = Metered(monkeypatch, 20.0, 20.0, 20.0)
    real, n = energy.energy_of, []

    def second_fails(call, counter, seconds, idle_w, clock):
        n.append(1)
        return real(call, counter, seconds, 60.0 if len(n) == 2 else idle_w, clock)

    monkeypatch.setattr(energy, "energy_of", second_fails)
    found = Evaluator(space, [meter], store=store).evaluate(space.sample(3, seed=0), ["energy_mj"])
    assert len(n) == 3  # none is measured twice for another's failure
    assert found.failed.sum() == 1
    (reason,) = filter(None, found.reasons)
    assert reason.startswith("MeterError: energy must be more than 0; got -")
    assert (found["energy_mj"][~found.failed] > 0).all()


def test_a_peak_that_is_not_told_is_missing_with_the_reason_and_the_energy_is_there(monkeypatch):
    monkeypatch.setattr(Growing, "averaged", True)
    space = tiny_space()
    evaluator = Evaluator(space, [Metered(monkeypatch, 20.0, *[20.0] * 4)])
    genomes = space.sample(2, seed=0)
    assert not evaluator.evaluate(genomes, ["energy_mj", "average_power_w"], ["peak_power_w"]).failed.any()
    found = evaluator.evaluate(genomes, ["peak_power_w"])
    assert set(found.reasons) == {
        "MeterError: this GPU tells its power as an average over a second alone, which is no peak"
    }


def test_another_process_gets_the_meter_without_its_memory(monkeypatch):
    meter = DeviceEnergy(WATCH)
    meter._memory = Store()
    assert pickle.loads(pickle.dumps(meter))._memory is None


def test_the_counter_is_the_watch_s_device_s(monkeypatch):
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: "the processor's"))
    monkeypatch.setattr(Nvml, "here", classmethod(lambda cls, index=None: "the GPU's"))
    assert DeviceEnergy(WATCH).counter() == "the processor's"
    monkeypatch.setattr(CpuLatency, "device", lambda self: {"gpu": "A GPU"})
    assert DeviceEnergy(WATCH).counter() == "the GPU's"
