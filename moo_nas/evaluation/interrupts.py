"""Worker processes are started whole and end without noise, whatever interrupts them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

from joblib.externals.loky.process_executor import _ExecutorManagerThread

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let what is started inside be whole, and the processes started there never hear of an interrupt.

    A terminal interrupts the whole group of processes, and a service manager terminates it; workers
    would die in the middle of whatever they do, each with a traceback, when it is this process that
    ends them. An interrupt that comes inside is raised at the end: one that left a pool half set up
    would leave its semaphores and folders behind.
    """
    came: list[int] = []
    handlers = {}
    # A thread that does not block the signal gets it, and Python then runs the handler in the main one.
    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in _SIGNALS}
        handlers = {number: handler for number, handler in found.items() if handler is not None}
        for number in handlers:
            signal.signal(number, lambda number, _: came.append(number))
    masks = hasattr(signal, "pthread_sigmask")
    if masks:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        # The first pool launches it, and launching it ends the blocking (in Python 3.11).
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _hand_over(thread: Any) -> None:
    # Where workers are killed while tasks wait, loky drops the tasks, and then its thread dies of a
    # KeyError for the first of them: with a traceback, and semaphores that nobody closes (loky 3.5).
    with suppress(KeyError):
        _hand_over_all(thread)


_hand_over_all = _ExecutorManagerThread.add_call_item_to_queue
_ExecutorManagerThread.add_call_item_to_queue = _hand_over
