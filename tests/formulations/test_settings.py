"""Settings make a formulation: equal ones are equal, and what is none is refused in words."""

import copy
import math

import numpy as np
import pytest

from moo_nas import Constrained, Pareto, ReferencePoint, Single, Tchebycheff, WeightedProduct, WeightedSum
from moo_nas.errors import FormulationError
from moo_nas.formulations import Formulation, Quantile
from moo_nas.formulations.product import PositiveScale

LIMITS = {"ms": 5.0, "mj": 2.0}
TURNED = {"mj": np.int64(2), "ms": 5}
PAIRS = [
    (Single("error"), Single("error")),
    (Pareto("error", "ms", limits=LIMITS), Pareto("error", "ms", limits=TURNED)),
    (Constrained("error", LIMITS), Constrained("error", TURNED)),
    (
        Constrained("error", {"ms": Quantile(0.5), "mj": None}),
        Constrained("error", {"mj": None, "ms": Quantile(0.5)}),
    ),
    (
        WeightedSum({"error": 3, "ms": 1}, limits=LIMITS),
        WeightedSum({"error": 0.75, "ms": 0.25}, limits=TURNED),
    ),
    (
        Tchebycheff({"error": 1, "ms": 1}, ideal={"ms": 0.0}),
        Tchebycheff({"error": 1, "ms": 1}, ideal={"ms": -0.0}),
    ),
    (ReferencePoint.at({"error": 1, "ms": 2}), ReferencePoint.at({"error": 1.0, "ms": 2.0})),
    (WeightedProduct("score", LIMITS), WeightedProduct("score", TURNED)),
    (
        WeightedProduct("score", LIMITS, scale=PositiveScale(0, 1)),
        WeightedProduct("score", LIMITS, scale=PositiveScale(0.0, 1.0)),
    ),
    (WeightedProduct("score"), WeightedProduct("score")),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_equal_settings_make_equal_formulations_with_equal_hashes(
    one: Formulation, other: Formulation
) -> None:
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1


def test_other_settings_or_kinds_make_other_formulations() -> None:
    kinds = [pair[0] for pair in PAIRS]
    kinds += [WeightedProduct("score", dict.fromkeys(("latency_ms", "energy_mj")))]
    assert len(set(kinds)) == len(kinds)
    assert Single("error") != "error"


@pytest.mark.parametrize("one", [pair[0] for pair in PAIRS])
def test_changing_what_settings_returned_changes_nothing(one: Formulation) -> None:
    before = copy.deepcopy(one.settings)
    told = one.settings
    for value in told.values():
        if isinstance(value, dict):
            value.clear()
        elif isinstance(value, list):
            value.append("more")
    assert one.settings == before


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Constrained("error", {"ms": "5ms"}), "The limit of 'ms' must be a number; got '5ms'"),
        (lambda: Constrained("error", ["ms"]), r"A limit is given by metric, such as .*; got \['ms'\]"),
        (
            lambda: Constrained("error", LIMITS, "penalty", ranges={"error": 5}),
            "range of 'error' is .* got 5",
        ),
        (lambda: Pareto("error", "ms", limits={"ms": None}), "limit of 'ms' must be a number; got None"),
        (lambda: Pareto("error", "ms", limits=5.0), "limit is given by metric"),
        (lambda: Pareto("error", "ms", limits={"ms": math.inf}), "must be a finite number; got inf"),
        (lambda: WeightedSum(["error", "ms"]), r"A weight is given by metric, .* got \['error', 'ms'\]"),
        (lambda: WeightedSum({"error": "a", "ms": 1}), "weight of 'error' must be a number; got 'a'"),
        (lambda: WeightedSum({"error": 1, "ms": 1}, ranges={"error": 5}), "range of 'error' is .* got 5"),
        (lambda: WeightedSum({"error": 1, "ms": 1}, ranges={"error": ("a", "b")}), "low < high; got"),
        (lambda: WeightedSum({"error": 1, "ms": 1}, ranges=5), "A range is given by metric"),
        (lambda: Tchebycheff({"error": 1, "ms": 1}, ideal={"ms": "0"}), "ideal of 'ms' must be a number"),
        (lambda: WeightedProduct("score", {"ms": "5"}), "target of 'ms' must be a number; got '5'"),
        (lambda: WeightedProduct("score", ["ms"]), "A target is given by metric"),
    ],
)
def test_settings_of_other_kinds_are_refused_in_words(make, words):
    with pytest.raises(FormulationError, match=words):
        make()
