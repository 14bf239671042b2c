"""The additive problem: sums over stages, whose front is known."""

import numpy as np
import pytest

from moo_nas import Pareto, Single, search
from moo_nas.errors import InputError
from moo_nas.meters import Analytic, BlockTable
from moo_nas.spaces import StageSpace
from problems.additive import Additive, StageError, own_table

SPACE = StageSpace.haenas()


def test_every_metric_is_that_of_the_architecture_block_by_block_and_stage_by_stage():
    problem = Additive(seed=3)
    genomes = SPACE.sample(50, seed=0)
    architectures = [SPACE.decode(genome) for genome in genomes]
    found = problem.evaluations(genomes)
    blocks = [a.blocks(96, 10) for a in architectures]
    assert found["latency_ms"] == pytest.approx([own_table().summed(some) for some in blocks])
    assert found["error"] == pytest.approx(StageError(3).measure(architectures, [0] * 50)[:, 0])
    assert found["params"].tolist() == Analytic(96, 10).measure(architectures, [0] * 50)[:, 0].tolist()
    assert not found.failed.any()


def test_the_error_falls_ever_less_with_depth_expansion_and_kernel_but_for_the_ripple():
    meter = StageError(0)

    def error(**changes):
        choices = dict(zip([g.name for g in SPACE.genes], [g.choices[0] for g in SPACE.genes], strict=True))
        chosen = choices | {f"stage3.{name}": choice for name, choice in changes.items()}
        genome = SPACE.genome_of([chosen[gene.name] for gene in SPACE.genes])
        return meter.measure([SPACE.decode(genome)], [0])[0, 0]

    ripple = 8 * 0.02  # the weight of stage 3 times the ripple's width
    for name, (low, middle, high) in {"depth": (2, 3, 4), "kernel": (3, 5, 7)}.items():
        first = error(**{name: low}) - error(**{name: middle})
        second = error(**{name: middle}) - error(**{name: high})
        assert first > -ripple
        assert first - second > -2 * ripple
    assert error(operator="ibn") - error(operator="fused") == pytest.approx(0.8, abs=ripple)
    assert error(depth=2) - error(depth=4) == pytest.approx(8 * 0.5 * (4 / 6 - 2 / 4), abs=ripple)


def test_the_error_has_to_be_evaluated_and_the_costs_are_known():
    problem = Additive()
    assert {"latency_ms", "params", "macs"} <= set(problem.free)
    assert "error" not in problem.free


def test_seeds_are_other_errors_of_the_same_costs():
    genomes = SPACE.sample(20, seed=0)
    one, other = (Additive(seed=seed).evaluations(genomes) for seed in (0, 1))
    assert (one["error"] != other["error"]).all()
    assert one["latency_ms"].tolist() == other["latency_ms"].tolist()
    settings = [Additive(seed=seed).evaluator.settings(["error"]) for seed in (0, 1)]
    assert settings[0] != settings[1]


def test_its_front_has_the_columns_of_a_run_and_the_cheapest_and_the_best_network():
    problem = Additive()
    front = problem.exact_front()
    assert len(front) == len(problem.exact_objectives()) > 5000
    best = problem.exact_front(Single("error"))
    assert len(best) == 1
    assert front["error"].min() == best["error"][0]
    smallest = problem.evaluations(SPACE.genome_at(0)[None])
    assert (
        front["params"].min() == problem.exact_front(Single("params"))["params"][0] <= smallest["params"][0]
    )
    genome = SPACE.genome_of([best[gene.name][0] for gene in SPACE.genes])
    assert problem.evaluations(genome[None])["error"][0] == best["error"][0]
    with pytest.raises(InputError, match="'peak_activation_bytes' is no sum"):
        problem.exact_front(Pareto("error", "peak_activation_bytes"))


def test_it_is_searched_as_any_other_problem():
    run = search(Additive(n_reference=5), budget=30, seed=0)
    exact = Additive().exact_objectives()
    assert len(run.evaluations) == 30
    assert (exact[:, None] <= run.objectives * (1 + 1e-12)).all(axis=2).any(axis=0).all()
    assert np.isfinite(run.objectives).all()


def test_another_block_table_takes_the_place_of_its_own(tmp_path):
    own = own_table()
    double = BlockTable({b: 2 * ms for b, ms in own.ms.items()}, 96, 10, {"cpu": "mine"})
    path = double.save(tmp_path / "mine.json")
    genomes = SPACE.sample(3, seed=0)
    problem = Additive(latency=str(path))
    blocks = [SPACE.decode(genome).blocks(96, 10) for genome in genomes]
    assert problem.evaluations(genomes)["latency_ms"] == pytest.approx([double.summed(b) for b in blocks])
    assert problem.evaluator.settings(["latency_ms"]) != Additive().evaluator.settings(["latency_ms"])
    few = BlockTable(dict(list(own.ms.items())[:100]), 96, 10, {"cpu": "mine"}).save(tmp_path / "few.json")
    with pytest.raises(InputError, match="it lacks 118 of 218 blocks"):
        Additive(latency=str(few))


def test_its_table_says_where_it_comes_from():
    table = own_table()
    assert table.device["cpu"]
    assert table.versions.keys() >= {"torch", "moo_nas"}
    assert table.date
    assert table.left_out["spearman"] > 0.9
