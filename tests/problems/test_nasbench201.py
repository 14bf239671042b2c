"""NAS-Bench-201 against its published table."""

import functools
import os

import moocore
import numpy as np
import pytest

from moo_nas.errors import InputError
from moo_nas.formulations import Pareto
from moo_nas.meters import Analytic
from moo_nas.spaces import Architecture, Layer
from problems.data import benchmark_table
from problems.nasbench201 import FILE, NASBench201

needs_data = pytest.mark.skipif(
    not os.environ.get("MOO_NAS_DATA"), reason="MOO_NAS_DATA names no folder of benchmark tables"
)


@functools.cache
def table():
    return benchmark_table(FILE, dtype={"naslib_code": str})


@functools.cache
def problem(data_set="cifar10", device="edgegpu", networks="all"):
    return NASBench201(data_set, device, networks=networks, n_reference=6, batch_size=8, image_size=8)


@functools.cache
def everything(data_set, device, *metrics):
    asked = problem(data_set, device)
    return asked.under(Pareto(*metrics)).evaluations(asked.official_genomes())


def front_size(f) -> int:
    """How many rows no other row dominates; equal rows are all counted."""
    f = f[np.lexsort(f.T[::-1])]
    front: list[np.ndarray] = []
    for row in f:  # by the first objective: what comes later never dominates what came before
        kept = np.array(front).reshape(-1, f.shape[1])
        dominated = (kept <= row).all(axis=1) & (kept < row).any(axis=1)
        if not dominated.any():
            front.append(row)
    return len(front)


@needs_data
def test_genomes_and_official_indices_lead_to_each_other_and_to_the_official_notation():
    asked = problem()
    genomes = asked.official_genomes()
    assert genomes.shape == (15625, 6)
    assert asked.official_index(genomes).tolist() == list(range(15625))
    assert ["".join(map(str, g)) for g in genomes[:50]] == table()["naslib_code"].tolist()[:50]
    for index in range(0, 15625, 97):
        cell = asked.space.decode(genomes[index]).stages[0].cell
        assert str(cell) == table()["arch_str"][index]


@needs_data
@pytest.mark.parametrize("data_set", ["cifar10", "cifar100"])
def test_parameters_are_the_published_of_every_network(data_set):
    costs = everything(data_set, "raspi4", "test_error", "latency_ms").columns()
    assert (costs["params"] == np.rint(1e6 * table()[f"{data_set}__params_M"])).all()


def beside_macs(layer: Layer, before_relu: bool) -> int:
    """What the published count has beside multiply-accumulates.

    Two for each element that a batch norm puts out, one for each that a ReLU does, the window's
    size for each that an average pooling does, 81 for each channel of the last pooling of 8x8.
    """
    if layer.kind == "pool":
        return 81 * layer.in_channels
    out = layer.out_channels * layer.out_size**2
    if layer.kind == "avg_pool":
        return layer.kernel**2 * out
    relu = layer.in_channels * layer.in_size**2 if before_relu and layer.norm else 0
    return relu + (2 * out if layer.norm else 0)


@needs_data
@pytest.mark.parametrize("data_set", ["cifar10", "cifar100"])
def test_multiply_accumulates_are_the_published_flops_but_for_norms_relus_and_pooling(data_set):
    asked = problem(data_set, "raspi4")
    genomes = asked.official_genomes()
    macs = everything(data_set, "raspi4", "test_error", "latency_ms").columns()["macs"]
    published = 1e6 * table()[f"{data_set}__flops_M"]
    # Nothing but what operations add one by one: the rest is looked at for some networks.
    extra = {}
    for index in (*range(0, 15625, 625), *(int(asked.official_index([[code] * 6])[0]) for code in range(5))):
        layers = asked.space.decode(genomes[index]).layers(32, 10)
        extra[index] = sum(beside_macs(layer, i > 0) for i, layer in enumerate(layers))
        # The table has seven or eight digits.
        assert abs(macs[index] + extra[index] - published[index]) <= 5, index
    # A convolution adds 3 for each element, a pooling 9, of five cells at each of three sizes.
    elements = 5 * (16 * 32**2 + 32 * 16**2 + 64 * 8**2)
    convs, pools = ((genomes == 2) | (genomes == 3)).sum(axis=1), (genomes == 4).sum(axis=1)
    assert np.abs(macs + 160_832 + elements * (3 * convs + 9 * pools) - published).max() <= 5


@needs_data
def test_metrics_are_those_of_the_row_with_accuracies_as_errors():
    asked = problem("cifar100", "fpga").under(Pareto("test_error", "energy_mj", "latency_ms", "val_error"))
    some = [0, 7, 15624]
    found = asked.evaluations(asked.official_genomes()[some]).columns()
    rows = table().iloc[some]
    assert found["test_error"].tolist() == (100 - rows["cifar100_test_acc"]).tolist()
    assert found["val_error"].tolist() == (100 - rows["cifar100_val_acc"]).tolist()
    assert found["latency_ms"].tolist() == rows["cifar100__fpga_latency"].tolist()
    assert found["energy_mj"].tolist() == rows["cifar100__fpga_energy"].tolist()


@needs_data
@pytest.mark.parametrize(("data_set", "accuracy"), [("cifar10", 94.373), ("cifar100", 73.513)])
def test_the_best_test_accuracy_is_the_known_one(data_set, accuracy):
    errors = everything(data_set, "raspi4", "test_error", "latency_ms").columns()["test_error"]
    assert round(100 - errors.min(), 3) == accuracy


@needs_data
@pytest.mark.parametrize(
    ("data_set", "device", "size"),
    [
        ("cifar10", "raspi4", 43),
        ("cifar10", "fpga", 16),
        ("cifar100", "fpga", 15),
        ("cifar100", "eyeriss", 13),
    ],
)
def test_the_exact_front_has_the_known_size(data_set, device, size):
    evaluations = everything(data_set, device, "test_error", "latency_ms")
    f, _ = problem(data_set, device).under(Pareto("test_error", "latency_ms")).fg(evaluations)
    assert front_size(f) == size


@needs_data
@pytest.mark.parametrize("metrics", [("latency_ms",), ("latency_ms", "energy_mj")])
@pytest.mark.parametrize(("data_set", "device"), [("cifar10", "edgegpu"), ("cifar100", "edgegpu")])
def test_the_exact_front_is_that_of_the_published_columns(data_set, device, metrics):
    asked = ("test_error", *metrics)
    f, _ = problem(data_set, device).under(Pareto(*asked)).fg(everything(data_set, device, *asked))
    columns = {"latency_ms": f"{data_set}__{device}_latency", "energy_mj": f"{data_set}__{device}_energy"}
    errors = 100 - table()[f"{data_set}_test_acc"]
    raw = np.column_stack([errors, *(table()[columns[m]] for m in metrics)])
    assert front_size(f) == moocore.is_nondominated(raw, keep_weakly=True).sum()


@needs_data
def test_distinct_networks_have_the_row_of_the_canonical_genome():
    merged, every = problem(networks="distinct"), problem()
    genomes = every.official_genomes()[:300]
    canonical = merged.space.canonical(genomes)
    assert (canonical != genomes).any()
    found = merged.evaluations(genomes).columns()["val_error"]
    assert found.tolist() == every.evaluations(canonical).columns()["val_error"].tolist()


@needs_data
def test_proxies_and_score_are_those_of_the_network():
    asked = problem().under(Pareto("score", "latency_ms")).also_measuring(["jacob_cov", "grad_norm"])
    found = asked.evaluations(asked.space.sample(4, seed=0))
    assert not found.failed.any()
    assert len(np.unique(found.columns()["grad_norm"])) == 4


@needs_data
def test_costs_of_cifar100_are_of_100_classes():
    asked, genome = problem("cifar100", "raspi4"), np.full((1, 6), 2)
    expected = Analytic(32, 100).measure([Architecture.parse(str(asked.space.decode(genome[0])))], [0])[0]
    assert asked.evaluations(genome).columns()["params"][0] == expected[0] == 1_537_396


@needs_data
def test_the_raspberry_pi_has_no_energy():
    with pytest.raises(InputError, match="energy_mj"):
        problem("cifar10", "raspi4").under(Pareto("val_error", "energy_mj"))


@needs_data
@pytest.mark.parametrize(
    ("option", "value"), [("data_set", "imagenet"), ("device", "cpu"), ("networks", "some")]
)
def test_an_unknown_option_is_refused_with_those_there_are(option, value):
    with pytest.raises(InputError, match=f"{option} must be one of .*; got '{value}'"):
        NASBench201(**{option: value})


def test_without_the_table_the_error_says_what_to_do(monkeypatch):
    monkeypatch.delenv("MOO_NAS_DATA", raising=False)
    with pytest.raises(InputError, match="export MOO_NAS_DATA="):
        NASBench201()
