"""Metrics looked up in a table."""

import numpy as np
import pandas as pd
import pytest

from moo_nas.errors import InputError, MeterError
from moo_nas.meters import LookUp, Metric

TOP1, LATENCY = Metric("top1", "%", "max"), Metric("latency_ms", "ms", "min")


@pytest.fixture
def frame(tiny):
    texts = [str(tiny.decode(tiny.genome_at(i))) for i in range(4)]
    return pd.DataFrame({"latency_ms": [1.0, 2, 3, 4], "top1": [70.0, 71, 72, 73], "other": "x"}, index=texts)


def test_the_metrics_asked_for_are_found_by_architecture_whatever_its_seed(frame, tiny):
    meter = LookUp(frame, [TOP1, LATENCY], "here")
    asked = [tiny.decode(tiny.genome_at(i)) for i in (2, 0, 2)]
    assert meter.measure(asked, [5, 6, 7]).tolist() == [[72, 3], [70, 1], [72, 3]]


def test_an_architecture_that_the_table_lacks_is_named(frame, tiny):
    missing = tiny.decode(tiny.genome_at(4))
    with pytest.raises(MeterError, match="The table of here has no row of") as raised:
        LookUp(frame, [TOP1], "here").measure([missing], [0])
    assert str(missing) in str(raised.value)


def test_a_value_that_is_missing_is_nan_not_zero(frame, tiny):
    frame.iloc[1, 0] = np.nan
    found = LookUp(frame, [TOP1, LATENCY], "here").measure([tiny.decode(tiny.genome_at(1))], [0])
    assert found[0, 0] == 71
    assert np.isnan(found[0, 1])


def test_a_column_that_is_missing_and_a_row_that_is_there_twice_are_refused(frame):
    with pytest.raises(InputError, match="no column 'energy_mj'; it has latency_ms, top1, other"):
        LookUp(frame, [Metric("energy_mj", "mJ", "min")], "here")
    with pytest.raises(InputError, match=f"'{frame.index[0]}' more than once"):
        LookUp(pd.concat([frame, frame.iloc[:1]]), [TOP1], "here")


def test_its_identity_is_where_the_numbers_come_from(frame):
    keys = {LookUp(frame, [TOP1], source).key for source in ("here", "there")}
    assert len(keys) == 2
    assert LookUp(frame, [TOP1], "here").key != LookUp(frame, [LATENCY], "here").key


def test_what_a_search_may_know_beforehand_is_what_is_named_free(frame):
    assert LookUp(frame, [TOP1, LATENCY], "here").free == ()
    assert LookUp(frame, [TOP1, LATENCY], "here", free=["latency_ms"]).free == ("latency_ms",)
    with pytest.raises(InputError, match="'params' is to be free but is no metric; they are top1"):
        LookUp(frame, [TOP1], "here", free=["params"])


def test_genomes_find_the_rows_that_their_architectures_do(frame, tiny):
    genomes = np.array([tiny.genome_at(i) for i in range(6)])
    meter = LookUp(frame, [TOP1, LATENCY], "here", genomes=genomes[:4])
    found = meter.tabulate(tiny)(genomes)
    assert found[:4].tolist() == meter.measure([tiny.decode(g) for g in genomes[:4]], [0] * 4).tolist()
    assert np.isnan(found[4:]).all()
    assert LookUp(frame, [TOP1], "here").tabulate(tiny) is None


def test_why_an_architecture_is_absent_is_said(frame, tiny):
    missing = tiny.decode(tiny.genome_at(4))
    with pytest.raises(MeterError, match=r"has no row of .*: it was never trained\.$"):
        LookUp(frame, [TOP1], "here", absent="it was never trained").measure([missing], [0])
