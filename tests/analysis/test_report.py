import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from moo_nas.analysis.report import run_report
from tests.analysis.tables import METRICS, evaluations, front, measured, record

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)> & \"quoted\""


class Reader(HTMLParser):
    """Collects a page's tags, its scripts and the text that a reader sees."""

    void = ("meta", "link", "img", "br", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.seen: list[str] = []
        self.open: list[str] = []
        self.titles = ""
        self.feed(page)
        self.text = re.sub(r"\s+", " ", " ".join(self.seen))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts.append(data)
        elif self.open[-1:] == ["title"]:
            self.titles += data + " "
        elif "style" not in self.open and "title" not in self.open:
            self.seen.append(data)


def read(table: pd.DataFrame, measure: bool = False, objectives=("score", "latency_ms"), **changes) -> Reader:
    best = front(table)
    least = table[~table["feasible"] & (table["status"] == "ok")].head(2) if best.empty else table.iloc[:0]
    measurements = measured(best) if measure else None
    page = Reader(run_report(record(**changes), table, best, least, measurements, METRICS, objectives))
    assert page.open == []
    return page


def test_the_page_loads_nothing_from_anywhere():
    page = read(evaluations(), measure=True)
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            assert name not in attributes or attributes[name] == "data:,", (tag, attributes)
    plots = [script for script in page.scripts if "Plotly.newPlot" in script and len(script) < 1e6]
    assert len(plots) == 3
    assert sum("plotly.js v" in script for script in page.scripts) == 1
    assert not any("http" in script for script in plots)


def test_every_architecture_of_the_front_is_drawn_and_named_with_its_metrics():
    table = evaluations()
    best = front(table)
    page = read(table, measure=True)
    assert len(best) > 3
    assert sum(attributes.get("class") == "architecture" for _, attributes in page.tags) == len(best)
    for row in best.itertuples():
        assert row.architecture in page.text
        assert f"{row.score:.4g} {row.latency_ms:.4g} {row.latency_ms * 1.1:.4g} ± 0.3" in re.sub(
            " +", " ", page.text
        )


def test_the_answer_comes_first_in_one_sentence():
    table = evaluations()
    best = front(table).sort_values("latency_ms")
    page = read(table)
    assert f"{len(best)} of 40 architectures form the front of score and latency_ms" in page.text
    assert f"from latency {best['latency_ms'].iloc[0]:.4g} ms" in page.text
    assert f"to {best['latency_ms'].iloc[-1]:.4g} ms" in page.text


def test_what_was_run_is_told():
    text = read(evaluations()).text
    assert "1 min 23 s on the clock, 1 min 8 s of computing" in text
    for words in ("NSGA2: pop_size 40", "the budget was spent", "cpu AMD EPYC, cores 2", "moo_nas 0.1.0"):
        assert words in text
    assert "latency_ms latency residual 20 left out in turn 0.955 0.842 8.1 %" in text


def test_every_predictor_s_card_is_told_with_its_metric_and_a_figure_that_is_undefined_as_such():
    card = {"n": 60, "spearman": float("nan"), "mape": 0.034, "worst_5_error": 0.2, "coverage_90": 0.915}
    fit = {"metric": "energy_mj", "source": EVIL, "held_out": card, "n_samples": 60, "seconds": 1.0}
    text = read(evaluations(), setup={**record()["setup"], "predicted cost of energy_mj/1f": fit}).text
    headings = "Spearman Kendall median error MAPE worst 5 % off by coverage of 90 % intervals"
    assert f"metric predictor networks {headings}" in text
    assert f"energy_mj predicted cost of energy_mj: {EVIL} 60 held out undefined" in text
    assert "3.4 % 20.0 % 91.5 %" in text


def test_what_of_the_front_lies_outside_of_the_samples_is_told():
    table = evaluations()
    assert "outside" not in read(table.assign(outside="")).text
    row = front(table).index[0]
    why = "latency_ms, energy_mj: layers is 9, the samples have 1 to 3"
    text = read(table.assign(outside=[why if i == row else "" for i in table.index])).text
    assert "1 of the front's" in text
    assert "lies outside of the samples that latency_ms and energy_mj are predicted from" in text
    assert why in text


def test_predictions_and_measurements_are_compared_in_words():
    assert "off by 9.1 % in the median and 9.1 % at most" in read(evaluations(), measure=True).text
    assert "Spearman 1.00" in read(evaluations(), measure=True).text
    assert "Predicted and measured" not in read(evaluations()).text


def test_doubtful_timings_are_told_with_the_front_and_with_the_set_up():
    table = evaluations()
    best = front(table)
    fault = "the machine was busy: the reference took 1.50 times as long as undisturbed"
    measurements = measured(best).assign(fault=[fault, *[""] * (len(best) - 1)])
    kept = record(timings={"batches": 3, "faults": [f"block table: {fault}"]})
    pages = [
        Reader(run_report(kept, table, best, table.iloc[:0], rows, METRICS, ["score", "latency_ms"])).text
        for rows in (measurements, measurements.assign(fault=np.nan))
    ]
    assert f"1 of these measurements is doubtful: {fault}." in pages[0]
    assert "of these measurements" not in pages[1]
    assert all(f"Timings are doubtful. block table: {fault}." in page for page in pages)
    assert "doubtful" not in read(table, measure=True).text


OUTLIERS = "Far outliers in {} lie beyond the plots: double-click to see all."


def test_far_outliers_that_plots_leave_out_are_told_once_a_metric():
    table = evaluations()
    assert "Far outliers" not in read(table).text
    table.loc[table["latency_ms"].idxmax(), "score"] = -1000.0  # none of the front
    text = read(table.assign(params=table["latency_ms"])).text
    assert text.count(OUTLIERS.format("score")) == 1
    assert OUTLIERS.format("latency_ms") not in text
    alone = read(table, objectives=("score",), formulation={"formulation": "single"}).text
    assert alone.count(OUTLIERS.format("score")) == 1


def test_evaluations_have_one_number_everywhere():
    table = evaluations()
    table.loc[[38, 39], "feasible"] = False
    text = read(table).text
    assert "Evaluations are numbered from 0" in text
    # All of the front is there once its last row is.
    last = int(front(table).index.max())
    assert f"It last grew with evaluation {last}; {len(table) - 1 - last} came after it." in text
    until = table.loc[:last]
    assert f"It last grew with evaluation {last}, the last." in read(until).text


def test_many_doubts_are_one_note():
    faults = [f"{n} networks or blocks: the reference took {n} times as long" for n in (2, 3, 4)]
    text = read(evaluations(), timings={"batches": 3, "faults": faults}).text
    assert text.count("Timings are doubtful") == 1
    assert all(fault in text for fault in faults)


def test_a_limit_that_the_measured_front_breaks_is_told_first_and_with_the_measurements():
    table = evaluations()
    best = front(table)
    rows = measured(best)
    most, next_ = rows["latency_ms"].nlargest(2)
    for limit, n, are in ((most + 1, 0, ""), (next_, 1, "is"), (1, len(best), "are")):
        asked = {"formulation": "constrained", "limits": {"latency_ms": limit}}
        text = read(table, measure=True, formulation=asked).text
        words = f"Measured on this machine, latency of {n} of {len(best)} {are} beyond the limit of"
        assert text.count(words) == (2 if n else 0)  # in the heading, and in the section
    assert "beyond the limit" not in read(table, formulation=asked).text


def test_the_best_architecture_that_breaks_its_limit_when_measured_is_told_with_its_spread():
    table = evaluations()
    best = table.nlargest(1, "score")
    rows = measured(best).assign(latency_ms=17.32, spread_ms=2.1)
    asked = {"formulation": "constrained", "limits": {"latency_ms": 15}}
    page = run_report(record(formulation=asked), table, best, table.iloc[:0], rows, METRICS, ["score"])
    words = "Measured on this machine, latency is 17.32 ± 2.1 ms: beyond the limit of 15 ms."
    assert Reader(page).text.count(words) == 2


def test_what_the_search_itself_took_is_told_or_said_to_be_unknown():
    known = {"kwh": 0.0021, "co2e_g": 0.9975, "grid_g_per_kwh": 475.0, "seconds": 83.0, "counters": ["RAPL"]}
    text = read(evaluations(), energy=known).text
    assert "2.1 Wh, 0.998 g CO2-equivalent at 475 g/kWh, by RAPL over 1 min 23 s" in text
    unknown = {"kwh": "unknown", "co2e_g": "unknown", "reason": "no energy meter on this machine"}
    assert "unknown: no energy meter on this machine" in read(evaluations(), energy=unknown).text


def test_what_the_formulation_left_to_the_sample_or_left_out_is_said():
    asked = {
        "formulation": "product",
        "targets": {"latency_ms": None},
        "scale": None,
        "left_out": ["energy_mj"],
    }
    used = {**asked, "targets": {"latency_ms": 21.02}, "scale": {"low": 1.0}}
    text = read(evaluations(), objectives=(), formulation=used, asked_formulation=asked).text
    assert "latency_ms left to the reference sample" in text
    assert "latency_ms 21.02" in text
    assert "Left out: energy_mj." in text
    assert "best of 40 architectures under 'product'" in text


def test_failures_are_grouped_by_reason_the_most_frequent_first():
    table = evaluations(n_failed=9)
    table.loc[:1, "reason"] = "ValueError: NaN"
    text = read(table).text
    assert "9 of 40 architectures failed" in text
    assert text.index("MeterError: out of memory") < text.index("ValueError: NaN")


def test_where_nothing_is_feasible_the_nearest_are_shown():
    limits = {"formulation": "constrained", "score": "score", "limits": {"latency_ms": 0.5}}
    table = evaluations(feasible=False)
    page = read(table, objectives=("score",), formulation=limits, stop_reason="infeasible")
    assert "None of 40 architectures meets the limits (latency_ms at most 0.5 ms)." in page.text
    for row in table.head(2).itertuples():
        assert row.architecture in page.text
        assert f"{row.latency_ms:.4g}" in page.text


@pytest.mark.parametrize(
    ("table", "changes", "expected"),
    [
        (evaluations(6, n_failed=6), {}, "None of 6 architectures could be measured."),
        (evaluations().iloc[:0], {"stop_reason": None}, "Nothing was evaluated. The run is not finished"),
        (evaluations(1), {}, "1 of 1 architectures forms the front"),
        (evaluations(), {"stop_reason": "interrupted"}, "The run is not finished: it was interrupted"),
    ],
    ids=["all failed", "no row", "one row", "interrupted"],
)
def test_there_is_a_page_of_a_run_however_it_went(table, changes, expected):
    assert expected in read(table, **changes).text


def test_hostile_text_is_shown_and_never_run():
    table = evaluations(n_failed=3)
    best = front(table).index[0]
    table.loc[0, "reason"] = EVIL
    table.loc[best, "architecture"] = EVIL
    page = read(table, measure=True, problem={"name": EVIL, EVIL: EVIL}, machine={EVIL: EVIL})
    assert page.text.count("<script>alert('x')</script>") >= 5
    assert sum(tag == "img" for tag, _ in page.tags) == 0
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not any(script.strip().startswith("alert") for script in page.scripts)


def test_an_architecture_of_another_kind_is_named_without_a_drawing():
    table = evaluations().assign(architecture="|nor_conv_3x3~0|+|skip_connect~0|")
    page = read(table)
    assert "|nor_conv_3x3~0|+|skip_connect~0|" in page.text
    assert not any(tag == "svg" for tag, _ in page.tags)


def test_equal_runs_give_equal_pages():
    table = evaluations()
    best = front(table)
    pages = [
        run_report(record(), t, front(t), t.iloc[:0], measured(best), METRICS, ["score", "latency_ms"])
        for t in (table, table.copy())
    ]
    assert pages[0] == pages[1]


def test_drawings_in_the_page_are_well_formed():
    table = evaluations()
    best = front(table)
    page = run_report(record(), table, best, table.iloc[:0], None, METRICS, ["score", "latency_ms"])
    drawings = re.findall(r'<svg xmlns="http://www.w3.org/2000/svg" class="architecture".*?</svg>', page)
    assert len(drawings) == len(best)
    for drawing in drawings:
        ElementTree.fromstring(drawing)


def test_what_was_set_up_is_told_in_its_sentence_and_nothing_empty_is_named():
    pruned = {"dropped": {"stage1": {"ibn_k3": "dominated"}}, "sentence": "1 of 2 options is dropped."}
    saved = {"source": "", "metric": "latency_ms", "seconds": 0.0}
    page = read(evaluations(), setup={"pruned space/1f": pruned, "saved block table/2e": saved})
    assert "pruned space 0.0 s 1 of 2 options is dropped." in page.text
    assert "ibn_k3" not in page.text
    assert "metric latency_ms" in page.text
    assert "source" not in page.text
