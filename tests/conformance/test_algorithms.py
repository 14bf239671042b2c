"""The algorithm kit on every registered algorithm."""

import pytest

from moo_nas import Constrained, Single, WeightedProduct, registry
from moo_nas.algorithms import NSGA2, AgingEvolution, HardwareAwareAging, RandomSearch
from moo_nas.testing import AlgorithmKit

SCALAR = (
    Single("score"),
    Constrained("score", {"params": None}),
    WeightedProduct.hard("score", {"params": None, "peak_activation_bytes": None}),
)
CASES = {
    # The surrogate has tests of its own, with smaller budgets: it thinks between evaluations.
    **{name: registry.load("algorithm", name) for name in registry.names("algorithm") if name != "surrogate"},
    "nsga2, small": lambda: NSGA2(pop_size=6, n_offsprings=5, crossover_probability=0.5),
    "aging as printed": lambda: AgingEvolution(pop_size=8, sample_size=3, batch_size=1),
    "hae, small": lambda: HardwareAwareAging(pop_size=7, sample_size=3, n_children=3),
    "random, one by one": lambda: RandomSearch(batch_size=1),
}


@pytest.mark.parametrize("name", CASES)
class TestAlgorithms(AlgorithmKit):
    @pytest.fixture(autouse=True)
    def case(self, name):
        self.name = name
        if name.startswith("hae"):
            self.formulations = SCALAR

    def algorithm(self):
        return CASES[self.name]()
