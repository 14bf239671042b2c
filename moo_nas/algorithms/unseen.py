"""Nothing is proposed twice, and nothing that cannot be measured."""

from collections.abc import Callable

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population
from pymoo.core.problem import Problem

from moo_nas.arrays import BoolArray, IntArray
from moo_nas.errors import InputError
from moo_nas.spaces import SearchSpace

_TRIES = 20


class Unseen:
    """Proposes no network twice, while there are others left.

    Where only some of the space can be measured (``problem.evaluator.pool``), it proposes these
    alone: in place of a genome outside of the pool, the member of the pool not yet proposed that
    differs from it in the fewest genes, ties at random.

    Args:
        problem: A problem on a search space.
        warm_start: Canonical genomes ``(n, n_var)`` to propose before all others, in order.

    Raises:
        InputError: The problem has no ``space``.
    """

    def __init__(self, problem: Problem, warm_start: IntArray | None = None) -> None:
        space = getattr(problem, "space", None)
        if not isinstance(space, SearchSpace):
            raise InputError(
                f"This algorithm varies genomes of a search space; {type(problem).__name__} has none. Make "
                "the problem a NASProblem."
            )
        self.space = space
        self.warm_start = np.empty((0, space.n_var), dtype=np.int64) if warm_start is None else warm_start
        self._seen: set[bytes] = set()
        members = getattr(getattr(problem, "evaluator", None), "pool", None)
        self._pool = None if members is None else _Pool(np.unique(space.canonical(members), axis=0))

    def first(self, n: int, rng: np.random.Generator, n_even: int = 0) -> IntArray:
        """Return the warm start, and where it has fewer than ``n`` genomes others after it.

        Args:
            n: How many genomes in all, at least.
            rng: What draws the random ones.
            n_even: How many of the others, at most, are spread evenly (:func:`evenly`) and come first.
        """
        found: list[IntArray] = []
        self._keep(self.warm_start, found, rng)
        n_even = min(n_even, n - len(found))
        if n_even > 0:
            self._keep(self.space.canonical(evenly(self.space, n_even)), found, rng)
        return np.concatenate([self._matrix(found), self.sample(max(n - len(found), 0), rng)])

    def sample(self, n: int, rng: np.random.Generator) -> IntArray:
        """Return up to ``n`` random genomes not proposed before; fewer once there are no others."""
        return self.fresh(n, lambda k: np.empty((0, self.space.n_var), dtype=np.int64), rng, tries=1)

    def fresh(
        self, n: int, propose: Callable[[int], IntArray], rng: np.random.Generator, tries: int = _TRIES
    ) -> IntArray:
        """Return up to ``n`` canonical genomes not proposed before, as ``propose`` makes them.

        Where it makes known ones only, random ones take their place; where even these are known,
        the space is walked through.
        """
        found: list[IntArray] = []
        for _ in range(tries):
            if len(found) == n:
                break
            self._keep(self.space.canonical(propose(n - len(found))), found, rng)
        if len(found) < n and self._pool is not None:
            self._keep(self._pool.sample(n - len(found), rng), found, rng)
        elif len(found) < n:
            self._draw(n, found, rng)
        return self._matrix(found)

    def __len__(self) -> int:
        """Return how many were proposed."""
        return len(self._seen)

    def worth(self, genome: IntArray) -> bool:
        """Would a canonical genome ``(n_var,)`` be proposed, or another in place of it?"""
        return genome.tobytes() not in self._seen

    def new(self, genomes: IntArray) -> BoolArray:
        """Return which canonical genomes ``(n, n_var)`` can be measured and were not proposed, ``(n,)``."""
        members = None if self._pool is None else self._pool.index
        keys = [genome.tobytes() for genome in genomes]
        return np.array([key not in self._seen and (members is None or key in members) for key in keys], bool)

    def _draw(self, n: int, found: list[IntArray], rng: np.random.Generator) -> None:
        for _ in range(_TRIES):
            if len(found) == n:
                return
            self._keep(self.space.canonical(self.space.sample(n - len(found), rng)), found, rng)
        total = self.space.n_distinct
        if len(self._seen) < total:
            start = int(rng.integers(0, min(total, 2**62)))
            for offset in range(total):
                if len(found) == n or len(self._seen) == total:
                    return
                self._keep(self.space.distinct_at((start + offset) % total)[None], found, rng)

    def _keep(self, genomes: IntArray, found: list[IntArray], rng: np.random.Generator) -> None:
        """Add to what was found the genomes that are new, or what stands in for those outside of the pool."""
        for genome in genomes:
            if self._pool is not None:
                if not self._pool.n_left:
                    return
                genome = self._pool.nearest(genome, rng)
            key = genome.tobytes()
            if key not in self._seen:
                self._seen.add(key)
                found.append(genome)
                if self._pool is not None:
                    self._pool.take(key)

    def _matrix(self, genomes: list[IntArray]) -> IntArray:
        return np.array(genomes, dtype=np.int64).reshape(-1, self.space.n_var)


def evenly(space: SearchSpace, n: int) -> IntArray:
    """Return ``n`` genomes whose genes are all equally far from their first choice to their last.

    Example:
        >>> from moo_nas.spaces import CellSpace
        >>> evenly(CellSpace.nasbench201(), 3).tolist()
        [[0, 0, 0, 0, 0, 0], [2, 2, 2, 2, 2, 2], [4, 4, 4, 4, 4, 4]]
    """
    share = np.linspace(0.0, 1.0, n)[:, None]
    return np.rint(share * (space.n_choices - 1)).astype(np.int64)


class _Pool:
    """The genomes that can be measured ``(n, n_var)``, distinct, and which of them are left to propose."""

    def __init__(self, genomes: IntArray) -> None:
        self._genomes = np.ascontiguousarray(genomes)
        self.index = {genome.tobytes(): row for row, genome in enumerate(self._genomes)}
        self._free = np.ones(len(genomes), dtype=bool)
        self.n_left = len(genomes)
        # One row a gene, in the smallest type: a distance to all members is one pass over bytes.
        self._columns = np.ascontiguousarray(
            genomes.T.astype(np.min_scalar_type(int(genomes.max(initial=0))))
        )
        self._far = np.min_scalar_type(genomes.shape[1] + 1)

    def take(self, key: bytes) -> None:
        """Note that a member is proposed."""
        row = self.index[key]
        self.n_left -= int(self._free[row])
        self._free[row] = False

    def sample(self, n: int, rng: np.random.Generator) -> IntArray:
        """Return up to ``n`` random members that are left."""
        left = np.flatnonzero(self._free)
        drawn: IntArray = self._genomes[rng.choice(left, size=min(n, len(left)), replace=False)]
        return drawn

    def nearest(self, genome: IntArray, rng: np.random.Generator) -> IntArray:
        """Return a genome itself if it is a member, or else the nearest member that is left."""
        if genome.tobytes() in self.index:
            return genome
        differ = self._columns != genome[:, None].astype(self._columns.dtype)
        distance = differ.sum(axis=0, dtype=self._far)
        distance[~self._free] = np.iinfo(self._far).max
        nearest: IntArray = self._genomes[rng.choice(np.flatnonzero(distance == distance.min()))]
        return nearest


def next_step(algorithm: Algorithm, genomes: IntArray) -> Population | None:
    """Return the genomes of an algorithm's next step as a population; where there are none, end its run."""
    infills = population(genomes)
    if infills is None:
        algorithm.termination.force_termination = True
    return infills


def population(genomes: IntArray) -> Population | None:
    """Return genomes as a pymoo population; None where there are none, which ends a run as exhausted."""
    return Population.new("X", genomes) if len(genomes) else None
