"""R-NSGA-II on integer genomes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moo_nas.algorithms.decomposition import scaled
from moo_nas.algorithms.genetic import Elitist
from moo_nas.algorithms.operators import places
from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError, check_number
from moo_nas.formulations.base import wished

Wish = Mapping[str, float]


class RNSGA2(Elitist):
    r"""R-NSGA-II: NSGA-II that looks for the part of a front near a wish, or near each of several.

    Feasible networks survive by rank, then by preference in place of crowding: each wish ranks them by
    their distance, and a network counts as its best rank. Of those within ``epsilon`` of each other
    one is preferred, the others come after all that are apart, so the size of ``epsilon`` is how wide a
    part of the front is kept. Distances are Euclidean, of objectives scaled by the front so far and
    divided by :math:`\sqrt{n_{obj}}`. Parents win binary tournaments by the same.

    Args:
        wishes: A value of each objective in the metrics' own units, ``{"val_error": 6.0,
            "latency_ms": 5.0}``, or several such; as text ``val_error=6,latency_ms=5``, several separated
            by semicolons. They need not be attainable. By default the best of each objective found so
            far, which looks for the compromise.
        epsilon: Within what distance networks stand for each other: 0.01 is a hundredth of the front.
        pop_size: See :class:`~moo_nas.algorithms.genetic.Genetic`, as of the others.
        n_offsprings: How many children a step; by default a quarter of ``pop_size``, half of a large one.
        crossover_probability: Of a child to have two parents rather than one.
        mutation_probability: Of each gene to change beside the one that does for sure.
        n_even: How many of the first networks are spread evenly; by default ``pop_size`` / 4, at most 5.

    Raises:
        InputError: A text that is no wish, a negative epsilon; when it is set up, a wish that has not a
            value for each objective.

    Example:
        >>> RNSGA2("val_error=6,latency_ms=5; val_error=9,latency_ms=2").wishes
        ({'val_error': 6.0, 'latency_ms': 5.0}, {'val_error': 9.0, 'latency_ms': 2.0})

    References:
        K. Deb, J. Sundar. Reference Point Based Multi-Objective Optimization Using Evolutionary
        Algorithms. GECCO 2006.
    """

    def __init__(
        self,
        wishes: str | Wish | Sequence[Wish] | None = None,
        epsilon: float = 0.001,
        pop_size: int = 16,
        n_offsprings: int | None = None,
        crossover_probability: float = 0.5,
        mutation_probability: float = 0.0,
        n_even: int | None = None,
    ) -> None:
        super().__init__(pop_size, n_offsprings, crossover_probability, mutation_probability, n_even)
        check_number("epsilon", epsilon)
        self.wishes = _read(wishes)
        self.epsilon = epsilon

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        super()._setup(problem, warm_start, **kwargs)
        points = [wished(one, problem.formulation, problem.evaluator.metric) for one in self.wishes]
        self._points = np.array(points).reshape(-1, problem.n_obj)

    def _selected(self, feasible: IntArray, n: int) -> IntArray:
        whole, last = self._split(feasible, n)
        preferred = last[np.argsort(self._preference(last), kind="stable")]
        return np.sort(np.concatenate([whole, preferred[: n - len(whole)]]))

    def _places(self) -> IntArray:
        preference = np.zeros(len(self.f))
        for rank in np.unique(self.rank[np.isfinite(self.rank)]):
            front = np.flatnonzero(self.rank == rank)
            preference[front] = self._preference(front)
        return places((self.violation, self.rank, preference), self.random_state)

    def _preference(self, front: IntArray) -> FloatArray:
        """Return by how much each of a front ``(n,)`` comes after others, 0 the most preferred."""
        first = self.f[self.rank == 0]
        f, points = scaled(self.f[front], first), scaled(self._points, first)
        if not len(points):
            points = np.zeros((1, f.shape[1]))  # the ideal
        distance = _distances(f, points)
        # The best of its ranks by each wish, ties by how near it is.
        best = distance.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable").min(axis=1)
        order = np.lexsort((distance.min(axis=1), best))
        apart, taken = _distances(f, f), np.zeros(len(front), dtype=bool)
        preference: FloatArray = best.astype(np.float64)
        for row in order:
            if taken[row]:
                continue
            # It stands for those near it: they come after all that are apart.
            near = ~taken & (apart[row] < self.epsilon)
            near[row] = False
            preference[near] += len(front)
            taken |= near
            taken[row] = True
        return preference


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return root mean squared differences between rows, ``(n_a, n_b)``."""
    apart: FloatArray = np.sqrt(((a[:, None] - b[None]) ** 2).mean(axis=2))
    return apart


def _read(wishes: str | Wish | Sequence[Wish] | None) -> tuple[dict[str, float], ...]:
    if wishes is None:
        return ()
    if isinstance(wishes, str):
        return tuple(_of_text(text) for text in wishes.split(";"))
    several = [wishes] if isinstance(wishes, Mapping) else wishes
    if not isinstance(several, Sequence) or not all(isinstance(wish, Mapping) for wish in several):
        raise InputError(f"Wishes are text, or a value of each objective, or several such; got {wishes!r}.")
    return tuple(map(dict, several))


def _of_text(text: str) -> dict[str, float]:
    wish: dict[str, float] = {}
    for pair in text.split(","):
        name, _, value = (part.strip() for part in pair.partition("="))
        try:
            number = float(value)
        except ValueError:
            number = np.nan
        if not name or name in wish or not np.isfinite(number):
            raise InputError(f"A wish is such as 'val_error=6,latency_ms=5'; got '{text.strip()}'.")
        wish[name] = number
    return wish
