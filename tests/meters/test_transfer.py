"""A new device from a few measurements and other devices' tables."""

import os

import numpy as np
import pytest
from scipy import stats

from moo_nas.errors import InputError, MeterError
from moo_nas.meters.predictors import DeviceTransfer
from problems.data import benchmark_table


def devices(n=400, n_devices=8, seed=0):
    """Costs of architectures on devices, each a mixture of three kinds of work of its own."""
    rng = np.random.default_rng(seed)
    work = rng.uniform(1, 9, (n, 3))
    return work @ rng.uniform(0.1, 2, (3, n_devices))


def error(predicted, costs):
    return float(np.median(np.abs(predicted / costs - 1)))


def test_a_device_of_the_same_kind_is_predicted_from_a_few():
    costs = devices()
    known, new = costs[:, 1:], costs[:, 0]
    predicted, _ = DeviceTransfer(known).fit(known[:8], new[:8]).predict(known[8:])
    assert error(predicted, new[8:]) < 0.02


def test_a_known_device_at_another_speed_is_recognised():
    known = devices()
    twin = 7 * known[:, 3]
    predicted, _ = DeviceTransfer(known).fit(known[:6], twin[:6]).predict(known)
    next_best = min(error(known[:, i] * np.median(twin[:6] / known[:6, i]), twin) for i in range(8) if i != 3)
    assert error(predicted, twin) < 0.5 * next_best


def test_more_measurements_predict_better():
    costs = devices(seed=3)
    known, rng = costs[:, 1:], np.random.default_rng(0)
    new = costs[:, 0] * np.exp(0.05 * rng.standard_normal(len(costs)))
    transfer = DeviceTransfer(known)
    errors = [
        error(transfer.fit(known[:n], new[:n]).predict(known[100:])[0], costs[100:, 0]) for n in (3, 100)
    ]
    assert errors[1] < errors[0]


@pytest.mark.parametrize("factor", [1e-6, 1e3])
def test_the_units_of_all_devices_do_not_matter(factor):
    costs = devices()
    known, new = costs[:, 1:], costs[:, 0]
    one = np.array(DeviceTransfer(known).fit(known[:10], new[:10]).predict(known[:50]))
    units = known * np.geomspace(factor, 1, known.shape[1])
    other = np.array(DeviceTransfer(units).fit(units[:10], new[:10] * factor).predict(units[:50]))
    assert other == pytest.approx(one * factor, rel=1e-6)


def test_the_order_of_the_measurements_does_not_matter():
    costs = devices()
    known, new = costs[:, 1:], costs[:, 0]
    order = np.random.default_rng(1).permutation(10)
    one = DeviceTransfer(known).fit(known[:10], new[:10]).predict(known)
    other = DeviceTransfer(known).fit(known[:10][order], new[:10][order]).predict(known)
    assert np.array(other) == pytest.approx(np.array(one), rel=1e-9)


def test_its_standard_deviation_is_that_of_the_errors():
    costs = devices(n=2000, seed=5)
    known, rng = costs[:, 1:], np.random.default_rng(2)
    new = costs[:, 0] * np.exp(0.06 * rng.standard_normal(2000))
    predicted, std = DeviceTransfer(known).fit(known[:20], new[:20]).predict(known[20:])
    assert np.mean(np.abs(new[20:] - predicted) < 1.645 * std) == pytest.approx(0.9, abs=0.1)


def test_fitting_leaves_the_transfer_itself_unfitted():
    known = devices()
    transfer = DeviceTransfer(known)
    transfer.fit(known[:5], known[:5, 0])
    with pytest.raises(MeterError, match="call fit first"):
        transfer.predict(known)


def test_a_device_on_which_all_cost_the_same_tells_nothing():
    known = devices()
    with_it = np.column_stack([known, np.full(len(known), 3.0)])
    predicted, _ = DeviceTransfer(with_it).fit(with_it[:8], known[:8, 0]).predict(with_it)
    assert error(predicted, known[:, 0]) < 0.05


def test_what_cannot_be_is_refused():
    known = devices()
    with pytest.raises(InputError, match="three devices or more"):
        DeviceTransfer(known[:, :2])
    with pytest.raises(InputError, match="more architectures than devices"):
        DeviceTransfer(known[:8])
    with pytest.raises(InputError, match=r"must be positive and finite; got -1\.0"):
        DeviceTransfer(np.where(known == known[5, 5], -1.0, known))
    transfer = DeviceTransfer(known)
    with pytest.raises(InputError, match="at least 2 measurements; got 1"):
        transfer.fit(known[:1], known[:1, 0])
    with pytest.raises(InputError, match="one cost an architecture"):
        transfer.fit(known[:5], known[:4, 0])
    with pytest.raises(InputError, match="positive and finite; got nan"):
        transfer.fit(known[:2], np.array([1.0, np.nan]))
    with pytest.raises(InputError, match="knows 8 devices"):
        transfer.fit(known[:5, :4], known[:5, 0])


@pytest.mark.skipif("MOO_NAS_DATA" not in os.environ, reason="MOO_NAS_DATA is not set: no tables to read")
@pytest.mark.parametrize(
    ("device", "least"), [("titan_rtx_256", 0.99), ("gold_6226", 0.96), ("2080ti_1", 0.94)]
)
def test_a_published_device_is_predicted_from_ten_networks(device, least):
    table = benchmark_table("nb201_help_latency.csv.xz").iloc[::5, 1:]
    known, new = table.drop(columns=device).to_numpy(), table[device].to_numpy()
    transfer, found = DeviceTransfer(known), []
    for draw in range(3):
        order = np.random.default_rng(draw).permutation(len(new))
        predicted, _ = transfer.fit(known[order[:10]], new[order[:10]]).predict(known[order[10:]])
        found.append(stats.spearmanr(predicted, new[order[10:]]).statistic)
    assert np.mean(found) > least
