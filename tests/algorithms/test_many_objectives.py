"""What the many-objective algorithms keep, against their definitions."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from moo_nas import Constrained, NASProblem, Pareto, search
from moo_nas.algorithms import CTAEA, MOEAD, NSGA3, RVEA, SMSEMOA, LocalSearch
from moo_nas.algorithms.decomposition import angles, directions, scaled, tchebycheff
from moo_nas.analysis.indicators import hypervolume, nondominated
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.spaces import StageSpace
from moo_nas.testing.algorithms import StandIn
from tests.fakes import Fake
from tests.spaces_for_tests import wide_space

SEVERAL = Pareto("score", "params", "peak_activation_bytes")
LIMITED = Pareto("score", "params", limits={"peak_activation_bytes": 9000.0})


def toy(formulation):
    return NASProblem(Evaluator(wide_space(), [Analytic(16, 10), Fake()], n_reference=20), formulation)


def stepped(algorithm, formulation=SEVERAL, n_steps=20):
    """Yield an algorithm before it hears of each step's answers, and the answers."""
    algorithm.setup(toy(formulation), seed=0)
    for _ in range(n_steps):
        infills = algorithm.ask()
        algorithm.evaluator.eval(algorithm.problem, infills)
        yield infills
        algorithm.tell(infills=infills)


@pytest.mark.parametrize("n_obj", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("n", [2, 10, 16, 40])
def test_directions_are_nearly_as_many_as_asked_for_and_spread(n_obj, n):
    made = directions(n_obj, n)
    np.testing.assert_allclose(made.sum(axis=1), 1)
    assert (made >= 0).all()
    assert len(np.unique(made, axis=0)) == len(made)
    if n_obj == 2:
        assert len(made) == n
    if n_obj > 1:
        assert {tuple(row) for row in np.eye(n_obj)} <= {tuple(row) for row in made}


def test_a_front_is_scaled_to_0_and_1_and_what_does_not_vary_stays():
    f = np.array([[1.0, 20.0, 7.0], [3.0, 10.0, 7.0], [5.0, 40.0, 9.0]])
    assert scaled(f, f[:2]).tolist() == [[0, 1, 0], [1, 0, 0], [2, 3, 2]]
    assert scaled(f, f[:0]).tolist() == scaled(f, f).tolist()


def test_angles_and_tchebycheff_are_those_of_the_textbook():
    f = np.array([[1.0, 1.0], [0.0, 2.0], [0.0, 0.0]])
    found = angles(f, np.array([[1.0, 0.0], [0.5, 0.5]]))
    np.testing.assert_allclose(found[:2], np.radians([[45, 0], [90, 45]]), atol=1e-6)
    assert np.isfinite(found).all()
    assert tchebycheff(f, np.array([[0.5, 0.25]])).ravel().tolist() == [4, 8, 0]


@pytest.mark.parametrize("n_obj", [2, 3])
def test_sms_emoa_drops_what_adds_least_to_the_hypervolume(n_obj):
    algorithm = SMSEMOA(pop_size=9)
    algorithm.setup(toy(SEVERAL), seed=0)
    on_sphere = np.abs(np.random.default_rng(0).normal(size=(10, n_obj)))
    front = 1 - on_sphere / np.linalg.norm(on_sphere, axis=1)[:, None]
    # Units of no matter, and a second front that goes first.
    algorithm.f = np.concatenate([front, front[:3] + 1]) * 10.0 ** np.arange(n_obj)
    algorithm.rank = np.repeat([0.0, 1.0], [10, 3])
    kept = algorithm._selected(np.arange(13), 9)
    assert len(kept) == 9
    assert kept.max() < 10
    unit, reference = scaled(front, front), np.full(n_obj, 2.0)
    best = max(hypervolume(np.delete(unit, i, axis=0), reference) for i in range(10))
    assert hypervolume(unit[kept], reference) == pytest.approx(best)


@pytest.mark.parametrize("make", [NSGA3, SMSEMOA, MOEAD, CTAEA, RVEA], ids=lambda c: c.__name__)
def test_limits_are_kept_to_once_they_can_be(make):
    limit = float(np.quantile(toy(SEVERAL).evaluations(wide_space().sample(200, 0))["params"], 0.05))
    run = search(toy(SEVERAL), Pareto("score", "macs", limits={"params": limit}), make(), 200, seed=1)
    drawn = search(toy(SEVERAL), Pareto("score", "macs", limits={"params": limit}), "random", 200, seed=1)
    assert run.feasible.sum() > 2 * drawn.feasible.sum()


def test_moead_has_a_network_a_weight_and_replaces_only_by_better():
    algorithm = MOEAD(pop_size=10)
    for infills in stepped(algorithm, n_steps=30):
        if algorithm.is_initialized:
            before = (algorithm.f.copy(), algorithm.genomes.tolist())
            children = infills.get("X").tolist()
    weights = algorithm._weights
    assert len(algorithm.f) == len(weights)
    both = np.concatenate([before[0], infills.get("F")])
    front = both[nondominated(both)]
    was, now = (tchebycheff(scaled(f, front), weights).diagonal() for f in (before[0], algorithm.f))
    assert (now <= was + 1e-12).all()
    replaced = sum(a != b for a, b in zip(before[1], algorithm.genomes.tolist(), strict=True))
    assert replaced <= 2 * len(children)


def test_rvea_keeps_the_vectors_that_have_networks_apart():
    algorithm = RVEA(pop_size=15, horizon=50)
    for _ in stepped(algorithm, n_steps=40):
        pass
    assert len(algorithm.f) == 15
    assert algorithm.rank.min() == 0


def test_c_taea_keeps_infeasible_ones_for_diversity():
    algorithm = CTAEA(pop_size=12)
    # Small networks dominate, whatever their score.
    for _ in stepped(algorithm, Pareto("params", "macs", limits={"score": 0.7}), 60):
        pass
    convergence, diversity = algorithm._convergence, algorithm._diversity
    assert len(convergence) <= 12
    assert len(diversity) <= 12
    assert (algorithm.violation[convergence] == 0).all()
    assert (algorithm.violation[diversity] > 0).any()


def test_local_search_asks_for_networks_one_gene_from_the_front():
    problem = NASProblem(Evaluator(StageSpace.haenas(), [Analytic(16), StandIn()]), Pareto("score", "macs"))
    algorithm = LocalSearch(n_initial=10, batch_size=3)
    algorithm.setup(problem, seed=0)
    for _ in range(25):
        front = algorithm.pop.get("X") if algorithm.is_initialized else None
        infills = algorithm.ask()
        if front is not None:
            apart = (infills.get("X")[:, None] != front[None]).sum(axis=2)
            assert (apart.min(axis=1) == 1).all()
        algorithm.evaluator.eval(problem, infills)
        algorithm.tell(infills=infills)


def test_local_search_restarts_where_the_front_has_no_neighbours_left():
    run = search(toy(Pareto("params", "macs")), None, LocalSearch(), 10_000)
    assert run.stop_reason == "exhausted"


@pytest.mark.parametrize(
    "make",
    [
        lambda: MOEAD(n_neighbours=0),
        lambda: MOEAD(neighbour_probability=1.5),
        lambda: RVEA(horizon=0),
        lambda: LocalSearch(batch_size=0),
        lambda: SMSEMOA(pop_size=1),
        lambda: NSGA3(n_offsprings=0),
    ],
)
def test_impossible_parameters_are_refused_when_given(make):
    with pytest.raises(InputError, match="got"):
        make()


CODE = """
import hashlib
from tests.algorithms.test_many_objectives import LIMITED, fingerprint
print(fingerprint())
"""


def fingerprint():
    """A hash of constrained runs of several algorithms."""
    runs = [search(toy(LIMITED), None, make(), 60, seed=3) for make in (NSGA3, CTAEA, MOEAD, RVEA)]
    runs.append(search(toy(Constrained("score", {"params": None})), None, LocalSearch(), 60, seed=3))
    return hashlib.sha256(b"".join(run.table.genomes.tobytes() for run in runs)).hexdigest()


def test_the_same_seed_makes_the_same_constrained_run_in_another_process():
    other = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert other.stdout.split() == [fingerprint()]
