"""Energy of networks by a device's counter, idle power subtracted; and no number without a counter."""

import pickle
import time

import numpy as np
import pytest

from moo_nas.errors import BusyError
from moo_nas.evaluation import Evaluator, Store
from moo_nas.meters import CpuLatency, DeviceEnergy
from moo_nas.meters.device import energy
from moo_nas.meters.device.counters import Counter, Nvml, Rapl
from tests.spaces_for_tests import tiny_space

WATCH = CpuLatency(image_size=16, n_rounds=2, min_seconds=0.0)


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
    meter = Metered(monkeypatch, 20.0, 20.0, 20.0)
    meter.seconds = 0.3
    rows = meter.measure(networks(2), [0, 0])
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
