"""Commands run in an empty folder: what has no path given is written there."""

import pytest


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
