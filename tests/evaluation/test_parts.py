"""Parts of spaces: what is measured on one is there for the other, and architectures count once."""

import numpy as np
import pytest

from moo_nas import NASProblem, Pareto, Run, search
from moo_nas.algorithms.exact import exact_front
from moo_nas.evaluation import Evaluator, Store
from moo_nas.meters import Analytic, BlockTableLatency, CpuLatency, External, PerConfiguration, ZMean
from moo_nas.spaces import Gene, JointSpace, PrunedSpace
from tests.fakes import Fake
from tests.spaces_for_tests import tiny_space, wide_space

THREADS = Gene("threads", (1, 2, 4), "ordinal")


def without_fused(space):
    replaced = {
        number: {o: ("ibn", *o[1:]) for o in row.options() if o[0] == "fused"}
        for number, row in enumerate(space.stages, start=1)
    }
    return PrunedSpace(space, replaced)


def on(space, *meters, store=None):
    return Evaluator(space, [Analytic(16, 10), *meters, ZMean(("score", "-params"), "mixed")], 0, store)


def test_a_pruned_space_finds_in_the_store_what_was_measured_on_the_whole_one():
    whole, store = wide_space(), Store()
    space = without_fused(whole)
    genomes = space.canonical(whole.sample(20, seed=0))
    values = on(whole, Fake(), store=store).evaluate(genomes, ["score", "mixed"])
    meter = Fake()
    again = on(space, meter, store=store).evaluate(genomes, ["score", "mixed"])
    assert meter.asked == []
    assert again.values.tolist() == values.values.tolist()
    assert again.genomes.tolist() == genomes.tolist()


def test_scores_and_scales_of_a_pruned_space_are_those_of_the_whole_one():
    whole = wide_space()
    one, other = on(whole, Fake()), on(without_fused(whole), Fake())
    assert one.reference_genomes().tolist() == other.reference_genomes().tolist()
    assert one.reference(["mixed"]).values.tolist() == other.reference(["mixed"]).values.tolist()


def test_a_search_of_a_pruned_space_never_meets_what_was_dropped():
    space = without_fused(wide_space())
    run = search(NASProblem(on(space, Fake()), Pareto("score", "params")), budget=150)
    assert len(run.table) == 150
    assert not run.evaluations["architecture"].str.contains("fused").any()
    run = search(NASProblem(on(without_fused(tiny_space()), Fake()), Pareto("score", "params")), budget=99)
    assert (run.stop_reason, len(run.table)) == ("exhausted", 16)


def test_the_exact_front_of_a_pruned_space_is_of_what_is_left():
    space = without_fused(wide_space())
    problem = NASProblem(on(space, Fake()), Pareto("macs", "weight_bytes"))
    found = exact_front(problem)
    every = np.unique(space.canonical(np.array([space.genome_at(i) for i in range(space.size)])), axis=0)
    f = problem.fg(problem.evaluations(every))[0]
    best = [row for row in f if not ((f <= row).all(axis=1) & (f < row).any(axis=1)).any()]
    assert np.unique(best, axis=0).tolist() == found.f.tolist()
    assert space.canonical(found.genomes).tolist() == found.genomes.tolist()


def test_an_architecture_is_measured_once_whatever_it_runs_on():
    whole, meter = tiny_space(), Fake()
    space = JointSpace(whole, [THREADS])
    genomes = np.array([space.genome_at(i) for i in range(space.size)])
    values = on(space, meter).evaluate(genomes, ["score"])
    assert sorted(meter.asked) == sorted(str(whole.decode(whole.genome_at(i))) for i in range(whole.size))
    alone = on(whole, Fake()).evaluate(genomes[::3, :-1], ["score"])
    assert values["score"][::3].tolist() == alone["score"].tolist()
    assert values["score"][1::3].tolist() == alone["score"].tolist()
    assert values["params"][2::3].tolist() == alone["params"].tolist()


def test_architectures_of_a_joint_space_share_the_store_of_the_space_alone():
    whole, store, meter = tiny_space(), Store(), Fake()
    genomes = whole.sample(9, seed=0)
    on(whole, Fake(), store=store).evaluate(genomes, ["score"])
    joint = on(JointSpace(whole, [THREADS]), meter, store=store)
    joint.evaluate(np.column_stack([genomes, np.arange(9) % 3]), ["score"])
    assert meter.asked == []


class Slower(Fake):
    """A stored measurement that depends on who measures."""

    def __init__(self, threads: int) -> None:
        super().__init__("latency_ms", f"{threads} threads")


def test_a_meter_of_each_configuration_measures_its_own():
    space = JointSpace(tiny_space(), [THREADS])
    each = {threads: Slower(threads) for threads in (1, 2, 4)}
    problem = NASProblem(on(space, Fake(), PerConfiguration("threads", each)), Pareto("score", "latency_ms"))
    run = search(problem, budget=30)
    for threads, meter in each.items():
        chosen = run.evaluations[run.evaluations["threads"] == threads]
        assert sorted(meter.asked) == sorted(chosen["architecture"].str.partition(" @ ")[0])
    assert run.front["architecture"].str.contains("threads").all()


def test_stop_watches_of_several_batch_sizes_time_what_is_searched():
    space = JointSpace(tiny_space(), [Gene("batch", (1, 4), "ordinal")])
    watches = {n: CpuLatency(16, batch_size=n, n_rounds=2, min_seconds=0.0) for n in (1, 4)}
    problem = NASProblem(
        Evaluator(space, [Analytic(16, 10), PerConfiguration("batch", watches)]),
        Pareto("params", "latency_ms"),
    )
    run = search(problem, budget=6)
    assert not run.table.failed.any()
    assert (run.evaluations["latency_ms"] > 0).all()
    assert set(run.evaluations["batch"]) == {1, 4}


def test_a_predictor_is_fitted_on_architectures_alone_and_once_for_both_spaces():
    whole, store = tiny_space(), Store()
    latency = BlockTableLatency(CpuLatency(16, n_rounds=2, min_seconds=0.0), 5)
    genomes = whole.sample(4, seed=0)
    alone = Evaluator(whole, [latency], store=store).evaluate(genomes, ["latency_ms"])
    known = set(store.setup())
    joint = Evaluator(JointSpace(whole, [THREADS]), [latency], store=store)
    found = joint.evaluate(np.column_stack([genomes, np.arange(4) % 3]), ["latency_ms"])
    assert found["latency_ms"].tolist() == alone["latency_ms"].tolist()
    pruned = Evaluator(without_fused(whole), [latency], store=store)
    left = pruned.evaluate(genomes, ["latency_ms"])
    canonical = pruned.space.canonical(genomes)
    expected = Evaluator(whole, [latency], store=store).evaluate(canonical, ["latency_ms"])
    assert left["latency_ms"].tolist() == expected["latency_ms"].tolist()
    assert set(store.setup()) == known


def test_what_is_told_is_of_the_whole_proposal():
    space = JointSpace(tiny_space(), [THREADS])
    evaluator = Evaluator(space, [Analytic(16, 10), External("latency_ms", "ms", "min")])
    run = Run.open(NASProblem(evaluator, Pareto("params", "latency_ms")), budget=20)
    told = {}
    while len(proposals := run.ask(20)):
        for number, threads, text in zip(
            proposals["id"], proposals["threads"], proposals["architecture"], strict=True
        ):
            told[text] = len(text) / threads
            run.tell(number, {"latency_ms": told[text]})
    assert run.evaluations.set_index("architecture")["latency_ms"].to_dict() == told


@pytest.mark.parametrize(
    "space", [tiny_space(), JointSpace(tiny_space(), [Gene("clock", (1, 2), "ordinal")])]
)
def test_a_space_without_the_configuration_is_refused_by_name(space):
    meter = PerConfiguration("threads", {1: Slower(1), 2: Slower(2)})
    problem = NASProblem(on(space, Fake(), meter), Pareto("score", "latency_ms"))
    with pytest.raises(ValueError, match="no configuration gene 'threads'"):
        search(problem, budget=5)
