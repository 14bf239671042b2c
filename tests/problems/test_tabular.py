"""Any table as a problem."""

import lzma

import numpy as np
import pandas as pd
import pytest

from moo_nas import Pareto, Single, search
from moo_nas.errors import InputError
from problems.tabular import Table

GOALS = {"error": "min", "latency_ms": "min"}


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "op": ["01", "01", "10", "10", "02", "02"],
            "width": [16, 8, 8, 16, 8, 16],
            "error": [9.0, 7.0, 12.0, 11.0, 8.0, 6.5],
            "latency_ms": [2.0, 3.5, 1.0, 3.0, 9.0, 3.5],
            "params": [5, 6, 7, 8, 9, 10],
        }
    )


def test_genes_are_the_values_that_occur_in_order_and_categorical_unless_said_otherwise(frame):
    problem = Table(frame, ["op", "width"], GOALS)
    assert [gene.choices for gene in problem.space.genes] == [("01", "02", "10"), (8, 16)]
    assert problem.space.categorical.tolist() == [True, True]
    assert Table(frame, ["op", "width"], GOALS, ordinal=["width"]).space.categorical.tolist() == [True, False]


def test_a_genomes_metrics_are_its_rows(frame):
    problem = Table(frame, ["op", "width"], GOALS, free=["params"])
    for row in frame.itertuples():
        genome = problem.space.genome_of((row.op, row.width))
        found = problem.evaluations(genome[None])
        assert (found["error"][0], found["latency_ms"][0]) == (row.error, row.latency_ms)
        assert problem.features(genome[None]).tolist() == [[row.params]]
    assert problem.free == ("params",)
    assert problem.formulation == Pareto("error", "latency_ms")


def test_a_csv_file_says_what_the_frame_says_also_compressed(frame, tmp_path):
    kept = Table(frame, ["op", "width"], GOALS, free=["params"])
    for name in ("table.csv", "table.csv.xz", "table.csv.gz", "TABLE.CSV"):
        frame.to_csv(tmp_path / name, index=False)
        read = Table(tmp_path / name, ["op", "width"], GOALS, free=["params"])
        assert read.space.settings == kept.space.settings
        assert read.options["hash"] == kept.options["hash"]
        assert read.exact_front().equals(kept.exact_front())
    assert read.options["table"] == "TABLE.CSV"


def test_numbers_of_a_csv_file_are_exact_and_only_what_is_written_as_a_number_is_one(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,c,d,e\n1,0.1,07,none,0.30000000000000004\n-2,1e-3,8,None,2\n10,3,9,NA,1\n")
    problem = Table(path, ["a", "b", "c", "d"], {"e": "min"})
    choices = [gene.choices for gene in problem.space.genes]
    assert choices == [(-2, 1, 10), (0.001, 0.1, 3.0), ("07", "8", "9"), ("NA", "None", "none")]
    assert problem.formulation == Single("e")
    assert problem.exact_front()["e"].tolist() == [0.30000000000000004]


def test_what_the_table_lacks_fails_with_the_reason_and_is_not_in_the_pool(frame):
    problem = Table(frame.iloc[:5], ["op", "width"], GOALS, free=["params"])
    genome = problem.space.genome_of(("02", 16))
    found = problem.evaluations(genome[None])
    assert 'has no row of \'{"op": "02", "width": 16}\'' in found.reasons[0]
    assert np.isnan(problem.features(genome[None])).all()
    pool = problem.evaluator.pool
    assert pool.tolist() == [[0, 1], [0, 0], [2, 0], [2, 1], [1, 0]]
    assert Table(frame, ["op", "width"], GOALS).evaluator.pool is None
    drawn = problem.evaluator.draw(5, seed=0)
    assert sorted(map(tuple, drawn.tolist())) == sorted(map(tuple, pool.tolist()))


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_a_metric_that_is_missing_fails_the_row_and_is_on_no_front(frame, missing, tmp_path):
    frame.loc[2, "latency_ms"] = missing
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    for table in (frame, path):
        problem = Table(table, ["op", "width"], GOALS)
        found = problem.evaluations(problem.known_genomes())
        assert [r for r in found.reasons if r] == [f"latency_ms is {missing}"]
        assert len(problem.exact_front()) == 2
        # Of the error alone the row is whole.
        alone = problem.under(Single("error"))
        assert not alone.evaluations(problem.known_genomes()).failed.any()


def test_the_exact_front_is_what_no_other_row_beats(frame):
    problem = Table(frame, ["op", "width"], GOALS)
    front = problem.exact_front()
    assert front["error"].tolist() == [9.0, 6.5, 12.0]
    assert problem.exact_objectives().tolist() == [[6.5, 3.5], [9, 2], [12, 1]]
    most = Table(frame, ["op", "width"], {"error": "max", "latency_ms": "min"})
    assert most.exact_objectives().tolist() == [[-12, 1]]
    limited = problem.exact_front(Pareto("error", "latency_ms", limits={"latency_ms": 2.0}))
    assert limited["error"].tolist() == [9.0, 12.0]
    with pytest.raises(InputError, match="none of 6 networks is feasible"):
        problem.exact_front(Pareto("error", "latency_ms", limits={"latency_ms": 0.5}))


def test_a_column_may_be_an_objective_that_is_known_in_advance(frame):
    problem = Table(frame, ["op", "width"], {"error": "min", "params": "min"}, free=["params"])
    assert problem.free == ("params",)
    assert problem.evaluator.metric("params").goal == "min"
    assert len(problem.exact_front()) == 3


def test_a_search_finds_the_front_of_a_complete_table_and_writes_its_choices(frame, tmp_path):
    problem = Table(frame, ["op", "width"], GOALS, free=["params"], n_reference=2)
    run = search(problem, budget=50, seed=0, out=tmp_path / "run")
    assert run.stop_reason == "exhausted"
    assert len(run.evaluations) == 6
    assert sorted(run.front["error"]) == [6.5, 9.0, 12.0]
    written = pd.read_csv(tmp_path / "run" / "front.csv", dtype={"op": str})
    assert set(written["op"]) == {"01", "02", "10"}
    assert "params" in written
    again = search(Table(frame, ["op", "width"], GOALS, n_reference=2), budget=3, seed=0)
    assert len(again.evaluations) == 3


BROKEN = [
    (lambda f: f.drop(columns="width"), {}, "no column 'width' in .*; it has op, error, latency_ms, params"),
    (lambda f: f.iloc[:0], {}, "no rows"),
    (lambda f: pd.concat([f, f[["op"]]], axis=1), {}, "more than one column 'op'"),
    (lambda f: pd.concat([f, f.iloc[[1]]]), {}, r"Rows 2 and 7 of .* have the same genes \(op=01, width=8\)"),
    (lambda f: f.assign(op="01"), {}, "Gene column 'op' of .* has the one value '01'"),
    (lambda f: f.assign(op=["01", None, *f["op"][2:]]), {}, "'op' of .* needs a choice .* row 2 of the data"),
    (lambda f: f.assign(width=[1, 2, np.nan, 4, 5, 6]), {}, "'width' of .* needs a choice .* row 3"),
    (lambda f: f.assign(width=[1, 2, np.inf, 4, 5, 6]), {}, "'width' of .* needs a choice .* row 3"),
    (lambda f: f.assign(op=["01", 1, *f["op"][2:]]), {}, "'op' of .* all numbers or all texts; row 2"),
    (lambda f: f.assign(error=["1", "2", "3", "fast", "5", "6"]), {}, "'error' .* numbers; row 4 .* 'fast'"),
    (
        lambda f: f.assign(params=[1, 2, 3, 4, 5, np.nan]),
        {"free": ["params"]},
        "'params' .* row 6 .* has nan",
    ),
    (lambda f: f, {"free": ["params", "params"]}, "free names a column twice"),
    (lambda f: f, {"free": "params"}, r"free must be a list of columns, such as \['params'\]"),
    (lambda f: f, {"genes": "op"}, r"genes must be a list of columns"),
    (lambda f: f, {"genes": []}, "at least one column of genes"),
    (lambda f: f, {"metrics": {}}, "at least one column of genes and one of metrics"),
    (lambda f: f, {"metrics": ["error"]}, "metrics must give each column its goal"),
    (lambda f: f, {"metrics": {"error": "less"}}, "'error' needs the goal min or max; got 'less'"),
    (lambda f: f, {"metrics": {"width": "min"}}, "'width' is named as a gene and as a result"),
    (lambda f: f, {"free": ["op"]}, "'op' is named as a gene and as a result"),
    (lambda f: f, {"ordinal": ["depth"]}, "'depth' is to be ordinal but is no gene; they are op, width"),
    (
        lambda f: f.rename(columns={"error": "status"}),
        {"metrics": {"status": "min"}},
        "No metric can be called 'status'.*rename",
    ),
    (
        lambda f: f.rename(columns={"op": "evaluation"}),
        {"genes": ["evaluation", "width"]},
        "No gene can be called 'evaluation'.*rename",
    ),
    (
        lambda f: f.rename(columns={"op": 0}),
        {"genes": [0, "width"]},
        r"names of columns are texts; got 0.*rename\(columns=str\)",
    ),
    (
        lambda f: f.assign(op=pd.Timestamp("2026-01-01")),
        {},
        r"'op' of .* numbers or all texts; row 1 .* Timestamp\('2026-01-01 00:00:00'\)\. Convert it",
    ),
    (lambda f: f.assign(op=[np.zeros(2)] * len(f)), {}, "'op' of .* numbers or all texts; row 1 of the data"),
    (lambda f: f, {"formulation": Single("params"), "free": ["params"]}, "'params' has no goal"),
]


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_what_cannot_be_a_problem_is_refused_by_row_and_column(frame, number):
    change, options, message = BROKEN[number]
    with pytest.raises(InputError, match=message):
        Table(change(frame), **{"genes": ["op", "width"], "metrics": GOALS, **options})


def test_long_codes_of_digits_stay_apart(tmp_path):
    # As floats, which no integer so long is among, they would be the same.
    path = tmp_path / "t.csv"
    path.write_text("code,error\n12345678901234567890,1\n12345678901234567891,2\n")
    (gene,) = Table(path, ["code"], {"error": "min"}).space.genes
    assert gene.choices == ("12345678901234567890", "12345678901234567891")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "broken.csv").write_text("a,b\n1,2,3\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "latin.csv").write_bytes("é,b\n1,2\n".encode("latin-1"))
    (tmp_path / "cut.csv.xz").write_bytes(lzma.compress(b"a,b\n1,2\n" * 99)[:40])
    (tmp_path / "none.csv.xz").write_bytes(b"a,b\n1,2\n")
    for name in ("broken.csv", "empty.csv", "latin.csv", "cut.csv.xz", "none.csv.xz"):
        with pytest.raises(InputError, match=rf"{name}' cannot be read"):
            Table(tmp_path / name, ["a"], {"b": "min"})
    with pytest.raises(InputError, match=r"There is no file '.*gone\.csv'"):
        Table(tmp_path / "gone.csv", ["a"], {"b": "min"})
    with pytest.raises(InputError, match=r"\.csv file .* or a \.parquet file; got 'table\.pkl'"):
        Table("table.pkl", ["a"], {"b": "min"})
    (tmp_path / "twice.csv").write_text("a,b,a\n1,2,3\n2,3,4\n")
    with pytest.raises(InputError, match=r"more than one column 'a' in twice\.csv"):
        Table(tmp_path / "twice.csv", ["a"], {"b": "min"})


def test_a_parquet_file_without_pyarrow_says_what_to_install(tmp_path, frame, monkeypatch):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"")

    def without(*args, **kwargs):
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd, "read_parquet", without)
    with pytest.raises(InputError, match="pip install pyarrow"):
        Table(path, ["a"], {"b": "min"})
    monkeypatch.setattr(pd, "read_parquet", lambda path: frame)
    assert Table(path, ["op", "width"], GOALS).options["table"] == "t.parquet"


def test_the_same_rows_are_the_same_problem_and_others_are_not(frame):
    one, other = (
        Table(f, ["op", "width"], GOALS) for f in (frame, frame.assign(error=frame["error"] + 1e-9))
    )
    same = Table(frame.copy(), ["op", "width"], GOALS)
    assert one.evaluator.settings(["error"]) == same.evaluator.settings(["error"])
    assert one.evaluator.settings(["error"]) != other.evaluator.settings(["error"])
