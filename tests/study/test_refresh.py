"""Reports on the way of a long run."""

from moo_nas import Pareto, Run, search
from moo_nas.study import refresh, session
from problems.additive import Additive


def test_a_long_run_s_report_is_written_on_the_way_and_says_that_the_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "Refresh", lambda: refresh.Refresh(0.0))
    seen = []

    def listen(progress):
        path = tmp_path / "run" / "report.html"
        if progress.detail == "search" and path.exists():
            page = path.read_text()
            assert page.rstrip().endswith("</html>")
            seen.append(("it is still running" in page, len(Run.load(tmp_path / "run").table)))

    problem = Additive()
    run = search(problem, Pareto("error", "latency_ms"), budget=60, out=tmp_path / "run", progress=listen)
    assert seen
    assert all(told for told, _ in seen)
    assert "it is still running" not in (tmp_path / "run" / "report.html").read_text()
    assert run.stop_reason == "budget"
    # A run that is over is only replayed: nothing is written on the way.
    seen.clear()
    (tmp_path / "run" / "report.html").unlink()
    again = search(
        Additive(), Pareto("error", "latency_ms"), budget=60, out=tmp_path / "run", progress=listen
    )
    assert not seen
    assert again.record == run.record


def test_reports_take_no_more_than_a_fiftieth_of_the_time():
    now = [0.0]
    every = refresh.Refresh(60.0, lambda: now[0])
    spent = 0.0
    while now[0] < 10_000:
        if every.due():

            def publish():
                now[0] += 3.0

            every.write(publish)
            spent += 3.0
        now[0] += 1.0
    assert 0 < spent <= 0.02 * now[0] + 3.0
