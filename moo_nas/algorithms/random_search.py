"""Random search: the baseline that nothing may lose to."""

from typing import Any

from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population

from moo_nas.algorithms.unseen import Unseen, next_step, population
from moo_nas.arrays import IntArray
from moo_nas.errors import whole_number


class RandomSearch(Algorithm):  # type: ignore[misc]  # pymoo is untyped
    """Draws genomes uniformly, and evaluates no network twice.

    Where several genomes are one network, as of cells or of a pruned space, a network comes up the
    earlier the more genomes it has.

    Args:
        batch_size: How many are evaluated at a time.
    """

    def __init__(self, batch_size: int = 20) -> None:
        super().__init__()
        self.batch_size = whole_number("batch_size must be a whole number", batch_size, 1)

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        self._unseen = Unseen(problem, warm_start)

    def _initialize_infill(self) -> Population | None:
        return population(self._unseen.first(self.batch_size, self.random_state))

    def _infill(self) -> Population | None:
        return next_step(self, self._unseen.sample(self.batch_size, self.random_state))

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is not None:
            # Only the best are kept here: the archive of all evaluations is the run's.
            self.pop = Population.merge(self.opt, infills)
