import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymoo.core.problem import Problem
from scipy import stats

from moo_nas import NASProblem, Single
from moo_nas.algorithms.operators import Mutation, places, priority, tournament, uniform_crossover
from moo_nas.algorithms.unseen import Unseen
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.spaces import Gene, StageSpace
from tests import strategies
from tests.spaces_for_tests import cube_space, tiny_space

seeds = st.integers(0, 2**32 - 1)


class Extreme(np.random.Generator):
    """A generator whose random numbers are all the largest below 1."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def random(self, size=None):
        return np.full(size if size is not None else (), np.nextafter(1.0, 0.0))


class Categories(StageSpace):
    """A space with one categorical gene of any number of choices, for mutation alone."""

    name = "categories"

    def __init__(self, n, kind="categorical"):
        self.genes = (Gene("only", tuple(range(n)), kind),)


def is_permutation(place, n):
    return sorted(place.tolist()) == list(range(n))


# --- mutation -------------------------------------------------------------------------------------


@given(strategies.spaces(), seeds, st.sampled_from([0.0, 0.3, 1.0]))
def test_a_child_is_in_bounds_and_differs_from_its_parent(space, seed, probability):
    genomes = space.sample(50, seed)
    before = genomes.copy()
    children = Mutation(space, probability)(genomes, np.random.default_rng(seed))
    assert (genomes == before).all()
    assert children.dtype == np.int64
    assert ((children >= 0) & (children < space.n_choices)).all()
    changed = (children != genomes).sum(axis=1)
    assert (changed >= 1).all()
    if probability == 0.0:
        assert (changed == 1).all()
    if probability == 1.0:
        assert (changed == space.n_var).all()


@pytest.mark.parametrize("kind", ["categorical", "ordinal"])
@pytest.mark.parametrize("n", range(2, 21))
def test_a_child_differs_whatever_number_is_drawn(n, kind):
    genomes = np.arange(n)[:, None]
    children = Mutation(Categories(n, kind), 1.0)(genomes, Extreme())
    assert (children != genomes).all()
    assert ((children >= 0) & (children < n)).all()


@pytest.mark.parametrize("current", [0, 1, 2, 3, 4])
def test_a_categorical_gene_is_redrawn_evenly_among_the_others(current):
    children = Mutation(Categories(5), 1.0)(np.full((20_000, 1), current), np.random.default_rng(0))
    counts = np.bincount(children[:, 0], minlength=5)
    assert counts[current] == 0
    assert stats.chisquare(np.delete(counts, current)).pvalue > 1e-4


@pytest.mark.parametrize("current", [0, 1, 2, 3, 4])
def test_an_ordinal_gene_steps_d_choices_with_probability_in_proportion_to_2_to_the_minus_d(current):
    children = Mutation(Categories(5, "ordinal"), 1.0)(
        np.full((20_000, 1), current), np.random.default_rng(0)
    )
    counts = np.bincount(children[:, 0], minlength=5)
    assert counts[current] == 0
    weight = np.delete(2.0 ** -np.abs(np.arange(5) - current), current)
    assert stats.chisquare(np.delete(counts, current), 20_000 * weight / weight.sum()).pvalue > 1e-4


@pytest.mark.parametrize("kind", ["categorical", "ordinal"])
@pytest.mark.parametrize("n", [2, 3, 7, 70])
def test_choices_are_the_first_whose_cumulative_probability_is_beyond_the_draw(n, kind):
    current = np.random.default_rng(1).integers(0, n, 300)
    children = Mutation(Categories(n, kind), 1.0)(current[:, None], np.random.default_rng(0))
    rng = np.random.default_rng(0)
    rng.random((300, 1)), rng.integers(0, 1, 300)  # which genes change
    distance = np.abs(np.arange(n) - current[:, None])
    weight = np.where(distance == 0, 0.0, 1.0 if kind == "categorical" else 2.0**-distance)
    cumulative = np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1)
    assert children[:, 0].tolist() == (rng.random(300)[:, None] < cumulative).argmax(axis=1).tolist()


@pytest.mark.parametrize("kind", ["categorical", "ordinal"])
def test_a_gene_of_many_choices_takes_no_more_memory_than_its_genomes(kind):
    space = Categories(6000, kind)
    genomes = space.sample(100, seed=0)
    tracemalloc.start()
    children = Mutation(space, 1.0)(genomes, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (children != genomes).all()
    assert peak < 1e6


def test_an_ordinal_gene_prefers_its_neighbours():
    space = StageSpace.haenas()
    genomes = space.sample(5000, seed=0)
    children = Mutation(space)(genomes, np.random.default_rng(0))
    step = np.abs(children - genomes)[:, ~space.categorical & (space.n_choices == 3)]
    from_end = step[(genomes[:, ~space.categorical & (space.n_choices == 3)] != 1) & (step > 0)]
    assert np.mean(from_end == 1) == pytest.approx(2 / 3, abs=0.02)


def test_each_gene_changes_with_its_probability_and_one_more_for_sure():
    space = StageSpace.haenas()
    genomes = space.sample(20_000, seed=0)
    changed = Mutation(space, 0.2)(genomes, np.random.default_rng(0)) != genomes
    expected = 1 - (1 - 0.2) * (1 - 1 / space.n_var)
    counts = changed.sum(axis=0)
    variance = 20_000 * expected * (1 - expected)
    assert stats.chi2.sf(((counts - 20_000 * expected) ** 2 / variance).sum(), space.n_var) > 1e-4


def test_a_probability_outside_0_to_1_is_refused(tiny):
    with pytest.raises(InputError, match=r"mutation probability must be a number in \[0, 1\]; got 1.5"):
        Mutation(tiny, 1.5)


# --- crossover and selection ----------------------------------------------------------------------


@given(seeds)
def test_a_child_has_each_gene_from_a_parent_and_half_from_each(seed):
    space = StageSpace.haenas()
    a, b = space.sample(2000, seed).reshape(2, 1000, -1)
    child = uniform_crossover(a, b, np.random.default_rng(seed))
    assert ((child == a) | (child == b)).all()
    differ = a != b
    assert np.mean(child[differ] == a[differ]) == pytest.approx(0.5, abs=0.03)


def test_the_best_drawn_wins_a_tournament():
    place = np.array([3, 0, 2, 1])
    rng = np.random.default_rng(0)
    assert set(tournament(place, 50, 200, rng)) == {1}
    # Of two drawn with replacement, the best wins unless both draws miss it.
    wins = np.bincount(tournament(place, 20_000, 2, rng), minlength=4)
    expected = np.array([1, 7, 3, 5]) / 16 * 20_000
    assert stats.chisquare(wins, expected).pvalue > 1e-4


def dominates(a, b):
    return (a <= b).all() and (a < b).any()


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12),
    st.data(),
)
def test_priority_is_that_of_brute_force(rows, data):
    f = np.array(rows, dtype=float)
    violation = np.array(
        data.draw(st.lists(st.sampled_from([0.0, 0.0, 1.5]), min_size=len(f), max_size=len(f)))
    )
    place = priority(f, violation, np.random.default_rng(0))
    assert is_permutation(place, len(f))
    # Only what is feasible is ranked: the others are placed by their violation.
    left, rank = {i for i in range(len(f)) if violation[i] == 0}, dict.fromkeys(range(len(f)), 0)
    level = 0
    while left:
        front = {i for i in left if not any(dominates(f[j], f[i]) for j in left)}
        rank.update(dict.fromkeys(front, level))
        left, level = left - front, level + 1
    for i in range(len(f)):
        for j in range(len(f)):
            if (violation[i], rank[i]) < (violation[j], rank[j]):
                assert place[i] < place[j]


def test_what_breaks_a_limit_does_not_push_back_what_it_dominates():
    f = np.array([[0.0, 1.0], [1.0, 0.0], [0.9, -1.0]])
    first = {int(np.argmin(priority(f, np.array([0, 0, 1.0]), np.random.default_rng(s)))) for s in range(40)}
    assert first == {0, 1}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), seeds)
def test_with_one_objective_priority_is_its_order_after_violation(values, seed):
    rng = np.random.default_rng(seed)
    f, violation = np.array(values, dtype=float)[:, None], rng.integers(0, 2, len(values)).astype(float)
    place = priority(f, violation, rng)
    order = np.argsort(place)
    keys = list(zip(violation[order], f[order, 0], strict=True))
    assert keys == sorted(keys)


def test_among_equals_of_rank_the_less_crowded_come_first():
    f = np.array([[0.0, 10.0], [4.9, 5.1], [5.0, 5.0], [5.1, 4.9], [10.0, 0.0]])
    place = priority(f, np.zeros(5), np.random.default_rng(0))
    assert set(np.argsort(place)[:2]) == {0, 4}
    assert place[2] == 4


def test_ties_are_broken_at_random():
    rng = np.random.default_rng(0)
    first = [int(np.argmin(places((np.zeros(4), np.ones(4)), rng))) for _ in range(4000)]
    assert stats.chisquare(np.bincount(first, minlength=4)).pvalue > 1e-4


# --- proposing nothing twice ----------------------------------------------------------------------


def unseen(space):
    return Unseen(NASProblem(Evaluator(space, [Analytic(16)]), Single("params")))


@given(st.lists(st.integers(0, 10), max_size=8), seeds)
def test_nothing_is_proposed_twice_and_a_space_is_proposed_to_its_end(sizes, seed):
    fresh, rng, seen = unseen(cube_space()), np.random.default_rng(seed), []
    for n in [*sizes, 27]:
        genomes = fresh.sample(n, rng)
        assert len(genomes) == min(n, 27 - len(seen))
        seen += [tuple(genome) for genome in genomes.tolist()]
    assert len(seen) == len(set(seen)) == 27
    assert fresh.sample(3, rng).shape == (0, 3)


def test_where_only_known_ones_are_proposed_random_ones_take_their_place():
    space = tiny_space()
    fresh, rng = unseen(space), np.random.default_rng(0)
    parent = space.genome_at(0)
    first = fresh.fresh(3, lambda n: np.repeat(parent[None], n, axis=0), rng)
    assert first[0].tolist() == parent.tolist()
    assert len(np.unique(first, axis=0)) == 3


def test_a_problem_without_a_space_is_refused_with_its_name():
    class Sphere(Problem):
        pass

    with pytest.raises(InputError, match="Sphere has none"):
        Unseen(Sphere(n_var=2, n_obj=1))
