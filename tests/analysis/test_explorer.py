"""What a page has of a run to be filtered, and parallel coordinates."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from moo_nas.analysis.drawing import draw_architecture
from moo_nas.analysis.explorer import data_script, thinned
from moo_nas.analysis.parallel import parallel_coordinates
from moo_nas.analysis.side_by_side import draw_side_by_side
from moo_nas.analysis.svg_png import svg_png
from moo_nas.spaces import CellSpace, FlatSpace, Gene, StageSpace
from tests.analysis.tables import LATENCY, SCORE, evaluations, front

SPACES = [
    StageSpace.haenas(),
    CellSpace.nasbench201(merge=False),
    FlatSpace([Gene("a name", ("ä b", "<c>"), "categorical"), Gene("n", range(70), "ordinal")]),
]


def told(rows: pd.DataFrame, best: pd.DataFrame, genes: list[str]) -> dict:
    script = data_script(rows, best, [SCORE, LATENCY], genes)
    body = re.fullmatch(r'<script type="application/json" id="evaluations">(.*)</script>', script, re.DOTALL)
    assert body is not None
    assert "<" not in body[1]
    return json.loads(body[1])


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_every_value_gene_and_text_is_on_the_page(space):
    genomes = space.sample(300, seed=0)
    rows = space.choices(genomes).assign(score=np.arange(300.0), latency_ms=np.arange(300)[::-1] / 7)
    rows["architecture"] = [str(space.decode(genome)) for genome in genomes]
    names = [gene.name for gene in space.genes]
    data = told(rows, rows.iloc[:5], names)
    assert data["ids"] == list(range(300))
    assert data["kinds"] == "f" * 5 + "e" * 295
    # As page.js reads them.
    for i, text in enumerate(rows["architecture"]):
        codes = [ord(character) - 0x100 for character in data["texts"][i]]
        assert "".join(data["words"][code - (0x800 if code >= 0xDF00 else 0)] for code in codes) == text
    for gene, chosen in zip(data["genes"], data["chosen"], strict=True):
        for value, mark in zip(rows[gene["name"]], chosen, strict=True):
            place = data["digits"].index(mark) if isinstance(mark, str) else mark
            assert gene["choices"][place] == str(value)
    np.testing.assert_allclose(data["values"][1], rows["latency_ms"], rtol=1e-4)


def test_of_a_long_run_the_front_and_some_others_evenly_are_kept_and_no_failures():
    table = evaluations(400, n_failed=50)
    best = front(table)
    kept = thinned(table, best, most=100)
    assert set(best.index) <= set(kept.index)
    assert 100 <= len(kept) <= 100 + len(best)
    assert (kept["status"] == "ok").all()
    assert np.diff(kept.index).max() < 20
    assert len(thinned(table, best)) == 350


def test_parallel_coordinates_have_a_line_an_architecture_and_say_what_all_share():
    space = StageSpace.haenas()
    genomes = space.sample(12, seed=0)
    genomes[:, 3] = 1
    rows = space.choices(genomes).assign(score=np.arange(12.0), latency_ms=np.arange(12.0) + 1)
    names = [gene.name for gene in space.genes]
    page = parallel_coordinates(rows, [SCORE, LATENCY], names)
    svg = ElementTree.fromstring(re.search(r"<svg.*?</svg>", page, re.DOTALL)[0])
    lines = [one for one in svg if one.tag.endswith("polyline")]
    assert sorted(int(one.get("data-row")) for one in lines) == list(range(12))
    assert f"All 12 have {names[3]} {rows[names[3]][0]}." in page
    # Better is up: the best score has the highest start, the lowest latency the highest second point.
    starts = {
        int(one.get("data-row")): [float(point.split(",")[1]) for point in one.get("points").split()[:2]]
        for one in lines
    }
    assert min(starts, key=lambda row: starts[row][0]) == 11
    assert min(starts, key=lambda row: starts[row][1]) == 0
    # As the page says: dark lines have the best score.
    red = {int(one.get("data-row")): int(one.get("stroke")[1:3], 16) for one in lines}
    assert red[11] == min(red.values()) < 50 < red[0] == max(red.values())
    assert parallel_coordinates(rows.iloc[:1], [SCORE, LATENCY], names) == ""


@pytest.mark.parametrize("space", SPACES[:2], ids=lambda space: space.name)
def test_drawings_become_pictures_of_their_size(space):
    rows = [
        (f"device {i}", "a line", space.decode(genome)) for i, genome in enumerate(space.sample(2, seed=0))
    ]
    for svg in (draw_architecture(rows[0][2]), draw_side_by_side(rows)):
        png = svg_png(svg, scale=2)
        width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))
        size = ElementTree.fromstring(svg).get("viewBox").split()[2:]
        assert abs(width - 2 * float(size[0])) <= 2
        assert abs(height - 2 * float(size[1])) <= 2
