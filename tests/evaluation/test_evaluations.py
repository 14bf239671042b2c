import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluations
from moo_nas.meters import Metric
from tests import strategies

METRICS = (Metric("score", "1", "max"), Metric("params", "1", "min"))


@given(strategies.tables(METRICS), st.data())
def test_rows_are_taken_in_the_order_of_the_index(table, data):
    index = data.draw(st.lists(st.integers(0, len(table) - 1), min_size=1))
    rows = table.rows(index)
    assert rows.values.tolist() == [table.values[i].tolist() for i in index]
    assert rows.genomes.tolist() == [table.genomes[i].tolist() for i in index]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table))))
    assert len(table.rows(mask)) == mask.sum()


def test_no_rows_can_be_taken():
    table = Evaluations.of(METRICS, np.ones((3, 2)))
    for index in ([], np.zeros(0, dtype=np.int64), np.zeros(3, dtype=bool)):
        none = table.rows(index)
        assert len(none) == 0
        assert none.values.shape == (0, 2)
        assert none.rows([]).failed.shape == (0,)


@given(strategies.tables(METRICS), strategies.tables(METRICS))
def test_two_tables_make_one(a, b):
    both = Evaluations.concat([a, b])
    assert len(both) == len(a) + len(b)
    assert both.rows(np.arange(len(a))).values.tolist() == a.values.tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_a_failure_that_says_which_metric(value):
    table = Evaluations.of(METRICS, np.array([[1.0, 2.0], [1.0, value]]))
    assert table.failed.tolist() == [False, True]
    assert table.reasons == (None, f"params is {value}")


def test_columns_are_found_by_name_and_a_wrong_one_by_the_closest():
    table = Evaluations.of(METRICS, np.array([[1.0, 2.0]]))
    assert table["params"].tolist() == [2.0]
    assert table.metric("params").goal == "min"
    assert {name: c.tolist() for name, c in table.columns().items()} == {"score": [1.0], "params": [2.0]}
    with pytest.raises(InputError, match="did you mean 'params'"):
        table["param"]
