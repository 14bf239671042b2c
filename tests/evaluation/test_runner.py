import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest

from moo_nas.errors import InputError, SourceError
from moo_nas.evaluation import Runner
from moo_nas.meters import CpuLatency, External
from tests.fakes import Ender, Fake, Guilty, Launcher, Misshapen, Sleepy


@pytest.fixture
def architectures(wide):
    genomes = np.unique(wide.sample(60, seed=0), axis=0)[:40]
    return [wide.decode(genome) for genome in genomes]


def outcomes(runner, meter, architectures):
    found = [o for chunk in runner.run(meter, architectures, range(len(architectures))) for o in chunk]
    assert sorted(o.index for o in found) == list(range(len(architectures)))  # each once
    return sorted(found, key=lambda o: o.index)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_architecture_gets_its_own_numbers(architectures, n_jobs):
    found = outcomes(Runner(n_jobs), Fake(), architectures)
    expected = [Fake().value(a, i) for i, a in enumerate(architectures)]
    assert [float(o.values[0]) for o in found] == expected


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(("how", "error"), [("raise", "ZeroDivisionError"), ("sys.exit", "SystemExit")])
def test_a_raising_chunk_fails_only_the_guilty_with_the_reason(architectures, n_jobs, how, error):
    meter = Guilty(how)
    found = outcomes(Runner(n_jobs), meter, architectures)
    guilty = [meter.guilty(a) for a in architectures]
    assert 0 < sum(guilty) < len(guilty)
    assert [o.values is None for o in found] == guilty
    assert {o.reason for o in found} == {None, f"{error}: no such luck"}
    assert [float(o.values[0]) for o in found if o.values is not None] == [
        Fake().value(a, i) for i, a in enumerate(architectures) if not meter.guilty(a)
    ]


def test_an_architecture_that_kills_its_worker_is_a_failure_and_no_other(architectures):
    meter = Guilty("exit", share=0.05)
    fatal = [a for a in architectures if meter.guilty(a)][:1]
    architectures = [*[a for a in architectures if not meter.guilty(a)][:7], *fatal]
    guilty = [meter.guilty(a) for a in architectures]
    assert sum(guilty) == 1
    found = outcomes(Runner(2), meter, architectures)
    assert [o.values is None for o in found] == guilty
    assert {o.reason for o in found} == {None, "the worker process died while measuring it"}
    # And the pool lives again.
    assert all(o.values is not None for o in outcomes(Runner(2), Fake(), architectures[:3]))


def test_a_meter_that_forgets_a_row_fails_every_row_and_says_what_it_returned(architectures):
    found = outcomes(Runner(), Misshapen(), architectures[:3])
    assert all("must return shape (1, 1); got (0, 1)" in o.reason for o in found)


def test_an_exclusive_meter_gets_as_many_as_it_takes_at_once_in_this_process(architectures):
    class Alone(Fake):
        exclusive = True
        largest_chunk = len(architectures) - 1

    meter = Alone()  # not picklable: it cannot have left this process
    outcomes(Runner(2), meter, architectures)
    assert meter.calls == 2
    assert CpuLatency.exclusive


def test_nothing_to_measure_calls_nothing():
    meter = Fake()
    assert outcomes(Runner(), meter, []) == []
    assert meter.calls == 0


@pytest.mark.parametrize("n_jobs", [0, -2])
def test_an_impossible_number_of_jobs_is_refused(n_jobs):
    with pytest.raises(InputError, match=f"got {n_jobs}"):
        Runner(n_jobs)


def test_minus_one_is_every_core():
    assert Runner(-1).n_jobs >= 1


def test_work_in_other_processes_is_accounted_for(architectures):
    runner = Runner(2)
    outcomes(runner, Fake(), architectures)
    assert runner.worker_seconds > 0


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


class SlowToLoad(Sleepy):
    def load(self):
        time.sleep(0.7)


def test_what_takes_too_long_fails_alone_and_its_process_is_ended(architectures, tmp_path):
    meter = SlowToLoad(tmp_path / "notes")  # which is no fault of the architectures'
    guilty = [a for a in architectures if meter.guilty(a)][:1]
    some = [*guilty, *[a for a in architectures if not meter.guilty(a)][:3]]
    runner = Runner(1, timeout_s=0.5)
    found = outcomes(runner, meter, some)  # the others by a process that takes its place
    assert [o.reason for o in found] == ["took longer than 0.5 s", None, None, None]
    assert [float(o.values[0]) for o in found[1:]] == [Fake().value(a, i) for i, a in enumerate(some)][1:]
    (slept,) = meter.notes.read_text().split()
    assert gone(int(slept))
    runner.close()


def test_with_a_time_out_too_a_death_fails_only_the_guilty_and_faults_of_the_meter_end_the_run(architectures):
    meter = Guilty("exit", share=0.1)
    guilty = [a for a in architectures if meter.guilty(a)][:1]
    runner = Runner(1, timeout_s=60)
    found = outcomes(runner, meter, [*guilty, *[a for a in architectures if not meter.guilty(a)][:2]])
    assert [o.reason for o in found] == ["the worker process died while measuring it", None, None]
    with pytest.raises(SourceError, match="measured elsewhere"):
        outcomes(runner, External("accuracy", "%", "max"), architectures[:1])
    runner.close()


class Unloadable(Fake):
    def load(self):
        raise RuntimeError("nothing to load")


def test_what_loading_raises_is_left_to_measuring_as_without_a_time_out(architectures):
    found, timed = (outcomes(Runner(timeout_s=s), Unloadable(), architectures[:2]) for s in (None, 60))
    assert [o.values.tolist() for o in timed] == [o.values.tolist() for o in found]


def test_whoever_stops_listening_leaves_nothing_running(architectures, tmp_path):
    meter = Sleepy(tmp_path / "notes")
    innocent = [a for a in architectures if not meter.guilty(a)][:1]
    guilty = [a for a in architectures if meter.guilty(a)][:1]
    results = Runner(2, timeout_s=600).run(meter, [*guilty, *innocent], [0, 1])
    assert [outcome.index for outcome in next(results)] == [1]
    until = time.monotonic() + 60
    while not (meter.notes.exists() and meter.notes.read_text().endswith("\n")):
        assert time.monotonic() < until
        time.sleep(0.01)
    results.close()
    assert gone(int(meter.notes.read_text()))


def test_exclusive_meters_are_measured_here_without_a_time_out(architectures):
    class Alone(Fake):
        exclusive = True

    meter = Alone()
    outcomes(Runner(1, timeout_s=1e-9), meter, architectures[:3])
    assert meter.calls == 1


def test_a_time_out_is_refused_where_another_backend_measures(architectures):
    with joblib.parallel_config("threading"), pytest.raises(InputError, match="ThreadingBackend is active"):
        outcomes(Runner(1, timeout_s=1), Fake(), architectures[:1])


@pytest.mark.parametrize("timeout_s", [0, -1.0, float("inf"), float("nan")])
def test_an_impossible_time_out_is_refused(timeout_s):
    with pytest.raises(InputError, match="time-out must be a positive number of seconds"):
        Runner(timeout_s=timeout_s)


@pytest.mark.parametrize(("n_jobs", "timeout_s"), [(1, None), (2, None), (1, 60.0)])
def test_what_a_meter_starts_can_be_ended_by_it(architectures, n_jobs, timeout_s):
    runner = Runner(n_jobs, timeout_s)
    try:
        found = outcomes(runner, Launcher(), architectures[:3])
    finally:
        runner.close()
    assert [o.reason for o in found] == [None] * 3


ORPHANS = """
import sys
from pathlib import Path
from moo_nas.evaluation import Runner
from tests.conftest import wide_space
from tests.fakes import Sleepy

space, timeout_s = wide_space(), float(sys.argv[2]) or None
architectures = [space.decode(genome) for genome in space.sample(4, seed=0)]
list(Runner(2, timeout_s).run(Sleepy(Path(sys.argv[1]), share=1.0), architectures, range(4)))
"""


def test_what_a_meter_starts_in_a_thread_can_be_ended_by_it(architectures):
    with joblib.parallel_config("threading"):
        found = outcomes(Runner(2), Ender(), architectures[:4])
    assert [o.reason for o in found] == [None] * 4


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("timeout_s", [0, 500])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_process_that_they_work_for(number, timeout_s, tmp_path):
    notes = tmp_path / "notes"
    command = [sys.executable, "-c", ORPHANS, str(notes), str(timeout_s)]
    process = subprocess.Popen(command, start_new_session=True)
    while process.poll() is None and len(pids(notes)) < 2:
        time.sleep(0.05)
    workers = pids(notes)
    assert all(map(is_alive, workers))
    os.killpg(process.pid, number) if number == signal.SIGTERM else process.send_signal(number)
    process.wait(20)
    deadline = time.monotonic() + 20
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))
    assert pids(notes) == workers  # and nothing more was begun


def pids(notes):
    return notes.read_text().split() if notes.exists() else []


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
