"""Pages in a browser: nothing is loaded, cut off or covered; hovering and filtering work; large runs too."""

import re

import numpy as np
import pandas as pd
import pytest

from moo_nas import NASProblem, Pareto, search
from moo_nas.analysis.comparison_report import Compared, comparison_report
from moo_nas.analysis.ranking import ranked
from problems.additive import Additive
from tests.analysis.browser import needs_browser, opened, tried
from tests.analysis.tables import METRICS, curves, fronts, record

pytestmark = needs_browser

# Of every plot: which words leave it, and which cover each other. Ticks and titles are all words.
LAYOUT = """
const rects = (plot) => [...plot.querySelectorAll("svg text")]
  .filter((text) => text.textContent.trim() && !text.closest(".hoverlayer"))
  .map((text) => ({ words: text.textContent, box: text.getBoundingClientRect() }));
const cut = [], covered = [];
for (const plot of document.querySelectorAll(".plotly-graph-div")) {
  const outer = plot.getBoundingClientRect();
  const all = rects(plot);
  for (const { words, box } of all)
    if (box.left < outer.left - 1 || box.right > outer.right + 1 || box.top < outer.top - 1
        || box.bottom > outer.bottom + 1) cut.push(words);
  all.forEach((one, i) => all.slice(i + 1).forEach((other) => {
    const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
    const high = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
    if (wide > 2 && high > 2) covered.push(`${one.words} | ${other.words}`);
  }));
  const home = plot.closest("section").getBoundingClientRect();
  if (outer.right > home.right || outer.left < home.left) cut.push("a plot");
}
const tooWide = document.documentElement.scrollWidth - innerWidth;
// Of drawings and tables: which are cut with nothing around them that scrolls and shows that there is more.
const lost = [];
for (const wide of document.querySelectorAll("section svg:not(.main-svg), section table")) {
  if (wide.closest(".plotly-graph-div, details")) continue;
  const home = wide.closest("section").getBoundingClientRect();
  if (wide.getBoundingClientRect().right <= home.right) continue;
  let box = wide.parentElement;
  while (box && box.scrollWidth <= box.clientWidth) box = box.parentElement;
  const style = box && getComputedStyle(box);
  if (!style || style.overflowX !== "auto" || !style.backgroundImage.includes("gradient"))
    lost.push(wide.getAttribute("class") || wide.tagName);
}
"""


def good(found: dict) -> None:
    assert found["faults"] == []
    assert found["loaded"] == []
    assert found["tooWide"] <= 0
    assert found["cut"] == []
    assert found["covered"] == []
    assert found["lost"] == []


def page_of(tmp_path, budget: int, *objectives: str) -> str:
    problem: NASProblem = Additive()
    search(problem, Pareto(*objectives), "random", budget, out=tmp_path / "run")
    return (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "objectives", [("error", "latency_ms"), ("error", "latency_ms", "params", "peak_activation_bytes")]
)
def test_a_run_s_page_is_whole_and_can_be_hovered_and_filtered(objectives, tmp_path):
    page = page_of(tmp_path, 60, *objectives)
    probe = (
        LAYOUT
        + """
const plot = document.querySelector(".plotly-graph-div");
const points = () => plot.querySelectorAll("path.point").length;
const output = () => document.querySelector("output").textContent;
const trace = plot.data.findIndex((one) => one.name === "front");
const before = { points: points(), output: output() };
Plotly.Fx.hover(plot, [{ curveNumber: trace, pointNumber: 0 }]);
const hovered = plot.querySelector(".hoverlayer").textContent;
plot.emit("plotly_click", { points: [{ customdata: plot.data[trace].customdata[0] }] });
const chosen = document.querySelectorAll("tr.chosen").length;
const drawn = document.querySelectorAll(".preview svg.architecture").length;
const set = async (query, value) => {
  const input = document.querySelector(query);
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise((done) => setTimeout(done, 500));
};
await set("input[type=search]", "stage3.kernel=7");
const gene = { points: points(), output: output() };
await set("input[type=search]", "");
await set('input[data-metric="error"][data-end="high"]', "29");
const range = { points: points(), output: output() };
document.querySelector("form.filter").reset();
await new Promise((done) => setTimeout(done, 500));
return { before, hovered, chosen, drawn, gene, range, after: points(), cut, covered, tooWide, lost };
"""
    )
    table = pd.read_csv(tmp_path / "run" / "front.csv")
    for found in tried(page, probe, tmp_path, (1400, 400)):
        good(found)
        n = len(table)
        assert found["before"]["output"].startswith(f"60 of 60 evaluations pass, {n} of {n} of the front")
        assert found["before"]["points"] == found["after"] >= 60
        assert f"evaluation {table['evaluation'][0]}" in found["hovered"]
        assert "stem_k3" in found["hovered"]
        assert (found["chosen"], found["drawn"]) == (1, 1)
        for some in ("gene", "range"):
            shown, of_front = map(int, re.findall(r"(\d+) of \d+", found[some]["output"]))
            assert 0 < shown < 60
            assert found[some]["points"] == shown + of_front
        assert int(found["gene"]["output"].split()[0]) < 60
        kernels = table["stage3.kernel"] == 7
        assert f"{kernels.sum()} of {n} of the front" in found["gene"]["output"]


def test_the_page_of_a_comparison_of_many_methods_is_whole(tmp_path):
    methods = [f"a-long-method-{i}-nsga2" for i in range(8)]
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            {"method": m, "seed": s, "hypervolume": 0.5 + 0.02 * i + 0.1 * rng.random(), "igd_plus": 0.1}
            for i, m in enumerate(methods)
            for s in range(5)
        ]
    )
    found = fronts(methods, 5)
    parts = [found.assign(share=share) for share in (0.25, 0.5, 0.75)]
    corners = pd.concat(parts).rename(columns={"latency_ms": "limit", "score": "best"})
    compared = Compared(
        table,
        curves(methods, 5),
        found,
        METRICS,
        ["score", "latency_ms"],
        attainment=corners.assign(metric="latency_ms"),
        rankings={"hypervolume": ranked(table, "hypervolume", less_is_better=False)},
    )
    page = comparison_report(record(seeds=[0, 1, 2, 3, 4]), compared)
    for seen in tried(page, f"{LAYOUT} return {{ cut, covered, tooWide, lost }};", tmp_path, (1400, 400)):
        good(seen)


def test_a_run_of_5000_evaluations_is_a_small_file_that_loads_quickly(tmp_path):
    page = page_of(tmp_path, 5000, "error", "latency_ms")
    path = tmp_path / "run" / "report.html"
    assert path.stat().st_size < 6e6
    assert '"ids":[0,1,2' in page
    probe = (
        "<script>document.title = `loaded in ${performance.now()} with "
        "${document.querySelectorAll('path.point').length} points`</script></body>"
    )
    path.write_text(page.replace("</body>", probe), encoding="utf-8")
    # The machine may be busy with other tests: the best of three.
    taken = []
    for _ in range(3):
        told = re.search(r"loaded in ([\d.]+) with (\d+) points", opened(path))
        assert told is not None
        assert int(told[2]) > 1000
        taken.append(float(told[1]))
        if taken[-1] < 3000:
            break
    assert min(taken) < 3000
