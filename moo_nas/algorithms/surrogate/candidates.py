"""What a surrogate chooses from: all that can be measured, or the surroundings of good networks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from moo_nas.algorithms.operators import Mutation, priority, uniform_crossover
from moo_nas.algorithms.surrogate.features import Features
from moo_nas.algorithms.surrogate.known import Known
from moo_nas.algorithms.unseen import Unseen
from moo_nas.arrays import BoolArray, FloatArray, IntArray
from moo_nas.problem import NASProblem

ENUMERATED = 20_000  # genomes of a space, or pool, that are all looked at
_POPULATION = 1000  # random ones that features are standardised on
_RANDOM, _CHILDREN, _ROUNDS, _PARENTS = 400, 400, 4, 100
_NEAR_TO, _NEAREST = 10, 40  # members of a large pool

# Returns what is expected of candidates: objectives (n, n_obj) and summed violation (n,).
Expect = Callable[["Candidates"], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Candidates:
    """Genomes and what is known of them without an evaluation.

    Args:
        genomes: Canonical, ``(n, n_var)``.
        features: ``(n, d)``.
        known: Objectives, and what is limited as a share of its limit, ``(n, n_columns)``; NaN where
            it is not known.
    """

    genomes: IntArray
    features: FloatArray
    known: FloatArray

    def __len__(self) -> int:
        return len(self.genomes)

    def rows(self, index: IntArray) -> "Candidates":
        """Return some of them."""
        return Candidates(self.genomes[index], self.features[index], self.known[index])


class Source:
    """Makes candidates: enumerates what is small enough, and searches on what is expected otherwise.

    Of a larger space these are random genomes and what comes of four rounds of mutation and crossover of
    those observed, selected by non-dominated rank and crowding of what is expected; of a large pool,
    its members nearest to these.

    Args:
        problem: Whose genomes.
        unseen: What was proposed before.
        rng: What draws a population to standardise features on.
        metrics: Those known in advance that are looked at.

    Attributes:
        groups: The columns of each group of features.
        n_metrics: How many of these, the last ones, are of metrics known in advance.
        known: Which objectives and constraints are known in advance, ``(n_columns,)``.
    """

    def __init__(
        self, problem: NASProblem, unseen: Unseen, rng: np.random.Generator, metrics: tuple[str, ...]
    ) -> None:
        self._unseen = unseen
        self._space = problem.space
        self._known = Known(problem, metrics)
        self._mutation = Mutation(problem.space)
        pool = problem.evaluator.pool
        self._pool = None if pool is None else np.unique(problem.space.canonical(pool), axis=0)
        members = self._members()
        population = self._random(_POPULATION, rng) if members is None else members
        free = self._known.free(population)
        self._features = Features(problem.space, population, free)
        self.groups, self.n_metrics = self._features.groups, self._features.n_metrics
        known = self._known.columns(population, free)
        self.known: BoolArray = np.asarray(np.isfinite(known).any(axis=0))
        self._all = (
            None
            if members is None
            else self._measurable(Candidates(members, self._features(members, free), known))
        )

    @property
    def enumerates(self) -> bool:
        """Are all genomes looked at?"""
        return self._all is not None

    def of(self, genomes: IntArray) -> Candidates:
        """Return genomes with all that is known of them."""
        free = self._known.free(genomes)
        return Candidates(genomes, self._features(genomes, free), self._known.columns(genomes, free))

    def fresh(self, observed: Candidates, expect: Expect, rng: np.random.Generator) -> Candidates:
        """Return candidates that were not proposed before; none where there are no more.

        Args:
            observed: What was evaluated.
            expect: What is expected of candidates.
            rng: What varies them.
        """
        if self._all is not None:
            return self._all.rows(np.flatnonzero(self._unseen.new(self._all.genomes)))
        made = [self.of(self._random(_RANDOM, rng))]
        parents = together([observed, made[0]])
        for _ in range(_ROUNDS):
            parents = self._measurable(parents)
            if len(parents) == 0:
                break
            place = priority(*expect(parents), rng)
            parents = parents.rows(np.flatnonzero(place < _PARENTS))
            children = self.of(self._vary(parents.genomes, rng))
            made.append(children)
            parents = together([parents, children])
        found = together(made)
        _, first = np.unique(found.genomes, axis=0, return_index=True)
        found = self._measurable(found.rows(np.sort(first)))
        return found.rows(np.flatnonzero(self._unseen.new(found.genomes)))

    def around(self, genomes: IntArray, rng: np.random.Generator) -> Candidates:
        """Return candidates next to some genomes: a gene away, or of a pool the nearest members."""
        parents = genomes[rng.integers(0, len(genomes), size=_CHILDREN)]
        near = self._mutation(parents, rng) if self._pool is None else _nearest(self._pool, genomes, rng)
        near = np.unique(self._space.canonical(near), axis=0)
        return self._measurable(self.of(near[self._unseen.new(near)]))

    def _measurable(self, candidates: Candidates) -> Candidates:
        """Leave out what lacks a number that others have in advance: it can only fail."""
        return candidates.rows(np.flatnonzero(np.isfinite(candidates.known[:, self.known]).all(axis=1)))

    def _members(self) -> IntArray | None:
        """Return all genomes that can be measured, if they are few enough."""
        if self._pool is not None:
            return self._pool if len(self._pool) <= ENUMERATED else None
        if self._space.size <= ENUMERATED:
            axes = np.indices(tuple(self._space.n_choices)).reshape(self._space.n_var, -1)
            return np.unique(self._space.canonical(axes.T.astype(np.int64)), axis=0)
        if self._space.n_distinct <= ENUMERATED:
            return np.unique([self._space.distinct_at(i) for i in range(self._space.n_distinct)], axis=0)
        return None

    def _random(self, n: int, rng: np.random.Generator) -> IntArray:
        if self._pool is not None:
            return self._pool[rng.choice(len(self._pool), size=min(n, len(self._pool)), replace=False)]
        return np.unique(self._space.canonical(self._space.sample(n, rng)), axis=0)

    def _vary(self, parents: IntArray, rng: np.random.Generator) -> IntArray:
        if self._pool is not None:
            return _nearest(self._pool, parents, rng)
        first, second = rng.integers(0, len(parents), size=(2, _CHILDREN))
        mated = rng.random((_CHILDREN, 1)) < 0.5
        children = np.where(mated, uniform_crossover(parents[first], parents[second], rng), parents[first])
        return np.unique(self._space.canonical(self._mutation(children, rng)), axis=0)


def _nearest(pool: IntArray, parents: IntArray, rng: np.random.Generator) -> IntArray:
    """Return the members of a pool that differ from a few of the parents in the fewest genes."""
    n = min(_NEAREST, len(pool))
    found: list[IntArray] = []
    # One row a gene, in the smallest type: a distance to all members is one pass over bytes.
    columns = np.ascontiguousarray(pool.T.astype(np.min_scalar_type(int(pool.max(initial=0)))))
    for parent in rng.permutation(parents)[:_NEAR_TO]:
        differ = columns != parent[:, None].astype(columns.dtype)
        # The random part breaks ties.
        apart = differ.sum(axis=0, dtype=np.int32) + rng.random(len(pool))
        found.append(np.argpartition(apart, n - 1)[:n])
    return pool[np.unique(np.concatenate(found))]


def together(parts: list[Candidates]) -> Candidates:
    """Return all of these, in order."""
    return Candidates(
        np.concatenate([part.genomes for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.known for part in parts]),
    )
