import pytest

from moo_nas.errors import FormulationError
from moo_nas.formulations import Constrained, Pareto, Single, WeightedProduct, named

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


def test_a_single_objective_is_one():
    with pytest.raises(FormulationError, match="takes one objective; got snip, macs"):
        named.single(("snip", "macs"), {}, DEFAULT)
