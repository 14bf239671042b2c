"""What defines a run is all that its result depends on; what was measured is shared, and with no one else."""

import threading

import numpy as np
import pytest
from pymoo.algorithms.moo.moead import MOEAD
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.operators.crossover.sbx import SBX
from pymoo.util.ref_dirs import get_reference_directions

from moo_nas import NASProblem, Pareto, Single, compare, search
from moo_nas.errors import InputError, OtherRunError, StoreError
from moo_nas.evaluation import Evaluator, Store
from moo_nas.meters import Analytic, Metric, MlpLatency, ZMean
from moo_nas.study.folder import Folder
from problems.haenas import HaeNAS
from tests.fakes import Fake, Guilty
from tests.spaces_for_tests import tiny_space, wide_space


def toy(*sources, formulation=None, space=None, **options) -> NASProblem:
    evaluator = Evaluator(space or wide_space(), sources or [Analytic(16, 10), Fake()], **options)
    return NASProblem(evaluator, formulation or Pareto("score", "params"))


@pytest.mark.parametrize(
    "other",
    [
        toy(Analytic(16, 10), Fake(salt="other")),
        toy(Analytic(32, 10), Fake()),
        toy(n_reference=77),
        toy(seed=1),
        toy(space=tiny_space()),
        NASProblem(toy().evaluator, Pareto("score", "params"), failures="penalty"),
    ],
    ids=["meter", "formula", "reference sample", "seed", "space", "failures"],
)
def test_a_folder_refuses_a_run_that_differs_in_anything_it_depends_on(other, tmp_path):
    search(toy(), algorithm="random", budget=4, out=tmp_path)
    with pytest.raises(OtherRunError, match="holds another run"):
        search(other, algorithm="random", budget=4, out=tmp_path)


def test_a_folder_refuses_a_score_of_other_terms(tmp_path):
    def scored(*terms: str) -> NASProblem:
        return toy(Analytic(16, 10), ZMean(terms), formulation=Pareto("score", "macs"))

    search(scored("params"), algorithm="random", budget=4, out=tmp_path)
    with pytest.raises(OtherRunError, match="zmean"):
        search(scored("-params"), algorithm="random", budget=4, out=tmp_path)


def test_a_folder_refuses_an_algorithm_of_other_operators(tmp_path):
    search(toy(), Single("score"), GA(4, crossover=SBX(eta=3)), budget=4, out=tmp_path)
    search(toy(), Single("score"), GA(4, crossover=SBX(eta=3)), budget=4, out=tmp_path)
    with pytest.raises(OtherRunError, match="algorithm"):
        search(toy(), Single("score"), GA(4, crossover=SBX(eta=30)), budget=4, out=tmp_path)


def test_searches_on_one_problem_measure_each_network_once():
    meter = Fake()
    problem = toy(Analytic(16, 10), meter)
    for algorithm in ("random", "nsga2", "random"):
        search(problem, algorithm=algorithm, budget=20)
    assert len(meter.asked) == len(set(meter.asked))


def test_problems_that_share_a_store_do_not_share_what_is_not_the_same():
    store = Store()

    def score(salt: str, kept: Store | None) -> np.ndarray:
        meters = [Analytic(16, 10), Fake("snip", salt), ZMean(("snip",))]
        evaluator = Evaluator(wide_space(), meters, store=kept, n_reference=20)
        return evaluator.evaluate(evaluator.space.sample(4, 0), ["score"])["score"]

    for salt in ("a", "b"):
        np.testing.assert_array_equal(score(salt, store), score(salt, None))


def test_predictors_of_two_spaces_in_one_store_are_each_their_own():
    class Formula(Fake):
        """A stop-watch that always shows the same."""

        metrics_ = (Metric("latency_ms", "ms", "min"), Metric("spread_ms", "ms", "min"))

        def measure(self, architectures, seeds):
            ms = np.array([[len(str(a)), 0.1] for a in architectures], dtype=float)
            return ms + [[hash_of(a), 0] for a in architectures]

    def hash_of(architecture) -> float:
        return sum(stage.depth * stage.channels for stage in architecture.stages)

    store = Store()
    for space in (tiny_space(), wide_space()):
        meter = MlpLatency(Formula("timer"), 30)
        shared = Evaluator(space, [meter], store=store).evaluate(space.sample(5, 1), ["latency_ms"])
        alone = Evaluator(space, [meter]).evaluate(space.sample(5, 1), ["latency_ms"])
        np.testing.assert_array_equal(shared["latency_ms"], alone["latency_ms"])


def test_a_metric_that_only_the_judge_reads_fails_no_row_of_a_run():
    def judged() -> NASProblem:
        flaky = Guilty("raise", share=0.7)
        flaky.metrics = (Metric("flaky", "1", "max"),)
        return toy(Analytic(16, 10), Fake(), flaky, formulation=Pareto("flaky", "params"))

    comparison = compare(judged(), {"s": Single("score")}, ["random"], seeds=1, budget=30)
    run = comparison.runs["s-random", 0]
    assert not run.table.failed.any()
    alone = search(judged(), Single("score"), "random", budget=30)
    assert run.front["score"].tolist() == alone.front["score"].tolist()
    assert 0 < len(comparison.fronts) < 30


def test_an_algorithm_that_asks_for_one_at_a_time_is_searched_with():
    directions = get_reference_directions("uniform", 2, n_partitions=9)
    problem = NASProblem(toy().evaluator, Pareto("score", "params"), failures="penalty")
    run = search(problem, algorithm=MOEAD(directions), budget=30)
    assert len(run.evaluations) == 30
    assert run.stop_reason == "budget"
    with pytest.raises(InputError, match="failures='penalty'"):
        search(toy(), algorithm=MOEAD(directions), budget=30)


def test_names_that_would_leave_the_folder_or_collide_are_refused(tmp_path):
    for name in ("../escaped", "a/b", "", ".", "a b"):
        with pytest.raises(InputError, match="Names in a comparison"):
            compare(toy(), {name: Single("score")}, ["random"], 1, 4, out=tmp_path / "in")
    asked = {"a-b": Single("score"), "a": Single("params")}
    with pytest.raises(InputError, match="'a-b-c'"):
        compare(toy(), asked, {"c": "random", "b-c": "random"}, 1, 4)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_of_somebody_else_s_is_not_written_over(tmp_path):
    (tmp_path / "comparison.png").write_bytes(b"mine")
    with pytest.raises(StoreError, match=r"comparison\.png"):
        compare(toy(), [Single("score")], ["random"], 1, 4, out=tmp_path)
    assert (tmp_path / "comparison.png").read_bytes() == b"mine"


def test_a_file_that_cannot_be_written_is_said_so(tmp_path):
    folder = Folder(tmp_path, {})
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StoreError, match="could not be written"):
        folder.write("runs/a/front.csv", "text")
    folder.close()


def test_a_finished_run_called_again_keeps_its_record_throughout(tmp_path):
    search(toy(), algorithm="random", budget=6, out=tmp_path)
    before, seen = (tmp_path / "run.json").read_bytes(), []
    search(
        toy(),
        algorithm="random",
        budget=6,
        out=tmp_path,
        progress=lambda _: seen.append((tmp_path / "run.json").read_bytes()),
    )
    assert set(seen) == {before}
    assert (tmp_path / "run.json").read_bytes() == before


def test_a_problem_made_in_one_thread_is_evaluated_in_another():
    problem, found = toy(), []
    thread = threading.Thread(target=lambda: found.append(problem.evaluations(problem.space.sample(3, 0))))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(found[0].values, toy().evaluations(problem.space.sample(3, 0)).values)


def test_haenas_of_other_images_in_one_store_is_scored_as_in_its_own():
    store = Store()

    def score(size: int, kept: Store | None) -> np.ndarray:
        problem = HaeNAS(image_size=size, batch_size=8, n_reference=6, store=kept)
        return problem.evaluator.evaluate(problem.space.sample(2, 0), ["score"])["score"]

    for size in (8, 16):
        np.testing.assert_array_equal(score(size, store), score(size, None))
