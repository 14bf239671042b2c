"""Cell and device searched as one, against the published table."""

import functools
import os

import moocore
import numpy as np
import pandas as pd
import pytest

from moo_nas import Pareto, registry, search
from moo_nas.cli import DONE, main
from moo_nas.errors import InputError
from moo_nas.spaces import Configured
from problems.data import benchmark_table
from problems.nasbench201 import FILE, NASBench201
from problems.nasbench201_devices import NASBench201Devices

needs_data = pytest.mark.skipif(
    not os.environ.get("MOO_NAS_DATA"), reason="MOO_NAS_DATA names no folder of benchmark tables"
)
DEVICES = ("edgegpu", "eyeriss", "fpga")


@functools.cache
def table():
    return benchmark_table(FILE, dtype={"naslib_code": str})


@functools.cache
def problem(*devices):
    return NASBench201Devices("cifar10", devices or DEVICES)


@needs_data
def test_costs_are_those_of_the_device_that_is_chosen_and_errors_those_of_the_cell():
    asked = problem().under(Pareto("test_error", "latency_ms", "energy_mj"))
    cells = NASBench201(device=DEVICES).official_genomes()[::1000]
    for number, device in enumerate(DEVICES):
        genomes = np.column_stack([cells, np.full(len(cells), number)])
        found, rows = asked.evaluations(genomes).columns(), table().iloc[::1000]
        assert found["test_error"].tolist() == (100 - rows["cifar10_test_acc"]).tolist()
        assert found["latency_ms"].tolist() == rows[f"cifar10__{device}_latency"].tolist()
        assert found["energy_mj"].tolist() == rows[f"cifar10__{device}_energy"].tolist()


@needs_data
@pytest.mark.parametrize(
    ("devices", "metrics"),
    [(DEVICES, ("latency_ms", "energy_mj")), (("raspi4", "edgegpu", "fpga"), ("latency_ms",))],
)
def test_the_exact_front_is_that_of_all_devices_columns_together(devices, metrics):
    asked = problem(*devices).under(Pareto("test_error", *metrics))
    assert asked.formulation == Pareto("test_error", *metrics)
    front = asked.exact_front()
    error = 100 - table()["cifar10_test_acc"].to_numpy()
    columns = [
        np.column_stack([error, *(table()[f"cifar10__{d}_{m.rpartition('_')[0]}"] for m in metrics)])
        for d in devices
    ]
    raw = np.concatenate(columns)
    best = moocore.is_nondominated(raw, keep_weakly=True)
    assert len(front) == best.sum()
    counts = [int(part.sum()) for part in np.split(best, len(devices))]
    assert [int((front["device"] == device).sum()) for device in devices] == counts


@needs_data
def test_a_search_finds_cells_and_devices():
    run = search(problem(), budget=150, seed=0)
    assert run.stop_reason == "budget"
    assert len(run.evaluations[["device"]].drop_duplicates()) == 3
    one = run.space.decode(run.table.genomes[0])
    assert isinstance(one, Configured)
    assert one["device"] in DEVICES
    assert Configured.parse(run.front["architecture"].iloc[0])["device"] == run.front["device"].iloc[0]


@needs_data
def test_on_the_command_line_the_device_is_a_column(tmp_path, capsys):
    asked = ["search", "nasbench201-devices", "--budget", "30", "--jobs", "1", "--out", str(tmp_path / "run")]
    assert main(asked) == DONE
    printed = capsys.readouterr().out.splitlines()
    (heading,) = [number for number, line in enumerate(printed) if line.startswith("evaluation ")]
    assert printed[heading].split() == [
        "evaluation",
        "device",
        "val_error",
        "latency_ms",
        "energy_mj",
        "architecture",
    ]
    assert printed[heading + 1].split()[1] in DEVICES
    assert list(pd.read_csv(tmp_path / "run" / "front.csv")["device"].drop_duplicates()) != []


@needs_data
def test_options_are_given_as_text_and_the_raspberry_pi_takes_energy_away():
    made = NASBench201Devices(devices="raspi4,fpga")
    assert made.formulation == Pareto("val_error", "latency_ms")
    assert "energy_mj" not in {metric.name for metric in made.evaluator.metrics}
    assert registry.options(NASBench201Devices)["devices"] == ",".join(DEVICES)


@needs_data
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"devices": ["cpu", "fpga"]}, "devices must be one of .*; got 'cpu'"),
        ({"data_set": "imagenet"}, "data_set must be one of"),
        ({"devices": ["fpga"]}, "at least two choices"),
        ({"devices": ["fpga", "fpga"]}, "a choice twice"),
        ({"devices": []}, "devices must be one of .*; got ''"),
    ],
)
def test_what_is_no_choice_of_devices_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        NASBench201Devices(**options)
