"""The formulation kit on every formulation."""

import inspect

import pytest
from hypothesis import strategies as st

from moo_nas import formulations, registry
from moo_nas.formulations import (
    Constrained,
    Formulation,
    Pareto,
    PositiveScale,
    Quantile,
    ReferencePoint,
    Single,
    Tchebycheff,
    WeightedProduct,
    WeightedSum,
)
from moo_nas.meters import Metric
from moo_nas.testing import FormulationKit

METRICS = (
    Metric("score", "1", "max"),
    Metric("latency_ms", "ms", "min"),
    Metric("energy_mj", "mJ", "min"),
    Metric("throughput", "1/s", "max"),
)
WORDS = ("score", "latency_ms")
CASES = {
    "single": lambda: Single("score"),
    "single, less is better": lambda: Single("latency_ms"),
    "constrained": lambda: Constrained("score", {"latency_ms": 5.0, "throughput": 1e-3}),
    "constrained, open": lambda: Constrained("score", {"latency_ms": None, "energy_mj": 2.0}),
    "constrained, negative and zero limits": lambda: Constrained(
        "latency_ms", {"score": -7.0, "energy_mj": 0.0}
    ),
    "constrained by its own objective": lambda: Constrained("latency_ms", {"latency_ms": 3.0}),
    "epsilon": lambda: Constrained("score", {"latency_ms": Quantile(0.3), "throughput": None}, "epsilon"),
    "epsilon, given": lambda: Constrained(
        "score", {"energy_mj": 2.0}, "epsilon", ranges={"score": (-1.0, 1.0), "energy_mj": (0.0, 9.0)}
    ),
    "epsilon, its own objective": lambda: Constrained("latency_ms", {"latency_ms": 3.0}, "epsilon"),
    "penalty": lambda: Constrained("score", {"latency_ms": None, "throughput": 1e-3}, "penalty"),
    "weighted sum": lambda: WeightedSum({"score": 2.0, "latency_ms": 1.0, "throughput": 0.0}),
    "weighted sum, a range and a limit": lambda: WeightedSum(
        {"score": 0.3, "energy_mj": 0.7}, ranges={"energy_mj": (1.0, 2.0)}, limits={"latency_ms": 4.0}
    ),
    "tchebycheff": lambda: Tchebycheff({"score": 1.0, "latency_ms": 2.0, "throughput": 3.0}),
    "tchebycheff, all given": lambda: Tchebycheff(
        {"score": 1.0, "latency_ms": 0.0},
        {"score": (-1e-9, 1e-9), "latency_ms": (1.0, 9.0)},
        {"energy_mj": 3.0},
        {"score": 1.0, "latency_ms": 0.0},
        rho=1e-6,
    ),
    "reference point": lambda: ReferencePoint.at({"score": 4.0, "latency_ms": None}),
    "pareto": lambda: Pareto("score", "latency_ms", "throughput"),
    "pareto, limits": lambda: Pareto("score", "energy_mj", limits={"energy_mj": 1e6, "throughput": 1.0}),
    "product": lambda: WeightedProduct.soft("score"),
    "product, hard": lambda: WeightedProduct.hard("score", {"latency_ms": 80.0}),
    "product of a score to be minimised": lambda: WeightedProduct("energy_mj", {"latency_ms": None}),
    "product, its own scale": lambda: WeightedProduct(
        "score", {"latency_ms": 3.0}, -0.05, -0.7, PositiveScale(-2.0, 5.0)
    ),
    **{
        f"registered: {name}": lambda name=name: registry.load("formulation", name)(None, {}, WORDS)
        for name in registry.names("formulation")
    },
}


@pytest.mark.parametrize("name", CASES)
class TestFormulations(FormulationKit):
    @pytest.fixture(autouse=True)
    def case(self, name):
        self.name = name

    def formulation(self):
        return CASES[self.name]()

    def metrics(self):
        return METRICS

    def values(self, metric):
        if "product" in self.name and metric.name in ("latency_ms", "energy_mj"):
            return st.floats(min_value=1e-300, allow_nan=False, allow_infinity=False)
        return super().values(metric)


def test_every_formulation_has_a_case():
    known = [getattr(formulations, name) for name in formulations.__all__]
    concrete = {
        c for c in known if isinstance(c, type) and issubclass(c, Formulation) and not inspect.isabstract(c)
    }
    assert concrete == {type(make()) for make in CASES.values()}
