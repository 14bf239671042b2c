"""HAE's vote, and what aging evolution keeps."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_nas import Constrained, NASProblem, Pareto, Single, WeightedProduct, search
from moo_nas.algorithms import NSGA2, AgingEvolution, HardwareAwareAging, RandomSearch
from moo_nas.algorithms.hardware_aging import VOTERS
from moo_nas.algorithms.vote import fittest, vote
from moo_nas.errors import FormulationError, InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.spaces import StageSpace
from moo_nas.study.search import set_up
from moo_nas.testing import StandIn

NONE = np.zeros(4)


def problem(formulation, failing=0.0):
    evaluator = Evaluator(StageSpace.haenas(), [Analytic(32), StandIn(VOTERS, failing)], n_reference=50)
    return NASProblem(evaluator, formulation)


def steps(algorithm, asked, n):
    """Yield what is asked for in each step and the population after it."""
    ready = set_up(algorithm, asked, seed=0)
    for _ in range(n):
        infills = ready.ask()
        before = ready.pop
        ready.evaluator.eval(ready.problem, infills)
        ready.tell(infills=infills)
        yield infills, before, ready.pop


def genomes(population) -> list[tuple[int, ...]]:
    return [tuple(genome) for genome in population.get("X").tolist()]


def test_the_majority_wins_even_against_the_recorder():
    assert vote(np.array([2, 2, 0]), np.array([-9.0, 0, 0, -99.0]), NONE) == 2


def test_a_tie_goes_to_the_child_that_the_recorder_finds_fittest():
    assert vote(np.array([2, 0, 1]), np.array([-1.0, -3.0, -2.0, -99.0]), NONE) == 1


def test_a_tie_goes_to_less_violation_before_fitness():
    assert vote(np.array([0, 1]), np.array([-9.0, -1.0]), np.array([0.5, 0.0])) == 1
    assert fittest(np.array([-9.0, -1.0, -2.0]), np.array([0.5, 0.0, 0.0])) == 2


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=7),
    st.lists(st.integers(-3, 3), min_size=4, max_size=4),
)
def test_the_winner_is_that_of_counting_by_hand(ballots: Sequence[int], fitness: Sequence[int]):
    votes = [ballots.count(child) for child in range(4)]
    best = min((child for child in range(4) if votes[child] == max(votes)), key=lambda c: (fitness[c], c))
    assert vote(np.array(ballots), np.array(fitness, dtype=float), NONE) == best


@pytest.mark.parametrize(
    "formulation",
    [
        Single("jacob_cov"),
        Constrained("jacob_cov", {"params": None}),
        WeightedProduct.hard("jacob_cov", {"params": None}),
    ],
)
def test_only_the_child_that_the_voters_keep_joins_in_place_of_the_oldest(formulation):
    asked = problem(formulation)
    algorithm = HardwareAwareAging(
        pop_size=6, sample_size=3, n_children=5, voters=VOTERS, recorder="jacob_cov"
    )
    evaluator = asked.evaluator
    for number, (infills, before, after) in enumerate(steps(algorithm, asked, 15)):
        if number == 0:
            assert genomes(after) == genomes(infills)
            assert len(after) == 6
            continue
        assert len(infills) == 5
        table = evaluator.evaluate(infills.get("X"), VOTERS)
        ballots, recorded = [], None
        for voter in VOTERS:
            # Each voter by its own score and scale, the same limits or targets.
            stated = formulation.with_score(voter).resolve(["params"]).fit(evaluator.reference)
            f, g = stated.apply(table)
            order = sorted(range(5), key=lambda i: (np.maximum(g[i], 0).sum(), f[i, 0]))
            ballots.append(order[0])
            if voter == "jacob_cov":
                recorded = order
        votes = [ballots.count(i) for i in range(5)]
        kept = min((i for i in range(5) if votes[i] == max(votes)), key=recorded.index)
        assert genomes(after) == [*genomes(before)[1:], genomes(infills)[kept]]


def test_every_child_is_in_the_archive_with_its_voters_scores():
    algorithm = HardwareAwareAging(pop_size=5, n_children=3, voters=VOTERS, recorder="jacob_cov")
    run = search(problem(Single("snip")), None, algorithm, 26)
    assert len(run.evaluations) == 26
    assert set(VOTERS) <= set(run.evaluations.columns)
    assert run.evaluations[list(VOTERS)].notna().all().all()


def test_without_voters_the_formulations_own_fitness_decides():
    formulation = WeightedProduct.soft("grad_norm", {"params": None})
    alike = [
        HardwareAwareAging(pop_size=5),
        HardwareAwareAging(pop_size=5, voters=("grad_norm",), recorder="grad_norm"),
    ]
    one, other = (search(problem(formulation), None, algorithm, 40) for algorithm in alike)
    assert (one.table.genomes == other.table.genomes).all()
    paper = HardwareAwareAging(pop_size=5, voters=VOTERS, recorder="jacob_cov")
    assert (search(problem(formulation), None, paper, 40).table.genomes != one.table.genomes).any()


def test_a_child_mutates_one_parent():
    asked = problem(Single("snip"))
    for number, (infills, before, _) in enumerate(
        steps(HardwareAwareAging(pop_size=5, mutation_probability=0.0), asked, 10)
    ):
        if number:
            parents = before.get("X")
            distance = (infills.get("X")[:, None] != parents[None]).sum(axis=2)
            assert (distance == 1).all(axis=0).any(), "all children are one gene from the same parent"


def test_pareto_is_refused_with_the_reason():
    with pytest.raises(FormulationError, match=r"'pareto' makes no scalar fitness.*aging or nsga2"):
        search(problem(Pareto("snip", "params")), None, "hae", 10)


def test_it_goes_on_where_children_fail():
    run = search(problem(Single("jacob_cov"), failing=0.4), None, HardwareAwareAging(pop_size=6), 60)
    assert len(run.table) == 60
    assert run.table.failed.sum() > 10


def test_it_climbs_where_the_voters_agree():
    voters = ("params",)
    algorithm = HardwareAwareAging(pop_size=10, voters=voters, recorder=voters[0])
    run = search(problem(Single("params")), None, algorithm, 300)
    drawn, last = run.objectives[:10], run.objectives[-100:]  # the first ten are random
    assert np.median(last) < 0.6 * np.median(drawn)


# --- aging evolution ------------------------------------------------------------------------------


def test_the_oldest_die_not_the_worst():
    asked = problem(Single("snip"))
    for number, (infills, before, after) in enumerate(
        steps(AgingEvolution(pop_size=6, sample_size=2, batch_size=2), asked, 12)
    ):
        if number:
            assert genomes(after) == [*genomes(before)[2:], *genomes(infills)]


def test_aging_breeds_from_the_best_it_draws():
    asked = problem(Single("params"))
    algorithm = AgingEvolution(pop_size=8, sample_size=100, batch_size=1, mutation_probability=0.0)
    for number, (infills, before, _) in enumerate(steps(algorithm, asked, 20)):
        if number:
            best = before.get("X")[before.get("F")[:, 0].argmin()]
            assert (infills.get("X")[0] != best).sum() == 1


@pytest.mark.parametrize("algorithm", [NSGA2, AgingEvolution])
def test_evolution_finds_more_than_random_search(algorithm):
    asked = problem(Pareto("params", "peak_activation_bytes"))

    def smallest(solver):
        return np.median(
            [search(asked, None, solver(), 300, seed).objectives[:, 0].min() for seed in range(3)]
        )

    assert smallest(algorithm) < smallest(RandomSearch)


@pytest.mark.parametrize(
    "make",
    [
        lambda: HardwareAwareAging(pop_size=0),
        lambda: HardwareAwareAging(n_children=0),
        lambda: HardwareAwareAging(voters=()),
        lambda: AgingEvolution(sample_size=0),
        lambda: AgingEvolution(batch_size=-1),
        lambda: NSGA2(pop_size=1),
        lambda: NSGA2(n_offsprings=0),
        lambda: NSGA2(crossover_probability=2),
        lambda: RandomSearch(batch_size=0),
    ],
)
def test_impossible_parameters_are_refused_when_given(make):
    with pytest.raises(InputError):
        make()


def test_an_unknown_voter_is_named_with_the_closest():
    with pytest.raises(InputError, match="did you mean 'snip'"):
        search(problem(Single("snip")), None, HardwareAwareAging(voters=("snap",)), 5)


def test_voters_judge_by_the_same_targets_each_with_its_own_scale():
    asked = problem(WeightedProduct("jacob_cov", {"macs": None}))
    fitted = asked.fitted()
    for voter in VOTERS:
        voting = asked.fitted(fitted.with_score(voter))
        assert voting.targets == fitted.targets
        assert voting.scale is not None
        assert (voting.scale == fitted.scale) == (voter == "jacob_cov")
