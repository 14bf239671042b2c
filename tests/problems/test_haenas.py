"""HaeNAS's space with estimates of devices that are not here."""

import json
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from moo_nas import Constrained, Pareto, Run, registry, search
from moo_nas.cli import DONE, main
from moo_nas.errors import BusyError, InputError, OtherRunError
from moo_nas.meters import DEVICE_MODELS, BlockMeter, BlockTable, Metric, Roofline, pruned
from moo_nas.meters.device import energy
from moo_nas.meters.device.counters import Counter, Rapl
from moo_nas.spaces import StageSpace
from moo_nas.study.command import command
from moo_nas.study.warm_start import warm_start_genomes
from problems.haenas import HaeNAS

ESTIMATES = {"estimated_latency_ms", "estimated_energy_mj"}


def names(problem: HaeNAS) -> set[str]:
    return {metric.name for metric in problem.evaluator.metrics}


def test_without_the_option_nothing_is_estimated():
    assert not names(HaeNAS()) & {*ESTIMATES, "sram_bytes", "flash_bytes"}


@pytest.mark.parametrize("device", DEVICE_MODELS)
def test_estimates_are_those_of_the_device_beside_latency(device):
    problem = HaeNAS(estimates=device, latency_size=64, formulation=Pareto("params", "estimated_energy_mj"))
    limited = {"sram_bytes", "flash_bytes"} if device == "stm32f746" else set()
    assert names(problem) - names(HaeNAS()) == ESTIMATES | limited
    assert "latency_ms" in names(problem)
    genomes = problem.space.sample(3, seed=0)
    meter = Roofline(device, 64, 10)
    expected = meter.measure([problem.space.decode(genome) for genome in genomes], [0] * 3)
    found = problem.evaluations(genomes)
    for position, metric in enumerate(meter.metrics):
        assert found[metric.name] == pytest.approx(expected[:, position])


def test_a_search_asks_for_estimates_within_limits_of_memory():
    # Its flash is too small for any network of this space: the limit is what a larger chip would have.
    limits = {**DEVICE_MODELS["stm32f746"].limits, "flash_bytes": 5e6}
    problem = HaeNAS(estimates="stm32f746", latency_size=64)
    run = search(problem, Constrained("estimated_latency_ms", limits), budget=60, seed=0)
    kept = run.evaluations[
        (run.evaluations["sram_bytes"] <= limits["sram_bytes"]) & (run.evaluations["flash_bytes"] <= 5e6)
    ]
    assert 0 < len(kept) < len(run.evaluations)
    assert run.front["estimated_latency_ms"].tolist() == [kept["estimated_latency_ms"].min()]


def test_the_option_is_given_as_text_and_tells_runs_apart():
    made = registry.make("problem", "haenas", {"estimates": "a100-sxm4-40gb"})
    assert names(made) > ESTIMATES
    asked = ["estimated_latency_ms"]
    other = HaeNAS(estimates="snapdragon-855")
    assert made.evaluator.settings(asked) != other.evaluator.settings(asked)
    assert registry.options(HaeNAS)["estimates"] == "None"
    assert registry.choices(HaeNAS)["estimates"] == tuple(DEVICE_MODELS)


def test_an_unknown_device_is_refused_by_the_closest():
    with pytest.raises(InputError, match="Unknown device model 'stm32f7': did you mean 'stm32f746'"):
        HaeNAS(estimates="stm32f7")


def test_a_network_of_this_space_does_not_fit_the_microcontrollers_flash():
    problem = HaeNAS(estimates="stm32f746", formulation=Pareto("params", "flash_bytes"))
    smallest = np.zeros((1, problem.space.n_var), dtype=np.int64)
    assert problem.evaluations(smallest)["flash_bytes"][0] > DEVICE_MODELS["stm32f746"].limits["flash_bytes"]


class Watts(Counter):
    """50 W, whatever is done."""

    name = "made up"

    def joules(self) -> float:
        return 50.0 * time.perf_counter()


def absent(cls, folder=None):
    raise BusyError("no RAPL under /here")


def test_energy_of_the_device_here_is_a_metric_where_there_is_a_counter(monkeypatch):
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Watts()))
    monkeypatch.setattr(energy, "settled_idle", lambda counter, seconds: (20.0, ()))
    problem = HaeNAS(energy="measured", latency_size=32, formulation=Pareto("params", "energy_mj"))
    assert names(problem) - names(HaeNAS()) == {"energy_mj", "average_power_w", "peak_power_w"}
    found = problem.evaluations(problem.space.sample(1, seed=0))
    # Beyond the idle 20 W there are 30 W, as long as a run takes.
    assert found["energy_mj"][0] > 0
    made = registry.make("problem", "haenas", {"energy": "measured"})
    assert "energy_mj" in names(made)


def test_without_a_counter_the_answer_is_what_was_looked_for(monkeypatch):
    monkeypatch.setattr(Rapl, "here", classmethod(absent))
    HaeNAS()
    with pytest.raises(InputError, match=r"no energy meter on this machine .*: no RAPL under /here"):
        HaeNAS(energy="measured")


@pytest.fixture
def board(tmp_path):
    """Three networks measured on a board, with their energy."""
    space = HaeNAS().space
    head = "architecture,latency_ms,energy_mj,idle_subtracted,image_size,batch_size,n_classes\n"
    rows = [
        f"{space.decode(genome)},{i + 5},{i + 9},no,96,1,10\n" for i, genome in enumerate(space.sample(3, 0))
    ]
    (tmp_path / "board.csv").write_text(head + "".join(rows))
    return tmp_path / "board.csv"


def test_a_table_is_named_by_a_path_too(board):
    problem = HaeNAS(latency=board)
    assert problem.options["latency"] == str(board)
    assert names(problem) == names(HaeNAS(latency=str(board)))


def test_energy_of_this_computer_is_not_searched_beside_another_device_s_latency(board, monkeypatch):
    monkeypatch.setattr(Rapl, "here", classmethod(lambda cls, folder=None: Watts()))
    with pytest.raises(InputError, match=r"energy=measured is of this computer, .* Leave out energy"):
        HaeNAS(latency=str(board), energy="measured")


@pytest.mark.parametrize("option", [{"latency_threads": 8}, {"n_networks": 77}, {"latency_rounds": 5}])
def test_what_a_table_has_no_use_for_is_refused(board, option):
    (name,) = option
    with pytest.raises(InputError, match=rf"{name} is of what is measured here; .* Leave it out"):
        HaeNAS(latency=str(board), **option)


def test_an_unknown_way_to_energy_is_refused():
    with pytest.raises(InputError, match="Unknown energy 'measure': did you mean 'measured'"):
        HaeNAS(energy="measure")


TABLE = str(files("problems") / "cpu_blocks.json")


def test_a_pruned_space_is_searched_and_what_was_pruned_is_on_record(tmp_path):
    problem = HaeNAS(prune=[TABLE], formulation=Pareto("params", "macs"))
    run = search(problem, budget=60, out=tmp_path)
    stages = [
        set(map(str, problem.space.decode(genome).stages)) for genome in problem.space.sample(200, seed=0)
    ]
    assert "ibn_d2_k3_s2_e3_c24" not in set().union(*stages)
    assert not run.evaluations["architecture"].str.contains("ibn_d2_k3_s2_e3_c24").any()
    (told,) = [value for name, value in run.record["setup"].items() if name.startswith("pruned space")]
    assert "31,785,858,000 of 148,769,467,776 architectures are left" in told["sentence"]
    assert "ibn_d2_k3_s2_e3_c24" in told["dropped"]["stage2"]
    assert json.loads((tmp_path / "run.json").read_text())["problem"]["prune"] == [TABLE]


def test_nothing_is_pruned_unless_it_is_asked_and_runs_tell_it_apart(tmp_path):
    whole, asked = HaeNAS(), Pareto("params", "macs")
    assert whole.space.whole is whole.space
    assert "prune" not in whole.options
    search(whole, asked, budget=5, out=tmp_path)
    with pytest.raises(OtherRunError, match="holds another run"):
        search(HaeNAS(prune=[TABLE]), asked, budget=5, out=tmp_path)


def test_pruning_is_an_option_of_the_command_line(tmp_path, capsys):
    asked = ["search", "haenas", "--objectives", "params,macs", "--budget", "8", "--jobs", "1"]
    asked += ["--problem-option", f"prune={TABLE}", "--out", str(tmp_path / "run")]
    assert main([*asked, "--problem-option", "prune_slower=2"]) == DONE
    assert "17,869,073,040 of 148,769,467,776 architectures are left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prune_slower": 2.0}, "give its path as prune"),
        ({"prune": ["nowhere.json"]}, "nowhere.json cannot be read"),
        ({"prune": [TABLE], "latency_size": 64}, "96 pixels and 10 classes; asked for 64"),
        ({"prune": [TABLE], "prune_slower": 0.5}, "above 1; got 0.5"),
    ],
)
def test_what_cannot_be_pruned_by_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        HaeNAS(**options)


@pytest.mark.parametrize("given", [TABLE, Path(TABLE), [TABLE], (TABLE,)])
def test_one_table_is_named_alone_or_in_a_row(given):
    problem = HaeNAS(prune=given)
    assert problem.options["prune"] == [TABLE]
    assert problem.space.settings == pruned(StageSpace.haenas(), BlockTable.load(TABLE)).space.settings


@pytest.mark.parametrize("order", [({}, {"prune": [TABLE]}), ({"prune": [TABLE]}, {})])
def test_a_front_starts_the_search_of_the_pruned_space_and_the_other_way_round(order):
    asked = Pareto("params", "macs")
    first, second = (HaeNAS(**options) for options in order)
    front = search(first, asked, budget=60).front
    run = search(second, asked, budget=len(front) + 5, seed=1, warm_start=front)
    started = second.space.canonical(first.space.canonical(warm_start_genomes(front, first.space)))
    _, at = np.unique(started, axis=0, return_index=True)
    expected = started[np.sort(at)]
    assert run.table.genomes[: len(expected)].tolist() == expected.tolist()
    if "prune" in order[0]:  # all of it is in the whole space, as it is
        assert set(front["architecture"]) <= set(run.evaluations["architecture"])


class Launches(BlockMeter):
    metrics = (Metric("layers", "", "min"),)
    reductions = ("sum",)

    def block_cost(self, block):
        return [len(block.layers())]


def test_a_meter_of_the_user_is_searched_beside_the_problems_own(tmp_path):
    problem = HaeNAS(meters=[Launches(32, 10)])
    run = search(problem, Pareto("params", "layers"), budget=20, out=tmp_path / "run")
    counted = [
        sum(len(block.layers()) for block in problem.space.architectures.decode(genome).blocks(32, 10))
        for genome in run.table.genomes
    ]
    assert run.evaluations["layers"].tolist() == counted
    again = Run.load(tmp_path / "run")
    assert again.front["layers"].tolist() == run.front["layers"].tolist()
    assert command(again.record) is None  # no command line has this meter
    assert "layers" in {metric.name for metric in problem.evaluator.metrics}
    assert "meters" not in registry.options(HaeNAS)
    search(problem, Pareto("params", "macs"), budget=20, out=tmp_path / "costs")
    with pytest.raises(OtherRunError, match="meters"):
        search(HaeNAS(), Pareto("params", "macs"), budget=20, out=tmp_path / "costs")
