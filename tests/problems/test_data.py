import pandas as pd
import pytest

from moo_nas.errors import InputError
from problems.data import benchmark_table, data_hash


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MOO_NAS_DATA", str(tmp_path))
    pd.DataFrame({"code": ["012", "100"], "top1": [70.5, 71.25]}).to_csv(tmp_path / "t.csv.xz", index=False)
    return tmp_path


def test_a_table_is_read_with_the_options_given(folder):
    table = benchmark_table("t.csv.xz", dtype={"code": str})
    assert table["code"].tolist() == ["012", "100"]
    assert table["top1"].tolist() == [70.5, 71.25]


@pytest.mark.parametrize("read", [benchmark_table, data_hash])
def test_without_the_variable_the_error_says_what_to_set(read, monkeypatch):
    monkeypatch.delenv("MOO_NAS_DATA", raising=False)
    with pytest.raises(InputError, match=r"'t.csv.xz'.*export MOO_NAS_DATA="):
        read("t.csv.xz")


@pytest.mark.parametrize("read", [benchmark_table, data_hash])
def test_a_missing_table_is_named_with_its_folder(read, folder):
    with pytest.raises(InputError, match=r"has no file 'other.csv.xz'") as error:
        read("other.csv.xz")
    assert str(folder) in str(error.value)


def test_a_table_that_changes_has_another_hash(folder):
    before = data_hash("t.csv.xz")
    assert data_hash("t.csv.xz") == before
    pd.DataFrame({"code": ["012"]}).to_csv(folder / "t.csv.xz", index=False)
    assert data_hash("t.csv.xz") != before
