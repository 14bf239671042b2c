"""Reading a user's table: what a column may hold, and what is said where it holds something else."""

import math
import os
import re
import zlib
from collections.abc import Sequence
from lzma import LZMAError
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError
from moo_nas.spaces.gene import Choice

_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
# But for longer integers, which floats would mix up: they are codes, or read as metrics are.
_DECIMAL = re.compile(r"-?(?!\d{19,}$)(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
# How programs write that a number is missing.
_MISSING = {"", "na", "n/a", "nan", "none", "null", "<na>"}


def read_table(
    frame_or_path: pd.DataFrame | str | os.PathLike[str], columns: Sequence[str]
) -> tuple[pd.DataFrame, str]:
    """Return these columns of a table, and what the table is called in messages.

    A column of a CSV file is one of numbers if every field is written as a number is, else of texts
    as they are written: ``01`` is a text.

    Raises:
        InputError: The file cannot be read, a column is not there or is there twice, there are no rows.
    """
    written = False
    if isinstance(frame_or_path, pd.DataFrame):
        frame, source = frame_or_path, "the DataFrame"
    else:
        path = Path(frame_or_path)
        frame, source, written = _read_file(path), path.name, ".csv" in path.name.lower()
    for name in columns:
        if name not in frame.columns:
            raise InputError(
                f"There is no column '{name}' in {source}; it has {', '.join(map(str, frame.columns))}."
            )
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"There is more than one column '{twice}' in {source}. Rename or drop one.")
    if frame.empty:
        raise InputError(f"There are no rows in {source}.")
    frame = frame[list(columns)].reset_index(drop=True)
    if written:
        frame = frame.apply(_as_numbers)
    return frame, source


def _read_file(path: Path) -> pd.DataFrame:
    kind = next((suffix for suffix in path.suffixes[-2:] if suffix.lower() in (".csv", ".parquet")), None)
    if kind is None:
        raise InputError(
            f"A table is a .csv file (or .csv.xz, .csv.gz, ...) or a .parquet file; got '{path}'."
        )
    if not path.is_file():
        raise InputError(f"There is no file '{path}'.")
    try:
        if kind.lower() == ".parquet":
            return pd.read_parquet(path)
        # The heading is read as a row: pandas would rename a column that is there twice.
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, header=None, encoding="utf-8-sig")
    except ImportError as error:
        raise InputError(
            f"Reading '{path}' needs pyarrow: pip install pyarrow, or save it as .csv."
        ) from error
    except (OSError, ValueError, EOFError, LZMAError, BadZipFile, zlib.error) as error:
        raise InputError(f"The table '{path}' cannot be read: {str(error).strip().rstrip('.')}.") from error
    frame = rows.iloc[1:]
    frame.columns = pd.Index(rows.iloc[0])
    return frame


def choice_column(frame: pd.DataFrame, name: str, source: str) -> list[Choice]:
    """Return a column of choices: all numbers, or all texts.

    Raises:
        InputError: A field is missing or not finite, or numbers and texts are mixed.
    """
    values = [value.item() if isinstance(value, np.generic) else value for value in frame[name].tolist()]
    values = [int(value) if isinstance(value, bool) else value for value in values]
    kind = str if isinstance(values[0], str) else int | float
    for row, value in enumerate(values, start=1):
        if _is_missing(value) or (isinstance(value, float | str) and value in ("", math.inf, -math.inf)):
            raise InputError(
                f"Gene column '{name}' of {source} needs a choice in every row; row {row} of the data has "
                f"{value!r}."
            )
        if not isinstance(value, kind):
            raise InputError(
                f"Gene column '{name}' of {source} must be all numbers or all texts; row {row} of the data "
                f"has {value!r}{'' if row == 1 else f', row 1 {values[0]!r}'}. Convert it: frame['{name}'] = "
                f"frame['{name}'].astype(str)."
            )
    return values


def number_column(frame: pd.DataFrame, name: str, source: str) -> FloatArray:
    """Return a column of numbers ``(n,)``, NaN where one is missing.

    Raises:
        InputError: A field is no number.
    """
    numbers = []
    for row, value in enumerate(frame[name].tolist(), start=1):
        missing = value.strip().lower() in _MISSING if isinstance(value, str) else _is_missing(value)
        try:
            numbers.append(math.nan if missing else float(value))
        except (TypeError, ValueError, OverflowError):
            raise InputError(
                f"Column '{name}' of {source} must be of numbers; row {row} of the data has {value!r}."
            ) from None
    return np.array(numbers)


def _as_numbers(column: "pd.Series[str]") -> "pd.Series[Any]":
    """Return a column of texts as numbers, if all of them are written as numbers are."""
    texts = column.tolist()
    for pattern, convert in ((_INTEGER, int), (_DECIMAL, float)):
        if all(isinstance(text, str) and pattern.fullmatch(text) for text in texts):
            return pd.Series([convert(text) for text in texts])
    return column


def _is_missing(value: Any) -> bool:
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))
