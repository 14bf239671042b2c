"""What a search promises in Python: its tables, its front, its stop reasons."""

import json
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.algorithms.soo.nonconvex.ga import GA

from moo_nas import Constrained, NASProblem, Pareto, Single, WeightedProduct, search
from moo_nas.algorithms import NSGA2, RandomSearch
from moo_nas.errors import InputError, OtherRunError, StoreError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, Metric, ZMean
from moo_nas.study import TwoStage
from problems.haenas import HaeNAS
from tests.fakes import Fake, Guilty
from tests.spaces_for_tests import cube_space, tiny_space, wide_space

COSTS = Pareto("params", "peak_activation_bytes")


def toy(space=None, meter=None, **options) -> NASProblem:
    evaluator = Evaluator(space or wide_space(), [Analytic(16, 10), meter or Fake()], n_reference=30)
    return NASProblem(evaluator, Pareto("score", "params"), **options)


def test_evaluations_are_in_ask_order_with_genes_as_choices():
    problem = toy()
    run = search(problem, algorithm="random", budget=25, seed=4)
    table = run.evaluations
    genes = [gene.name for gene in problem.space.genes]
    assert list(table.columns[: len(genes)]) == genes
    assert list(table.index) == list(range(25))
    for _, row in table.iterrows():
        genome = problem.space.genome_of([row[name] for name in genes])
        assert str(problem.space.decode(genome)) == row["architecture"]
    assert not table.duplicated(subset=genes).any()
    assert set(table["status"]) == {"ok"}
    assert table["feasible"].all()


def test_the_front_is_what_no_other_evaluation_dominates():
    run = search(toy(), budget=80, seed=1)
    f = np.column_stack([-run.evaluations["score"], run.evaluations["params"]])
    brute = [not ((f <= row).all(axis=1) & (f < row).any(axis=1)).any() for row in f]
    assert list(run.front.index) == list(np.flatnonzero(brute))


def test_the_front_comes_from_all_evaluations_not_from_the_last_population():
    run = search(toy(), algorithm=NSGA2(pop_size=4), budget=200, seed=0)
    assert len(run.front) > 4


def test_equal_seeds_give_equal_runs_and_the_caller_s_algorithm_is_not_changed():
    algorithm = NSGA2(pop_size=10)
    first = search(toy(), algorithm=algorithm, budget=40, seed=3)
    second = search(toy(), algorithm=algorithm, budget=40, seed=3)
    pd.testing.assert_frame_equal(first.evaluations, second.evaluations)
    other = search(toy(), algorithm=algorithm, budget=40, seed=4)
    assert not first.evaluations.equals(other.evaluations)
    assert algorithm.problem is None


@pytest.mark.parametrize("algorithm", [GA(pop_size=10), SMSEMOA(pop_size=10)], ids=["GA", "SMSEMOA"])
def test_pymoo_s_own_algorithms_are_searched_with_and_kept_to_the_budget(algorithm):
    asked = Single("score") if isinstance(algorithm, GA) else Pareto("score", "params")
    run = search(toy(), asked, algorithm, budget=33, seed=0)
    assert len(run.evaluations) == 33
    assert run.stop_reason == "budget"


def test_an_algorithm_that_repeats_itself_for_ever_is_stopped_as_stagnated():
    run = search(toy(cube_space()), Single("score"), GA(pop_size=3, eliminate_duplicates=False), budget=27)
    assert run.stop_reason in ("stagnated", "exhausted")
    assert len(run.evaluations) <= 27


def test_a_space_smaller_than_the_budget_is_exhausted():
    run = search(toy(tiny_space()), budget=1000)
    assert run.stop_reason == "exhausted"
    assert len(run.evaluations) == tiny_space().size


def test_failures_are_rows_with_a_reason_and_never_on_the_front():
    run = search(toy(meter=Guilty("raise")), budget=60, seed=0)
    failed = run.evaluations[run.evaluations["status"] == "failed"]
    assert 0 < len(failed) < 60
    assert failed["reason"].eq("ZeroDivisionError: no such luck").all()
    assert failed["score"].isna().all()
    assert not failed["feasible"].any()
    assert run.front["status"].eq("ok").all()
    assert run.evaluations.loc[run.evaluations["status"] == "ok", "reason"].isna().all()


def test_a_search_in_which_everything_fails_ends_as_infeasible():
    run = search(toy(meter=Guilty("nan", share=1.1)), budget=12, seed=0)
    assert run.stop_reason == "infeasible"
    assert run.front.empty
    assert run.least_violating.empty


def test_an_unmeetable_limit_ends_as_infeasible_and_shows_the_least_violating():
    run = search(toy(), Constrained("score", {"params": 1.0}), budget=40, seed=0)
    assert run.stop_reason == "infeasible"
    assert run.front.empty
    assert run.least_violating["params"].tolist() == [run.evaluations["params"].min()]


def test_every_formulation_is_answered_in_its_own_terms():
    single = search(toy(), Single("score"), budget=60, seed=0)
    assert single.front["score"].tolist() == [single.evaluations["score"].max()]
    limit = float(single.evaluations["params"].median())
    constrained = search(toy(), Constrained("score", {"params": limit}), budget=60, seed=0)
    within = constrained.evaluations[constrained.evaluations["params"] <= limit]
    assert constrained.front["score"].tolist() == [within["score"].max()]
    product = search(toy(), WeightedProduct("score", {"params": None}), budget=60, seed=0)
    assert len(product.front) == 1
    assert product.record["formulation"]["targets"]["params"] > 0
    assert product.record["asked_formulation"]["targets"]["params"] is None


def test_an_energy_factor_without_a_meter_is_left_out_and_said():
    latency = Fake("latency_ms")
    latency.metrics = (Metric("latency_ms", "ms", "min"),)
    meters = [Analytic(16, 10), Fake("score"), latency]
    problem = NASProblem(Evaluator(wide_space(), meters, n_reference=10), WeightedProduct.soft("score"))
    run = search(problem, budget=5)
    assert run.record["formulation"]["left_out"] == ["energy_mj"]
    assert list(run.record["formulation"]["targets"]) == ["latency_ms"]


def test_the_score_s_scale_is_kept_with_the_run(tmp_path):
    evaluator = Evaluator(
        wide_space(), [Analytic(16, 10), Fake("snip"), ZMean(("snip", "log(params)"))], n_reference=30
    )
    run = search(NASProblem(evaluator, Pareto("score", "macs")), budget=20, out=tmp_path)
    (kept,) = [value for name, value in run.record["setup"].items() if name.startswith("score/")]
    z = (run.evaluations["snip"] - kept["median"][0]) / kept["scale"][0]
    z += (np.log(run.evaluations["params"]) - kept["median"][1]) / kept["scale"][1]
    np.testing.assert_allclose(run.evaluations["score"], z / 2, rtol=1e-12)


def test_run_json_says_what_was_run(tmp_path):
    search(HaeNAS(), COSTS, budget=20, seed=7, out=tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    for key in ("problem", "formulation", "algorithm", "versions", "machine", "setup"):
        assert isinstance(record[key], dict)
    assert (record["budget"], record["seed"], record["n_evaluations"], record["n_failed"]) == (20, 7, 20, 0)
    assert record["problem"]["image_size"] == 32
    assert record["algorithm"]["pop_size"] == 16
    assert record["wall_seconds"] > 0


def test_front_csv_is_the_front_without_times(tmp_path):
    run = search(HaeNAS(), COSTS, budget=20, out=tmp_path)
    written = pd.read_csv(tmp_path / "front.csv", index_col="evaluation")
    assert list(written.columns) == list(run.front.columns)
    pd.testing.assert_frame_equal(
        written.drop(columns="reason"), run.front.drop(columns="reason"), check_dtype=False
    )
    assert not [column for column in written.columns if "second" in column]


def test_two_processes_cannot_write_to_one_folder(tmp_path):
    errors = []

    def second(_) -> None:
        if not errors:
            try:
                search(HaeNAS(), COSTS, budget=20, out=tmp_path)
            except StoreError as error:
                errors.append(str(error))

    search(HaeNAS(), COSTS, budget=20, out=tmp_path, progress=second)
    assert "Another process" in errors[0]


def test_an_interrupt_ends_a_run_that_the_same_call_continues(tmp_path):
    def interrupt(progress) -> None:
        if progress.n_evaluations >= 40:
            raise KeyboardInterrupt

    run = search(HaeNAS(), COSTS, budget=100, out=tmp_path, progress=interrupt)
    assert run.stop_reason == "interrupted"
    assert 40 <= len(run.evaluations) < 100
    whole = search(HaeNAS(), COSTS, budget=100, out=tmp_path)
    assert whole.stop_reason == "budget"
    pd.testing.assert_frame_equal(run.evaluations, whole.evaluations.iloc[: len(run.evaluations)])


def test_a_longer_budget_begins_as_the_shorter_one_did():
    short, long = (search(toy(), budget=n, seed=2).evaluations for n in (50, 90))
    pd.testing.assert_frame_equal(short, long.iloc[:50])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budget": 0}, "at least 1"),
        ({"seed": -1}, "seed must be a whole number, at least 0; got -1"),
        ({"n_jobs": 0}, "number of jobs .* at least 1; got 0"),
        ({"algorithm": "nsgaII"}, "did you mean"),
        ({"algorithm": 3}, "pymoo Algorithm"),
        ({"algorithm": RandomSearch}, r"got the class RandomSearch: make one, RandomSearch\(\)"),
        ({"formulation": Single("accuracy")}, "Unknown metric"),
    ],
)
def test_wrong_input_is_said_before_anything_is_measured_or_written(change, words, tmp_path):
    meter = Fake()
    with pytest.raises(InputError, match=words):
        search(toy(meter=meter), **{"budget": 5, "out": tmp_path / "run", **change})
    assert meter.asked == []
    assert not (tmp_path / "run").exists()


def test_a_used_algorithm_is_refused(tmp_path):
    algorithm = RandomSearch()
    algorithm.setup(toy(), seed=0)
    with pytest.raises(InputError, match="used on a problem already"):
        search(toy(), algorithm=algorithm, budget=5)


def test_the_same_folder_takes_the_same_run_only(tmp_path):
    search(HaeNAS(), COSTS, budget=10, out=tmp_path)
    files = {path.name: path.read_bytes() for path in Path(tmp_path).iterdir()}
    for problem, asked, algorithm in (
        (HaeNAS(latency_size=64), COSTS, "nsga2"),
        (HaeNAS(), Pareto("params", "macs"), "nsga2"),
        (HaeNAS(), COSTS, "random"),
        (HaeNAS(), COSTS, NSGA2(pop_size=7)),
    ):
        with pytest.raises(OtherRunError, match="holds another run"):
            search(problem, asked, algorithm, budget=10, out=tmp_path)
    assert files == {path.name: path.read_bytes() for path in Path(tmp_path).iterdir()}


def test_searches_in_threads_of_one_process_do_not_disturb_each_other():
    expected = search(toy(), budget=40, seed=5).evaluations
    found: list[pd.DataFrame] = []
    threads = [
        threading.Thread(target=lambda: found.append(search(toy(), budget=40, seed=5).evaluations))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for table in found:
        pd.testing.assert_frame_equal(table, expected)
    assert len(found) == 3


@pytest.mark.parametrize("asked", ["pareto", TwoStage("params", ["macs"])], ids=["a name", "a plan"])
def test_what_is_no_formulation_is_refused(asked):
    with pytest.raises(InputError, match=r"one formulation.* plans for compare"):
        search(toy(), asked, budget=5)
