"""Estimates of devices that are not here: by hand, at the limits, and as properties."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.formulations import Constrained
from moo_nas.meters import DEVICE_MODELS, Analytic, DeviceModel, Roofline
from moo_nas.problem import NASProblem
from moo_nas.spaces import Head, Layer, StageChoices, StageSpace, Stem
from tests.strategies import architectures, cell_architectures

# 1 operation a ns, 1 byte a ns; a MAC costs 1 pJ, a byte 100 pJ outside and 10 on the chip.
UNIT = DeviceModel("unit", 1e9, 1e9, 1.0, 100.0, 10.0, on_chip_bytes=1)
ROOMY = replace(UNIT, on_chip_bytes=10**9)

conv = Layer("conv", 8, 16, 4, kernel=3)
MACS, WEIGHTS, MOVED = 16 * 16 * 8 * 9, 4 * 16 * 8 * 9, 4 * (8 + 16) * 16
linear = Layer("linear", 100, 10, 1, bias=True)


def costs(device, architecture, size=16, n_classes=5):
    meter = Roofline(device, size, n_classes)
    return dict(zip([m.name for m in meter.metrics], meter.measure([architecture], [0])[0], strict=True))


def test_a_compute_bound_layer_takes_its_operations():
    assert 2 * MACS > WEIGHTS + MOVED
    latency, energy = Roofline(UNIT).layer_cost(conv)
    assert latency == pytest.approx(2 * MACS * 1e-6)
    assert energy == pytest.approx((MACS + 100 * (WEIGHTS + MOVED)) * 1e-9)


def test_a_memory_bound_layer_takes_its_bytes():
    latency, energy = Roofline(UNIT).layer_cost(linear)
    weights, moved = 4 * (1000 + 10), 4 * 110
    assert weights + moved > 2 * 1000
    assert latency == pytest.approx((weights + moved) * 1e-6)
    assert energy == pytest.approx((1000 + 100 * (weights + moved)) * 1e-9)


def test_activations_that_fit_on_the_chip_stay_there():
    latency, energy = Roofline(ROOMY).layer_cost(linear)
    assert latency == pytest.approx(4 * 1010 * 1e-6)
    assert energy == pytest.approx((1000 + 100 * 4 * 1010 + 10 * 4 * 110) * 1e-9)
    # What has to fit is all that is alive, not the layer's own alone.
    alive = 4 * 110
    held = replace(linear, held=1)
    exactly = Roofline(replace(UNIT, on_chip_bytes=alive))
    assert exactly.layer_cost(linear) == Roofline(ROOMY).layer_cost(linear)
    assert exactly.layer_cost(held) == Roofline(UNIT).layer_cost(linear)


def test_pooling_moves_bytes_and_computes_nothing():
    latency, energy = Roofline(UNIT).layer_cost(Layer("pool", 8, 8, 4))
    assert (latency, energy) == pytest.approx((4 * (128 + 8) * 1e-6, 100 * 4 * (128 + 8) * 1e-9))


def test_narrow_numbers_move_fewer_bytes():
    narrow = replace(UNIT, operations_per_s=1e12, weight_bits=8, activation_bits=8)
    latency, _ = Roofline(narrow).layer_cost(linear)
    assert latency == pytest.approx((1000 + 4 * 10 + 110) * 1e-6)


def test_the_devices_peaks_are_the_published_ones():
    peaks = {m.name: (m.operations_per_s / 1e9, m.bytes_per_s / 1e9) for m in DEVICE_MODELS.values()}
    assert peaks == {
        "xeon-platinum-8380": (5888, 204.8),
        "a100-sxm4-40gb": (19500, 1555),
        "snapdragon-855": (pytest.approx(161.6), pytest.approx(34.1, abs=0.05)),
        "stm32f746": (0.864, 0.864),
    }
    assert all(name == model.name for name, model in DEVICE_MODELS.items())


def test_an_estimate_is_never_called_as_a_measurement_is():
    for name in DEVICE_MODELS:
        found = {metric.name: metric.unit for metric in Roofline(name).metrics}
        assert found.pop("estimated_latency_ms") == "ms"
        assert found.pop("estimated_energy_mj") == "mJ"
        assert set(found) == set(DEVICE_MODELS[name].limits)


devices = st.sampled_from(list(DEVICE_MODELS.values()))
any_network = architectures() | cell_architectures()


@given(devices, any_network, st.integers(1, 33))
def test_no_network_is_faster_than_its_operations_or_its_weights(device, architecture, size):
    meter = Analytic(size, 5, device.weight_bits, device.activation_bits)
    formula = dict(zip([m.name for m in meter.metrics], meter.measure([architecture], [0])[0], strict=True))
    found = costs(device, architecture, size)
    operations = 1e3 * formula["flops"] / device.operations_per_s
    weights = 1e3 * formula["weight_bytes"] / device.bytes_per_s
    everything = 1e3 * (formula["weight_bytes"] + formula["activation_bytes"]) / device.bytes_per_s
    slack = 1 + 1e-9
    assert max(operations, weights) <= found["estimated_latency_ms"] * slack
    assert found["estimated_latency_ms"] <= (operations + everything) * slack
    most = formula["macs"] * device.mac_pj + device.memory_pj_per_byte * (
        formula["weight_bytes"] + formula["activation_bytes"]
    )
    assert formula["macs"] * device.mac_pj < 1e9 * found["estimated_energy_mj"] <= most * slack


@given(devices, any_network, st.integers(1, 32), st.integers(1, 32))
def test_a_larger_image_costs_no_less(device, architecture, size, more):
    small, large = costs(device, architecture, size), costs(device, architecture, size + more)
    assert all(small[name] <= large[name] * (1 + 1e-9) for name in small)


@given(
    devices,
    any_network,
    st.sampled_from(["operations_per_s", "bytes_per_s", "mac_pj", "memory_pj_per_byte", "on_chip_bytes"]),
    st.floats(1, 1e3),
)
def test_a_better_device_costs_no_more(device, architecture, what, factor):
    worse_is_more = what.endswith(("pj", "byte"))
    worse = replace(device, **{what: getattr(device, what) * factor})
    better = device
    if not worse_is_more:
        worse, better = better, worse
    at_best, at_worst = costs(better, architecture), costs(worse, architecture)
    assert all(at_best[name] <= at_worst[name] * (1 + 1e-9) for name in at_best)


@given(any_network, st.integers(1, 33))
def test_what_must_fit_is_what_the_formulas_say_of_eight_bits(architecture, size):
    meter = Analytic(size, 5, weight_bits=8, activation_bits=8)
    formula = dict(zip([m.name for m in meter.metrics], meter.measure([architecture], [0])[0], strict=True))
    found = costs("stm32f746", architecture, size)
    assert found["sram_bytes"] == formula["peak_activation_bytes"]
    assert found["flash_bytes"] == formula["weight_bytes"]


def microcontroller_space() -> StageSpace:
    """24 networks of 64 pixels, about the size of a microcontroller's memories."""
    return StageSpace(
        [
            StageChoices(32, 1, (8, 48), ("ibn",), kernel=(3,), expansion=(3, 6), depth=(2,)),
            StageChoices(32, 4, (32, 192), ("ibn",), kernel=(3,), expansion=(4,), depth=(1, 2, 5)),
        ],
        Stem(8),
        Head(256, "pool_conv"),
        image_size=64,
    )


def test_limits_of_memory_are_constraints():
    space, device = microcontroller_space(), DEVICE_MODELS["stm32f746"]
    evaluator = Evaluator(space, [Roofline("stm32f746", 64, 10), Analytic(64, 10, 8, 8)])
    problem = NASProblem(evaluator, Constrained("estimated_latency_ms", device.limits))
    evaluations = problem.evaluations(np.array([space.genome_at(i) for i in range(space.size)]))
    _, g = problem.fg(evaluations)
    into_sram = evaluations["peak_activation_bytes"] <= 320 * 1024
    into_flash = evaluations["weight_bytes"] <= 2**20
    assert ((g <= 0).all(axis=1) == (into_sram & into_flash)).all()
    for kind in (into_sram & into_flash, into_sram & ~into_flash, ~into_sram & into_flash):
        assert kind.any()


def test_tabulated_estimates_are_the_measured_ones(wide):
    genomes = wide.sample(30, seed=0)
    architectures_ = [wide.decode(genome) for genome in genomes]
    for name in DEVICE_MODELS:
        meter = Roofline(name, 16, 10)
        measured = meter.measure(architectures_, [0] * 30)
        assert wide.tabulate(meter)(genomes) == pytest.approx(measured, rel=1e-12)


def test_devices_have_keys_of_their_own_and_a_changed_constant_another():
    meters = [Roofline(name) for name in DEVICE_MODELS]
    meters.append(Roofline(replace(DEVICE_MODELS["stm32f746"], mac_pj=1.0)))
    assert len({meter.key for meter in meters}) == 5
    assert Roofline("stm32f746").key == Roofline(DEVICE_MODELS["stm32f746"]).key


def test_an_unknown_device_is_refused_by_the_closest():
    with pytest.raises(InputError, match="Unknown device model 'a100': did you mean 'a100-sxm4-40gb'"):
        Roofline("a100")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"operations_per_s": 0.0}, "operations_per_s of device 'unit' must be positive and finite; got 0"),
        ({"mac_pj": float("nan")}, "mac_pj of device 'unit' must be positive and finite; got nan"),
        ({"bytes_per_s": float("inf")}, "must be positive and finite; got inf"),
        ({"weight_bits": 64}, "weight_bits of device 'unit' must be 1 to 32; got 64"),
        ({"on_chip_pj_per_byte": 101.0}, r"cannot cost more \(101.0 pJ\) than one outside \(100.0 pJ\)"),
        ({"sram_limit_bytes": 1024}, "needs both limits"),
    ],
)
def test_a_device_that_cannot_be_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        replace(UNIT, **wrong)
