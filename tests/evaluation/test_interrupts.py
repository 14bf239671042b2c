"""Interrupts are held back while worker processes are started."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from moo_nas.evaluation.interrupts import interrupts_held


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("threads", [0, 1])
def test_an_interrupt_inside_comes_at_the_end(number, threads):
    def interrupt(*_: object) -> None:
        raise InterruptedError

    # A thread that is older does not block the signal, and the process gets it there.
    done = threading.Event()
    older = [threading.Thread(target=done.wait) for _ in range(threads)]
    before = signal.signal(number, interrupt)
    try:
        for thread in older:
            thread.start()
        reached = []
        with pytest.raises(InterruptedError):
            held_throughout(number, reached)
        assert reached
        assert signal.getsignal(number) is interrupt
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
        with pytest.raises(InterruptedError):
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
        done.set()


def held_throughout(number: int, reached: list[bool]) -> None:
    with interrupts_held():
        os.kill(os.getpid(), number)
        time.sleep(0.1)
        reached.append(True)


def test_nothing_is_raised_where_nothing_came():
    before = signal.getsignal(signal.SIGINT)
    with interrupts_held():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_can_start_workers_too():
    failed = []

    def start() -> None:
        try:
            with interrupts_held():
                pass
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert not failed


WORKERS = """
import signal, time
import joblib
from moo_nas.evaluation.interrupts import interrupts_held

def blocked(_):
    time.sleep(0.2)  # so that each worker has one
    return {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())}

with interrupts_held():
    results = joblib.Parallel(n_jobs=2, return_as="generator")(joblib.delayed(blocked)(i) for i in range(4))
assert all({signal.SIGINT, signal.SIGTERM} <= found for found in results)
"""


def test_workers_of_a_process_s_first_pool_hear_of_no_interrupt():
    subprocess.run([sys.executable, "-c", WORKERS], check=True)


KILLED = """
import time
from joblib.externals.loky import ProcessPoolExecutor
import moo_nas.evaluation

pool = ProcessPoolExecutor(max_workers=1)
pool.submit(time.sleep, 0).result()
for _ in range(20):  # more than its queue holds: the rest waits
    pool.submit(time.sleep, 60)
pool.shutdown(wait=True, kill_workers=True)
"""


def test_workers_that_are_killed_while_tasks_wait_leave_no_traceback():
    done = subprocess.run([sys.executable, "-c", KILLED], check=True, capture_output=True, text=True)
    assert done.stderr == ""
