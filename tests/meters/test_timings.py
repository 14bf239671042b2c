"""Timings and predictions from them: what can be told without a clock."""

import numpy as np
import pytest
import torch

from moo_nas.errors import InputError, MeterError
from moo_nas.evaluation import Store
from moo_nas.meters import BlockTableLatency, CpuLatency, MlpLatency
from moo_nas.meters.device.rounds import time_rounds
from moo_nas.meters.device.timer import Reference, torch_threads

TIMER = CpuLatency(image_size=16, n_rounds=2, min_seconds=0.0)


class Pretended(CpuLatency):
    """A stop-watch that shows a sum over stages, so that predictions can be judged."""

    def measure(self, architectures, seeds):
        ms = [
            sum(s.depth * s.kernel * (2 if s.operator == "fused" else 1) for s in a.stages)
            for a in architectures
        ]
        return np.column_stack([ms, np.zeros(len(ms))]).astype(float)


def test_every_call_is_run_in_every_round():
    counts = np.zeros(3, dtype=int)

    def call(i):
        counts[i] += 1

    rounds = time_rounds([lambda i=i: call(i) for i in range(3)], lambda: None, n_rounds=4, min_seconds=0.0)
    assert rounds.ratios.shape == (4, 3)
    assert rounds.reference_ms.shape == (4, 4)
    assert (rounds.ratios >= 0).all()
    assert counts.tolist() == [8, 8, 8]  # one to warm up, one timed


def test_a_slow_spell_of_the_machine_changes_no_timing(monkeypatch):
    clock = {"now": 0.0, "calls": 0}

    def takes(seconds):
        # The machine is three times slower in every second hundred of calls.
        def call():
            clock["calls"] += 1
            clock["now"] += seconds * (3 if clock["calls"] // 100 % 2 else 1)

        return call

    monkeypatch.setattr("moo_nas.meters.device.rounds.time.perf_counter", lambda: clock["now"])
    rounds = time_rounds([takes(0.02), takes(0.05)], takes(0.01), n_rounds=200, min_seconds=0.0)
    assert clock["now"] > 1.5 * 200 * 2 * (0.02 + 0.05 + 0.01)  # slow spells there were
    assert np.median(rounds.ratios, axis=0) == pytest.approx([2, 5])


def test_a_prepared_meter_keeps_the_machines_speed(monkeypatch):
    store, speed = Store(), iter([Reference(4.0, ("busy",)), Reference(8.0)])
    monkeypatch.setattr(CpuLatency, "_time_reference", lambda self: next(speed))
    first = TIMER.prepare(None, store, 0)
    again = TIMER.prepare(None, store, 1)
    assert first._reference == again._reference == Reference(4.0, ("busy",))
    assert first.key == TIMER.key


def test_a_timed_network_is_in_evaluation_mode_and_builds_no_graph():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    seen = []
    network.register_forward_hook(lambda module, args, out: seen.append((args[0].shape, out.requires_grad)))
    timing = TIMER.time(["a network"], lambda: [network], [(2, 3, 5, 5)])
    assert timing.latencies.shape == (2, 1)
    assert not network.training
    assert set(seen) == {((2, 3, 5, 5), False)}
    assert int(network[1].num_batches_tracked) == 0


def test_threads_are_as_before_even_if_it_fails():
    before = torch.get_num_threads()

    def fail():
        with torch_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.get_num_threads() == before


def test_a_timings_settings_name_the_machine():
    assert {"cpu", "cores", "torch"} <= TIMER.settings["machine"].keys()


@pytest.mark.parametrize("wrong", ["image_size", "batch_size", "threads", "n_classes", "n_rounds"])
def test_counts_must_be_positive(wrong):
    with pytest.raises(InputError, match="must be positive"):
        CpuLatency(**{wrong: 0})


def test_a_block_table_predicts_a_network_as_the_weighted_sum_of_its_blocks(wide):
    meter = BlockTableLatency(TIMER, 8).prepare(wide, Store(), 0)
    genomes = wide.sample(30, seed=0)
    architectures = [wide.decode(genome) for genome in genomes]
    predicted = meter.measure(architectures, [0] * 30)[:, 0]
    by_hand = [sum(meter.block_cost(b)[0] for b in a.blocks(16, 10)) for a in architectures]
    assert predicted == pytest.approx(by_hand)
    assert wide.tabulate(meter)(genomes)[:, 0] == pytest.approx(predicted)
    assert (predicted > 0).all()


def test_what_a_predictor_is_fitted_on_is_recalled_and_not_measured_again(wide):
    store = Store()
    first = BlockTableLatency(TIMER, 8).prepare(wide, store, 0)
    kept = store.setup()
    again = BlockTableLatency(TIMER, 8).prepare(wide, store, 0)
    assert store.setup() == kept
    a = [wide.decode(wide.genome_at(5))]
    assert again.measure(a, [0]).tolist() == first.measure(a, [0]).tolist()


def test_a_block_table_interrupted_half_way_keeps_the_blocks_it_measured(wide, monkeypatch):
    monkeypatch.setattr("moo_nas.meters.predictors.block_table._BATCH", 7)
    n_blocks, sizes, timed = len(wide.blocks(16, 10)), [], CpuLatency._timed
    assert n_blocks > 14
    store = Store()

    def interrupted(self, modules, shapes):
        if len(sizes) == 2:
            raise KeyboardInterrupt
        sizes.append(len(modules))
        return timed(self, modules, shapes)

    monkeypatch.setattr(CpuLatency, "_timed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        BlockTableLatency(TIMER, 8).prepare(wide, store, 0)
    done = sum(sizes)
    sizes.clear()
    monkeypatch.setattr(CpuLatency, "_timed", lambda self, m, s: sizes.append(len(m)) or timed(self, m, s))
    table = BlockTableLatency(TIMER, 8).prepare(wide, store, 0).table
    assert sum(sizes) == n_blocks - done + 8  # what was missing, and the whole networks
    assert list(table.ms) == list(wide.blocks(16, 10))


def test_preparing_leaves_the_meter_itself_unfitted(wide):
    meter = BlockTableLatency(TIMER, 8)
    meter.prepare(wide, Store(), 0)
    with pytest.raises(MeterError, match="prepare"):
        meter.measure([wide.decode(wide.genome_at(0))], [0])


def test_a_perceptron_learns_what_it_is_shown(wide):
    timer = Pretended(16)
    store = Store()
    meter = MlpLatency(timer, 200).prepare(wide, store, 0)
    architectures = [wide.decode(wide.genome_at(i)) for i in range(0, wide.size, 7)]
    predicted = meter.measure(architectures, [0] * len(architectures))[:, 0]
    measured = timer.measure(architectures, None)[:, 0]
    assert np.median(np.abs(predicted / measured - 1)) < 0.05
    (card,) = [v["held_out"] for name, (v, _) in store.setup().items() if name.startswith("perceptron")]
    assert card["spearman"] > 0.95
    assert card["n"] == 40


def test_a_predictors_networks_are_distinct_and_at_most_the_space(tiny):
    store = Store()
    MlpLatency(Pretended(16), 1000).prepare(tiny, store, 0)
    (kept,) = [v for name, (v, _) in store.setup().items() if name.startswith("measured networks")]
    assert len({tuple(g) for g in kept["genomes"]}) == len(kept["genomes"]) == tiny.size


@pytest.mark.parametrize("make", [lambda: BlockTableLatency(TIMER, 4), lambda: MlpLatency(TIMER, 19)])
def test_too_few_networks_for_a_fit_are_refused(make):
    with pytest.raises(InputError, match="at least"):
        make()
