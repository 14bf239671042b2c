import pytest

from moo_nas.errors import FormulationError
from moo_nas.formulations import (
    Constrained,
    Pareto,
    ReferencePoint,
    Single,
    Tchebycheff,
    WeightedProduct,
    WeightedSum,
    named,
)

DEFAULT = ("score", "latency_ms")


def test_without_words_the_problems_default_objectives_are_taken():
    assert named.single(None, {}, DEFAULT) == Single("score")
    assert named.constrained(None, {}, DEFAULT) == Constrained("score", {"latency_ms": None})
    assert named.pareto(None, {}, DEFAULT).metrics == DEFAULT
    assert named.product(None, {}, DEFAULT) == WeightedProduct.soft("score")
    assert named.product_hard(None, {}, DEFAULT) == WeightedProduct.hard("score")


def test_limits_are_thresholds_targets_or_refused():
    limits = {"params": 1e6}
    assert named.constrained(None, limits, DEFAULT) == Constrained("score", limits)
    assert named.constrained(("snip", "macs"), limits, DEFAULT) == Constrained(
        "snip", {"macs": None, "params": 1e6}
    )
    assert named.product_hard(None, limits, DEFAULT) == WeightedProduct.hard("score", limits)
    assert named.product(("snip", "macs"), limits, DEFAULT).targets == {"macs": None, "params": 1e6}
    assert isinstance(named.pareto(("a", "b", "c"), limits, DEFAULT), Pareto)
    assert named.pareto(("a", "b", "c"), limits, DEFAULT).limits == limits
    with pytest.raises(FormulationError, match="takes no limits: use constrained"):
        named.single(None, limits, DEFAULT)


def test_limits_of_a_fitness_are_limits_but_the_values_of_a_reference_point():
    limits = {"latency_ms": 9.0}
    both = dict.fromkeys(DEFAULT, 1)
    assert named.weighted_sum(None, limits, DEFAULT) == WeightedSum(both, limits=limits)
    assert named.tchebycheff(DEFAULT, {}, ()) == Tchebycheff(both)
    assert named.reference_point(None, limits, DEFAULT) == ReferencePoint.at(
        {"score": None, "latency_ms": 9.0}
    )


def test_the_methods_of_limits_have_names():
    limits = {"latency_ms": 9.0}
    assert named.epsilon(None, limits, DEFAULT) == Constrained("score", limits, "epsilon")
    assert named.penalty(None, {}, DEFAULT) == Constrained("score", {"latency_ms": None}, "penalty")
    with pytest.raises(FormulationError, match="'penalty' needs a limit"):
        named.penalty(("score",), {}, DEFAULT)


def test_a_single_objective_is_one():
    with pytest.raises(FormulationError, match="takes one objective; got snip, macs"):
        named.single(("snip", "macs"), {}, DEFAULT)
