"""Exact fronts against exhaustive enumeration."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_nas import Constrained, NASProblem, Pareto, Single
from moo_nas.algorithms.exact import exact_front, solve_chain
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, BlockMeter, LookUp, Metric, Roofline, ZMean
from moo_nas.spaces import CellSpace
from moo_nas.spaces.tables import StageTable
from moo_nas.testing.algorithms import StandIn
from problems.additive import Additive
from tests.spaces_for_tests import cube_space, tiny_space, wide_space


def every(space):
    return np.array([space.genome_at(i) for i in range(space.size)])


def front(f):
    """The points that no other point dominates, by comparing every pair; each once."""
    f = np.unique(f, axis=0)
    dominated = ((f[:, None] <= f).all(axis=2) & (f[:, None] < f).any(axis=2)).any(axis=0)
    return f[~dominated]


@st.composite
def chains(draw):
    """Two to four stages of own genes, each but the first also with the last gene of the one before it."""
    n_stages, n_obj = draw(st.integers(2, 4)), draw(st.integers(1, 4))
    n_choices = draw(st.lists(st.integers(2, 3), min_size=n_stages + 1, max_size=n_stages + 1))
    shared = draw(st.lists(st.booleans(), min_size=n_stages, max_size=n_stages))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    chain = []
    for stage in range(n_stages):
        columns = [stage - 1] if stage and shared[stage] else []
        columns += [stage] + ([n_stages] if stage == 0 else [])
        n_rows = int(np.prod([n_choices[c] for c in columns]))
        values = [rng.integers(0, 6, n_obj).astype(float) for _ in range(n_rows)]  # few values: many ties
        chain.append(StageTable.build(columns, np.array(n_choices), values))
    return chain, np.array(n_choices)


@settings(max_examples=60)
@given(chains())
def test_a_chains_front_is_that_of_all_its_genomes_and_its_genomes_have_those_sums(made):
    chain, n_choices = made
    genomes = np.indices(tuple(n_choices)).reshape(len(n_choices), -1).T
    total = sum(table.values[table.row(genomes)] for table in chain)
    found, f = solve_chain(chain, n_choices)
    assert np.unique(f, axis=0).tolist() == front(total).tolist()
    assert len(np.unique(f, axis=0)) == len(f)
    assert sum(table.values[table.row(found)] for table in chain).tolist() == f.tolist()


@settings(max_examples=6)
@given(chains())
def test_it_does_not_depend_on_how_many_candidates_are_looked_at_at_a_time(made):
    import moo_nas.algorithms.exact as exact

    chain, n_choices = made
    whole = solve_chain(chain, n_choices)[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_CHUNK", 4)
        assert (
            np.unique(solve_chain(chain, n_choices)[1], axis=0).tolist() == np.unique(whole, axis=0).tolist()
        )


@pytest.mark.parametrize("space", [tiny_space, wide_space, cube_space])
@pytest.mark.parametrize(
    "objectives",
    [
        ("params", "macs"),
        ("params", "activation_bytes", "flops_survey"),
        ("bit_operations", "params", "activation_bytes", "flops_survey"),
        ("flops",),
    ],
)
def test_a_spaces_front_is_that_of_all_its_networks(space, objectives):
    problem = NASProblem(Evaluator(space(), [Analytic(16, 10)]), Single("params"))
    found = exact_front(problem, objectives)
    asked = problem.under(Pareto(*objectives) if len(objectives) > 1 else Single(objectives[0]))
    f = asked.fg(asked.evaluations(every(problem.space)))[0]
    assert found.f.tolist() == front(f).tolist()
    assert asked.fg(asked.evaluations(found.genomes))[0].tolist() == found.f.tolist()


def test_of_goals_to_maximise_the_largest_are_found():
    # What a table of weights has, with another goal: the most weights for the fewest operations.
    class Capacity(Analytic):
        metrics = (Metric("params", "1", "max"), *Analytic.metrics[1:])

    problem = NASProblem(Evaluator(wide_space(), [Capacity(16, 10)]), Pareto("params", "macs"))
    f = problem.fg(problem.evaluations(every(problem.space)))[0]
    assert len(front(f)) > 5
    assert exact_front(problem).f.tolist() == front(f).tolist()


def test_the_front_of_haenas_dominates_a_sample_and_is_dominated_by_none_of_it():
    problem = Additive()
    found = exact_front(problem)
    assert (problem.space.canonical(found.genomes) == found.genomes).all()
    assert problem.fg(problem.evaluations(found.genomes))[0].tolist() == found.f.tolist()
    rng = np.random.default_rng(0)
    neighbours, genes = found.genomes[::10].copy(), np.arange(len(found.genomes[::10])) % problem.space.n_var
    rows = np.arange(len(neighbours))
    neighbours[rows, genes] = rng.integers(problem.space.n_choices[genes])
    some = np.concatenate([problem.space.sample(500, rng), neighbours])
    sample = problem.fg(problem.evaluations(some))[0]
    weakly = (found.f[None] <= sample[:, None] * (1 + 1e-12)).all(axis=2)
    assert weakly.any(axis=1).all()


class Scaled(Analytic):
    """Costs in units of another size."""

    def __init__(self, scale):
        super().__init__(16, 10)
        self.scale = scale

    def derive(self, costs):
        return super().derive(costs) * self.scale


@pytest.mark.parametrize("scale", [1e-12, 1e-8, 1e9])
def test_an_exact_front_does_not_depend_on_the_size_of_units(scale):
    plain = NASProblem(Evaluator(wide_space(), [Analytic(16, 10)]), Pareto("activation_bytes", "params"))
    scaled = NASProblem(Evaluator(wide_space(), [Scaled(scale)]), plain.formulation)
    assert np.allclose(exact_front(scaled).f, exact_front(plain).f * scale, rtol=1e-12, atol=0)
    for metric in ("peak_activation_bytes", "arithmetic_intensity"):
        with pytest.raises(InputError, match=f"'{metric}' is no sum over stages"):
            exact_front(scaled, ("macs", metric))


class Derived(BlockMeter):
    """Two metrics: code makes one of launches, bytes and quality, in any units; quality is the other."""

    metrics = (Metric("cost", "1", "min"), Metric("quality", "1", "max"))
    reductions = ("sum", "sum", "sum")

    def __init__(self, cost, units=(1.0, 1.0, 1.0)):
        super().__init__(16, 10)
        self.cost, self.units = cost, np.array(units)

    def block_cost(self, block):
        n_weights = block.hidden * (block.in_channels + block.out_channels + block.kernel**2)
        return np.array([1.0, n_weights, n_weights // 7 % 13]) * self.units

    def derive(self, costs):
        return np.column_stack([self.cost(*costs.T), costs[:, 2] / self.units[2]])


def derived(cost, units=(1.0, 1.0, 1.0)):
    return NASProblem(Evaluator(wide_space(), [Derived(cost, units)]), Pareto("cost", "quality"))


@settings(max_examples=12)
@given(st.tuples(*[st.integers(-60, 60)] * 3), st.integers(-15, 15))
def test_a_cost_counts_however_small_its_numbers_are_beside_another(units, weight):
    # Powers of two, so that all sums are exact.
    launch, byte, quality = (2.0**unit for unit in units)
    cost = lambda launches, weights, _: launches / launch + weights * (2.0**weight / byte)  # noqa: E731
    problem = derived(cost, (launch, byte, quality))
    found = problem.fg(problem.evaluations(every(problem.space)))[0]
    assert exact_front(problem).f.tolist() == front(found).tolist()


def test_the_fastest_of_a_space_is_found_where_seconds_and_bytes_are_counted():
    problem = derived(lambda seconds, weights, _: seconds + weights / 3.35e12, (5e-6, 1.0, 1.0))
    f = problem.fg(problem.evaluations(every(problem.space)))[0]
    assert np.allclose(exact_front(problem).f, front(f), rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    "cost",
    [
        lambda launches, weights, _: np.maximum(1e-9 * launches, weights / 3.35e12) + launches,
        lambda launches, weights, _: launches + 1e-9 * np.maximum(weights - 15_000, 0),
        lambda launches, weights, _: launches + 1e-15 * weights**2,
        lambda launches, weights, _: 1e10 * launches + np.ceil(weights / 64),
        lambda launches, weights, _: weights * np.where(launches > 6, np.inf, 1),
    ],
)
def test_what_is_nearly_a_sum_but_none_has_no_exact_front(cost):
    with pytest.raises(InputError, match="'cost' is no sum over stages"):
        exact_front(derived(cost))


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_blocks_without_a_finite_cost_have_no_exact_front_of_it_but_one_of_other_costs(broken):
    class Unmeasured(Derived):
        def block_cost(self, block):
            costs = super().block_cost(block)
            return [costs[0], broken if block.kernel == 5 else costs[1], costs[2]]

    meter = Unmeasured(lambda launches, weights, _: weights)
    problem = NASProblem(Evaluator(wide_space(), [meter]), Pareto("cost", "quality"))
    with pytest.raises(InputError, match=r"'cost' is no sum over stages .* or not finite"):
        exact_front(problem)
    meter.cost = lambda launches, weights, _: launches
    assert exact_front(problem, ["cost"]).f.tolist() == [
        [problem.evaluations(every(wide_space()))["cost"].min()]
    ]


@pytest.mark.parametrize("names", [("cost",), ("cost", "quality"), ("quality", "cost")])
def test_a_metric_that_is_the_same_for_all_trades_nothing_off(names):
    problem = derived(lambda launches, *_: np.full(len(launches), 7.0)).under(
        Pareto(*names) if len(names) > 1 else Single(*names)
    )
    found = problem.fg(problem.evaluations(every(problem.space)))[0]
    assert exact_front(problem).f.tolist() == [found.min(axis=0).tolist()]


@pytest.mark.parametrize("metric", ["peak_activation_bytes", "arithmetic_intensity"])
def test_a_maximum_or_a_ratio_is_refused_by_name(metric):
    problem = NASProblem(Evaluator(wide_space(), [Analytic(16, 10)]), Pareto("params", metric))
    with pytest.raises(InputError, match=f"'{metric}' is no sum over stages but a maximum or a ratio"):
        exact_front(problem)


def test_what_is_measured_looked_up_or_of_another_space_is_refused_by_name(tiny):
    genomes = every(tiny)
    frame_of = [str(tiny.decode(genome)) for genome in genomes]
    known = LookUp(
        pd.DataFrame({"error": np.arange(float(tiny.size))}, index=frame_of),
        [Metric("error", "%", "min")],
        "here",
    )
    evaluator = Evaluator(tiny, [Analytic(16, 10), StandIn(("score",)), known, ZMean(("params",), "size")])
    problem = NASProblem(evaluator, Single("params"))
    for metric in ("score", "error", "size"):
        with pytest.raises(InputError, match=f"'{metric}' is no sum over stages"):
            exact_front(problem, ["params", metric])
    cells = NASProblem(Evaluator(CellSpace.nasbench201(), [Analytic(32, 10)]), Pareto("params", "macs"))
    with pytest.raises(InputError, match="'params' is no sum over stages"):
        exact_front(cells)


def test_limits_and_other_formulations_are_refused():
    problem = NASProblem(Evaluator(tiny_space(), [Analytic(16, 10)]), Single("params"))
    for formulation in (
        Pareto("params", "macs", limits={"params": 1e6}),
        Constrained("params", {"macs": 1e6}),
    ):
        with pytest.raises(InputError, match="without limits"):
            exact_front(problem.under(formulation))


def test_an_unknown_metric_is_refused():
    problem = NASProblem(Evaluator(tiny_space(), [Analytic(16, 10)]), Single("params"))
    with pytest.raises(InputError, match="Unknown metric 'param'"):
        exact_front(problem, ["param", "macs"])


def test_an_estimate_that_is_a_sum_of_maxima_over_layers_has_an_exact_front(tiny):
    problem = NASProblem(Evaluator(tiny, [Roofline("stm32f746", 16, 10)]), Single("estimated_latency_ms"))
    values = problem.evaluations(every(tiny))["estimated_latency_ms"]
    assert exact_front(problem).f.tolist() == [[values.min()]]
