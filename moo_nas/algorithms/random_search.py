"""Random search: the baseline that nothing may lose to."""

from typing import Any

from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population

from moo_nas.algorithms.unseen import Unseen, next_step, population
from moo_nas.arrays import IntArray
from moo_nas.errors import InputError


class RandomSearch(Algorithm):  # type: ignore[misc]  # pymoo is untyped
    """Draws networks uniformly, none twice.

    Args:
        batch_size: How many are evaluated at a time.
    """

    def __init__(self, batch_size: int = 20, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if batch_size < 1:
            raise InputError(f"batch_size must be positive; got {batch_size}.")
        self.batch_size = batch_size

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
