"""The meter kit on every meter."""

import functools
import inspect
import time

import pandas as pd
import pytest

from moo_nas import meters
from moo_nas.errors import MeterError
from moo_nas.evaluation import Store
from moo_nas.meters import (
    Analytic,
    BlockTableLatency,
    CpuLatency,
    DeviceEnergy,
    LookUp,
    Meter,
    Metric,
    MlpLatency,
    PerConfiguration,
    PredictedCost,
    Roofline,
    ZeroCost,
)
from moo_nas.meters.device import stop_watch
from moo_nas.meters.device.counters import Counter
from moo_nas.meters.predictors import GaussianProcess
from moo_nas.spaces import Gene, JointSpace
from moo_nas.testing import MeterKit, StandIn
from tests.spaces_for_tests import tiny_space, wide_space

TIMER = CpuLatency(image_size=16, n_rounds=2, min_seconds=0.0)


@functools.cache
def store() -> Store:
    return Store()  # timings are taken once, and recalled by every case


def look_up() -> LookUp:
    space = wide_space()
    texts = [str(space.decode(space.genome_at(i))) for i in range(space.size)]
    frame = pd.DataFrame({"top1": [70 + len(text) / 100 for text in texts]}, index=texts)
    return LookUp(frame, [Metric("top1", "%", "max")], "made up for this test")


def predicted_cost() -> PredictedCost:
    space = wide_space()
    samples = [space.decode(genome) for genome in space.sample(15, seed=0)]
    values = [float(len(a.layers(16, 10))) for a in samples]
    metric = Metric("latency_ms", "ms", "min")
    return PredictedCost(metric, samples, values, 16, 10, "made up for this test", GaussianProcess())


class Watts(Counter):
    """Of a made-up device that takes 50 W, whatever is done."""

    name = "made up"

    def joules(self) -> float:
        return 50 * time.perf_counter()


def device_energy() -> DeviceEnergy:
    meter = DeviceEnergy(TIMER, seconds=0.001, idle_seconds=0.001)
    meter.counter = Watts
    meter._idle_w = 1.0  # else all of the 50 W were idle power
    return meter


CASES = {
    "Analytic": lambda: Analytic(image_size=33, n_classes=10),
    "Analytic of few bits": lambda: Analytic(33, 10, weight_bits=3, activation_bits=5),
    "BlockTableLatency": lambda: BlockTableLatency(TIMER, 8).prepare(wide_space(), store(), 0),
    "CpuLatency": lambda: TIMER,
    "DeviceEnergy": device_energy,
    "LookUp": look_up,
    "PerConfiguration": lambda: PerConfiguration("bits", {n: Analytic(33, 10, n, n) for n in (4, 8)}),
    "PredictedCost": lambda: predicted_cost().prepare(wide_space(), store(), 0),
    "MlpLatency": lambda: MlpLatency(TIMER, 20).prepare(wide_space(), store(), 0),
    "Roofline": lambda: Roofline("snapdragon-855", image_size=33, n_classes=10),
    "Roofline with limits": lambda: Roofline("stm32f746", image_size=33, n_classes=10),
    "ZeroCost": lambda: ZeroCost(image_size=9, batch_size=8),
    "ZeroCost on noise": lambda: ZeroCost(
        ("grasp", "snip"), image_size=8, batch_size=8, data="noise", batch_norm="eval", seed=4
    ),
    "StandIn": StandIn,
    "TabledLatency": lambda: BlockTableLatency(TIMER, 8).prepare(wide_space(), store(), 0).table.meter(),
    "onnxruntime": lambda: stop_watch("onnxruntime", image_size=16, n_rounds=2, min_seconds=0.0),
}


@pytest.mark.parametrize("name", CASES)
class TestMeters(MeterKit):
    @pytest.fixture(autouse=True)
    def case(self, name):
        self.name = name

    def meter(self):
        return CASES[self.name]()

    def space(self):
        if CASES[self.name]().takes_configuration:
            return JointSpace(wide_space(), [Gene("bits", (4, 8), "ordinal")])
        return wide_space()


class TestMetersOnATinySpace(MeterKit):
    n_drawn = 12

    def meter(self):
        return Analytic(image_size=16)

    def space(self):
        return tiny_space()


def test_every_meter_has_a_case():
    known = [c for c in (getattr(meters, name) for name in meters.__all__) if isinstance(c, type)]
    concrete = {c.__name__ for c in known if issubclass(c, Meter) and not inspect.isabstract(c)}
    concrete.remove("External")  # it measures nothing
    assert concrete <= set(CASES)
    assert {type(CASES[name]()).__name__ for name in concrete} == concrete


@pytest.mark.parametrize("make", [lambda: BlockTableLatency(TIMER, 8), lambda: MlpLatency(TIMER, 20)])
def test_a_predictor_has_the_same_key_before_and_after_it_is_fitted(make):
    assert make().key == make().prepare(wide_space(), store(), 0).key


@pytest.mark.parametrize("make", [lambda: BlockTableLatency(TIMER, 8), lambda: MlpLatency(TIMER, 20)])
def test_a_predictor_refuses_to_predict_before_it_is_fitted(make):
    space = wide_space()
    with pytest.raises(MeterError, match="prepare"):
        make().measure([space.decode(space.genome_at(0))], [0])
