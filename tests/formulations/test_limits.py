"""Single, Constrained and Pareto: signs and limits."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_nas.errors import FormulationError, InputError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import Constrained, Pareto, Single, WeightedProduct
from moo_nas.meters import Metric

METRICS = (Metric("score", "1", "max"), Metric("latency_ms", "ms", "min"), Metric("throughput", "1/s", "max"))
ROWS = np.array([[1.0, 5.0, 20.0], [3.0, 12.0, 50.0], [-2.0, 1.0, 0.0]])
TABLE = Evaluations.of(METRICS, ROWS)


def applied(formulation, table=TABLE):
    f, g = formulation.apply(table)
    return f.tolist(), g.tolist()


def test_what_is_maximised_changes_its_sign_and_what_is_minimised_does_not():
    assert applied(Single("score"))[0] == [[-1], [-3], [2]]
    assert applied(Single("latency_ms"))[0] == [[5], [12], [1]]
    assert applied(Pareto("latency_ms", "score"))[0] == [[5, -1], [12, -3], [1, 2]]


def test_a_violation_is_a_share_of_its_limit():
    assert applied(Constrained("score", {"latency_ms": 10.0}))[1] == [[-0.5], [pytest.approx(0.2)], [-0.9]]


def test_a_metric_to_be_maximised_has_a_least():
    _, g = applied(Constrained("score", {"throughput": 40.0}))
    assert g == [[0.5], [-0.25], [1.0]]


def test_a_negative_limit_has_its_share_too():
    # At least -1: -2 falls short by its whole amount.
    assert applied(Constrained("latency_ms", {"score": -1.0}))[1] == [[-2], [-4], [1]]


def test_a_limit_of_zero_counts_in_the_metrics_own_unit():
    assert applied(Constrained("latency_ms", {"score": 0.0}))[1] == [[-1], [-3], [2]]


@given(st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_the_unit_of_a_limited_metric_makes_no_difference(limit, factor):
    scaled = Evaluations.of(METRICS, ROWS * [1, factor, 1])
    _, g = Constrained("score", {"latency_ms": limit}).apply(TABLE)
    _, other = Constrained("score", {"latency_ms": limit * factor}).apply(scaled)
    assert other == pytest.approx(g)


@pytest.mark.parametrize("number", [np.int64(10), np.float32(10)])
@pytest.mark.parametrize(
    "make",
    [
        lambda n: Constrained("score", {"latency_ms": n}),
        lambda n: Pareto("score", "throughput", limits={"latency_ms": n}),
        lambda n: WeightedProduct.hard("score", {"latency_ms": n}),
    ],
)
def test_numbers_of_numpy_are_numbers(make, number):
    # The largest of a column, say.
    assert json.loads(json.dumps(make(number).settings)) == json.loads(json.dumps(make(10.0).settings))
    assert make(number) == make(10.0)


def test_exactly_at_the_limit_is_feasible():
    table = Evaluations.of(METRICS, np.array([[1.0, 0.3, 0.7]]))
    _, g = Constrained("score", {"latency_ms": 0.3, "throughput": 0.7}).apply(table)
    assert (g <= 0).all()


def test_the_objective_may_have_a_limit_itself():
    f, g = applied(Constrained("score", {"score": 2.0}))
    assert f == [[-1], [-3], [2]]
    assert g == [[0.5], [-0.5], [2.0]]
    assert Constrained("score", {"score": 2.0}).metrics == ("score",)
    f, g = applied(Pareto("score", "latency_ms", limits={"latency_ms": 10.0}))
    assert g == [[-0.5], [pytest.approx(0.2)], [-0.9]]


def test_open_limits_become_medians_of_the_reference_sample():
    constrained = Constrained("score", {"latency_ms": None, "throughput": 3.0})
    assert not constrained.is_fitted
    asked = []

    def reference(names):
        asked.append(list(names))
        return TABLE

    fitted = constrained.fit(reference)
    assert fitted.limits == {"latency_ms": 5.0, "throughput": 3.0}
    assert asked == [["latency_ms"]]


def test_a_later_change_of_the_callers_limits_changes_nothing():
    limits = {"latency_ms": 10.0}
    constrained, pareto = Constrained("score", limits), Pareto("score", "latency_ms", limits=limits)
    limits["latency_ms"] = 0.0
    assert constrained.limits == pareto.limits == {"latency_ms": 10.0}


@pytest.mark.parametrize("limit", [float("nan"), float("inf")])
def test_a_limit_that_is_no_number_is_refused(limit):
    with pytest.raises(FormulationError, match="'latency_ms' must be a finite number"):
        Constrained("score", {"latency_ms": limit})
    with pytest.raises(FormulationError, match="'latency_ms' must be a finite number"):
        Pareto("score", "latency_ms", limits={"latency_ms": limit})


def test_a_front_needs_two_objectives_and_each_once():
    with pytest.raises(FormulationError, match="at least two"):
        Pareto("score")
    with pytest.raises(FormulationError, match="twice"):
        Pareto("score", "latency_ms", "score")


def test_a_metric_that_the_table_lacks_is_named_with_the_closest():
    with pytest.raises(InputError, match="did you mean 'latency_ms'"):
        Single("latency").apply(TABLE)


def test_a_failed_row_of_nan_and_infinity_is_finite_and_worst():
    table = Evaluations.of(METRICS, np.array([[1.0, np.nan, 1.0], [1.0, 2.0, np.inf], [0.0, 1e9, 0.0]]))
    f, g = Pareto("score", "latency_ms", limits={"throughput": 1.0}).apply(table)
    assert np.isfinite(f).all()
    assert np.isfinite(g).all()
    assert (f[:2] > f[2]).all()
    assert (g[:2] > g[2]).all()
