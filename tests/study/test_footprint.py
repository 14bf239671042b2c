"""The thread that reads a sitting's counters: often enough, and gone when the run is."""

import math
import signal
import threading
import time

import numpy as np
import pytest

from moo_nas import Pareto, compare, search
from moo_nas.errors import StoreError
from moo_nas.evaluation import Store
from moo_nas.meters.device.counters import Counter, Rapl
from moo_nas.study import carbon
from moo_nas.study.carbon import Footprint
from tests.fakes import Fake
from tests.study.test_carbon import Steps, interrupt_at, problem, recorded


@pytest.fixture
def metered(monkeypatch):
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Steps()))


class Wrapping(Counter):
    """A counter of 30 kJ that a device of 150 W fills in 200 s; one that is read too late has lost a turn."""

    name = "RAPL (made up)"
    range_j = 30e3

    def __init__(self) -> None:
        self.now, self.last, self.total = 0.0, 0.0, 0.0

    def joules(self) -> float:
        shown = 150 * self.now % self.range_j
        self.total += (shown - self.last) % self.range_j
        self.last = shown
        return self.total


def watch(taken: Footprint) -> None:
    """Let its thread work to the end."""
    taken._thread.start()
    taken._thread.join()


@pytest.mark.parametrize(("range_j", "period"), [(math.inf, 60), (262e3, 60), (65.5e3, 43.7), (30e3, 20)])
def test_counters_are_read_every_minute_or_three_times_a_turn_at_500_watts(monkeypatch, range_j, period):
    counter = Wrapping()
    counter.range_j = range_j
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: counter))
    waited = []

    def wait(seconds):
        waited.append(seconds)
        return len(waited) > 3

    taken = Footprint()
    monkeypatch.setattr(taken._done, "wait", wait)
    watch(taken)
    assert waited == pytest.approx([period] * 4, rel=0.01)


def test_a_counter_that_wraps_around_many_times_loses_nothing(monkeypatch):
    counter, readings = Wrapping(), []
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: counter))
    taken = Footprint(keep=readings.append)

    def wait(seconds):
        counter.now += seconds
        return counter.now > 7200

    monkeypatch.setattr(taken._done, "wait", wait)
    watch(taken)
    counter.now = 7200.0
    assert taken.read()["joules"] == pytest.approx(150 * 7200)
    kept = [reading["joules"] for reading in readings]
    assert len(kept) == 361
    assert kept == sorted(kept)


def test_a_counter_that_began_anew_is_said_to_lack_something(metered):
    taken = Footprint()
    counter, _ = taken._counters["processor"]
    assert taken.read()["missing"] == {}
    counter.restarts = 1
    reading = taken.read()
    assert reading["joules"] == 7200
    assert reading["missing"]["processor"].startswith("RAPL (made up) began anew, and what it had counted")


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == carbon._THREAD]


class Threads(Fake):
    """How many threads of a footprint there are in the process that measures."""

    def value(self, architecture, seed):
        return float(len(threads()))


def test_no_thread_is_left_after_a_run_however_it_ends(metered, tmp_path):
    seen = []
    search(problem(), budget=10, progress=lambda news: seen.append(len(threads())))
    assert set(seen) == {1}
    assert threads() == []
    search(problem(), budget=100, progress=interrupt_at(60))
    assert threads() == []

    def fail(news):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search(problem(), budget=10, progress=fail)
    with pytest.raises(KeyboardInterrupt):
        search(problem(), budget=10, progress=interrupt_at(0))
    compare(problem(), {"pareto": Pareto("score", "params")}, ["random"], 2, 10)
    assert threads() == []


def test_ctrl_c_is_the_main_thread_s(metered, monkeypatch):
    blocked = []
    taken = Footprint()
    how = signal.SIG_BLOCK
    monkeypatch.setattr(taken._done, "wait", lambda _: not blocked.append(signal.pthread_sigmask(how, ())))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    watch(taken)
    assert blocked[0] >= {signal.SIGINT, signal.SIGTERM}
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_workers_have_no_such_thread(metered):
    run = search(problem(Threads()), budget=8, n_jobs=2)
    assert set(run.evaluations["score"]) == {0.0}


def test_a_store_that_takes_no_more_ends_neither_the_thread_nor_the_search_s_own_message(monkeypatch):
    def full(reading):
        raise StoreError("the disk is full")

    counter = Wrapping()
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: counter))
    taken = Footprint(keep=full)
    waits = iter([False, False, True])
    monkeypatch.setattr(taken._done, "wait", lambda seconds: next(waits))
    watch(taken)
    with pytest.raises(StoreError, match="the disk is full"):
        taken.read()


def test_readings_are_kept_as_they_arrive(monkeypatch, tmp_path):
    monkeypatch.setattr(carbon, "_MINUTE", 0.01)
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Steps()))

    def slowly(news):
        time.sleep(0.03)

    search(problem(), budget=10, out=tmp_path / "run", progress=slowly)
    store = Store(tmp_path / "run/evaluations.sqlite")
    kept = [value for name, (value, _) in store.setup().items() if name.startswith("energy/")]
    store.close()
    assert len(kept) > 3
    assert [reading["finished"] for reading in kept] == [False] * (len(kept) - 1) + [True]
    joules = [reading["joules"] for reading in kept]
    assert (np.diff(joules) > 0).all()
    assert recorded(tmp_path / "run")["kwh"] == pytest.approx(joules[-1] / 3.6e6)
