"""Which proxies can be trusted."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from moo_nas import NASProblem, Pareto
from moo_nas.cli import DONE, WRONG_INPUT, main
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, LookUp, Metric, ZeroCost, ZMean
from moo_nas.printing import print_proxies
from moo_nas.study.proxies import judge_proxies

NAMES = ("snip", "l2_norm", "jacob_cov")


def problem(space, *more):
    proxies = ZeroCost(NAMES, image_size=8, batch_size=8, data="noise")
    sources = [Analytic(16), proxies, ZMean(("snip", "log(params)")), *more]
    return NASProblem(Evaluator(space, sources), Pareto("snip", "params"))


def test_every_proxy_score_and_baseline_has_a_row(wide):
    table = judge_proxies(problem(wide), n=20, n_seeds=2).set_index("proxy")
    assert list(table.index) == [*NAMES, "score", "params", "flops"]
    assert (table["n"] == len(problem(wide).evaluator.draw(20, 1))).any()
    assert table.loc["params", ["params", "repeatability"]].tolist() == pytest.approx([1, 1])
    assert ((table["low"] <= table["repeatability"]) & (table["repeatability"] <= table["high"])).all()
    assert (table.loc[list(NAMES), "seconds"] > 0).all()
    # The weights' norm is all but the same under every seed.
    assert table.loc["l2_norm", "repeatability"] > 0.9 > table.loc["jacob_cov", "repeatability"]


def test_processes_and_the_company_of_other_proxies_change_nothing(wide):
    columns = ["proxy", "repeatability", "low", "high", "params", "flops"]
    together = judge_proxies(problem(wide), n=12, n_seeds=2, n_jobs=2).set_index("proxy", drop=False)
    alone = judge_proxies(problem(wide), ["snip"], n=12, n_seeds=2).set_index("proxy", drop=False)
    assert together.loc[["snip", "score"], columns].equals(alone.loc[["snip", "score"], columns])


def test_where_results_are_known_proxies_are_held_against_them(tiny):
    genomes = np.array([tiny.genome_at(i) for i in range(tiny.size)])
    params = Analytic(16).measure([tiny.decode(g) for g in genomes], [0] * tiny.size)[:, 0]
    frame = pd.DataFrame({"error": -params}, index=[str(tiny.decode(g)) for g in genomes])
    known = LookUp(frame, [Metric("error", "%", "min")], "the number of parameters")
    table = judge_proxies(problem(tiny, known), ["l2_norm"], n=30, n_seeds=2).set_index("proxy")
    # Less error is better, more parameters have less of it: they agree.
    assert table.loc["params", "error"] == pytest.approx(1)
    assert table.loc["l2_norm", "error"] == pytest.approx(table.loc["l2_norm", "params"])


def test_what_cannot_be_judged_is_said(tiny):
    for wrong in ({"n": 5}, {"n_seeds": 1}):
        with pytest.raises(InputError, match="n >= 10 architectures and 2 seeds"):
            judge_proxies(problem(tiny), **wrong)
    with pytest.raises(InputError, match="no proxy 'zen'; it measures snip"):
        judge_proxies(problem(tiny), ["zen"], n=12)
    none = NASProblem(Evaluator(tiny, [Analytic(16)]), Pareto("params", "macs"))
    with pytest.raises(InputError, match="no zero-cost proxies"):
        judge_proxies(none, n=12)


def test_the_table_cuts_no_word_on_a_terminal_of_80_columns():
    row = {
        "repeatability": 0.987,
        "low": 0.9,
        "high": 0.99,
        "seeds_for_0.9": 1.0,
        "params": 0.5,
        "flops": 0.6,
    }
    for result in ("val_error", "test_error"):
        row |= {result: 0.5, f"{result}_low": 0.4, f"{result}_high": 0.6}
    names = ("log(jacob_cov)", "grad_norm_global")
    table = pd.DataFrame([{"proxy": name, **row, "seconds": 0.123, "n": 50} for name in names])
    out = io.StringIO()
    print_proxies(table, Console(file=out, width=80, soft_wrap=True))
    told = out.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in told
    for word in (*names, "repeatability", "val", "test", "error", "seconds", "0.123"):
        assert word in told.split()
    assert max(map(len, told.splitlines()[1:])) <= 80


def test_the_command_prints_the_table_and_writes_it(capfd, tmp_path):
    options = ["--problem-option", "image_size=16", "--problem-option", "batch_size=8"]
    out = tmp_path / "proxies.csv"
    command = ["proxies", "haenas", "--proxies", "snip,naswot", "--n", "10", "--seeds", "2", "--jobs", "1"]
    assert main([*command, *options, "--out", str(out)]) == DONE
    printed = capfd.readouterr().out
    assert "repeatability (95 %)" in printed
    assert pd.read_csv(out)["proxy"].tolist() == ["snip", "naswot", "score", "params", "flops"]
    assert main([*command[:3], "snap"]) == WRONG_INPUT
    assert "no proxy 'snap'" in capfd.readouterr().err
