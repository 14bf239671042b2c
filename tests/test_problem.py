"""pymoo's own algorithms on our problem, and its traps."""

import numpy as np
import pandas as pd
import pytest
from pymoo.algorithms.moo.moead import MOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.optimize import minimize
from pymoo.problems.static import StaticProblem
from pymoo.util.ref_dirs import get_reference_directions

from moo_nas import Constrained, NASProblem, Pareto, Single
from moo_nas.errors import InputError, SpaceError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, External, LookUp, Meter, Metric, ZMean
from moo_nas.spaces import FlatSpace, Gene, StageSpace
from tests.fakes import Fake, Guilty
from tests.spaces_for_tests import cube_space

FRONT = Pareto("score", "params")
LIMITED = Pareto("score", "params", limits={"params": 6e6})


def problem(formulation=FRONT, how=None, failures="constraint", space=None):
    meter = Fake() if how is None else Guilty(how)
    return NASProblem(
        Evaluator(space or StageSpace.haenas(), [meter, Analytic(32, 10)], n_reference=20),
        formulation,
        failures,
    )


@pytest.mark.parametrize(
    ("gene", "metric", "words"),
    [
        ("width", "width", "'width' is a gene and a metric"),
        ("evaluation", "error", "No gene can be called 'evaluation'"),
        ("id", "error", "No gene can be called 'id'"),
        ("width", "feasible", "No metric can be called 'feasible'"),
    ],
)
def test_two_columns_of_one_name_are_refused(gene, metric, words):
    space = FlatSpace([Gene(gene, (1, 2), "ordinal"), Gene("depth", (1, 2), "ordinal")])
    with pytest.raises(InputError, match=words):
        NASProblem(Evaluator(space, [External(metric, "1", "min")]), Single(metric))


@pytest.mark.parametrize("how", [None, "nan", "inf", "-inf", "raise"])
@pytest.mark.parametrize(
    ("make", "formulation", "failures"),
    [
        (lambda: GA(pop_size=10), Single("score"), "constraint"),
        (lambda: GA(pop_size=10), Constrained("score", {"params": None}), "constraint"),
        (lambda: GA(pop_size=10), Single("score"), "penalty"),
        (lambda: NSGA2(pop_size=10), FRONT, "constraint"),
        (lambda: NSGA2(pop_size=10), LIMITED, "constraint"),
        (lambda: NSGA2(pop_size=10), FRONT, "penalty"),
        (lambda: SMSEMOA(pop_size=10), FRONT, "constraint"),
        (
            lambda: MOEAD(get_reference_directions("uniform", 2, n_partitions=9), n_neighbors=4),
            FRONT,
            "penalty",
        ),
    ],
)
def test_pymoos_own_algorithms_run_unchanged_and_see_finite_numbers_only(make, formulation, failures, how):
    asked = problem(formulation, how, failures)
    seen = []
    evaluate = asked._evaluate

    def watched(x, out, *args, **kwargs):
        evaluate(x, out, *args, **kwargs)
        seen.extend(out[name].ravel() for name in ("F", "G") if out.get(name) is not None)

    asked._evaluate = watched
    result = minimize(asked, make(), ("n_gen", 6), seed=1, copy_algorithm=False)
    assert np.isfinite(np.concatenate(seen)).all()
    assert result.F is not None
    # What won was measured.
    table = asked.evaluations(np.atleast_2d(result.X))
    if make().__class__ is not MOEAD:
        assert not table.failed.any()


@pytest.mark.parametrize("failures", ["constraint", "penalty"])
@pytest.mark.parametrize("how", ["nan", "-inf"])
def test_a_failed_measurement_never_wins(how, failures):
    asked = problem(Single("score"), how, failures, cube_space())
    genomes = np.array([asked.space.genome_at(i) for i in range(27)])
    failed = asked.evaluations(genomes).failed
    assert 0 < failed.sum() < 27
    out = asked.evaluate(genomes, return_as_dictionary=True)
    if failures == "constraint":
        assert (out["G"][:, -1] > 0).tolist() == failed.tolist()
    assert out["F"][failed].min() > out["F"][~failed].max()


def test_a_space_of_27_networks_is_never_measured_more_than_27_times():
    meter = Fake()
    asked = NASProblem(Evaluator(cube_space(), [meter, Analytic(32)]), FRONT)
    minimize(asked, NSGA2(pop_size=20, eliminate_duplicates=False), ("n_gen", 30), seed=1)
    assert len(meter.asked) == len(set(meter.asked)) <= 27


def test_real_numbers_are_rounded_to_choices(tiny):
    asked = problem(space=tiny)
    genome = tiny.sample(1, seed=3)
    near = genome + np.linspace(-0.49, 0.49, tiny.n_var)
    assert asked.genomes(near).tolist() == genome.tolist()
    assert asked.genomes(near).dtype == np.int64
    assert asked.genomes(np.full((1, tiny.n_var), 9.7)).tolist() == [(tiny.n_choices - 1).tolist()]
    assert asked.genomes(np.full((1, tiny.n_var), -0.4)).tolist() == [[0] * tiny.n_var]
    assert asked.evaluate(near, return_values_of=["F"]) == pytest.approx(
        asked.evaluate(genome, return_values_of=["F"])
    )


def test_a_genome_of_nan_is_refused(tiny):
    with pytest.raises(InputError, match="NaN or infinity"):
        problem(space=tiny).genomes(np.full((1, tiny.n_var), np.nan))


def test_integers_out_of_bounds_are_refused_not_clipped(tiny):
    with pytest.raises(SpaceError, match=r"stage1.operator"):
        problem(space=tiny).genomes(np.full((1, tiny.n_var), 7))


def test_bounds_and_counts_are_those_of_space_and_formulation(tiny):
    asked = problem(LIMITED, space=tiny)
    assert (asked.n_var, asked.n_obj, asked.n_ieq_constr) == (tiny.n_var, 2, 2)
    assert (asked.xl == 0).all()
    assert (asked.xu == tiny.n_choices - 1).all()
    penal = problem(LIMITED, failures="penalty", space=tiny)
    assert penal.n_ieq_constr == 1
    assert problem(failures="penalty", space=tiny).evaluate(tiny.sample(3, 0)).shape == (3, 2)


def test_another_formulation_shares_what_was_measured(tiny):
    meter = Fake()
    asked = NASProblem(Evaluator(tiny, [meter, Analytic(16)]), FRONT)
    genomes = tiny.sample(20, seed=0)
    asked.evaluations(genomes)
    n = len(meter.asked)
    other = asked.under(Constrained("score", {"params": 5e3}))
    other.evaluations(genomes)
    assert len(meter.asked) == n
    assert (asked.n_obj, other.n_obj) == (2, 1)
    assert (asked.n_ieq_constr, other.n_ieq_constr) == (1, 2)


def test_a_formulation_of_a_metric_that_nothing_measures_is_refused_by_the_closest(tiny):
    with pytest.raises(InputError, match="did you mean 'params'"):
        problem(Pareto("score", "parms"), space=tiny)
    with pytest.raises(InputError, match="Unknown metric"):
        problem(space=tiny).under(Single("latency_ms"))


def test_failures_are_constraint_or_penalty(tiny):
    with pytest.raises(InputError, match="'constraint' or 'penalty'; got 'ignore'"):
        problem(failures="ignore", space=tiny)


def test_open_limits_are_fitted_once_on_the_reference_sample(tiny):
    asked = problem(Constrained("score", {"params": None}), space=tiny)
    median = np.median(asked.evaluator.reference(["params"])["params"])
    assert asked.fitted().limits == {"params": median}
    assert asked.fitted() is asked.fitted()
    f, g = asked.fg(asked.evaluations(tiny.sample(30, seed=1)))
    assert f.shape == (30, 1)
    assert g.shape == (30, 2)


def test_pymoos_static_answers_are_those_of_the_problem(tiny):
    asked = problem(space=tiny)
    genomes = tiny.sample(5, seed=0)
    f, g = asked.fg(asked.evaluations(genomes))
    answered = StaticProblem(asked, F=f, G=g).evaluate(genomes, return_values_of=["F", "G"])
    direct = asked.evaluate(genomes, return_values_of=["F", "G"])
    for a, b in zip(answered, direct, strict=True):
        assert a.tolist() == b.tolist()


class Predictor(Meter):
    """An instant meter that must be fitted first, which says when it is."""

    instant = True
    metrics = (Metric("energy_mj", "mJ", "min"),)
    settings = {}
    n_prepared = 0

    def prepare(self, space, memory, seed):
        Predictor.n_prepared += 1
        return self

    def measure(self, architectures, seeds):
        return np.array([[float(len(str(a)))] for a in architectures])


def with_a_table(formulation):
    space = cube_space()
    every = np.array([space.genome_at(i) for i in range(space.size)])
    frame = pd.DataFrame(
        {"error": np.arange(space.size, 0.0, -1), "zen": np.arange(space.size) + 0.5},
        index=[str(space.decode(genome)) for genome in every],
    )
    known = LookUp(
        frame, [Metric("error", "%", "min"), Metric("zen", "1", None)], "here", ["zen"], genomes=every
    )
    sources = [known, Analytic(32, 10), Predictor(), ZMean(("params", "macs"), name="size"), Fake()]
    return NASProblem(Evaluator(space, sources, n_reference=5), formulation), every


def test_free_are_formulas_and_table_columns_named_so_and_never_what_is_measured():
    asked, every = with_a_table(Pareto("error", "params"))
    assert {"zen", "params", "macs"} <= set(asked.free)
    assert not {"error", "energy_mj", "score", "size"} & set(asked.free)
    before = asked.evaluator.store.setup()
    features = asked.features(every)
    assert features.shape == (len(every), len(asked.free))
    assert features[:, asked.free.index("zen")].tolist() == (np.arange(len(every)) + 0.5).tolist()
    assert features[:, asked.free.index("params")].tolist() == asked.evaluations(every)["params"].tolist()
    assert asked.evaluator.store.setup() == before


def test_a_predictor_is_fitted_for_features_only_if_the_problem_asks_for_it():
    asked, every = with_a_table(Pareto("error", "params"))
    Predictor.n_prepared = 0
    asked.features(every)
    assert Predictor.n_prepared == 0
    other = asked.under(Pareto("error", "energy_mj")).also_measuring(["size"])
    assert {"energy_mj", "size", "zen"} <= set(other.free)
    assert np.isfinite(other.features(every)).all()
    assert Predictor.n_prepared == 1


def test_a_feature_without_a_goal_can_be_no_objective_and_no_limit():
    asked, _ = with_a_table(Pareto("error", "params"))
    for formulation in (Single("zen"), Pareto("error", "zen"), Constrained("error", {"zen": 3.0})):
        with pytest.raises(InputError, match="'zen' has no goal"):
            asked.under(formulation)


def test_a_problem_prints_what_it_is_of():
    asked, _ = with_a_table(Pareto("error", "params"))
    assert str(asked) == f"{asked.name}: {asked.space.n_var} genes, pareto of error, params"
    assert f"{asked}" == str(asked)
