"""Metrics looked up in a table of known results."""

import numpy as np
import pandas as pd
import pytest

from moo_nas.errors import InputError, MeterError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import LookUp, Metric
from tests.spaces_for_tests import tiny_space

TOP1, LATENCY = Metric("top1", "%", "max"), Metric("latency_ms", "ms", "min")


def frame(n=32) -> pd.DataFrame:
    space = tiny_space()
    texts = [str(space.decode(space.genome_at(i))) for i in range(n)]
    return pd.DataFrame({"latency_ms": np.arange(n) + 0.5, "top1": np.arange(n)[::-1]}, index=texts)


def test_each_architecture_gets_the_numbers_of_its_row_in_the_order_of_the_metrics():
    space, meter = tiny_space(), LookUp(frame(), [TOP1, LATENCY], "a table")
    some = [space.decode(space.genome_at(i)) for i in (3, 30, 3)]
    assert meter.measure(some, [0, 1, 2]).tolist() == [[28, 3.5], [1, 30.5], [28, 3.5]]


def test_an_architecture_that_the_table_lacks_is_named_with_the_table():
    space, meter = tiny_space(), LookUp(frame(31), [TOP1], "results of Monday")
    missing = space.decode(space.genome_at(31))
    with pytest.raises(MeterError) as error:
        meter.measure([missing], [0])
    assert str(missing) in str(error.value)
    assert "results of Monday" in str(error.value)


def test_what_a_table_lacks_fails_its_row_only():
    space = tiny_space()
    evaluator = Evaluator(space, [LookUp(frame(31), [TOP1], "a table")])
    genomes = np.array([space.genome_at(i) for i in (5, 31, 30)])
    table = evaluator.evaluate(genomes, ["top1"])
    assert table.failed.tolist() == [False, True, False]
    assert "has no row" in table.reasons[1]


def test_a_metric_that_is_no_column_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"no column 'energy_mj'; it has latency_ms, top1"):
        LookUp(frame(), [Metric("energy_mj", "mJ", "min")], "a table")


def test_an_architecture_twice_is_refused():
    with pytest.raises(InputError, match="more than once"):
        LookUp(pd.concat([frame(), frame(1)]), [TOP1], "a table")


def test_tables_of_another_source_or_other_metrics_are_other_meters():
    keys = {
        LookUp(frame(), [TOP1], "version 1").key,
        LookUp(frame(), [TOP1], "version 2").key,
        LookUp(frame(), [LATENCY], "version 1").key,
    }
    assert len(keys) == 3
