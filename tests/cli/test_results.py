"""``report`` and ``show``: what is on disk, shown; wrong input gets one line."""

from xml.etree import ElementTree

import pytest

from moo_nas import Pareto, Run, search
from moo_nas.cli import DONE, WRONG_INPUT, main
from problems.additive import Additive
from tests.cli.test_cli import contents


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    return search(Additive(), Pareto("error", "latency_ms"), "random", budget=20, out=folder)


def test_an_architecture_is_shown_by_its_number_or_its_text(run, capsys, tmp_path):
    row = run.front.iloc[0]
    shown = []
    for asked in (str(run.front.index[0]), row["architecture"]):
        assert main(["show", str(run.folder), asked]) == DONE
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert row["architecture"] in shown[0]
    assert f"Evaluation {run.front.index[0]}, of the front." in shown[0]
    assert f"error: {row['error']:.4g} %" in shown[0]
    assert f"stage2.kernel={row['stage2.kernel']}" in shown[0]
    # The layers' costs add up to the network's.
    total = next(line for line in shown[0].splitlines() if line.startswith("all"))
    assert f"{row['params']:,.0f}" in total
    assert f"{row['macs']:,.0f}" in total
    assert "┌" in shown[0]
    for ending, start in ((".svg", b"<svg"), (".png", b"\x89PNG")):
        out = tmp_path / f"drawing{ending}"
        assert main(["show", str(run.folder), "0", "--out", str(out)]) == DONE
        assert out.read_bytes().startswith(start)
    assert ElementTree.parse(tmp_path / "drawing.svg").getroot().tag.endswith("svg")


def test_an_architecture_that_the_run_did_not_evaluate_is_shown_without_metrics(run, capsys):
    known = set(run.evaluations["architecture"])
    other = next(
        text for text in (str(run.space.decode(g)) for g in run.space.sample(50, 1)) if text not in known
    )
    assert main(["show", str(run.folder), other]) == DONE
    assert "This run did not evaluate it." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["show", "RUN", "20"], "no evaluation 20; the run has 0 to 19"),
        (["show", "RUN", "nonsense"], "the number of an evaluation or the text of an architecture"),
        (["show", "RUN", "stem_k3_s2_c16 ibn_d1_k3_s2_e6_c24 pool_conv_c1280"], "got"),
        (["show", "RUN", "0", "--out", "drawing.pdf"], ".svg or a .png"),
        (["show", "RUN", "0", "--out", "nowhere/drawing.png"], "cannot be written"),
        (["show", "nowhere", "0"], "There is no folder 'nowhere'"),
        (["report"], "run"),
        (["report", "nowhere"], "There is no folder 'nowhere'"),
        (["report", "."], "is no run's folder"),
        (["report", "RUN", "--out", "elsewhere"], "written there"),
        (["report", "RUN", "RUN"], "is given twice"),
    ],
)
def test_wrong_input_gets_one_clear_line_and_changes_nothing(
    arguments, expected, run, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    before = contents(run.folder)
    given = [str(run.folder) if word == "RUN" else word for word in arguments]
    assert main(given) == WRONG_INPUT
    out, err = capsys.readouterr()
    assert len((out + err).strip().splitlines()) == 1
    assert expected in err
    assert contents(run.folder) == before
    assert not any(tmp_path.iterdir())


def test_a_report_is_written_anew(run, capsys):
    before = contents(run.folder)
    (run.folder / "report.html").write_text("damaged")
    assert main(["report", str(run.folder)]) == DONE
    assert "report.html" in capsys.readouterr().out
    assert contents(run.folder) == before


def test_proxies_that_were_judged_are_in_the_report(tmp_path):
    found = search(Additive(), Pareto("error", "latency_ms"), "random", budget=5, out=tmp_path / "run")
    assert "How proxies repeat" not in (tmp_path / "run" / "report.html").read_text()
    head = "proxy,repeatability,low,high,seeds_for_0.9,n\n"
    (tmp_path / "run" / "proxies.csv").write_text(
        f"{head}snip,0.93,0.9,0.95,1,50\nzen,-0.1,-0.3,0.1,inf,50\n"
    )
    assert main(["report", str(tmp_path / "run")]) == DONE
    page = (tmp_path / "run" / "report.html").read_text()
    assert "How proxies repeat" in page
    assert "0.93 (0.90 to 0.95)" in page
    assert ">never<" in page
    (tmp_path / "run" / "proxies.csv").write_text("a,b\n1,2\n")
    assert main(["report", str(tmp_path / "run")]) == WRONG_INPUT
    assert len(Run.load(tmp_path / "run").table) == len(found.table)
