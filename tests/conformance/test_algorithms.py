"""The algorithm kit on every registered algorithm."""

import pytest

from moo_nas import Constrained, Single, WeightedProduct, registry
from moo_nas.algorithms import (
    CTAEA,
    MOEAD,
    NSGA2,
    NSGA3,
    RNSGA2,
    RVEA,
    SMSEMOA,
    AgingEvolution,
    HardwareAwareAging,
    LocalSearch,
    RandomSearch,
    SurrogateSearch,
)
from moo_nas.testing import AlgorithmKit

SCALAR = (
    Single("score"),
    Constrained("score", {"params": None}),
    WeightedProduct.hard("score", {"params": None, "peak_activation_bytes": None}),
)
# The surrogate has a file of its own, with smaller budgets: it thinks between evaluations.
CASES = {
    "aging": AgingEvolution,
    "ctaea": CTAEA,
    "hae": HardwareAwareAging,
    "local-search": LocalSearch,
    "moead": MOEAD,
    "nsga2": NSGA2,
    "nsga3": NSGA3,
    "random": RandomSearch,
    "rnsga2": RNSGA2,
    "rvea": RVEA,
    "smsemoa": SMSEMOA,
}
SMALL = {
    "nsga2, small": lambda: NSGA2(pop_size=6, n_offsprings=5, crossover_probability=0.5),
    "aging as printed": lambda: AgingEvolution(pop_size=8, sample_size=3, batch_size=1),
    "hae, small": lambda: HardwareAwareAging(pop_size=7, sample_size=3, n_children=3),
    "random, one by one": lambda: RandomSearch(batch_size=1),
}


def test_every_registered_algorithm_is_among_the_cases():
    registered = {name: registry.load("algorithm", name) for name in registry.names("algorithm")}
    assert registered == {**CASES, "surrogate": SurrogateSearch}


@pytest.mark.parametrize("name", [*CASES, *SMALL])
class TestAlgorithms(AlgorithmKit):
    @pytest.fixture(autouse=True)
    def case(self, name):
        self.name = name
        if name.startswith("hae"):
            self.formulations, self.impossible = SCALAR, ()
        if name in SMALL:
            # What does not depend on sizes was tested above.
            self.formulations, self.budget = self.formulations[-2:], 25

    def algorithm(self):
        return {**CASES, **SMALL}[self.name]()
