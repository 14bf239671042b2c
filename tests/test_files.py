"""Files are there whole, or as they were."""

import pytest

from moo_nas.errors import InputError
from moo_nas.files import write_whole


@pytest.mark.parametrize("content", ["ünïcode\r\n", b"\x00\xff\r\n"])
def test_a_file_holds_what_it_was_given_to_the_byte(content, tmp_path):
    path = write_whole(tmp_path / "file", content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_put_in_place_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(InputError, match="file cannot be written: Is a directory"):
        write_whole(tmp_path / "file", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_file_before_stays_where_the_new_one_cannot_be_written(tmp_path, monkeypatch):
    write_whole(tmp_path / "file", "before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_whole(tmp_path / "file", "after")
    assert (tmp_path / "file").read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
