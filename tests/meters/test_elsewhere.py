"""Tables of measurements made on another device: what is taken, and what is refused by its line."""

import csv
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.meters import Analytic, DeviceTable
from moo_nas.meters.device.other_units import cost_ratios
from moo_nas.spaces import CellSpace, StageSpace
from tests.spaces_for_tests import tiny_space

HEADER = "architecture,latency_ms,spread_ms,energy_mj,peak_power_w,tool,ambient_c,device"


def name(i: int, space=None) -> str:
    space = space or tiny_space()
    return str(space.decode(space.genome_at(i)))


# What every table has beside, in front of each line.
KNOWN = ("image_size,batch_size,n_classes,idle_subtracted", "16,1,10,yes")


def whole(text: str) -> str:
    """Return a table with what it is of in front of every line."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    lines = text.removeprefix(mark).splitlines(keepends=True)
    return mark + "".join(f"{KNOWN[i > 0]},{line}" if line.strip() else line for i, line in enumerate(lines))


def read(tmp_path, text: str | bytes, space=None, complete: bool = True) -> DeviceTable:
    path = tmp_path / "board.csv"
    text = whole(text) if complete and isinstance(text, str) else text
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
        (f"{name(1)},1_5,,,,,,", "line 3: latency_ms must be a number, in milliseconds; got '1_5'"),
        (f"{name(1)},\u0661,,,,,,", "line 3: latency_ms must be a number"),
        (f"{name(1)},1e999,,,,,,", "line 3: latency_ms must be a number"),
        (f"{name(1)},2,3,,,,,", "line 3: spread_ms is 3, more than latency_ms, 2"),
        (f'{name(1)},"1,5",,,,,,', "line 3: latency_ms must be a number, in milliseconds; got '1,5'"),
        (f"{name(1)},,,,,,,", "line 3: latency_ms is empty; leave out the rows"),
        (f"{name(1)},1,-0.1,,,,,", "line 3: spread_ms must be 0 or more"),
        (f"{name(1)},1,,0,,,,", "line 3: energy_mj must be more than 0"),
        (f"{name(1)},1,,,-3,,,", "line 3: peak_power_w must be more than 0"),
        (f"{name(1)},2,,9000,5,,,", "line 3: energy_mj / latency_ms is 4500 W on average, more than"),
        (f"{name(1)},1,,,,,300,", "line 3: ambient_c must be -90 or more and 150 or less, in degrees"),
        (f"{name(0)},1,,,,,,", "line 3: the same network as line 2"),
        (f"{name(1)},1,,,,,,Other", "line 3: device 'Other', but line 2 has ''"),
        (f"{name(1)},1", "line 3: 6 cells under 12 headings"),
        (f'{name(1)},1,,,,"open,,\n{name(2)},1,,,,,,\n', "line 3: a quotation mark is not closed"),
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
        ("", "board.csv is empty"),
        ("\n\n", "board.csv is empty"),
        ("sep=,\narchitecture,latency_ms\n", "line 1: 'sep=,' is a note to Excel; delete that line"),
        ("architecture,latency_ms,\n", "line 1: column 3 has no name: do lines end with a comma too many?"),
        (",architecture,latency_ms\n", "If it is pandas' index, write the table with index=False"),
        ("Unnamed: 0,architecture\n", "If it is pandas' index"),
        ("architecture,watt\n", "unknown column 'watt'. Known"),
        ("architecture,latency_ms\n", "the column 'image_size' is missing"),
        (f"{KNOWN[0]},architecture,latency_ms\n", "it has no rows"),
        (b"architecture,latency_ms\n\xff\xfe,1\n", "must be UTF-8"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(text, expected, tmp_path):
    with pytest.raises(InputError) as raised:
        read(tmp_path, text, complete=False)
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ("16,1,10,perhaps", "line 3: idle_subtracted must be yes or no; got 'perhaps'"),
        ("16,1,10,", "line 3: energy_mj without idle_subtracted"),
        ("16,1,10,NO", "line 3: idle_subtracted 'no', but line 2 has 'yes'"),
        ("32,1,10,yes", "line 3: image_size 32, but line 2 has 16"),
        ("16,8,10,yes", "line 3: batch_size 8, but line 2 has 1"),
        ("16,1,7,yes", "line 3: n_classes 7, but line 2 has 10"),
        (",1,10,yes", "line 3: image_size is empty"),
        ("16.5,1,10,yes", "line 3: image_size must be an integer, in pixels; got '16.5'"),
        ("16,0,10,yes", "line 3: batch_size must be more than 0"),
        ("1e300,1,10,yes", "line 3: image_size must be more than 0 and 100000 or less, in pixels; got 1e300"),
        ("16,1,1e300,yes", "line 3: n_classes must be more than 0 and 100000 or less"),
    ],
)
def test_what_a_table_is_of_is_the_same_in_every_row(known, expected, tmp_path):
    text = f"{KNOWN[0]},architecture,latency_ms,energy_mj\n16,1,10,yes,{name(0)},1,2\n{known},{name(1)},1,2\n"
    with pytest.raises(InputError) as raised:
        read(tmp_path, text, complete=False)
    assert expected in str(raised.value)


def test_a_table_says_what_it_is_of_and_refuses_to_be_of_anything_else(tmp_path):
    table = read(tmp_path, f"architecture,latency_ms\n{name(0)},1\n")
    assert (table.image_size, table.batch_size, table.n_classes, table.idle_subtracted) == (16, 1, 10, True)
    table.check(16, 1, 10)
    for other in ((224, 1, 10), (16, 64, 10), (16, 1, 1000)):
        with pytest.raises(
            InputError, match="16 pixels, batch 1 and 10 classes; asked for {} .* {} .* {}".format(*other)
        ):
            table.check(*other)


def test_a_table_that_does_not_say_its_size_is_refused(tmp_path):
    with pytest.raises(InputError, match="the column 'image_size' is missing"):
        read(tmp_path, f"architecture,latency_ms\n{name(0)},1\n", complete=False)


@pytest.mark.parametrize("factor", [1000, 0.001, 1e6])
@pytest.mark.parametrize("column", ["latency_ms", "energy_mj", "peak_power_w"])
@pytest.mark.parametrize("n", [3, 20])
def test_a_row_in_another_unit_than_the_others_is_refused_by_its_line(n, column, factor, tmp_path, tiny):
    frame = pd.DataFrame({"architecture": [name(i) for i in range(n)], "spread_ms": 0.0})
    macs = Analytic(16, 10).measure([tiny.decode(tiny.genome_at(i)) for i in range(n)], [0] * n)[:, 2]
    for known, power in (("latency_ms", 0.7), ("energy_mj", 0.9), ("peak_power_w", 0.1)):
        frame[known] = macs**power
    frame["peak_power_w"] *= 1e6  # above any average
    assert len(read(tmp_path, frame.to_csv(index=False)).frame) == n
    frame.loc[2, column] *= factor
    if column == "peak_power_w" and factor < 1:
        frame = frame.drop(columns="energy_mj")
    if column == "energy_mj" and factor > 1:
        frame = frame.drop(columns="peak_power_w")
    with pytest.raises(InputError, match=rf"1 fault: line 4: {column} is .* in another unit than"):
        read(tmp_path, frame.to_csv(index=False))


def test_how_many_times_is_told_in_words_that_are_read(tmp_path, tiny):
    macs = Analytic(16, 10).measure([tiny.decode(tiny.genome_at(i)) for i in range(5)], [0] * 5)[:, 2]
    for factor, expected in (
        (2000, r"latency_ms is \d{4} times what"),
        (1 / 2000, r"latency_ms is 1/\d{4} of what"),
    ):
        costs = macs / macs.mean() * np.where(np.arange(5) == 2, factor, 1.0)
        text = "architecture,latency_ms\n" + "".join(f"{name(i)},{cost}\n" for i, cost in enumerate(costs))
        with pytest.raises(InputError, match=expected + r".* than milliseconds\?$"):
            read(tmp_path, text)


def test_energy_in_joules_is_told_by_the_peak_where_idle_power_is_in_it(tmp_path):
    text = "idle_subtracted,image_size,batch_size,n_classes,architecture,latency_ms,energy_mj,peak_power_w\n"
    rows = [f"{{}},16,1,10,{name(i)},10,0.05,6" for i in range(2)]  # 50 mJ, written as joules
    with pytest.raises(
        InputError, match=r"line 2: energy_mj / latency_ms is 0\.005 W on average .* a hundredth"
    ):
        read(tmp_path, text + "\n".join(rows).format("no", "no"), complete=False)
    assert len(read(tmp_path, text + "\n".join(rows).format("yes", "yes"), complete=False).frame) == 2


def test_a_network_that_is_a_constant_may_take_next_to_no_time(tmp_path):
    space = CellSpace(1, (4,), 4)

    def all_of(operation: str) -> str:
        return str(space.decode(space.genome_of([operation] * 6)))

    drawn = dict.fromkeys(str(space.decode(genome)) for genome in space.canonical(space.sample(30, seed=0)))
    text = "architecture,latency_ms\n"
    text += "".join(f"{name},10\n" for name in drawn if name not in map(all_of, ("none", "nor_conv_3x3")))
    n = text.count("\n") - 1
    assert n > 20
    assert len(read(tmp_path, f"{text}{all_of('none')},0.001\n", space).frame) == n + 1
    with pytest.raises(InputError, match=f"line {n + 2}: latency_ms is 1/"):
        read(tmp_path, f"{text}{all_of('nor_conv_3x3')},0.001\n", space)


def passes(code: str) -> bool:
    """Does a cell of NASLib's code (edges 12, 13, 14, 23, 24, 34; 1 is none) lead anything to its output?"""
    e12, e13, e14, e23, e24, e34 = (operation != "1" for operation in code)
    return e14 or (e12 and e24) or ((e13 or (e12 and e23)) and e34)


@pytest.mark.skipif(not os.environ.get("MOO_NAS_DATA"), reason="MOO_NAS_DATA is unset: no published data")
@pytest.mark.parametrize("metric", ["raspi4_latency", "edgegpu_latency", "eyeriss_energy", "fpga_latency"])
def test_no_published_measurement_is_taken_for_another_unit(metric):
    frame = pd.read_csv(
        Path(os.environ["MOO_NAS_DATA"]) / "nb201_accuracy_hw.csv.xz", dtype={"naslib_code": str}
    )
    costs = frame[f"cifar10__{metric}"].to_numpy()
    work = 1e6 * (frame["cifar10__flops_M"] / 2 + frame["cifar10__params_M"]).to_numpy()
    for seed in range(20):
        rows = np.random.default_rng(seed).choice(len(costs), 200, replace=False)
        ratios = cost_ratios(costs[rows], work[rows])
        constant = ~frame["naslib_code"].iloc[rows].map(passes).to_numpy()
        assert (constant | ((ratios > 1 / 300) & (ratios < 300))).all()
        assert constant.sum() < 20


def test_a_separator_of_lines_within_a_cell_is_text(tmp_path):
    tool = "a\u2028b\x0bc\x85d"
    text = "".join(
        f"{KNOWN[i]},{line}\n"
        for i, line in enumerate(["architecture,latency_ms,tool", f"{name(0)},1,{tool}"])
    )
    assert read(tmp_path, text, complete=False).frame["tool"].tolist() == [tool]


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
    writer.writerow([*KNOWN[0].split(","), "architecture", "latency_ms", "tool"])
    writer.writerows([*KNOWN[1].split(","), name(i), value * (i + 1), tool] for i in which)
    first = read(folder, text.getvalue(), complete=False)
    second = DeviceTable.read(first.write(folder / "again.csv"), tiny_space())
    assert second.frame.equals(first.frame)
    assert second.genomes.tolist() == first.genomes.tolist()


def test_the_identity_of_the_numbers_is_that_of_the_file(tmp_path):
    keys = {read(tmp_path, f"architecture,latency_ms\n{name(0)},{ms}\n").meter().key for ms in (1, 2)}
    assert len(keys) == 2


def test_a_table_of_another_space_is_refused(tmp_path):
    with pytest.raises(InputError, match="not of the stage space"):
        read(tmp_path, f"architecture,latency_ms\n{name(0)},1\n", StageSpace.haenas())
