"""Several devices at once: as objectives, by the worst of them, and one front each."""

import functools
import os

import moocore
import numpy as np
import pytest

from moo_nas import Constrained, Pareto, compare, registry, search
from moo_nas.analysis.regret import Regret
from moo_nas.errors import InputError
from moo_nas.study import fronts
from problems.data import benchmark_table
from problems.nasbench201 import FILE, NASBench201

pytestmark = pytest.mark.skipif(
    not os.environ.get("MOO_NAS_DATA"), reason="MOO_NAS_DATA names no folder of benchmark tables"
)
DEVICES = ("raspi4", "edgegpu", "fpga")
TARGETS = (15.0, 4.0, 5.0)
LATENCIES = tuple(f"{device}_latency_ms" for device in DEVICES)


@functools.cache
def problem(targets=TARGETS):
    return NASBench201("cifar10", DEVICES, targets=targets)


@functools.cache
def columns():
    table = benchmark_table(FILE)
    return (
        100 - table["cifar10_test_acc"].to_numpy(),
        np.column_stack([table[f"cifar10__{device}_latency"] for device in DEVICES]),
    )


def test_the_exact_front_by_the_worst_device_is_that_of_the_published_columns():
    error, latency = columns()
    raw = np.column_stack([error, (latency / TARGETS).max(axis=1)])
    front = problem().exact_objectives(Pareto("test_error", "worst_latency"))
    best = np.unique(raw[moocore.is_nondominated(raw, keep_weakly=False)], axis=0)
    assert front == pytest.approx(best)


def test_within_the_worst_case_s_limit_is_within_every_target():
    error, latency = columns()
    asked = Constrained("test_error", {"worst_latency": 1.0})
    found = problem().exact_front(asked)
    within = (latency <= TARGETS).all(axis=1)
    assert found["test_error"].tolist() == [error[within].min()]
    every = Constrained("test_error", dict(zip(LATENCIES, TARGETS, strict=True)))
    assert problem().exact_front(every)["architecture"].tolist() == found["architecture"].tolist()


def test_targets_left_open_are_the_reference_sample_s_medians_and_on_record():
    run = search(problem(None), Pareto("val_error", "worst_latency"), budget=30)
    (fit,) = [value for name, value in run.record["setup"].items() if name.startswith("worst_latency")]
    sample = problem(None).evaluator.reference(LATENCIES)
    assert fit["targets"] == {name: np.median(sample[name]) for name in LATENCIES}


def test_all_devices_as_objectives_hold_the_front_of_each():
    run = search(problem(), Pareto("test_error", *LATENCIES), budget=300, seed=0)
    for name in LATENCIES:
        points = {tuple(row) for row in run.front[["test_error", name]].to_numpy()}
        front = run.under(Pareto("test_error", name)).front
        assert {tuple(row) for row in front[["test_error", name]].to_numpy()} <= points
        assert len(front) < len(run.front)


def test_searches_for_one_device_each_leave_better_fronts_together():
    asked = {device: Pareto("val_error", name) for device, name in zip(DEVICES, LATENCIES, strict=True)}
    comparison = compare(problem(), asked, seeds=1, budget=100, judge=Pareto("val_error", *LATENCIES))
    found = fronts(comparison.runs.values(), asked)
    for device, formulation in asked.items():
        regret = Regret(problem().exact_objectives(formulation))
        alone = comparison.runs[f"{device}-nsga2", 0]
        assert regret(found[device].objectives) <= regret(alone.objectives)


def test_targets_are_given_as_text_one_a_device():
    made = registry.make("problem", "nasbench201", {"device": "raspi4,fpga", "targets": "15,5"})
    assert made.options["targets"] == [15.0, 5.0]
    assert "worst_latency" in {metric.name for metric in made.evaluator.metrics}


@pytest.mark.parametrize(
    ("device", "targets", "words"),
    [
        ("raspi4", [15.0], "each of several devices; got 1 for raspi4"),
        ("raspi4,fpga", [15.0], "got 1 for raspi4, fpga"),
        ("raspi4,fpga", [15.0, -1.0], "'fpga_latency_ms' must be positive"),
        ("raspi4,fpga", ["15", "fast"], "a number"),
    ],
)
def test_targets_that_are_none_are_refused(device, targets, words):
    with pytest.raises(InputError, match=words):
        NASBench201(device=device, targets=targets)


def test_one_device_has_no_worst_case():
    assert "worst_latency" not in {m.name for m in NASBench201(device="fpga").evaluator.metrics}


def test_what_was_found_for_one_device_starts_the_search_for_another():
    first = search(NASBench201(device="edgegpu"), budget=150, seed=0).front
    target = NASBench201(device="raspi4")
    regret = Regret(target.exact_objectives())
    curves = [
        np.mean(
            [
                regret.curve(search(target, budget=60, seed=s, warm_start=w).objectives, [40])
                for s in (1, 2, 3)
            ]
        )
        for w in (first, None)
    ]
    assert curves[0] < 0.5 * curves[1]
