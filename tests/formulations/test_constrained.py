"""Constrained by its three methods: feasibility first, epsilon-constraint, penalty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas.errors import FormulationError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import Constrained, Quantile
from moo_nas.meters import Metric

METRICS = (Metric("score", "1", "max"), Metric("latency_ms", "ms", "min"), Metric("throughput", "1/s", "max"))
RANGES = {"score": (0.5, 0.9), "latency_ms": (10.0, 30.0), "throughput": (1.0, 3.0)}
LIMITS = {"latency_ms": 20.0, "throughput": 2.0}
metric = st.floats(-100, 100)


def applied(formulation, *row):
    f, g = formulation.apply(Evaluations.of(METRICS, np.array([row])))
    return f[0, 0], g[0].tolist()


@settings(max_examples=30)
@given(metric, metric, metric)
def test_each_method_is_that_of_its_definition(score, latency, throughput):
    row = (score, latency, throughput)
    violation = [(latency - 20) / 20, (2 - throughput) / 2]
    z = [(0.9 - score) / 0.4, (latency - 10) / 20, (3 - throughput) / 2]
    assert applied(Constrained("score", LIMITS), *row) == (-score, pytest.approx(violation))
    f, g = applied(Constrained("score", LIMITS, "epsilon", rho=0.01, ranges=RANGES), *row)
    assert f == pytest.approx(z[0] + 0.01 * (z[1] + z[2]), rel=1e-9, abs=1e-9)
    assert g == pytest.approx(violation)
    penalised = Constrained("score", LIMITS, "penalty", coefficient=7.0, ranges={"score": RANGES["score"]})
    f, g = applied(penalised, *row)
    expected = z[0] + 7 * sum(max(v, 0.0) ** 2 for v in violation)
    assert f == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert g == []


def test_of_equal_scores_the_epsilon_method_prefers_the_cheaper():
    epsilon = Constrained("score", LIMITS, "epsilon", ranges=RANGES)
    assert applied(epsilon, 0.7, 12.0, 2.0) < applied(epsilon, 0.7, 15.0, 2.0)
    plain = Constrained("score", LIMITS)
    assert applied(plain, 0.7, 12.0, 2.0)[0] == applied(plain, 0.7, 15.0, 2.0)[0]


def test_a_tenth_beyond_a_limit_costs_a_range_of_the_score():
    penalised = Constrained("score", {"latency_ms": 20.0}, "penalty", ranges={"score": (0.5, 0.9)})
    assert applied(penalised, 0.9, 22.0, 0.0)[0] == pytest.approx(applied(penalised, 0.5, 20.0, 0.0)[0])


def test_a_quantile_is_kept_by_its_share_of_the_reference_sample():
    rows = np.random.default_rng(0).gamma(3.0, 1.0, (200, 3))
    sample = Evaluations.of(METRICS, rows)
    asked = Constrained("score", {"latency_ms": Quantile(0.2), "throughput": Quantile(0.3)})
    assert asked.settings["limits"] == {"latency_ms": {"quantile": 0.2}, "throughput": {"quantile": 0.3}}
    fitted = asked.fit(lambda names: sample)
    _, g = fitted.apply(sample)
    assert (g <= 0).mean(axis=0) == pytest.approx([0.2, 0.3], abs=0.005)
    assert fitted.settings["limits"] == fitted.limits


def test_what_a_method_normalises_by_is_fitted_and_recorded():
    rows = np.random.default_rng(0).gamma(3.0, 1.0, (200, 3))
    sample = Evaluations.of(METRICS, rows)
    low, high = np.quantile(rows, (0.05, 0.95), axis=0)
    epsilon = Constrained("score", {"latency_ms": 2.0}, "epsilon").fit(lambda names: sample)
    assert epsilon.settings["ranges"] == {"score": [low[0], high[0]], "latency_ms": [low[1], high[1]]}
    assert (epsilon.settings["method"], epsilon.settings["rho"]) == ("epsilon", 1e-3)
    penalised = Constrained("score", {"latency_ms": 2.0}, "penalty", 50).fit(lambda names: sample)
    assert penalised.settings["ranges"] == {"score": [low[0], high[0]]}
    assert penalised.settings["coefficient"] == 50
    assert "ranges" not in Constrained("score", {"latency_ms": 2.0}).settings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "death"}, "one of feasibility, epsilon, penalty; got 'death'"),
        ({"coefficient": 0.0}, "coefficient must be positive"),
        ({"rho": float("inf")}, "rho must be positive"),
        ({"ranges": {"score": (0.0, 1.0)}}, "'feasibility' has the range of 'score'"),
        ({"method": "penalty", "ranges": {"latency_ms": (0.0, 1.0)}}, "normalises score"),
        ({"method": "epsilon", "ranges": {"score": (1.0, 0.0)}}, "low < high"),
    ],
)
def test_what_makes_no_constraint_is_refused(wrong, message):
    with pytest.raises(FormulationError, match=message):
        Constrained("score", {"latency_ms": 1.0}, **wrong)


def test_a_share_is_a_share():
    with pytest.raises(FormulationError, match="between 0 and 1; got 20"):
        Quantile(20)
