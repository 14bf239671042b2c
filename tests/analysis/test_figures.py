import struct
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from moo_nas.analysis.comparison_figures import attainment_picture, critical_difference_picture
from moo_nas.analysis.figures import comparison_picture, front_picture, progress_picture
from moo_nas.analysis.statistics import nemenyi
from moo_nas.analysis.style import looks
from moo_nas.errors import InputError
from tests.analysis.tables import LATENCY, SCORE, curves, evaluations, front, fronts, measured

TITLE = "a title with $\\frac{$, 中文 and " + "many words " * 20


def size(picture: dict[str, bytes]) -> tuple[int, int]:
    """Return the width and height of what must be a whole PNG, and a whole SVG of the same shape."""
    png, svg = picture["png"], ElementTree.fromstring(picture["svg"])
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert png[-12:-4] == b"\0\0\0\0IEND"
    width, height = struct.unpack(">II", png[16:24])
    shape = [float(svg.get(side, "").removesuffix("pt")) for side in ("width", "height")]
    assert width / height == pytest.approx(shape[0] / shape[1], rel=0.01)
    return width, height


@pytest.mark.parametrize(
    "table",
    [
        evaluations(),
        evaluations(n_failed=7),
        evaluations(feasible=False),
        evaluations(8, n_failed=8),
        evaluations(1),
        evaluations().iloc[:0],
    ],
    ids=["all feasible", "some failed", "none feasible", "all failed", "one row", "no row"],
)
def test_there_is_a_picture_of_a_run_however_it_went(table):
    best = front(table)
    picture = front_picture(table, best, LATENCY, SCORE, measured(best), TITLE, {"latency_ms": 20.0})
    assert size(picture) == (1200, 750)
    assert size(progress_picture(table, SCORE, TITLE)) == (1200, 750)


def test_pictures_differ_where_runs_differ_and_are_equal_where_they_do_not():
    table = evaluations()

    def picture(rows: pd.DataFrame) -> dict[str, bytes]:
        return front_picture(rows, front(rows), LATENCY, SCORE, None, "run")

    assert picture(table) == picture(table.copy())
    assert picture(table) != picture(table.iloc[:-5])


def test_measurements_of_either_metric_are_drawn():
    table = evaluations()
    best = front(table)
    for x, y in ((LATENCY, SCORE), (SCORE, LATENCY)):
        without = front_picture(table, best, x, y, None, TITLE)
        assert front_picture(table, best, x, y, measured(best), TITLE) != without
        assert front_picture(table, best, x, y, measured(best).iloc[:0], TITLE) == without


@pytest.mark.parametrize(("n_methods", "seeds"), [(1, 1), (16, 3)])
def test_methods_are_compared_in_one_picture(n_methods, seeds):
    methods = [f"a long name $\\frac{{$ of a method {i}" for i in range(n_methods)]
    both = comparison_picture(curves(methods, seeds), fronts(methods, seeds), LATENCY, SCORE, TITLE)
    assert size(both) == (1800, 750)
    assert size(comparison_picture(curves(methods, seeds), pd.DataFrame(), None, None, TITLE)) == (1200, 750)


def test_a_comparison_of_nothing_is_a_picture_that_says_so():
    assert size(comparison_picture(curves([], 0), pd.DataFrame(), LATENCY, SCORE, TITLE)) == (1800, 750)


@pytest.mark.parametrize(("n_methods", "seeds"), [(1, 1), (4, 5)])
def test_what_runs_attain_is_one_picture_whichever_way_is_better(n_methods, seeds):
    table = fronts([f"a long name $\\frac{{$ of a method {i}" for i in range(n_methods)], seeds)
    table["score"] += 0.05 * table["seed"]
    pictures = [attainment_picture(table, x, y, TITLE) for x, y in ((LATENCY, SCORE), (SCORE, LATENCY))]
    assert pictures[0] != pictures[1]
    assert {size(picture) for picture in pictures} == {(1200, 810)}
    assert size(attainment_picture(pd.DataFrame(), LATENCY, SCORE, TITLE)) == (1200, 810)
    assert size(attainment_picture(table.assign(score=float("nan")), LATENCY, SCORE, TITLE)) == (1200, 810)


@pytest.mark.parametrize("n_methods", [2, 5, 12])
def test_a_critical_difference_diagram_has_room_for_every_method(n_methods):
    values = np.random.default_rng(0).random((6, n_methods)) + np.arange(n_methods)
    names = [f"a long name $\\frac{{$ of a method {i}" for i in range(n_methods)]
    found = nemenyi(values)
    width, height = size(critical_difference_picture(names, found, TITLE))
    assert width > 1000
    assert height > 48 * (n_methods // 2)
    with pytest.raises(InputError, match="a name for each"):
        critical_difference_picture(names[1:], found, TITLE)


def test_many_methods_all_look_different():
    drawn = looks(map(str, range(80)))
    assert len(set(drawn.values())) == 80
