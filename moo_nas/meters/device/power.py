"""Energy and power of work, and of idleness, read off a device's counter."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from moo_nas.errors import BusyError, MeterError
from moo_nas.meters.device.counters import Counter
from moo_nas.meters.device.rounds import Call, Clock
from moo_nas.meters.device.rounds import seconds as seconds_of

IDLE_SHARE = 0.1  # relative: idle powers further apart than that are not the same
_WINDOWS = 20  # of idleness at most, until three in a row are the same
_SLICE = 0.05  # seconds of work between two looks at the clock
_POLL = 0.001  # seconds between two looks at a counter that has not moved yet
_STILL = 1000  # looks after which it is too coarse, or counts nothing
_SAMPLED = 0.02  # seconds between two readings of power
_SPAN = 0.1  # seconds at least, that a power is told of where a counter tells energy alone
_VAGUE = 0.01  # of these: the ends of a span are known at least so well


@dataclass(frozen=True, slots=True)
class Energy:
    """What repetitions of a call took beyond an idle device.

    Attributes:
        mj: Energy of one repetition in mJ, idle power subtracted.
        average_w: Power over all of them in W, idle power included.
        peak_w: The highest power read meanwhile in W, where a counter tells energy alone over 0.1 s;
            None where the device tells averages of its own alone.
        idle_w: Power of the device when idle in W.
    """

    mj: float
    average_w: float
    peak_w: float | None
    idle_w: float


def energy_of(
    call: Call,
    counter: Counter,
    seconds: float,
    idle_w: float,
    clock: Clock = seconds_of,
    now: Callable[[], float] = time.perf_counter,
) -> Energy:
    r"""Measure a call, repeated for so many seconds.

    With :math:`J` the counter's energy over :math:`n` repetitions in time :math:`T`, and
    :math:`P_0` the idle power, one repetition took :math:`(J - P_0 T) / n`. A counter may move in
    steps of a tenth of a second: :math:`T` begins and ends when it has just moved. It is idle until
    then, which cancels out.

    Args:
        call: What is repeated.
        counter: Of the device it works on.
        seconds: How long.
        idle_w: Power of the idle device in W, see :func:`settled_idle`.
        clock: Repeats a call for at least so long, and returns when its work is done.
        now: Tells the time.

    Raises:
        BusyError: The counter does not move.
        MeterError: It began anew meanwhile. Or the call took nothing beyond the idle device, or less:
            no work does that, so the idle power is not what the device took beside it.
    """
    repeats = 0

    def counted() -> object:
        nonlocal repeats
        repeats += 1
        return call()

    restarts = counter.restarts
    before, start = _moved(counter, now)
    with _power_sampled(counter) as powers:
        while repeats == 0 or now() - start < seconds:
            clock(counted, min(_SLICE, seconds))
        worked = now() - start
    after, end = _moved(counter, now)
    if counter.restarts != restarts:
        raise MeterError(f"{counter.name} began anew meanwhile: measure again")
    net = after - before - idle_w * (end - start)
    average = idle_w + net / worked
    mj = 1e3 * net / repeats
    if mj <= 0:
        raise MeterError(
            f"energy must be more than 0; got {mj:.3g} mJ a run: {average:.3g} W at work, {idle_w:.3g} W "
            "idle. Measure again when nothing else runs on the device."
        )
    return Energy(mj, average, None if counter.averaged else max([average, *powers]), idle_w)


def idle_power(counter: Counter, seconds: float = 1.0) -> float:
    """Return the power in W of the device while this process does nothing.

    Raises:
        BusyError: The counter does not move.
    """
    before, start = _moved(counter)
    time.sleep(seconds)
    after, end = _moved(counter)
    return (after - before) / (end - start)


def settled_idle(counter: Counter, seconds: float = 1.0) -> tuple[float, tuple[str, ...]]:
    """Return the power in W of the device once it rests, and why it is to be doubted, if it is.

    After work a device takes more than at rest until its clocks are down. So windows of idleness
    follow each other until three in a row are within 10 %; their mean is the idle power. After 20
    windows the last three are taken as they are, and that is a fault.

    Args:
        counter: Of the device.
        seconds: How long a window is.

    Raises:
        BusyError: The counter does not move.
    """
    windows: list[float] = []
    while len(windows) < _WINDOWS:
        windows.append(idle_power(counter, seconds))
        last = windows[-3:]
        if len(last) == 3 and same_power(*last):
            return float(np.mean(last)), ()
    fault = (
        f"the idle power did not settle: {min(last):.3g} to {max(last):.3g} W after {_WINDOWS * seconds:g} s"
    )
    return float(np.mean(last)), (fault,)


def same_power(*watts: float) -> bool:
    """Are powers within 10 % of each other?"""
    return max(watts) <= (1 + IDLE_SHARE) * min(watts)


def _moved(counter: Counter, now: Callable[[], float] | None = None) -> tuple[float, float]:
    """Return the energy in J and the time when the counter moves next: between its steps it is behind."""
    before = counter.joules()
    for _ in range(_STILL):
        time.sleep(_POLL)
        joules = counter.joules()
        if joules != before:
            return joules, (now or time.perf_counter)()
    raise BusyError(
        f"{counter.name} has not moved in {_STILL * _POLL:g} s: it counts nothing, or is too coarse to "
        "measure networks with"
    )


@contextmanager
def _power_sampled(counter: Counter) -> Iterator[list[float]]:
    """Read the power every 20 ms meanwhile, from the energy where none is told; yields the readings."""
    powers: list[float] = []
    done = threading.Event()

    def sample() -> None:
        told, last = False, _timed(counter)
        while not done.wait(_SAMPLED):
            power = counter.watts()
            if power is not None:
                if not told:
                    powers.clear()
                told = True
                powers.append(power)
            elif not told:
                reading = _timed(counter)
                span, vague = reading.when - last.when, reading.off + last.off
                if span >= _SPAN and vague <= _VAGUE * span:
                    powers.append((reading.joules - last.joules) / span)
                    last = reading
                elif reading.off < last.off:
                    last = reading

    if counter.averaged:  # its highest would be no peak
        yield powers
        return
    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield powers
    finally:
        done.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class _Reading:
    """An energy in J, when in s it was read, and how far ``off`` that may be: other threads come between."""

    joules: float
    when: float
    off: float


def _timed(counter: Counter) -> _Reading:
    start = time.perf_counter()
    joules = counter.joules()
    end = time.perf_counter()
    return _Reading(joules, (start + end) / 2, (end - start) / 2)
