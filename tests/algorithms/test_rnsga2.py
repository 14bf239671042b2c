"""The search near a wish."""

import numpy as np
import pytest

from moo_nas import Constrained, NASProblem, Pareto, Single, search
from moo_nas.algorithms import NSGA2, RNSGA2
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.testing import StandIn
from problems.additive import Additive
from tests.spaces_for_tests import wide_space

NAMES = ("error", "latency_ms", "params")


def toy(*objectives, limits=None):
    return NASProblem(
        Evaluator(wide_space(), [Analytic(16, 10), StandIn()]), Pareto(*objectives, limits=limits)
    )


def selected(algorithm, f, n, problem):
    """Which rows of feasible objectives survive."""
    algorithm.setup(problem, seed=0)
    algorithm.f, algorithm.violation = f, np.zeros(len(f))
    algorithm.rank = np.zeros(len(f))
    algorithm.random_state = np.random.default_rng(0)
    return algorithm._selected(np.arange(len(f)), n).tolist()


FRONT = np.column_stack([np.arange(11.0), np.arange(10.0, -1, -1)])


@pytest.mark.parametrize(("wish", "near"), [((0, 10), [0, 1, 2]), ((5, 5), [4, 5, 6]), ((10, 0), [8, 9, 10])])
def test_those_near_the_wish_survive(wish, near):
    algorithm = RNSGA2(dict(zip(("params", "macs"), wish, strict=True)), pop_size=3)
    assert selected(algorithm, FRONT, 3, toy("params", "macs")) == near


def test_of_several_wishes_each_gets_its_share():
    wishes = [{"params": 0, "macs": 10}, {"params": 10, "macs": 0}]
    assert selected(RNSGA2(wishes, pop_size=4), FRONT, 4, toy("params", "macs")) == [0, 1, 9, 10]


def test_of_those_within_epsilon_of_each_other_one_is_preferred():
    # Neighbours are a tenth apart: those at five, then at three and seven, then beyond.
    wish = {"params": 5, "macs": 5}
    assert selected(RNSGA2(wish, epsilon=0.15, pop_size=3), FRONT, 3, toy("params", "macs")) == [3, 5, 7]
    assert selected(RNSGA2(wish, epsilon=0.0, pop_size=3), FRONT, 3, toy("params", "macs")) == [4, 5, 6]


def test_a_wish_for_what_is_maximised_is_in_its_own_sign():
    f = FRONT - [10, 0]  # scores of 10 to 0, turned
    algorithm = RNSGA2({"score": 10, "macs": 10}, pop_size=2)
    assert selected(algorithm, f, 2, toy("score", "macs")) == [0, 1]


def test_without_a_wish_it_looks_for_the_compromise():
    bent = np.array([[0.0, 10], [1, 2], [3, 1.5], [10, 0]])
    assert selected(RNSGA2(pop_size=2), bent, 2, toy("params", "macs")) == [1, 2]


def test_near_the_wish_it_finds_more_than_nsga2_on_149_thousand_million_networks():
    problem = Additive(Pareto(*NAMES))
    front = problem.exact_objectives()
    wish = front[np.argsort(front[:, 1])][len(front) // 2]
    width = np.ptp(front, axis=0)

    def short(algorithm, seed):
        """How far what was found is from the wish, which is attainable."""
        f = search(problem, algorithm=algorithm, budget=250, seed=seed).objectives
        return ((f - wish) / width).max(axis=1).min()

    asked = dict(zip(NAMES, map(float, wish), strict=True))
    near = np.mean([short(RNSGA2(asked), seed) for seed in range(4)])
    far = np.mean([short(NSGA2(), seed) for seed in range(4)])
    assert 0 <= near < 0.7 * far


def test_limits_and_failures_come_first():
    evaluator = Evaluator(wide_space(), [Analytic(16, 10), StandIn(failing=0.2)])
    asked = Pareto("score", "macs", limits={"params": 6000.0})
    run = search(NASProblem(evaluator, asked), algorithm=RNSGA2("score=1,macs=1e6"), budget=60)
    assert len(run.front)
    assert (run.front["params"] <= 6000).all()
    assert (run.front["status"] == "ok").all()


def test_the_same_wish_as_text_is_the_same_run():
    problem = toy("score", "macs")
    by_text = search(problem, algorithm=RNSGA2("score=0.9, macs=2e5"), budget=40, seed=3)
    by_name = search(problem, algorithm=RNSGA2({"score": 0.9, "macs": 2e5}), budget=40, seed=3)
    assert by_text.evaluations.equals(by_name.evaluations)
    assert by_text.record["algorithm"] == by_name.record["algorithm"]
    assert by_text.record["algorithm"]["wishes"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RNSGA2("score"), "such as 'val_error=6,latency_ms=5'; got 'score'"),
        (lambda: RNSGA2("score=1,score=2"), "such as"),
        (lambda: RNSGA2("score=nan,macs=2"), "such as"),
        (lambda: RNSGA2(epsilon=-1), "epsilon must be a number, at least 0; got -1"),
        (lambda: RNSGA2(epsilon="a"), "epsilon must be a number, at least 0; got 'a'"),
        (lambda: RNSGA2(5), "a value of each objective, or several such; got 5"),
        (lambda: RNSGA2(["score=1"]), "or several such; got"),
    ],
)
def test_what_is_no_wish_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


@pytest.mark.parametrize(
    ("formulation", "wish", "words"),
    [
        (Pareto("score", "macs"), {"score": 1.0}, "value of each objective, score, macs; got score"),
        (Pareto("score", "macs"), {"score": 1.0, "macs": 1, "params": 1}, "got score, macs, params"),
        (Constrained("score", {"params": 6000.0}), {"score": 1.0, "params": 1}, "each objective"),
        (Single("score"), {"macs": 1.0}, "score; got macs"),
    ],
)
def test_a_wish_that_does_not_fit_is_refused_before_anything_is_measured(formulation, wish, words, tmp_path):
    problem = toy("score", "macs").under(formulation)
    with pytest.raises(InputError, match=words):
        search(problem, algorithm=RNSGA2(wish), budget=10, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
