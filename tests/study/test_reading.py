"""A run's folder read back: the same run, nothing measured, nothing changed."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from moo_nas import (
    Constrained,
    NASProblem,
    Pareto,
    ReferencePoint,
    Run,
    Single,
    Tchebycheff,
    WeightedProduct,
    WeightedSum,
    compare,
    search,
)
from moo_nas.errors import FormulationError, InputError, SpaceError
from moo_nas.evaluation import Evaluator, Store
from moo_nas.formulations import Quantile
from moo_nas.formulations.described import formulation_of
from moo_nas.formulations.product import PositiveScale
from moo_nas.meters import Analytic
from moo_nas.spaces import CellSpace, FlatSpace, Gene, JointSpace, PrunedSpace, StageSpace
from moo_nas.spaces.described import description, parse, space_of
from moo_nas.study.command import command
from moo_nas.study.reading import load_comparison
from moo_nas.study.record import definition_of
from moo_nas.study.rewrite import report
from problems.additive import Additive
from problems.tabular import Table
from tests.spaces_for_tests import wide_space

FRAME = pd.DataFrame(
    {"op": list("aabbcc"), "d": [1, 2] * 3, "error": [3.0, 2, 4, 1, 6, 5], "ms": [1.0, 2, 1, 3, 2, 2]}
)


def contents(folder: Path) -> dict[str, bytes]:
    kept = (p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {str(p.relative_to(folder)): p.read_bytes() for p in kept}


@pytest.mark.parametrize(
    "space",
    [
        StageSpace.haenas(),
        StageSpace.mnasnet(),
        wide_space(),
        CellSpace.nasbench201(),
        CellSpace(3, (8, 16), 3, ("none", "skip_connect"), merge=False),
        FlatSpace([Gene("op", ("01", "1"), "categorical"), Gene("x", (0.5, 2), "ordinal")]),
        PrunedSpace(StageSpace.haenas(), {1: {("ibn", 3, 3, 1, 16, 0.0): ("fused", 3, 3, 1, 16, 0.0)}}),
        JointSpace(CellSpace.nasbench201(), [Gene("device", ("a", "b"), "categorical")]),
        JointSpace(FlatSpace([Gene("op", ("a", "b"), "categorical")]), [Gene("ms", (1, 2), "ordinal")]),
    ],
    ids=lambda space: space.name,
)
def test_a_space_is_made_again_from_what_it_says_of_itself(space):
    made = space_of(json.loads(json.dumps(description(space))))
    assert type(made) is type(space)
    assert made.settings == space.settings
    genomes = space.canonical(space.sample(20, seed=0))
    texts = [str(space.decode(genome)) for genome in genomes]
    assert [str(made.decode(genome)) for genome in genomes] == texts
    for genome, text in zip(genomes, texts, strict=True):
        assert (made.encode(parse(made, text)) == genome).all()


@pytest.mark.parametrize("told", [{}, {"name": "os.system"}, {"name": "stage space", "settings": {}}])
def test_what_tells_no_space_is_refused(told):
    with pytest.raises(SpaceError):
        space_of(told)


@pytest.mark.parametrize(
    "formulation",
    [
        Single("error"),
        Pareto("error", "ms", limits={"ms": 2.0}),
        Constrained("error", {"ms": Quantile(0.3), "macs": None}),
        Constrained("error", {"ms": 2.0}, "epsilon", rho=0.01, ranges={"error": (0.0, 1.0)}),
        Constrained("error", {"ms": 2.0}, "penalty", coefficient=7.0),
        WeightedProduct.hard("score", {"ms": 2.0}),
        WeightedProduct("score", {"ms": None}, scale=PositiveScale(0.0, 1.0), left_out=("energy_mj",)),
        WeightedProduct.soft("score"),
        WeightedSum({"error": 1.0, "ms": 3.0}, ranges={"ms": (0.0, 2.0)}, limits={"ms": 1.0}),
        Tchebycheff({"error": 1.0, "ms": 1.0}, ideal={"ms": 0.0}),
        ReferencePoint.at({"error": 1.0, "ms": None}),
    ],
    ids=lambda formulation: formulation.name,
)
def test_a_formulation_is_made_again_from_its_settings(formulation):
    assert formulation_of(json.loads(json.dumps(formulation.settings))).settings == formulation.settings


@pytest.mark.parametrize("settings", [{}, {"formulation": "eval"}, {"formulation": "pareto"}])
def test_what_tells_no_formulation_is_refused(settings):
    with pytest.raises(FormulationError):
        formulation_of(settings)


@pytest.mark.parametrize(
    ("problem", "formulation"),
    [
        (lambda: Additive(), Pareto("error", "latency_ms")),
        (lambda: Additive(), Constrained("error", {"latency_ms": None})),
        (
            lambda: Table(FRAME, ["op", "d"], {"error": "min", "ms": "min"}),
            WeightedSum({"error": 1, "ms": 1}),
        ),
    ],
    ids=["pareto", "fitted", "a table of one's own"],
)
def test_a_run_is_read_back_whole_without_its_problem_and_its_report_is_the_same(
    problem, formulation, tmp_path
):
    run = search(problem(), formulation, budget=5, out=tmp_path / "run")
    before = contents(tmp_path / "run")
    found = Run.load(tmp_path / "run")
    pd.testing.assert_frame_equal(found.evaluations, run.evaluations)
    pd.testing.assert_frame_equal(found.front, run.front)
    assert (found.objectives == run.objectives).all()
    assert found.record == json.loads((tmp_path / "run" / "run.json").read_text())
    assert contents(tmp_path / "run") == before
    for name in ("report.html", "front.png", "front.csv"):
        (tmp_path / "run" / name).unlink()
    assert report([tmp_path / "run"]) == tmp_path / "run"
    assert contents(tmp_path / "run") == before


def test_a_read_only_folder_is_read_too(tmp_path):
    run = search(Additive(), budget=5, out=tmp_path / "run")
    (tmp_path / "run" / "evaluations.sqlite").chmod(0o444)
    (tmp_path / "run").chmod(0o555)
    try:
        assert len(Run.load(tmp_path / "run").table) == len(run.table)
    finally:
        (tmp_path / "run").chmod(0o755)


def test_a_comparison_is_read_back_whole_and_its_report_is_the_same(tmp_path):
    asked = {"pareto": Pareto("error", "latency_ms"), "one": Constrained("error", {"latency_ms": None})}
    compare(Additive(), asked, seeds=2, budget=20, out=tmp_path / "both")
    before = contents(tmp_path / "both")
    found = load_comparison(tmp_path / "both")
    assert found is not None
    assert list(found.entries) == [(f"{m}-nsga2", seed) for m in asked for seed in (0, 1)]
    assert report([tmp_path / "both"]) == tmp_path / "both"
    assert contents(tmp_path / "both") == before
    part = tmp_path / "both" / "runs" / "one-nsga2" / "seed1"
    assert Run.load(part).front.to_csv() == (part / "front.csv").read_text()


def test_what_is_read_back_is_the_comparison_that_was_made_last(tmp_path):
    theirs = pd.DataFrame(
        {
            "method": ["theirs"],
            "seed": [0],
            "evaluation": [1],
            "error": 40.0,
            "latency_ms": 40.0,
            "params": 9e6,
        }
    )
    theirs.to_csv(tmp_path / "theirs.csv", index=False)
    for foreign in ([tmp_path / "theirs.csv"], [], [tmp_path / "theirs.csv"]):
        made = compare(
            Additive(), [Pareto("error", "latency_ms")], ["random"], 1, 9, 1, tmp_path / "c", foreign=foreign
        )
        read = load_comparison(tmp_path / "c")
        assert read is not None
        assert list(read.entries) == list(made.entries)


def test_the_folder_of_several_runs_says_where_they_are(tmp_path):
    compare(Additive(), [Pareto("error", "latency_ms")], ["random"], 1, 5, out=tmp_path / "c")
    for folder in (tmp_path / "c", tmp_path / "c" / "runs" / "pareto-random"):
        with pytest.raises(InputError, match=r"Runs lie inside: .*/c/runs/pareto-random/seed0"):
            Run.load(folder)


def test_several_runs_on_one_problem_are_compared(tmp_path):
    for seed in (0, 1):
        search(Additive(), Pareto("error", "latency_ms"), "random", 20, seed, out=tmp_path / f"r{seed}")
    search(Additive(), Constrained("error", {"latency_ms": None}), budget=20, out=tmp_path / "c")
    before = contents(tmp_path)
    made = report([tmp_path / name for name in ("r0", "r1", "c")], tmp_path / "together")
    table = pd.read_csv(made / "comparison.csv")
    assert table["method"].tolist() == ["pareto-random"] * 2 + ["constrained-nsga2"]
    assert table["evaluations"].tolist() == [20] * 3
    assert "Comparison on additive" in (made / "report.html").read_text()
    assert {k: v for k, v in contents(tmp_path).items() if not k.startswith("together")} == before


def test_runs_that_differ_by_anything_but_the_seed_are_other_methods_named_by_their_folders(tmp_path):
    asked = {
        "b20/first": {"budget": 20},
        "b20/second": {"budget": 20, "seed": 1},
        "b40/first": {"budget": 40},
        "still/first": {"budget": 20, "stagnation": 15},
    }
    for name, options in asked.items():
        search(Additive(), algorithm="random", out=tmp_path / name, **options)
    made = report([tmp_path / name for name in asked], tmp_path / "together")
    with pytest.raises(InputError, match="compares runs of other folders"):
        report([made])
    table = pd.read_csv(made / "comparison.csv")
    methods = [f"pareto-random ({name.split('/')[0]})" for name in asked]
    assert table["method"].tolist() == methods
    assert table["seed"].tolist() == [0, 1, 0, 0]


def test_the_definition_in_a_record_is_the_one_that_the_store_has(tmp_path):
    run = search(Additive(), Constrained("error", {"latency_ms": None}), budget=5, out=tmp_path)
    with closing(Store(tmp_path / "evaluations.sqlite", read_only=True)) as store:
        kept = store.definition("search")
    for record in (run.record, Run.load(tmp_path).record):
        assert definition_of(record) == kept


def test_what_cannot_be_reported_is_refused_and_left_alone(tmp_path):
    search(Additive(), budget=5, out=tmp_path / "a")
    search(Additive(), budget=5, seed=1, out=tmp_path / "b")
    search(Additive(seed=3), budget=5, out=tmp_path / "other seed")
    (tmp_path / "empty").mkdir()
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    shutil.copytree(tmp_path / "a", tmp_path / "no record")
    (tmp_path / "no record" / "run.json").write_text("[]")
    before = contents(tmp_path)
    for names, why in (
        (["nothing"], "There is no folder"),
        (["empty"], "is no run's folder"),
        (["no record"], "is no record of a run"),
        (["a", "other seed"], "different problems do not go together"),
        (["a", "copy"], "are the same run"),
    ):
        with pytest.raises(InputError, match=why):
            report([tmp_path / name for name in names], tmp_path / "out" if len(names) > 1 else None)
    with pytest.raises(InputError, match="Not all of these runs have measured 'energy_mj'; they share"):
        report([tmp_path / "a", tmp_path / "b"], tmp_path / "out", ["error", "energy_mj"])
    with pytest.raises(InputError, match="holds a run"):
        report([tmp_path / "a", tmp_path / "b"], tmp_path / "copy")
    assert contents(tmp_path) == before


def test_a_space_of_ones_own_is_read_with_its_problem(tmp_path):
    space = wide_space()
    space.name = "another"  # type: ignore[misc]  # a class of one's own
    problem = NASProblem(Evaluator(space, [Analytic(32, 10)]), Pareto("params", "macs"))
    run = search(problem, budget=5, out=tmp_path / "run")
    with pytest.raises(InputError, match=r"Run.load\(folder, problem\)"):
        Run.load(tmp_path / "run")
    pd.testing.assert_frame_equal(Run.load(tmp_path / "run", problem).front, run.front)


def test_the_command_that_is_told_makes_the_same_run(tmp_path, monkeypatch):
    from moo_nas.cli import DONE, main

    monkeypatch.chdir(tmp_path)
    first = [
        *("search", "additive", "--formulation", "constrained", "--objectives", "error,latency_ms"),
        *("--limit", "params=9000000", "--algorithm", "aging", "--algorithm-option", "pop_size=7"),
        *("--problem-option", "seed=2", "--budget", "30", "--seed", "4", "--jobs", "1"),
    ]
    assert main([*first, "--out", "a"]) == DONE
    told = command(Run.load("a").record)
    assert told is not None
    assert told in (tmp_path / "a" / "report.html").read_text()
    assert main([*told.split()[1:], "--jobs", "1", "--out", "b"]) == DONE
    assert (tmp_path / "a" / "front.csv").read_bytes() == (tmp_path / "b" / "front.csv").read_bytes()
    assert np.array_equal(Run.load("a").table.genomes, Run.load("b").table.genomes)
    stops = {"max_seconds": 1234567.25, "stagnation": 2_000_000, "timeout_s": 60.0}
    told = command({**Run.load("a").record, **stops})
    assert told is not None
    assert "--max-seconds 1234567.25 --stagnation 2000000 --timeout 60 " in told
    own = search(Table(FRAME, ["op", "d"], {"error": "min", "ms": "min"}), budget=3)
    assert command(own.record) is None
