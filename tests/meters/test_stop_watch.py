"""The stop-watch: what it keeps, what it flags, and that it measures alone."""

import errno
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_nas.errors import BusyError, InputError
from moo_nas.evaluation import Evaluator, Runner, Store
from moo_nas.meters import CpuLatency
from moo_nas.meters.device import TARGETS, stop_watch
from moo_nas.meters.device.lock import measuring
from moo_nas.meters.device.rounds import Rounds
from moo_nas.meters.device.runtimes import CudaLatency, event_seconds, is_steady
from moo_nas.meters.device.timer import ROUNDS, Reference
from tests.spaces_for_tests import tiny_space

QUICK = {"image_size": 16, "n_rounds": 2, "min_seconds": 0.0}


def architectures(n: int) -> list:
    space = tiny_space()
    return [space.decode(space.genome_at(i)) for i in range(n)]


def kept(store: Store) -> dict[str, dict]:
    return {name: value for name, (value, _) in store.setup().items() if name.startswith(ROUNDS)}


# --- what makes rounds doubtful -----------------------------------------------------------------------


def rounds(ratios, reference=1.0) -> Rounds:
    ratios = np.asarray(ratios, dtype=float)
    beside = np.broadcast_to(np.asarray(reference, dtype=float), (len(ratios), ratios.shape[1] + 1))
    return Rounds(ratios, np.array(beside))


def test_rounds_that_agree_on_a_quiet_machine_have_no_fault():
    order = np.arange(1.0, 11) * np.ones((6, 1))
    assert rounds(order).faults(1.0) == []
    assert rounds(order * 1.3).faults(1.0) == []  # a scale changes no rank


def test_odd_rounds_that_rank_otherwise_than_even_ones_are_told():
    order = np.arange(1.0, 11) * np.ones((6, 1))
    order[1::2] = order[1::2, ::-1]
    (fault,) = rounds(order).faults(1.0)
    assert fault == "rounds disagree: Spearman -1.000 of odd with even rounds"


def test_a_swap_that_leaves_the_rank_correlation_at_99_percent_is_no_fault():
    order = np.arange(1.0, 41) * np.ones((6, 1))
    order[1::2, [3, 4]] = order[1::2, [4, 3]]
    assert rounds(order).faults(1.0) == []
    order[1::2, [0, 20]] = order[1::2, [20, 0]]
    assert "rounds disagree" in rounds(order).faults(1.0)[0]


@given(st.floats(0.2, 5))
def test_a_reference_that_drifts_or_is_slow_is_told_and_only_then(change):
    order = np.arange(1.0, 11) * np.ones((6, 1))
    drift = rounds(order, np.repeat([1.0, change], 3)[:, None]).faults(1.0)
    slow = rounds(order, change).faults(1.0)
    assert any("drifts" in fault for fault in drift) == (max(change, 1 / change) > 1.15)
    assert any("busy" in fault for fault in slow) == (change > 1.15)
    assert bool(slow) == (change > 1.15 or change < 1 / 1.15)


def test_one_network_or_one_round_or_equal_networks_have_no_rank_to_disagree_on():
    assert rounds(np.ones((6, 1))).faults(1.0) == []
    assert rounds(np.arange(1.0, 6)[None]).faults(1.0) == []
    assert rounds(np.ones((6, 5))).faults(1.0) == []


# --- what is kept -------------------------------------------------------------------------------------


class Small(CpuLatency):
    largest_chunk = 3


def test_raw_rounds_are_kept_and_give_the_same_numbers_again():
    store = Store()
    meter = Small(**QUICK).prepare(tiny_space(), store, 0)
    first = meter.measure(architectures(5), range(5))
    chunks = list(kept(store).values())
    assert [np.shape(chunk["ratios"]) for chunk in chunks] == [(2, 3), (2, 2)]
    assert [np.shape(chunk["reference_ms"]) for chunk in chunks] == [(2, 4), (2, 3)]
    by_hand = [np.median(chunk["ratios"], axis=0) * chunk["quiet_ms"] for chunk in chunks]
    assert np.concatenate(by_hand) == pytest.approx(first[:, 0])
    assert meter.measure(architectures(5), range(5)).tolist() == first.tolist()
    assert len(kept(store)) == 2


def test_a_measurement_interrupted_half_way_keeps_what_it_measured(monkeypatch):
    store, done = Store(), []
    meter = Small(**QUICK).prepare(tiny_space(), store, 0)
    timed = Small._timed

    def interrupted(self, modules, shapes):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(len(modules))
        return timed(self, modules, shapes)

    monkeypatch.setattr(Small, "_timed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        meter.measure(architectures(8), range(8))
    before = kept(store)
    assert done == [3, 3]
    assert len(before) == 2
    done.clear()
    monkeypatch.setattr(Small, "_timed", lambda self, m, s: done.append(len(m)) or timed(self, m, s))
    assert meter.measure(architectures(8), range(8)).shape == (8, 2)
    assert done == [2]  # only what was missing
    assert {name: kept(store)[name] for name in before} == before


# --- alone --------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from moo_nas.meters.device.lock import measuring
with measuring("seven networks"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder():
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_two_measurements_at_once_are_refused_with_the_other_named(holder):
    with pytest.raises(BusyError, match=f"Process {holder.pid} measures seven networks since"):
        CpuLatency(**QUICK).measure(architectures(1), [0])


def test_a_search_is_ended_by_it_rather_than_filled_with_failures(holder):
    evaluator = Evaluator(tiny_space(), [CpuLatency(**QUICK)])
    with pytest.raises(BusyError):
        evaluator.evaluate(tiny_space().sample(2, seed=0), ["latency_ms"])


def test_a_runner_records_no_failure_while_another_measures(holder):
    with pytest.raises(BusyError):
        list(Runner(1).run(CpuLatency(**QUICK), architectures(2), [0, 0]))


def test_a_lock_ends_with_the_process_that_held_it(holder):
    holder.kill()
    holder.wait()
    assert CpuLatency(**QUICK).measure(architectures(1), [0])[0, 0] > 0


def test_a_measurement_within_a_measurement_is_one_and_another_thread_is_another():
    refused = []

    def other():
        try:
            with measuring("in a thread"):
                pass
        except BusyError as error:
            refused.append(str(error))

    with measuring("outer"), measuring("inner"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert f"Process {os.getpid()} measures outer" in refused[0]
    with measuring("afterwards"):
        pass


def test_the_lock_is_let_go_of_where_a_measurement_fails():
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), measuring("something"):
            raise ZeroDivisionError


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks otherwise")
def test_a_folder_that_knows_no_locks_is_not_another_measurement(monkeypatch):
    def flock(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(BusyError, match="cannot be used: No locks available"), measuring("something"):
        pass


def test_the_lock_is_one_for_all_of_a_machine_whatever_their_temporary_folder(tmp_path):
    asked = "from moo_nas.meters.device.lock import lock_folder; print(lock_folder())"
    found = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        env = {**os.environ, "TMPDIR": str(tmp_path / name)}
        del env["MOO_NAS_LOCKS"]
        run = subprocess.run(
            [sys.executable, "-c", asked], env=env, stdout=subprocess.PIPE, text=True, check=True
        )
        found.add(run.stdout)
    assert len(found) == 1
    assert str(tmp_path) not in found.pop()


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_a_link_in_the_locks_place_is_not_written_through(link, monkeypatch, tmp_path):
    monkeypatch.setenv("MOO_NAS_LOCKS", str(tmp_path / "locks"))
    (tmp_path / "locks").mkdir()
    with measuring("once"):
        names = [path.name for path in (tmp_path / "locks").iterdir()]
    precious = tmp_path / "precious"
    precious.write_text("precious")
    for name in names:
        (tmp_path / "locks" / name).unlink(missing_ok=True)
        link(precious, tmp_path / "locks" / name)
    with pytest.raises(BusyError, match="MOO_NAS_LOCKS"), measuring("again"):
        pass
    assert precious.read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_every_user_may_open_the_lock_whatever_the_umask(monkeypatch, tmp_path):
    monkeypatch.setenv("MOO_NAS_LOCKS", str(tmp_path))
    before = os.umask(0o077)
    try:
        with measuring("something"):
            pass
    finally:
        os.umask(before)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o666


def test_a_folder_that_cannot_hold_the_lock_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MOO_NAS_LOCKS", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    with pytest.raises(BusyError, match="MOO_NAS_LOCKS"), measuring("something"):
        pass


# --- a busy machine -----------------------------------------------------------------------------------


BURN = "print('burning', flush=True)\nwhile True: sum(range(10_000))"


@pytest.fixture
def burner():
    """Starts a process that keeps a core busy: the one that the test runs on."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("processes cannot be bound to a core on this system")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    started = []

    def start() -> None:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", BURN], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        assert process.stdout.readline() == "burning\n"

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
    os.sched_setaffinity(0, before)


def test_noise_of_a_busy_core_is_detected_by_the_reference_network(burner):
    meter = CpuLatency(image_size=64, n_rounds=9).prepare(tiny_space(), Store(), 0)
    burner()
    (timing,) = meter.timings(architectures(6), [0] * 6)
    assert any("the machine was busy" in fault for fault in timing.faults), timing.faults


def test_a_core_that_is_shared_all_through_the_calibration_is_a_fault_of_the_reference(burner):
    burner()
    reference = CpuLatency(image_size=64)._time_reference()
    assert any("was calibrated, had" in fault and "% of a core" in fault for fault in reference.faults)


def test_a_reference_whose_times_are_far_apart_is_a_fault_of_every_timing():
    assert Reference.of([1.0] * 80 + [3.0] * 20) == Reference(1.0)  # now and then something else runs
    reference = Reference.of([1.0] * 60 + [1.3] * 40, ["the clock did not settle"])
    assert reference.ms == 1.0
    settle, busy = reference.faults
    assert settle == "the clock did not settle"
    assert busy.startswith("the machine was busy at the start: the reference took 1 to 1.3 ms")
    meter = CpuLatency(**QUICK)
    meter._reference = reference
    (timing,) = meter.timings(architectures(3), [0] * 3)
    assert timing.faults[:2] == reference.faults


# --- targets ------------------------------------------------------------------------------------------


def test_targets_are_made_by_name():
    assert sorted(TARGETS) == ["cpu", "cuda", "onnxruntime"]
    assert type(stop_watch("cpu", image_size=33)) is CpuLatency
    with pytest.raises(InputError, match="did you mean 'cuda'"):
        stop_watch("cudd")


def test_onnxruntime_times_networks_and_says_what_it_is():
    pytest.importorskip("onnxruntime")
    meter = stop_watch("onnxruntime", **QUICK)
    values = meter.measure(architectures(3), [0, 0, 0])
    assert (values[:, 0] > 0).all()
    assert "onnxruntime" in meter.settings["machine"]["runtime"]
    assert meter.key != stop_watch("cpu", **QUICK).key
    json.dumps(meter.settings)


def test_cuda_says_so_where_there_is_none(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="needs a CUDA GPU"):
        stop_watch("cuda")


class FakeGpu:
    """A stream whose work takes its own time, and events that tell it."""

    def __init__(self, ms: float) -> None:
        self.ms, self.now, self.waited, self.calls = ms, 0.0, 0.0, 0

    def call(self) -> None:
        self.calls += 1
        self.now += self.ms

    def event(self, enable_timing: bool):
        assert enable_timing
        gpu = self

        class Event:
            def record(self) -> None:
                self.at = gpu.now

            def synchronize(self) -> None:
                gpu.waited = max(gpu.waited, self.at)

            def elapsed_time(self, end) -> float:
                assert gpu.waited >= end.at, "read before the work was done"
                return end.at - self.at

        return Event()


@given(st.floats(0.001, 50), st.floats(0, 0.05))
def test_events_give_the_time_of_a_repetition_over_at_least_so_long(ms, least):
    gpu = FakeGpu(ms)
    assert event_seconds(gpu.call, least, gpu.event) == pytest.approx(ms / 1e3)
    assert gpu.now / 1e3 >= least
    assert gpu.calls <= 3 * max(1, 1.2 * least / (ms / 1e3)) + 2


def test_clocks_are_waited_for_and_told_if_they_never_settle(monkeypatch):
    assert is_steady(np.array([1.0, 1.01, 1.02]))
    assert not is_steady(np.array([1.0, 1.01, 1.03]))
    assert not is_steady(np.array([1.0, 1.0]))
    speeds = iter([3.0] * 20 + [2.0] * 20 + [1.0] * 1000)
    monkeypatch.setattr(CudaLatency, "clock", lambda self, call, least: next(speeds))
    watch = object.__new__(CudaLatency)
    assert watch.settle(lambda: None) == ()
    assert sum(1 for _ in speeds) == 1000 - 3 * 20
    wild = iter(np.tile(np.repeat([1.0, 2.0], 20), 30))
    monkeypatch.setattr(CudaLatency, "clock", lambda self, call, least: next(wild))
    (fault,) = watch.settle(lambda: None)
    assert "did not settle" in fault
