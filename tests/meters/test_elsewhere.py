"""Tables of measurements made on another device: what is taken, and what is refused by its line."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, DeviceTable
from moo_nas.spaces import CellSpace, StageSpace
from tests.spaces_for_tests import tiny_space

HEADER = "architecture,latency_ms,spread_ms,energy_mj,peak_power_w,tool,ambient_c,device"


def name(i: int, space=None) -> str:
    space = space or tiny_space()
    return str(space.decode(space.genome_at(i)))


def read(tmp_path, text: str | bytes, space=None) -> DeviceTable:
    path = tmp_path / "board.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return DeviceTable.read(path, space or tiny_space())


def test_a_good_table_becomes_metrics_of_the_architectures_it_has(tmp_path, tiny):
    rows = [
        f'{name(3)},12.5,0.25,40,5,"tool 1.0, 4 threads",21.5,Board',
        f"{name(0)},3.5,0.1,9,4,,,Board",
    ]
    table = read(tmp_path, "\n".join([HEADER, *rows, ""]))
    assert [m.name for m in table.metrics] == ["latency_ms", "spread_ms", "energy_mj", "peak_power_w"]
    assert table.genomes.tolist() == [tiny.genome_at(3).tolist(), tiny.genome_at(0).tolist()]
    found = table.meter().measure([tiny.decode(tiny.genome_at(i)) for i in (0, 3)], [0, 0])
    assert found.tolist() == [[3.5, 0.1, 9, 4], [12.5, 0.25, 40, 5]]
    assert table.frame["tool"].iloc[0] == "tool 1.0, 4 threads"
    assert "Board" in table.meter().settings["source"]


def test_columns_may_be_few_in_any_order_with_a_byte_order_mark_and_blank_lines(tmp_path):
    table = read(tmp_path, f"\ufefflatency_ms,architecture\r\n2,{name(1)}\r\n\r\n4,{name(2)}\r\n")
    assert table.frame["latency_ms"].tolist() == [2, 4]
    assert [m.name for m in table.metrics] == ["latency_ms"]


def test_an_energy_that_only_some_rows_have_is_missing_in_the_others(tmp_path, tiny):
    table = read(tmp_path, f"architecture,latency_ms,energy_mj\n{name(0)},1,2\n{name(1)},1,\n")
    evaluator = Evaluator(tiny, [Analytic(16, 10), table.meter()], pool=table.genomes)
    found = evaluator.evaluate(table.genomes, ["latency_ms"], ["energy_mj"])
    assert not found.failed.any()
    assert found["energy_mj"][0] == 2
    assert np.isnan(found["energy_mj"][1])
    assert evaluator.evaluate(table.genomes, ["energy_mj"]).failed.tolist() == [False, True]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("resnet50,1,,,,,,", "line 3: unknown architecture"),
        ("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64,1,,,,,,", "line 3: not of the stage space"),
        (f"{name(1)},-1,,,,,,", "line 3: latency_ms must be more than 0, in milliseconds; got -1"),
        (f"{name(1)},0,,,,,,", "line 3: latency_ms must be more than 0"),
        (f"{name(1)},nan,,,,,,", "line 3: latency_ms must be a number, in milliseconds; got 'nan'"),
        (f"{name(1)},inf,,,,,,", "line 3: latency_ms must be a number"),
        (f"{name(1)},12 us,,,,,,", "line 3: latency_ms must be a number, in milliseconds; got '12 us'"),
        (f'{name(1)},"1,5",,,,,,', "line 3: latency_ms must be a number, in milliseconds; got '1,5'"),
        (f"{name(1)},,,,,,,", "line 3: latency_ms is empty; leave out the rows"),
        (f"{name(1)},1,-0.1,,,,,", "line 3: spread_ms must be 0 or more"),
        (f"{name(1)},1,,0,,,,", "line 3: energy_mj must be more than 0"),
        (f"{name(1)},1,,,-3,,,", "line 3: peak_power_w must be more than 0"),
        (f"{name(1)},2,,9000,5,,,", "line 3: energy_mj / latency_ms is 4500 W on average, more than"),
        (f"{name(1)},1,,,,,300,", "line 3: ambient_c must be between -90 and 150"),
        (f"{name(0)},1,,,,,,", "line 3: the same network as line 2"),
        (f"{name(1)},1,,,,,,Other", "line 3: device 'Other', but line 2 has ''"),
        (f"{name(1)},1", "line 3: 2 cells under 8 headings"),
        (f'{name(1)},1,,,,"open,,', "line 3: unexpected end of data"),
        (",1,,,,,,", "line 3: architecture is empty"),
    ],
)
def test_a_row_that_cannot_be_is_refused_by_its_line(row, expected, tmp_path):
    with pytest.raises(InputError) as raised:
        read(tmp_path, f"{HEADER}\n{name(0)},1,,,,,,\n{row}\n")
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("architecture,latency_us\n", "line 1: unknown column 'latency_us'; did you mean 'latency_ms'?"),
        ("architecture,latency\n", "did you mean 'latency_ms'?"),
        ("architecture,energy_mj\n", "line 1: the column 'latency_ms' is missing"),
        ("latency_ms\n", "line 1: the column 'architecture' is missing"),
        ("architecture,latency_ms,latency_ms\n", "'latency_ms' is there more than once"),
        ("architecture;latency_ms\n", "separated by commas"),
        ("", "'architecture' is missing"),
        ("architecture,latency_ms\n", "it has no rows"),
        (b"architecture,latency_ms\n\xff\xfe,1\n", "must be UTF-8"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(text, expected, tmp_path):
    with pytest.raises(InputError) as raised:
        read(tmp_path, text)
    assert expected in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv cannot be read: No such file"):
        DeviceTable.read(tmp_path / "nowhere.csv", tiny_space())


def test_every_fault_is_counted_and_the_first_are_told(tmp_path):
    rows = "\n".join(f"{name(i)},-1" for i in range(9))
    with pytest.raises(InputError, match=r"9 faults: line 2: .*line 6: .*and 4 more") as raised:
        read(tmp_path, f"architecture,latency_ms\n{rows}\n")
    assert "line 7" not in str(raised.value)


def test_a_row_over_several_lines_is_told_by_its_first(tmp_path):
    text = f'architecture,latency_ms,tool\n{name(0)},1,"two\nlines"\n{name(1)},-1,\n'
    with pytest.raises(InputError, match="line 4: latency_ms"):
        read(tmp_path, text)


def test_two_names_of_one_network_are_the_same_network(tmp_path):
    space = CellSpace(1, (4,), 4)
    apart = CellSpace(1, (4,), 4, merge=False)
    # Genomes that the merging space has one canonical form for.
    genomes = apart.sample(400, seed=0)
    canonical = space.canonical(genomes)
    row = next(i for i in range(400) if (canonical[i] != genomes[i]).any())
    names = [str(apart.decode(genomes[row])), str(apart.decode(canonical[row]))]
    text = "architecture,latency_ms\n{},1\n{},2\n"
    with pytest.raises(InputError, match="line 3: the same network as line 2"):
        read(tmp_path, text.format(*names), space)
    assert len(read(tmp_path, text.format(*names), apart).frame) == 2


@given(
    st.lists(st.integers(0, 31), min_size=1, max_size=8, unique=True),
    st.floats(1e-6, 1e6),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8),
)
def test_what_is_written_is_read_back_the_same(tmp_path_factory, which, value, tool):
    folder = tmp_path_factory.mktemp("table")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["architecture", "latency_ms", "tool"])
    writer.writerows([name(i), value * (i + 1), tool] for i in which)
    first = read(folder, text.getvalue())
    second = DeviceTable.read(first.write(folder / "again.csv"), tiny_space())
    assert second.frame.equals(first.frame)
    assert second.genomes.tolist() == first.genomes.tolist()


def test_the_identity_of_the_numbers_is_that_of_the_file(tmp_path):
    keys = {read(tmp_path, f"architecture,latency_ms\n{name(0)},{ms}\n").meter().key for ms in (1, 2)}
    assert len(keys) == 2


def test_a_table_of_another_space_is_refused(tmp_path):
    with pytest.raises(InputError, match="not of the stage space"):
        read(tmp_path, f"architecture,latency_ms\n{name(0)},1\n", StageSpace.haenas())
