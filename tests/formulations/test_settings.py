"""Settings make a formulation: equal ones are equal, and what is none is refused in words."""

import copy
import json
import math
import re
from fractions import Fraction

import numpy as np
import pytest

from moo_nas import Constrained, Pareto, ReferencePoint, Single, Tchebycheff, WeightedProduct, WeightedSum
from moo_nas.errors import FormulationError
from moo_nas.formulations import Formulation, Quantile, even_weights, spread
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
        (
            lambda: WeightedSum({"error": 1, "ms": 1}, ranges={"error": {1: 2, 3: 4}}),
            r"is \(low, high\), .* got \{1: 2, 3: 4\}",
        ),
        (lambda: WeightedSum({"error": 1, "ms": 1}, ranges={"error": "12"}), "low < high; got 12"),
        (lambda: ReferencePoint.at({"error": 1, "ms": 2}, limits=5), "A limit is given by metric"),
        (lambda: ReferencePoint({"error": 1, "ms": 2}, aspiration=5), "^An aspiration is given by metric"),
        (lambda: Tchebycheff({"error": 1, "ms": 2}, ideal=[1, 2]), "^An ideal is given by metric"),
        (lambda: WeightedProduct("score", LIMITS, left_out="abc"), "left_out .* names .* got 'abc'"),
        (lambda: WeightedProduct("score", LIMITS, at_low=0.9), "0 < at_low < at_high; got 0.9 and 0.8"),
        (lambda: spread(WeightedSum({"error": 1, "ms": 1}), 2.5), "at least one; got 2.5"),
        (lambda: WeightedProduct("score", {"ms": "5"}), "target of 'ms' must be a number; got '5'"),
        (lambda: WeightedProduct("score", ["ms"]), "A target is given by metric"),
    ],
)
def test_settings_of_other_kinds_are_refused_in_words(make, words):
    with pytest.raises(FormulationError, match=words):
        make()


def numbers(kind):
    """Formulations with every number of theirs as one kind of number."""
    half, one, two = kind(0.5), kind(1), kind(2)
    scale = PositiveScale(kind(0), one, half, two)
    return [
        Constrained(
            "error", {"ms": two, "mj": Quantile(half)}, "epsilon", rho=half, ranges={"ms": (one, two)}
        ),
        Constrained("error", {"ms": two}, "penalty", coefficient=two),
        Pareto("error", "ms", limits={"ms": half}),
        WeightedSum({"error": one, "ms": two}, {"ms": (one, two)}, {"mj": half}),
        Tchebycheff({"error": one, "ms": one}, ideal={"ms": half}, rho=half),
        ReferencePoint.at({"error": one, "ms": two}, rho=half),
        WeightedProduct("score", {"ms": two}, -half, -one, at_low=half, at_high=two),
        WeightedProduct("score", {"ms": two}, scale=scale),
    ]


@pytest.mark.parametrize("kind", [np.float32, np.float64, Fraction])
def test_numbers_of_other_libraries_are_taken_and_told_as_pythons_own(kind):
    for one, plain in zip(numbers(kind), numbers(float), strict=True):
        assert json.dumps(one.settings) == json.dumps(plain.settings)
        assert one == plain


@pytest.mark.parametrize(
    "make",
    [
        lambda wrong: Constrained("error", {"ms": wrong}),
        lambda wrong: Constrained("error", LIMITS, coefficient=wrong),
        lambda wrong: Constrained("error", LIMITS, rho=wrong),
        lambda wrong: Constrained("error", LIMITS, "penalty", ranges={"error": (0, wrong)}),
        Quantile,
        lambda wrong: Pareto("error", "ms", limits={"ms": wrong}),
        lambda wrong: WeightedSum({"error": wrong, "ms": 1}),
        lambda wrong: Tchebycheff({"error": 1, "ms": 1}, rho=wrong),
        lambda wrong: Tchebycheff({"error": 1, "ms": 1}, ideal={"ms": wrong}),
        lambda wrong: WeightedProduct("score", LIMITS, alpha=wrong),
        lambda wrong: WeightedProduct("score", LIMITS, beta=wrong),
        lambda wrong: WeightedProduct("score", LIMITS, scale=wrong),
        lambda wrong: WeightedProduct("score", LIMITS, at_low=wrong),
        lambda wrong: WeightedProduct("score", LIMITS, at_high=wrong),
        lambda wrong: WeightedProduct("score", LIMITS, left_out=wrong),
        lambda wrong: PositiveScale(wrong, 2),
        lambda wrong: PositiveScale(-1, wrong),
        lambda wrong: PositiveScale(0, 1, at_low=wrong),
        lambda wrong: PositiveScale(0, 1, at_high=wrong),
        lambda wrong: spread(WeightedSum({"error": 1, "ms": 1}), wrong),
        lambda wrong: even_weights(2, wrong),
        lambda wrong: even_weights(wrong, 2),
    ],
)
@pytest.mark.parametrize("wrong", ["a", True, math.nan, 1j])
def test_what_is_no_number_is_refused_where_one_is_expected(make, wrong):
    with pytest.raises(FormulationError, match=re.escape(f"{wrong}")):
        make(wrong)


class Own(Formulation):
    """A formulation whose settings are an array: no JSON, but compared all the same."""

    name = "own"
    metrics = ("error",)

    def __init__(self, *weights):
        self.settings_given = {"weights": np.array(weights), "scale": np.float64(weights[0])}

    @property
    def settings(self):
        return self.settings_given

    def objectives(self, evaluations):
        return evaluations["error"][:, None]


def test_formulations_of_ones_own_are_compared_by_settings_of_any_kind():
    assert Own(1, 2) == Own(1, 2)
    assert Own(1, 2) != Own(1, 3)
    assert Own(1, 2) != Own(1, 2, 3)
    assert len({Own(1, 2), Own(1.0, 2.0), Own(1, 3)}) == 2
