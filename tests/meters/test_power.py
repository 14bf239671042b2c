"""Energy and power read off counters: of steps, of restarts, and of readings that others come between."""

import re
import time

import pytest

from moo_nas.errors import BusyError, MeterError
from moo_nas.meters.device import power
from moo_nas.meters.device.counters import Counter
from moo_nas.meters.device.power import energy_of, idle_power, settled_idle


class Device(Counter):
    """Takes ``idle`` W always and ``work`` J a call; time passes by calls and by sleeping."""

    name = "made up"

    def __init__(self, idle: float, work: float, seconds: float) -> None:
        self.idle, self.work, self.seconds = idle, work, seconds
        self.now, self.calls = 0.0, 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

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


@pytest.fixture
def measured(monkeypatch):
    """Measure a made-up device in its own time."""

    def measure(device: Device, seconds: float, idle_w: float, clock=None) -> power.Energy:
        monkeypatch.setattr(power.time, "sleep", device.sleep)
        return energy_of(device.call, device, seconds, idle_w, clock or device.clock, lambda: device.now)

    return measure


def test_idle_power_is_subtracted_and_average_and_peak_are_kept(measured):
    device = Device(idle=10, work=0.5, seconds=0.02)
    found = measured(device, 1.0, 10.0)
    assert found.mj == pytest.approx(500)
    assert found.average_w == pytest.approx(10 + 0.5 / 0.02)
    assert found.peak_w >= found.average_w
    assert found.idle_w == 10
    assert device.now >= 1.0


class Stepped(Device):
    """The same, told every ``step`` s alone: what it takes between two steps it says at the second."""

    step = 0.1

    def __init__(self, idle: float, work: float, seconds: float) -> None:
        super().__init__(idle, work, seconds)
        self.told, self.due = 0.0, self.step

    def call(self) -> None:
        # A call takes its energy evenly, however many steps there are in it.
        before = super().joules()
        start = self.now
        super().call()
        self.tell(start, before)

    def sleep(self, seconds: float) -> None:
        before, start = super().joules(), self.now
        super().sleep(seconds)
        self.tell(start, before)

    def tell(self, start: float, before: float) -> None:
        after = super().joules()
        while self.due <= self.now:
            self.told = before + (after - before) * (self.due - start) / (self.now - start)
            self.due += self.step

    def joules(self) -> float:
        return self.told


@pytest.mark.parametrize("seconds", [0.003, 0.07, 0.4])
@pytest.mark.parametrize("early", [0.0, 0.03, 0.06, 0.09])
def test_a_counter_of_tenths_of_a_second_is_as_good_as_any(measured, seconds, early):
    device = Stepped(idle=40, work=100 * seconds, seconds=seconds)
    device.sleep(early)
    found = measured(device, 1.0, 40.0)
    assert found.mj == pytest.approx(1e5 * seconds, rel=0.01)
    assert found.average_w == pytest.approx(140, rel=0.01)


class Still(Counter):
    """What a virtual machine may be given: a counter that counts nothing."""

    name = "made up"

    def joules(self) -> float:
        return 5.0


def test_a_counter_that_does_not_move_is_none(monkeypatch):
    monkeypatch.setattr(power.time, "sleep", lambda seconds: None)
    for ask in (lambda: energy_of(lambda: None, Still(), 0.1, 1.0), lambda: idle_power(Still())):
        with pytest.raises(BusyError, match="made up has not moved in 1 s: it counts nothing, or is too"):
            ask()


def test_a_counter_that_begins_anew_meanwhile_gives_no_energy(measured):
    device = Device(idle=10, work=0.5, seconds=0.02)

    def restarted(call, least):
        device.restarts = 1
        return device.clock(call, least)

    with pytest.raises(MeterError, match="began anew meanwhile"):
        measured(device, 1.0, 10.0, restarted)


class Constant(Counter):
    """10 W whatever is done, and readings that other threads come between."""

    name = "made up"

    def __init__(self, told: bool) -> None:
        self.told, self.asked = told, 0

    def joules(self) -> float:
        self.asked += 1
        joules = 10 * time.perf_counter()
        time.sleep(0.01 if self.asked % 5 == 0 else 0)
        return joules

    def watts(self) -> float | None:
        return 9.0 if self.told and self.asked % 3 else None


@pytest.mark.parametrize("told", [False, True])
def test_the_peak_of_a_constant_power_is_the_power(told):
    found = energy_of(lambda: time.sleep(0.002), Constant(told), 0.7, 0.0)
    assert found.peak_w == pytest.approx(10, rel=0.05)


def test_every_repetition_within_a_clock_s_stretch_counts(measured):
    device = Device(idle=10, work=2, seconds=0.01)

    def three(call, least):
        for _ in range(3):
            call()
        return 0.01

    found = measured(device, 0.1, 10.0, three)
    assert device.calls % 3 == 0
    assert found.mj == pytest.approx(2000)


@pytest.mark.parametrize("idle_w", [50.1, 60.0])
def test_no_work_takes_nothing_or_less_than_nothing(measured, idle_w):
    device = Device(idle=50, work=0, seconds=0.01)
    with pytest.raises(MeterError, match=rf"more than 0; got .* mJ a run: \S+ W at work, {idle_w:g} W idle"):
        measured(device, 0.1, idle_w)


def test_an_average_is_no_peak(measured):
    device = Device(idle=10, work=0.5, seconds=0.02)
    device.averaged = True
    assert measured(device, 0.1, 10.0).peak_w is None


class Scripted(Counter):
    """So many W in each second, one after the other; the last ones from then on."""

    name = "made up"

    def __init__(self, watts) -> None:
        self.of_second = [*watts]

    def joules(self) -> float:
        whole, part = divmod(power.time.perf_counter(), 1.0)
        told = [*self.of_second, *self.of_second[-1:] * int(whole)]
        return float(sum(told[: int(whole)]) + part * told[int(whole)])


@pytest.fixture
def seconds(monkeypatch):
    """Time passes by sleeping alone."""
    now = [0.0]
    monkeypatch.setattr(power.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(power.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
    return now


def test_idle_power_is_what_a_counter_says_while_nothing_is_done(seconds):
    assert idle_power(Scripted([12.0]), 1.0) == pytest.approx(12)


def test_idle_power_is_taken_when_the_device_has_come_to_rest(seconds):
    assert settled_idle(Scripted([90, 80, 70, 60, 51, 50, 49, 20]), 1.0) == (pytest.approx(50, rel=0.01), ())
    assert seconds[0] == pytest.approx(7, rel=0.01)


def test_a_device_that_does_not_come_to_rest_is_doubtful(seconds):
    idle_w, faults = settled_idle(Scripted([40, 60] * 20), 1.0)
    assert 40 < idle_w < 60
    (fault,) = faults
    assert re.fullmatch(r"the idle power did not settle: 4\d.* to 5\d.* W after 20 s", fault)
    assert seconds[0] == pytest.approx(20, rel=0.01)
