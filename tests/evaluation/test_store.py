import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from moo_nas.errors import StoreError
from moo_nas.evaluation import Store
from moo_nas.evaluation.store import SCHEMA_VERSION, Measurement

ROWS = [Measurement("0,1", "snip", 1.5), Measurement("1,1", "snip", None, "no luck")]
LOG = [("0,1", {"snip": 1.5}, "ok", None), ("1,1", {"snip": None}, "failed", "no luck")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "evaluations.sqlite"


@pytest.fixture
def filled(path):
    store = Store(path)
    store.begin("run", {"budget": 2})
    store.add("meter", ROWS)
    store.add("meter", [Measurement(f"{i},2", "snip", i / 7) for i in range(500)])
    store.log("run", 0, LOG)
    store.recall("set-up", lambda: {"low": 0.25})
    store.close()
    return path


def refused(path, match):
    """The file is refused with a reason, and not a byte of it changes."""
    before = path.read_bytes()
    with pytest.raises(StoreError, match=match) as caught:
        Store(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_opened_again_it_gives_what_was_added(filled):
    store = Store(filled)
    assert store.measurements("meter", ["0,1", "1,1", "9,9"]) == {m.genome: {"snip": m} for m in ROWS}
    assert store.measurements("other meter", ["0,1"]) == {}
    assert store.definition("run") == {"budget": 2}
    assert store.definition("other") is None
    assert store.recall("set-up", lambda: pytest.fail("made again")) == {"low": 0.25}
    texts = [f"{i},2" for i in range(500)]
    found = store.measurements("meter", [*texts, "0,1"])  # more than one query's worth
    assert [found[text]["snip"].value for text in texts] == [i / 7 for i in range(500)]


def test_floats_come_back_bit_for_bit(path):
    values = [0.1, 1 / 3, 5e-324, -1.7976931348623157e308, 2.0**-1074 * 3]
    store = Store(path)
    store.add("meter", [Measurement(str(i), "x", v) for i, v in enumerate(values)])
    store.close()
    found = Store(path).measurements("meter", [str(i) for i in range(len(values))])
    assert [found[str(i)]["x"].value for i in range(len(values))] == values


def test_a_measurement_taken_again_does_not_replace_the_first(path):
    store = Store(path)
    store.add("meter", [Measurement("0", "latency_ms", 1.0)])
    store.add("meter", [Measurement("0", "latency_ms", 2.0), Measurement("1", "latency_ms", 3.0)])
    found = store.measurements("meter", ["0", "1"])
    assert [found[g]["latency_ms"].value for g in "01"] == [1.0, 3.0]


def test_time_spent_adds_up_over_sessions(filled):
    for _ in range(2):
        store = Store(filled)
        store.spend("run", 1.5, 0.25)
        store.close()
    assert Store(filled).spent("run") == (3.0, 0.5)


def test_in_memory_it_does_the_same():
    store = Store()
    store.add("meter", ROWS)
    assert store.measurements("meter", ["0,1"])["0,1"]["snip"].value == 1.5


def test_a_replay_that_agrees_goes_on_and_one_that_differs_is_refused(filled):
    store = Store(filled)
    store.log("run", 0, LOG)
    store.log("run", 1, [LOG[1], ("2,1", {"snip": 2.0}, "ok", None)])
    with pytest.raises(StoreError, match=r"(?i)evaluation 2 .*was .*2,1 .*is now 3,1"):
        store.log("run", 2, [("3,1", {"snip": 2.0}, "ok", None)])
    with pytest.raises(StoreError, match="does not repeat"):
        store.log("run", 0, [("0,1", {"snip": 1.5000000001}, "ok", None)])


def test_a_file_cut_short_anywhere_is_refused_and_left_as_it_is(filled):
    whole = filled.read_bytes()
    assert len(whole) > 3 * 4096
    cuts = {1, 15, 16, 50, 99, 100, 101, 4095, 4096, 4097, 8192, len(whole) - 4096, len(whole) - 1}
    for length in sorted(cuts):
        filled.write_bytes(whole[:length])
        refused(filled, "truncated|damaged|cannot be used")


def test_an_empty_file_is_refused(path):
    path.touch()
    refused(path, r"truncated or not a store \(0 bytes\)")


def test_garbage_is_refused(path):
    path.write_bytes(os.urandom(5000))
    refused(path, "not a store")


def test_pages_overwritten_with_garbage_are_refused(filled):
    whole = bytearray(filled.read_bytes())
    whole[4096:8192] = b"\xff" * 4096
    filled.write_bytes(whole)
    refused(filled, "damaged|cannot be used")


def test_another_programs_sqlite_file_is_refused(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    db.close()
    refused(path, "another program")


def test_a_store_of_a_newer_version_is_refused_with_both_numbers(filled):
    with sqlite3.connect(filled) as db:
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    db.close()
    refused(filled, f"schema {SCHEMA_VERSION + 1}; this moo_nas knows up to {SCHEMA_VERSION}")


def test_a_read_only_file_is_refused_even_to_root(filled):
    filled.chmod(0o444)
    refused(filled, "read-only")


def test_a_folder_under_its_name_is_refused(path):
    path.mkdir()
    with pytest.raises(StoreError, match="not a file"):
        Store(path)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "nowhere" / "evaluations.sqlite")


def test_a_full_disk_is_said_and_what_was_kept_is_still_there(filled):
    store = Store(filled)
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages}")
    many = [Measurement(f"{i},3", "snip", 1.0) for i in range(5000)]
    with pytest.raises(StoreError, match="full"):
        store.add("meter", many)
    assert store.measurements("meter", ["0,3", "4999,3"]) == {}  # all or nothing
    assert store.measurements("meter", ["0,1"])["0,1"]["snip"].value == 1.5
    store._db.execute("PRAGMA max_page_count=100000")
    store.add("meter", many)
    assert len(store.measurements("meter", ["0,3", "4999,3"])) == 2
    store.close()
    Store(filled).close()


def test_a_write_that_fails_half_way_leaves_nothing(path):
    store = Store(path)

    def measurements():
        yield Measurement("0", "snip", 1.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.add("meter", measurements())
    store.add("meter", [Measurement("1", "snip", 2.0)])
    assert set(store.measurements("meter", ["0", "1"])) == {"1"}


def test_a_killed_writer_loses_nothing_that_it_had_committed(path):
    program = """
import sys
from moo_nas.evaluation import Store
from moo_nas.evaluation.store import Measurement
store = Store(sys.argv[1])
for i in range(10**6):
    store.add("meter", [Measurement(str(i), "snip", i / 3), Measurement(str(i), "grasp", -i / 3)])
    print(i, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as process:
        said = [int(process.stdout.readline()) for _ in range(200)]
        process.send_signal(signal.SIGKILL)
    store = Store(path)
    found = store.measurements("meter", [str(i) for i in said])
    assert len(found) == 200
    for i in said:
        assert (found[str(i)]["snip"].value, found[str(i)]["grasp"].value) == (i / 3, -i / 3)
    rows = store._db.execute("SELECT genome, count(*) FROM measurements GROUP BY genome").fetchall()
    assert all(count == 2 for _, count in rows)


def test_a_reader_is_welcome_while_it_is_written(path):
    store = Store(path)
    store.add("meter", ROWS)
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as reader:
        assert reader.execute("SELECT count(*) FROM measurements").fetchone() == (2,)
        store.add("meter", [Measurement("5", "snip", 1.0)])
    reader.close()


def test_a_leftover_of_a_killed_creation_is_no_obstacle(path):
    path.with_name(path.name + ".new").write_bytes(b"half a file")
    Store(path).close()
    Store(path).close()
    assert path.exists()
