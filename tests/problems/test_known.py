"""Exact fronts of the published tables, and what searches on them may know."""

import functools
import os

import numpy as np
import pytest

from moo_nas import Pareto, search
from moo_nas.analysis.regret import Regret
from moo_nas.errors import InputError
from moo_nas.spaces import CellSpace
from problems.mnasnet import MnasNet
from problems.nasbench201 import NASBench201

pytestmark = pytest.mark.skipif(
    not os.environ.get("MOO_NAS_DATA"), reason="MOO_NAS_DATA names no folder of benchmark tables"
)


@functools.cache
def benchmark(data_set="cifar10", device="raspi4,edgegpu,eyeriss", **options):
    return NASBench201(data_set, device, **options)


@pytest.mark.parametrize(
    ("data_set", "costs", "size"),
    [
        ("cifar10", ["raspi4_latency_ms"], 43),
        ("cifar10", ["edgegpu_latency_ms"], 28),
        ("cifar10", ["eyeriss_latency_ms"], 19),
        ("cifar10", ["edgegpu_latency_ms", "edgegpu_energy_mj"], 57),
        ("cifar100", ["raspi4_latency_ms"], 39),
        ("cifar100", ["edgegpu_latency_ms"], 25),
        ("cifar100", ["eyeriss_latency_ms"], 13),
    ],
)
def test_the_fronts_of_nasbench201_have_the_counted_sizes(data_set, costs, size):
    front = benchmark(data_set).exact_front(Pareto("test_error", *costs))
    assert len(front) == size
    assert front["architecture"].is_unique


@pytest.mark.parametrize(("device", "size"), [("zcu102", 42), ("vck190", 22)])
def test_the_fronts_of_accel_nasbench_have_the_counted_sizes(device, size):
    problem = MnasNet(device=device)
    front = problem.exact_front()
    assert len(front) == len(problem.exact_objectives()) == size
    assert (front["status"] == "ok").all()
    assert len(problem.known_genomes()) == 5125


def test_of_several_devices_each_has_its_metrics_and_of_one_the_plain_names():
    several, one = benchmark(), benchmark(device="edgegpu")
    genomes = one.official_genomes()[:50]
    costs = Pareto("edgegpu_latency_ms", "edgegpu_energy_mj", "raspi4_latency_ms")
    found = several.under(costs).evaluations(genomes)
    alone = one.under(Pareto("latency_ms", "energy_mj")).evaluations(genomes)
    assert found["edgegpu_latency_ms"].tolist() == alone["latency_ms"].tolist()
    assert found["edgegpu_energy_mj"].tolist() == alone["energy_mj"].tolist()
    assert several.formulation == Pareto("val_error", "raspi4_latency_ms")
    names = {metric.name for metric in several.evaluator.metrics}
    assert not {"raspi4_energy_mj", "latency_ms"} & names
    assert NASBench201(device=["raspi4", "edgegpu"]).options["device"] == "raspi4,edgegpu"
    for wrong in ("raspi4,jetson", "", "raspi4,", []):
        with pytest.raises(InputError, match="device must be one of edgegpu, raspi4, eyeriss, fpga; got"):
            NASBench201(device=wrong)
    with pytest.raises(InputError, match="A device is named twice: raspi4, raspi4"):
        NASBench201(device="raspi4,raspi4")


def reaches_the_output(cell):
    """Does a path lead from the first node to the last? By walking it."""
    reached = {1}
    for edge in sorted(cell.present, key=lambda edge: edge.source):
        if edge.source in reached:
            reached.add(edge.target)
    return cell.n_nodes in reached


def test_what_was_searched_on_validation_is_judged_on_test():
    problem = NASBench201("cifar100", "fpga", Pareto("val_error", "energy_mj"))
    run = search(problem, algorithm="random", budget=200)
    judge = problem.under(Pareto("test_error", "energy_mj"))
    found, _ = judge.fg(judge.evaluations(run.table.genomes))
    assert "test_error" not in run.evaluations
    regret = Regret(judge.exact_objectives(), log=[1]).curve(found, [50, 200])
    assert 1 > regret[0] > regret[1] > 0.01


def test_live_networks_are_those_with_a_path_and_the_others_fail_with_that_reason():
    problem = NASBench201(networks="live")
    space = CellSpace.nasbench201(merge=False)
    every = problem.official_genomes()
    walked = np.array([reaches_the_output(space.decode(genome).stages[0].cell) for genome in every[:3000]])
    found = problem.evaluations(every[:3000])
    assert (found.failed == ~walked).all()
    reasons = {reason.rpartition(": ")[2] for reason in found.reasons if reason}
    assert reasons == {"no path leads from its cell's input to the output."}
    assert len(problem.known_genomes()) == 15625 - 341
    whole = NASBench201()
    alive = whole.evaluations(problem.known_genomes()[:100])
    assert (
        alive["val_error"].tolist()
        == problem.evaluations(problem.known_genomes()[:100])["val_error"].tolist()
    )
    # The fastest of all are the dead: they are on the front of all networks alone.
    assert problem.exact_front()["latency_ms"].min() > whole.exact_front()["latency_ms"].min()
    assert len(NASBench201(networks="distinct").known_genomes()) == 5425


def test_the_error_after_12_epochs_is_known_beforehand_only_if_asked_for():
    plain, problem = NASBench201(), NASBench201(low_fidelity=True)
    assert "val_error_12ep" not in {metric.name for metric in plain.evaluator.metrics}
    assert "val_error_12ep" in problem.free
    assert not {"val_error", "test_error", "latency_ms", "energy_mj", "snip"} & {*problem.free, *plain.free}
    assert {"params", "macs"} <= set(plain.free)
    genomes = problem.official_genomes()[::200]
    early = problem.features(genomes)[:, problem.free.index("val_error_12ep")]
    late = problem.evaluations(genomes)["val_error"]
    assert (early > late).mean() > 0.9
    assert np.corrcoef(early.argsort().argsort(), late.argsort().argsort())[0, 1] > 0.5
