"""Published benchmark tables, read from the folder that ``MOO_NAS_DATA`` names."""

import functools
import hashlib
import os
from pathlib import Path
from typing import Any

import pandas as pd

from moo_nas.errors import InputError

VARIABLE = "MOO_NAS_DATA"


def benchmark_table(name: str, **read_csv_options: Any) -> pd.DataFrame:
    """Return a table of published results.

    Args:
        name: The file's name, such as ``nb201_accuracy_hw.csv.xz``.
        read_csv_options: What :func:`pandas.read_csv` takes: ``dtype={"arch": str}`` for codes
            with leading zeros, ``usecols`` for some of the columns.

    Raises:
        InputError: ``MOO_NAS_DATA`` is not set, or its folder lacks the file.
    """
    table: pd.DataFrame = pd.read_csv(_path(name), **read_csv_options)
    return table


def data_hash(name: str) -> str:
    """Return a hash of a table's file, for the identity of what is looked up in it.

    Raises:
        InputError: As of :func:`benchmark_table`.
    """
    path = _path(name)
    return _hash(path, path.stat().st_mtime_ns)


@functools.cache
def _hash(path: Path, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _path(name: str) -> Path:
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        raise InputError(
            f"'{name}' is looked for in the folder that the environment variable {VARIABLE} names; it is not "
            f"set. Put the benchmark tables into a folder and set it: export {VARIABLE}=/path/to/tables."
        )
    path = Path(folder) / name
    if not path.is_file():
        raise InputError(f"{VARIABLE} is '{folder}', which has no file '{name}'. Put the table there.")
    return path
