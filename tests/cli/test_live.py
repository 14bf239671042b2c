import io
import re

import numpy as np
import pytest
from rich.console import Console

from moo_nas import NASProblem, Pareto, search
from moo_nas.algorithms import NSGA2
from moo_nas.analysis.tables import hypervolume_so_far
from moo_nas.cli.live import View, _Plain
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic
from moo_nas.study import Progress
from tests.fakes import Fake
from tests.spaces_for_tests import wide_space


def news(
    n: int, front: list[list[float]], volume: float, detail: str = "search", name: str = "search"
) -> Progress:
    rows = np.array(front, dtype=float).reshape(-1, 2)
    columns = {"score": rows[:, 0], "latency_ms": rows[:, 1]}
    return Progress(name, n, 100, len(rows), volume, 1, detail, columns, volume)


def shown(view: View) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(view.render())
    return console.export_text()


def test_the_view_tells_the_front_so_far_and_what_came_last():
    view = View()
    view.add(news(0, [], 0.0, "set-up"))
    assert "0/100" in shown(view)
    view.add(news(10, [[1.0, 9.0], [0.5, 4.0]], 0.4))
    view.add(news(20, [[1.0, 9.0], [0.5, 4.0], [0.2, 1.0]], 0.6))
    view.add(news(30, [[1.0, 9.0], [0.5, 4.0], [0.2, 1.0]], 0.6, "zen 3/8"))
    text = shown(view)
    for words in (
        "30/100",
        "zen 3/8",
        "0.6",
        "last grew after 20 evaluations",
        "0.2 … 0.5 … 1",
        "1 … 4 … 9",
        "failed 1",
    ):
        assert words in text
    assert "newest" in text
    assert "score 0.2, latency_ms 1" in text


def test_the_next_run_of_a_comparison_starts_anew():
    view = View()
    view.add(news(90, [[1.0, 9.0]], 0.9))
    view.add(news(0, [], 0.0, "set-up", "the next"))
    assert "last grew" not in shown(view)


def test_where_there_is_no_terminal_lines_are_plain_and_few(capsys):
    listen = _Plain()
    for n in range(1, 101):
        listen(news(n, [[1.0, 9.0]], 0.5))
        listen(news(n, [[1.0, 9.0]], 0.5, "snip 1/8"))
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    told = "front 1, hypervolume 0.5 of the box around all it found, failed 1"
    assert lines[-1] == f"search: 100 of 100 evaluated, {told}"


def test_of_one_objective_the_best_is_told_and_no_volume(capsys):
    for name, value, told in (
        ("score", 1.5, "best score 1.5"),
        ("fitness", -0.2, "best fitness -0.2 (less is better)"),
    ):
        progress = Progress("search", 100, 100, 1, 0.5, 0, "search", {name: np.array([value])}, 0.5)
        _Plain()(progress)
        assert capsys.readouterr().err.strip() == f"search: 100 of 100 evaluated, front 1, {told}, failed 0"
        view = View()
        view.add(progress)
        assert re.sub(" +", " ", told) in re.sub(" +", " ", shown(view))
        assert "hypervolume" not in shown(view)


def test_the_last_hypervolume_told_is_that_of_the_report():
    news_: list[Progress] = []
    evaluator = Evaluator(wide_space(), [Analytic(16, 10), Fake()])
    problem = NASProblem(evaluator, Pareto("score", "params"))
    run = search(problem, algorithm=NSGA2(6), budget=30, progress=news_.append)
    metrics = [run.table.metric(name) for name in ("score", "params")]
    grown, _ = hypervolume_so_far(run.evaluations, metrics)
    assert news_[-1].hypervolume == pytest.approx(grown["hypervolume"].iloc[-1], abs=1e-12)
    growth = [one.growth for one in news_]
    assert growth == sorted(growth)
    # What grew last is what the report says, to the step.
    grew = next(one.n_evaluations for one in news_ if one.growth == growth[-1])
    assert grew - 6 < grown["evaluation"].iloc[-1] <= grew


def test_where_there_is_no_terminal_long_measurements_are_told_of(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("moo_nas.cli.live.time.monotonic", lambda: now[0])
    listen = _Plain()
    for second in range(31):
        now[0] = float(second)
        listen(news(0, [], 0.0, f"latency table {second}/400"))
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines == [f"search: latency table {second}/400" for second in (0, 10, 20, 30)]
