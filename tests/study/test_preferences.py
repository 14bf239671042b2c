"""One of a front, and the front of other formulations."""

import numpy as np
import pytest

from moo_nas import Constrained, NASProblem, Pareto, Single, compare, search
from moo_nas.analysis.reach import knee
from moo_nas.errors import FormulationError, InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.study import fronts
from problems.additive import Additive
from tests.fakes import Fake, Guilty
from tests.spaces_for_tests import tiny_space, wide_space

SCORE = Pareto("score", "params")
EVERY = Pareto("score", "params", "peak_activation_bytes")


def toy(formulation=EVERY, meter=None, space=None):
    meters = [Analytic(16, 10), meter or Fake()]
    return NASProblem(Evaluator(space or wide_space(), meters, n_reference=30), formulation)


def nondominated_texts(frame, *columns):
    f = frame[list(columns)].to_numpy() * [-1 if name == "score" else 1 for name in columns]
    best = [not ((f <= row).all(axis=1) & (f < row).any(axis=1)).any() for row in f]
    return set(frame["architecture"][best])


def test_the_knee_of_a_run_is_that_of_its_front():
    run = search(toy(), SCORE, budget=150)
    found = run.knee()
    assert found is not None
    place = knee(run.objectives[run.front_rows])
    assert found["architecture"] == run.front["architecture"].iloc[place]
    assert found.name in run.front.index


def test_where_nothing_bends_there_is_no_knee():
    assert search(toy(), SCORE, budget=1).knee() is None
    run = search(toy(), Pareto("score", "params", limits={"params": 1.0}), budget=9)
    assert run.knee() is None


def test_one_objective_has_no_knee_and_it_is_said_what_to_ask():
    with pytest.raises(InputError, match=r"'single' makes one. Ask run\.under\(Pareto"):
        search(toy(), Single("score"), budget=5).knee()


def test_nearest_is_the_least_short_of_the_wish_in_widths_of_the_front():
    run = search(toy(), SCORE, budget=150)
    front = run.front
    wish = {"score": 0.8, "params": 9000.0}
    short = np.maximum(
        (wish["score"] - front["score"]) / np.ptp(front["score"]),
        (front["params"] - wish["params"]) / np.ptp(front["params"]),
    )
    assert run.nearest(wish)["architecture"] == front["architecture"].loc[short.idxmin()]
    for _, row in front.iterrows():  # what is on the front is nearest to itself
        assert run.nearest({"score": row["score"], "params": row["params"]}).name == row.name


def test_an_empty_front_has_nothing_near():
    run = search(toy(), Pareto("score", "params", limits={"params": 1.0}), budget=9)
    assert run.nearest({"score": 1.0, "params": 1.0}) is None


@pytest.mark.parametrize(
    ("formulation", "wish", "words"),
    [
        (SCORE, {"score": 1.0}, "value of each objective, score, params; got score"),
        (SCORE, {"score": float("nan"), "params": 1.0}, "'score' must be a finite number"),
        (SCORE, {"score": "much", "params": 1.0}, "must be a number; got 'much'"),
        (Constrained("score", {"params": 9000.0}), {"params": 1.0}, "each objective"),
    ],
)
def test_a_wish_that_is_none_is_refused(formulation, wish, words):
    with pytest.raises(InputError, match=words):
        search(toy(), formulation, budget=5).nearest(wish)


def test_under_another_formulation_a_run_has_the_front_of_the_same_evaluations():
    run = search(toy(), budget=120)
    for names in (("score", "params"), ("score", "peak_activation_bytes")):
        judged = run.under(Pareto(*names))
        assert set(judged.front["architecture"]) == nondominated_texts(run.evaluations, *names)
        assert len(judged.evaluations) == 120
    limited = run.under(Constrained("score", {"params": 9000.0}))
    best = run.evaluations[run.evaluations["params"] <= 9000]["score"].max()
    assert limited.front["score"].tolist() == [best]
    assert limited.stop_reason == run.stop_reason
    assert limited.record["formulation"]["limits"] == {"params": 9000.0}


def test_what_failed_fails_under_what_reads_it_alone():
    run = search(toy(meter=Guilty("raise", 0.4)), budget=60)
    assert run.table.failed.sum() > 5
    assert run.under(SCORE).table.reasons == run.table.reasons
    costs = run.under(Pareto("params", "peak_activation_bytes"))
    assert not costs.table.failed.any()
    assert set(costs.front["architecture"]) == nondominated_texts(
        run.evaluations, "params", "peak_activation_bytes"
    )


def test_what_was_not_measured_or_is_left_open_is_refused():
    run = search(toy(), Pareto("params", "macs"), budget=5)
    with pytest.raises(InputError, match="Unknown metric 'score'"):
        run.under(SCORE)
    with pytest.raises(FormulationError, match="fit it first"):
        run.under(Constrained("macs", {"params": None}))


def test_runs_of_a_comparison_make_one_front_each_of_all_that_any_of_them_evaluated():
    asked = {"params": SCORE, "memory": Pareto("score", "peak_activation_bytes")}
    comparison = compare(toy(), asked, seeds=2, budget=40, judge=EVERY)
    found = fronts(comparison.runs.values(), asked)
    texts = {text for run in comparison.runs.values() for text in run.evaluations["architecture"]}
    for name, formulation in asked.items():
        assert set(found[name].evaluations["architecture"]) == texts
        assert found[name].evaluations["architecture"].is_unique
        best = nondominated_texts(found[name].evaluations, *formulation.metrics)
        assert set(found[name].front["architecture"]) == best
    alone = fronts(next(iter(comparison.runs.values())), asked)
    assert len(alone["params"].evaluations) == 40


def test_fronts_of_nothing_or_of_other_problems_are_refused():
    runs = [search(toy(space=space), budget=5) for space in (wide_space(), tiny_space())]
    with pytest.raises(InputError, match="at least one run"):
        fronts([], {"a": SCORE})
    with pytest.raises(InputError, match=r"different problems.*space"):
        fronts(runs, {"a": SCORE})
    one, other = (search(Additive(seed=seed), budget=5) for seed in (0, 1))
    with pytest.raises(InputError, match=r"different problems.*problem.seed is 0 there, 1 here"):
        fronts([one, other], {"a": Pareto("error", "latency_ms")})
    with pytest.raises(InputError, match="Unknown metric 'latency_ms'"):
        fronts(runs[0], {"a": Pareto("score", "latency_ms")})
    for wrong in ("pareto", [SCORE], {"a": "pareto"}, None):
        with pytest.raises(InputError, match=r"formulations by name, such as .*; got "):
            fronts(runs, wrong)
    for wrong in ("abc", 5, [runs[0], "abc"]):
        with pytest.raises(InputError, match=r"Fronts are of runs, such as .*; got "):
            fronts(wrong, {"a": SCORE})
