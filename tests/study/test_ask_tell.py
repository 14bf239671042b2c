"""Runs whose evaluations are made elsewhere: asked what to evaluate, and told."""

import inspect
import json
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from moo_nas import Constrained, NASProblem, Pareto, Run, Single, WeightedProduct, search
from moo_nas.algorithms import NSGA2, AgingEvolution
from moo_nas.errors import InputError, OtherRunError, SourceError, StoreError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, External
from moo_nas.spaces import Architecture
from moo_nas.study import ask_tell
from moo_nas.study.folder import Folder
from moo_nas.study.rewrite import report
from tests.analysis.test_report import Reader
from tests.fakes import Fake, number
from tests.spaces_for_tests import tiny_space, wide_space

BUDGET = 20
ASKED = Pareto("score", "params")


class Here(Fake):
    """Measures here what is told in the other tests: a hash of the architecture alone."""

    def value(self, architecture, seed):
        return truth(str(architecture))


def truth(text: str) -> float:
    return number("told", text)


def problem(*meters, space=None, asked=ASKED) -> NASProblem:
    meters = meters or (External("score", "1", "max"),)
    return NASProblem(Evaluator(space or wide_space(), [Analytic(16, 10), *meters], n_reference=10), asked)


def opened(out=None, **options) -> Run:
    return Run.open(problem(), algorithm=NSGA2(6), budget=BUDGET, seed=2, out=out, **options)


def tell_all(run, seed=0, n=BUDGET) -> int:
    """Tell all there is in shuffled order, and return how many were told."""
    rng, told = np.random.default_rng(seed), 0
    while len(table := run.ask(n)):
        row = table.iloc[rng.integers(len(table))]
        run.tell(row["id"], {"score": truth(row["architecture"])})
        told += 1
    return told


def kept(folder: Path) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(folder / "evaluations.sqlite")) as db:
        return [
            db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("measurements", "evaluations", "meters")
        ]


@pytest.fixture(scope="module")
def measured_here(tmp_path_factory):
    out = tmp_path_factory.mktemp("here")
    run = search(problem(Here()), algorithm=NSGA2(6), budget=BUDGET, seed=2, out=out)
    return run, (out / "front.csv").read_bytes()


def same(run, out, measured_here) -> None:
    expected, front = measured_here
    pd.testing.assert_frame_equal(run.evaluations, expected.evaluations)
    pd.testing.assert_frame_equal(run.front, expected.front)
    assert run.stop_reason == expected.stop_reason == "budget"
    assert (out / "front.csv").read_bytes() == front
    assert {"run.json", "report.html", "front.png"} <= {path.name for path in out.iterdir()}


def test_told_in_shuffled_order_a_run_is_that_of_a_search(tmp_path, measured_here):
    with opened(tmp_path) as run:
        assert run.stop_reason == "open"
        assert tell_all(run) == BUDGET
        same(run, tmp_path, measured_here)
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["stop_reason"], record["n_evaluations"]) == ("budget", BUDGET)
    # A search of the same continues the folder: it has all that it needs.
    again = search(problem(), algorithm=NSGA2(6), budget=BUDGET, seed=2, out=tmp_path)
    same(again, tmp_path, measured_here)


@pytest.mark.parametrize(("n", "words"), [(0, None), (1, "1 result of an"), (4, "4 results of an")])
def test_what_is_told_of_an_unfinished_batch_is_counted_by_who_reads_the_folder(n, words, tmp_path):
    with opened(tmp_path) as run:
        for number, text in run.ask(n)[["id", "architecture"]].itertuples(index=False) if n else ():
            run.tell(number, {"score": truth(text)})
        assert run.n_waiting == n
        read = Run.load(tmp_path)
        assert (read.n_waiting, len(read.evaluations)) == (n, 0)
        assert read.stop_reason == run.stop_reason == "open"
        report([tmp_path])
        page = Reader((tmp_path / "report.html").read_text(encoding="utf-8")).text
        assert f"{words} unfinished batch" in page if words else "unfinished batch" not in page
        tell_all(run)
        assert run.n_waiting == Run.load(tmp_path).n_waiting == 0
    assert Run.load(tmp_path).stop_reason == "budget"
    assert "unfinished" not in Reader((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_proposals_stay_the_same_until_they_are_told_and_are_numbered_as_evaluations():
    run = opened()
    first = run.ask(4)
    assert list(first) == ["id", *(gene.name for gene in run.space.genes), "architecture"]
    assert first["id"].tolist() == [0, 1, 2, 3]
    pd.testing.assert_frame_equal(run.ask(4), first)
    assert len(run.ask(100)) == 6, "the algorithm's first batch"
    run.tell(1, {"score": 0.5})
    assert run.ask(4)["id"].tolist() == [0, 2, 3, 4]
    assert len(run.evaluations) == 0, "the batch is not told whole"
    tell_all(run)
    assert run.evaluations["architecture"][:4].tolist() == first["architecture"].tolist()
    assert run.evaluations["score"][1] == 0.5
    done = run.ask(3)
    assert (len(done), list(done), done["id"].dtype) == (0, list(first), first["id"].dtype)
    for row in first.itertuples():
        genome = run.space.encode(Architecture.parse(row.architecture))
        genes = first.loc[[row.Index], [gene.name for gene in run.space.genes]]
        assert run.space.choices(genome[None]).to_numpy().tolist() == genes.to_numpy().tolist()


ELSEWHERE = """
import os, sys
from pathlib import Path
from tests.study.test_ask_tell import opened, truth
run, told = opened(Path(sys.argv[1])), 0
while len(table := run.ask(3)):
    row = table.iloc[-1]
    run.tell(row["id"], {"score": truth(row["architecture"])})
    told += 1
    if told == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
"""


def test_killed_between_two_tells_and_opened_again_it_ends_as_an_unbroken_one(tmp_path, measured_here):
    for told in (4, 5):
        command = [sys.executable, "-c", ELSEWHERE, str(tmp_path), str(told)]
        done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
        assert done.returncode == -signal.SIGKILL
    assert len(kept(tmp_path)[0]) == 9
    with opened(tmp_path) as run:
        assert tell_all(run) == BUDGET - 9
        same(run, tmp_path, measured_here)


def test_two_that_have_it_open_ask_and_tell_one_after_the_other(tmp_path, measured_here):
    with opened(tmp_path) as one, opened(tmp_path) as other:
        for turn in range(BUDGET):
            asks, tells = (one, other) if turn % 3 else (other, one)
            row = asks.ask(2).iloc[-1]
            tells.tell(row["id"], {"score": truth(row["architecture"])})
        assert (len(one.ask()), len(other.ask())) == (0, 0)
        same(one, tmp_path, measured_here)
        same(other, tmp_path, measured_here)


def test_threads_tell_as_they_are_ready(tmp_path, measured_here):
    with opened(tmp_path) as run:
        while len(table := run.ask(BUDGET)):
            threads = [
                threading.Thread(target=run.tell, args=(row.id, {"score": truth(row.architecture)}))
                for row in table.itertuples()
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        same(run, tmp_path, measured_here)


def test_what_cannot_be_right_is_refused_and_changes_nothing(tmp_path):
    with opened(tmp_path) as run:
        run.ask(3)
        run.tell(1, {"score": 0.25})
        before = kept(tmp_path)
        for arguments, message in (
            ((99, {"score": 1.0}), "no proposal 99; those to be told are 0, 2, 3, 4, 5"),
            ((1, {"score": 0.5}), "Proposal 1 is told already"),
            ((1, None, "it burnt"), "Proposal 1 is told already"),
            ((-1, {"score": 1.0}), "id is a whole number"),
            (("0", {"score": 1.0}), "id is a whole number"),
            ((True, {"score": 1.0}), "id is a whole number"),
            ((0, {}), "needs score; 'score' is missing"),
            ((0, {"scor": 1.0}), "did you mean 'score'"),
            ((0, {"score": 1.0, "params": 3.0}), "Unknown metric of proposal 0 'params'"),
            ((0, {"score": float("nan")}), "must be a finite number; got nan"),
            ((0, {"score": np.inf}), "must be a finite number"),
            ((0, {"score": 10**400}), "must be a finite number"),
            ((0, {"score": "0.5"}), "must be a finite number; got '0.5'"),
            ((0, {"score": None}), "must be a finite number; got None"),
            ((0, {"score": True}), "must be a finite number; got True"),
            ((0, 0.5), "Tell metrics by name"),
            ((0,), "either metrics or a failure"),
            ((0, {"score": 1.0}, "it burnt"), "either metrics or a failure"),
            ((0, None, " "), "by its reason"),
        ):
            with pytest.raises(InputError, match=message):
                run.tell(*arguments)
        for n in (0, 2.5, "3"):
            with pytest.raises(InputError, match=f"whole number, at least 1; got {n!r}"):
                run.ask(n)
        assert kept(tmp_path) == before
        tell_all(run)
        for id_, message in ((4, "told already"), (BUDGET, r"the run has ended \(budget\)")):
            with pytest.raises(InputError, match=message):
                run.tell(id_, {"score": 1.0})
    with pytest.raises(OtherRunError, match="budget is 20 there, 21 here"):
        Run.open(problem(), algorithm=NSGA2(6), budget=BUDGET + 1, seed=2, out=tmp_path)


def test_arguments_are_in_the_order_of_those_of_a_search():
    order = [
        name
        for name in inspect.signature(search).parameters
        if name in inspect.signature(Run.open).parameters
    ]
    assert list(inspect.signature(Run.open).parameters) == order


def test_failures_are_rows_with_their_reason():
    run = opened()
    while len(table := run.ask(1)):
        ok = table["id"][0] % 3
        run.tell(table["id"][0], {"score": np.float32(0.5)} if ok else None, None if ok else "it burnt")
    failed = run.evaluations[run.evaluations["status"] == "failed"]
    assert failed.index.tolist() == list(range(0, BUDGET, 3))
    assert set(failed["reason"]) == {"it burnt"}
    assert run.front["status"].eq("ok").all()


def test_what_another_run_was_told_is_not_asked_for_and_only_what_lacks():
    meters = (External("score", "1", "max"), External("energy_mj", "mJ", "min"))
    shared = problem(*meters, space=tiny_space(), asked=Single("score"))
    size = tiny_space().size
    first = Run.open(shared, algorithm="random", budget=size)
    assert tell_all(first) == size
    other = Run.open(shared, algorithm=AgingEvolution(4), budget=size // 2, seed=1)
    assert (other.stop_reason, len(other.ask()), len(other.evaluations)) == ("budget", 0, size // 2)
    both = Run.open(shared, Pareto("score", "energy_mj"), NSGA2(4), budget=6)
    with pytest.raises(InputError, match="Proposal 0 needs energy_mj; 'energy_mj' is missing"):
        both.tell(0, {"score": 0.5})
    # Who measures both tells both; what was told stays.
    both.tell(0, {"score": 0.5, "energy_mj": 1.0})
    while len(table := both.ask()):
        both.tell(table["id"][0], {"energy_mj": 1.0})
    assert both.evaluations["score"].tolist() == [truth(a) for a in both.evaluations["architecture"]]
    assert Run.open(shared, Single("score"), "random", budget=2 * size).stop_reason == "exhausted"


def test_metrics_measured_here_are_measured_when_a_batch_is_told_and_a_fault_is_got_over(measured_here):
    class Moody(Here):
        well = False

        def measure(self, architectures, seeds):
            if not self.well:
                raise SourceError("the disk is not there")
            return super().measure(architectures, seeds)

    here = Moody("local")
    run = Run.open(
        problem(External("score", "1", "max"), here).also_measuring(["local"]),
        *(None, NSGA2(6), BUDGET, 2),
    )
    table = run.ask(6)
    for row in table[1:].itertuples():
        run.tell(row.id, {"score": truth(row.architecture)})
    with pytest.raises(SourceError, match="the disk is not there"):
        run.tell(0, {"score": truth(table["architecture"][0])})
    here.well = True
    assert run.ask()["id"].tolist() == [6], "what was told is there"
    tell_all(run)
    pd.testing.assert_frame_equal(run.evaluations.drop(columns="local"), measured_here[0].evaluations)


def test_a_plain_search_and_a_sample_refuse_what_only_others_measure(tmp_path):
    with pytest.raises(SourceError, match=r"'score' is measured elsewhere: open the run with Run.open"):
        search(problem(), budget=5)
    with pytest.raises(SourceError, match="are numbers, as there is no reference sample"):
        Run.open(problem(), Constrained("params", {"score": None}), "random", budget=5)
    for given in (
        Constrained("score", {"params": None}),
        WeightedProduct("score", {"params": 1e6}, scale=False),
    ):
        assert len(Run.open(problem(), given, "aging", budget=5).ask())
    with pytest.raises(InputError, match="Nothing that problem is asked for is measured elsewhere"):
        Run.open(problem(), Pareto("params", "macs"), out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_another_process_that_is_at_it_is_waited_for(tmp_path, monkeypatch):
    with opened(tmp_path) as run:
        there, on = threading.Event(), threading.Event()
        definition = run._prepared.definition

        def hold():
            other = Folder(tmp_path, definition)
            there.set()
            on.wait()
            other.close()

        thread = threading.Thread(target=hold)
        thread.start()
        assert there.wait(30)
        with monkeypatch.context() as impatient:
            impatient.setattr(ask_tell, "_WAIT_S", 0.05)
            with pytest.raises(StoreError, match="Another process is writing"):
                run.ask()
        threading.Timer(0.2, on.set).start()
        assert len(run.ask()) == 1
        thread.join()
