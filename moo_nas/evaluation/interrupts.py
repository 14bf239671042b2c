"""Worker processes are started whole, and end without noise and with the process that they work for."""

import functools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

from joblib.externals.loky import process_executor
from joblib.externals.loky.backend.process import LokyProcess

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LOOKS_EVERY = 1.0  # seconds


@contextmanager
def interrupts_held(processes: bool = True) -> Iterator[None]:
    """Let what is started inside be whole, and the processes started there hear of no interrupt.

    A terminal interrupts the whole group of processes, and a service manager terminates it; workers
    would die in the middle of whatever they do, each with a traceback, when it is this process that
    ends them. An interrupt that comes inside is raised at the end: one that left a pool half set up
    would leave its semaphores and folders behind.

    Args:
        processes: Is it processes of loky's that are started? Threads have nothing kept from them, or
            whatever they start could not be ended.
    """
    came: list[int] = []
    handlers = {}
    # A thread that does not block the signal gets it, and Python then runs the handler in the main one.
    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in _SIGNALS}
        handlers = {number: handler for number, handler in found.items() if handler is not None}
        for number in handlers:
            signal.signal(number, lambda number, _: came.append(number))
    masks = processes and hasattr(signal, "pthread_sigmask")
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


@functools.cache
def serve_parent() -> None:
    """Have this process, where it is a worker of loky's, end when the one that started it does.

    Until then it takes no interrupt to heart. What a meter starts here does: signals that are blocked
    or ignored would be so there too.
    """
    is_worker = isinstance(multiprocessing.current_process(), LokyProcess)
    if not is_worker or threading.current_thread() is not threading.main_thread():
        return
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_take_to_heart)
    threading.Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()


def _take_to_heart() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOKS_EVERY)
    os._exit(1)


def _hand_over_what_is_left(hand_over: Callable[[Any], None]) -> Callable[[Any], None]:
    def safely(thread: Any) -> None:
        # Where workers are killed while tasks wait, loky drops the tasks, and then its thread dies of a
        # KeyError for the first of them: with a traceback, and semaphores that nobody closes (loky 3.5).
        with suppress(KeyError):
            hand_over(thread)

    return safely


_Manager: Any = getattr(process_executor, "_ExecutorManagerThread", None)
if hasattr(_Manager, "add_call_item_to_queue"):  # another loky may have none
    _Manager.add_call_item_to_queue = _hand_over_what_is_left(_Manager.add_call_item_to_queue)
