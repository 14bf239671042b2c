import io

import numpy as np
from rich.console import Console

from moo_nas.cli.live import View, _Plain
from moo_nas.study import Progress


def news(
    n: int, front: list[list[float]], volume: float, detail: str = "search", name: str = "search"
) -> Progress:
    rows = np.array(front, dtype=float).reshape(-1, 2)
    columns = {"score": rows[:, 0], "latency_ms": rows[:, 1]}
    return Progress(name, n, 100, len(rows), volume, 1, detail, columns)


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
    for words in ("30/100", "zen 3/8", "0.6", "last grew at 20", "0.2 … 0.5 … 1", "1 … 4 … 9", "failed 1"):
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
    assert lines[-1] == "search: 100 of 100 evaluated, front 1, hypervolume 0.5, failed 1"


def test_where_there_is_no_terminal_long_measurements_are_told_of(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("moo_nas.cli.live.time.monotonic", lambda: now[0])
    listen = _Plain()
    for second in range(31):
        now[0] = float(second)
        listen(news(0, [], 0.0, f"latency table {second}/400"))
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines == [f"search: latency table {second}/400" for second in (0, 10, 20, 30)]
