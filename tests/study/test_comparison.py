"""What a comparison tells: judged in one space, against the best that is known, with its doubts."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from moo_nas import (
    Constrained,
    NASProblem,
    Pareto,
    Single,
    Tchebycheff,
    WeightedProduct,
    WeightedSum,
    compare,
)
from moo_nas.algorithms import NSGA2
from moo_nas.analysis.indicators import igd_plus
from moo_nas.errors import FormulationError, InputError
from moo_nas.evaluation import Evaluator
from moo_nas.formulations import spread
from moo_nas.meters import Analytic
from moo_nas.study import Spread
from moo_nas.testing.algorithms import StandIn
from problems.tabular import Table
from tests.spaces_for_tests import tiny_space

JUDGE = Pareto("score", "params")
ASKED = {"single": Single("score"), "limits": Constrained("score", {"params": None}), "pareto": JUDGE}


def toy(failing: float = 0.0) -> NASProblem:
    return NASProblem(
        Evaluator(tiny_space(), [Analytic(16, 10), StandIn(("score",), failing)], n_reference=20), JUDGE
    )


def concave() -> Table:
    """121 points over two genes; the front's middle lies in a dent that no weighted sum looks into."""
    a, b = np.meshgrid(np.arange(11), np.arange(11))
    x, y = a.ravel() / 10, b.ravel() / 10
    # A quarter of a circle from the wrong side, and worse behind it.
    error, latency = x + y, np.sqrt(1 - x**2) + 0.3 + y
    frame = pd.DataFrame({"a": a.ravel(), "b": b.ravel(), "error": error, "latency_ms": latency})
    return Table(frame, genes=["a", "b"], metrics={"error": "min", "latency_ms": "min"})


def minimised(frame: pd.DataFrame) -> np.ndarray:
    return np.column_stack([-frame["score"], frame["params"]])


def dominated_area(f: np.ndarray) -> float:
    """The share of the unit square that points dominate: a sum of strips."""
    area, height = 0.0, 1.0
    for x, y in sorted(map(tuple, f)):
        if y < height and x < 1:
            area += (1 - x) * (height - max(y, 0))
            height = y
    return area


@pytest.fixture(scope="module")
def found():
    return compare(toy(), ASKED, {"small": NSGA2(pop_size=4)}, seeds=6, budget=12)


def test_curves_are_those_of_the_indicators_at_every_prefix(found):
    points = found.box.scaled(minimised(found.front))
    for (method, seed), run in found.runs.items():
        f = found.box.scaled(minimised(run.evaluations))
        own = found.curves[(found.curves["method"] == method) & (found.curves["seed"] == seed)]
        assert own["evaluation"].tolist() == list(range(1, 13))
        for n, row in enumerate(own.itertuples(), start=1):
            assert row.igd_plus == pytest.approx(igd_plus(f[:n], points), abs=1e-12)
            assert row.hypervolume == pytest.approx(dominated_area(f[:n]), abs=1e-12)


def test_the_best_known_front_is_of_all_runs_and_reached_by_those_that_found_it(found):
    every = pd.concat([run.evaluations for run in found.runs.values()])
    f = minimised(every)
    best = {tuple(p) for p in f if not any((q <= p).all() and (q < p).any() for q in f)}
    assert {tuple(p) for p in minimised(found.front)} == best
    assert not found.front_is_exact
    for row in found.reach.itertuples():
        point = (-row.score, row.params)
        runs = [run for (method, _), run in found.runs.items() if method == row.method]
        hits = sum((minimised(run.evaluations) == point).all(axis=1).any() for run in runs)
        assert (row.runs, row.reached) == (6, hits)


def test_what_a_formulation_aims_at_is_its_best_among_the_front(found):
    reach = found.reach.set_index(["method", "point"])["aimed"]
    front = found.front
    assert reach["pareto-small"].all()
    assert reach["single-small"].tolist() == (front["score"] == front["score"].max()).tolist()
    limit = found.runs["limits-small", 0].formulation.limits["params"]
    within = front[front["params"] <= limit]
    assert reach["limits-small"].tolist() == (front["score"] == within["score"].max()).tolist()


def test_the_best_within_each_limit_and_what_half_of_the_runs_attain(found):
    for row in found.best.itertuples():
        run = found.runs[row.method, row.seed].evaluations
        within = run[run["params"] <= row.limit]["score"]
        assert (row.best == within.max()) if len(within) else math.isnan(row.best)
    assert found.best["limit"].nunique() >= 2
    for corner in found.attainment.itertuples():
        own = [run.evaluations for (method, _), run in found.runs.items() if method == corner.method]
        hits = sum(((e["score"] >= corner.best) & (e["params"] <= corner.limit)).any() for e in own)
        assert hits >= math.ceil(corner.share * len(own) - 1e-9)
    asked = compare(toy(), ASKED, ["random"], 1, 8, limits={"params": [1e3, 1e9]})
    assert sorted(set(asked.best["limit"])) == [1e3, 1e9]
    with pytest.raises(InputError, match="'macs' is no cost that runs are judged by: params"):
        _ = compare(toy(), ASKED, ["random"], 1, 8, limits={"macs": [1.0]}).best


def test_ranks_and_tests_are_scipys(found):
    wide = found.table.pivot_table(index="seed", columns="method", values="hypervolume")
    ranks = found.ranks[found.ranks["indicator"] == "hypervolume"].set_index("method")
    expected = stats.rankdata(-wide.to_numpy(), axis=1).mean(axis=0)
    assert ranks.loc[wide.columns, "mean_rank"].tolist() == pytest.approx(expected.tolist(), abs=1e-12)
    ranking = found.rankings["hypervolume"]
    p = stats.friedmanchisquare(*(-wide.to_numpy()).T).pvalue
    assert ranking.friedman_p == pytest.approx(p, abs=1e-12)
    control = ranking.control
    assert math.isnan(ranks.loc[control, "p"])
    raw = {m: stats.wilcoxon(wide[m], wide[control]).pvalue for m in wide if m != control}
    low, high = sorted(raw.values())
    holm = sorted([min(2 * low, 1), max(min(2 * low, 1), high)])
    assert sorted(ranks["p"].dropna()) == pytest.approx(holm, abs=1e-12)
    for method in raw:
        wins = [(a > b) + (a == b) / 2 for a, b in itertools.product(wide[method], wide[control])]
        assert ranks.loc[method, "a12"] == pytest.approx(np.mean(wins), abs=1e-12)
        assert ranks.loc[method, "median"] == pytest.approx(wide[method].median())


def test_costs_are_in_evaluations_and_seconds(found):
    assert (found.costs["evaluations"] == 12).all()
    assert (found.costs["wall_seconds"] >= found.costs["measuring_seconds"]).all()
    assert (found.costs["measuring_seconds"] >= 0).all()


def test_it_prints_the_medians_of_its_methods(found):
    heading, columns, *_ = repr(found).splitlines()
    assert heading == "Medians over seeds:"
    assert "hypervolume" in columns
    for method in found.table["method"].unique():
        assert method in repr(found)


def test_one_seed_is_reported_and_not_tested():
    found = compare(toy(), ASKED, ["random"], 1, 8)
    assert found.ranks["p"].isna().all()
    assert any(note.startswith("One seed:") for note in found.notes)
    two = compare(toy(), ASKED, ["random"], 2, 8)
    assert any("cannot tell any difference from chance" in note for note in two.notes)


def test_a_reference_point_is_stated_and_used():
    given = compare(toy(), ASKED, ["random"], 2, 12, reference={"score": 0.0, "params": 1e5})
    assert given.reference == {"score": 0.0, "params": 1e5}
    free = compare(toy(), ASKED, ["random"], 2, 12)
    params = pd.concat([run.evaluations["params"] for run in free.runs.values()])
    assert free.reference["params"] == pytest.approx(params.max() + 0.1 * np.ptp(params))
    for wrong, words in (
        ({"score": 0.0}, "one finite value of each of score, params; got score=0.0"),
        ({"score": 0.0, "params": math.nan}, "one finite value"),
        ({"score": 0.0, "params": True}, "one finite value"),
        ({"score": 2.0, "params": 1e5}, "Nothing is better than the reference point"),
    ):
        with pytest.raises(InputError, match=words):
            compare(toy(), ASKED, ["random"], 1, 8, reference=wrong)


def test_on_a_concave_front_no_weighted_sum_reaches_the_dent_and_tchebycheff_and_pareto_do():
    problem, weights = concave(), {"error": 1.0, "latency_ms": 1.0}
    asked = {
        "sums": Spread.even(WeightedSum(weights), 8),
        "tchebycheff": Spread.even(Tchebycheff(weights), 8),
        "pareto": Pareto("error", "latency_ms"),
    }
    # Enough to look at the whole table: what is not reached cannot be.
    found = compare(problem, asked, ["random"], seeds=1, budget=121)
    assert found.front_is_exact
    assert found.front["supported"].sum() == 2 < len(found.front) == 11
    aimed = found.reach[found.reach["aimed"]].groupby("method")["supported"].agg(["size", "sum"])
    assert aimed.loc["sums-random"].tolist() == [2, 2]
    assert aimed.loc["tchebycheff-random", "size"] > 4
    assert aimed.loc["pareto-random", "size"] == 11
    # What eight searches of all that there is give as their answers.
    alone = {f"s{i}": f for i, f in enumerate(spread(WeightedSum(weights), 8))}
    picks = compare(problem, alone, ["random"], seeds=1, budget=121)
    ends = {float(run.front["error"].iloc[0]) for run in picks.runs.values()}
    assert ends == {0.0, 1.0}


def test_a_product_of_negative_scores_is_refused_with_the_reason():
    frame = pd.DataFrame({"a": range(9), "score": np.linspace(-5, 3, 9), "latency_ms": np.arange(1.0, 10.0)})
    problem = Table(frame, genes=["a"], metrics={"score": "max", "latency_ms": "min"})
    product = WeightedProduct("score", {"latency_ms": 5.0}, alpha=0.0, beta=-0.7, scale=False)
    with pytest.raises(FormulationError, match="positive"):
        compare(problem, {"p": product}, ["random"], 1, 9)
    # Beside others it is refused with its reason, all its seeds, and they are reported.
    beside = compare(problem, {"p": product, "s": Single("score")}, ["random"], 2, 9)
    assert list(beside.entries) == [("s-random", 0), ("s-random", 1)]
    assert "needs positive scores" in beside.refused["p-random"]
    assert beside.table["stop_reason"].tolist() == ["exhausted", "exhausted", "refused"]


def test_runs_in_which_everything_failed_are_told_and_no_chart_is_empty(tmp_path):
    found = compare(toy(failing=1.0), {"s": Single("score"), "p": JUDGE}, ["random"], 2, 8, out=tmp_path)
    assert (found.table["hypervolume"] == 0).all()
    assert np.isinf(found.table["igd_plus"]).all()
    assert (found.table["failed"] == 8).all()
    assert found.box is None
    assert found.reference == {}
    assert "Nothing valid was found." in found.notes
    for frame in (found.front, found.fronts, found.best, found.attainment):
        assert frame.empty
    assert (tmp_path / "report.html").stat().st_size > 0


def test_a_method_that_found_nothing_beside_others_has_a_report(tmp_path):
    """Its curve has no point: that is no reason to fail."""
    path = tmp_path / "theirs.csv"
    rows = {"method": "theirs", "seed": [0, 1], "evaluation": 1, "score": np.nan, "params": 9}
    pd.DataFrame(rows).to_csv(path, index=False)
    found = compare(toy(), {"p": JUDGE}, ["random"], 2, 8, foreign=[path], out=tmp_path / "c")
    assert found.table.set_index("method")["failed"].to_dict() == {"p-random": 0, "theirs": 1}
    assert "theirs" in (tmp_path / "c" / "report.html").read_text()


@pytest.mark.parametrize(
    ("yardstick", "words"),
    [
        ({"limits": {"latency_ms": [1.0]}}, "'latency_ms' is no cost that runs are judged by: params"),
        ({"limits": {"params": [np.nan]}}, "Limits of 'params' are finite numbers; got nan"),
        ({"limits": {"params": True}}, "Limits of 'params' are finite numbers; got True"),
        ({"reference": {"score": 0.0}}, "needs one finite value of each of score, params; got score=0.0"),
    ],
)
def test_a_yardstick_that_does_not_fit_is_refused_before_anything_is_measured(yardstick, words, tmp_path):
    with pytest.raises(InputError, match=words):
        compare(toy(), {"p": JUDGE}, ["random"], 1, 8, out=tmp_path / "here", **yardstick)
    assert not (tmp_path / "here").exists()


def test_a_front_of_one_point_is_told(tmp_path):
    frame = pd.DataFrame({"a": range(9), "error": np.arange(9.0), "latency_ms": np.arange(1.0, 10.0)})
    problem = Table(frame, genes=["a"], metrics={"error": "min", "latency_ms": "min"})
    found = compare(problem, {"p": Pareto("error", "latency_ms")}, ["random"], 2, 9, out=tmp_path)
    assert len(found.front) == 1
    assert found.table["reached"].tolist() == [1.0, 1.0]
    assert any("one point" in note for note in found.notes)


@pytest.mark.parametrize(
    ("asked", "judge", "words"),
    [
        ({"s": Single("acuracy")}, None, "Unknown metric 'acuracy'"),
        ({"c": Constrained("score", {"latency_ms": 3.0})}, None, "Unknown metric 'latency_ms'"),
        ({"s": Single("score")}, Pareto("score", "energy_mj"), "Unknown metric 'energy_mj'"),
    ],
)
def test_metrics_that_nobody_measures_are_refused_before_anything_is_written(asked, judge, words, tmp_path):
    with pytest.raises(InputError, match=words):
        compare(toy(), asked, ["random"], 1, 8, judge=judge, out=tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_its_tables_are_files(tmp_path):
    found = compare(toy(), ASKED, ["random"], 2, 10, out=tmp_path)
    for name in ("curves", "fronts", "front", "reach", "best", "attainment", "ranks", "costs"):
        read = pd.read_csv(tmp_path / f"{name}.csv")
        assert list(read) == list(getattr(found, name))
        assert len(read) == len(getattr(found, name)) > 0


def test_it_is_said_where_runs_met_no_limit_or_are_of_unequal_length(tmp_path):
    asked = {"tight": Constrained("score", {"params": 1.0}), "pareto": JUDGE}
    found = compare(toy(), asked, ["nsga2"], seeds=2, budget=8, out=tmp_path)
    (said,) = [note for note in found.notes if "within its limits" in note]
    assert said.startswith("In 2 of 2 runs of tight-nsga2 nothing was measured")
    assert said in (tmp_path / "report.html").read_text()
    assert not any("unequal" in note for note in found.notes)
    rows = pd.DataFrame({"method": "theirs", "seed": 0, "evaluation": [1, 2], "score": 0.5, "params": 1e4})
    rows.to_csv(tmp_path / "theirs.csv", index=False)
    both = compare(toy(), {"pareto": JUDGE}, ["nsga2"], 1, 8, foreign=[tmp_path / "theirs.csv"])
    assert any("unequal numbers of evaluations, from 2 to 8" in note for note in both.notes)


def test_a_comparison_in_which_nothing_could_be_measured_says_so_and_draws_no_empty_plot(tmp_path):
    compare(
        toy(failing=1.0),
        {"one": JUDGE, "two": Constrained("score", {"params": 1e9})},
        ["nsga2"],
        3,
        8,
        out=tmp_path,
    )
    page = (tmp_path / "report.html").read_text()
    assert "No run found anything to show here." in page
    assert "has the best mean rank" not in page
