"""Results of searches made elsewhere, from a CSV file into a comparison."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import Formulation
from moo_nas.meters import Metric
from moo_nas.study.entry import Entry
from moo_nas.study.judged import beyond

LAST = 1_000_000  # evaluation: curves have a value for each
_NEEDED = ("method", "seed", "evaluation")


def read_foreign(
    path: str | os.PathLike[str], metrics: Mapping[str, Metric], problem: str | None = None
) -> list[Entry]:
    """Return the entries in a CSV file of evaluations made elsewhere, by method and seed.

    One row an evaluation: ``method``, ``seed``, ``evaluation`` (a whole number from 1 to a million, each once
    a method and seed; what is left out found nothing), and each metric by its name and in its unit. A row
    with an empty metric is a failure. If there are columns ``architecture`` (its text), ``reason`` (of a
    failure) or ``problem`` (the name of the problem that it is of) they are read, others are not. Nothing
    in the file is evaluated.

    Args:
        path: The file, compressed or not.
        metrics: The metrics that it is to have, by name.
        problem: What the rows must be of, if the file tells.

    Raises:
        InputError: There is no such file, it is no such table, or of another problem; the message names
            the column or the row.
    """
    file = Path(path)
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as a CSV table: {error}.") from error
    missing = [name for name in (*_NEEDED, *metrics) if name not in table]
    if missing:
        raise InputError(
            f"{file} lacks {', '.join(missing)}: a comparison takes the columns "
            f"{', '.join((*_NEEDED, *metrics))}, one row an evaluation."
        )
    if table.empty:
        raise InputError(f"{file} has no rows: there is nothing to compare.")
    if problem is not None and "problem" in table:
        others = table["problem"].astype("str") != problem
        if others.any():
            row = int(np.argmax(others))
            raise InputError(
                f"{file}, row {row + 2}: of the problem '{table['problem'][row]}', while '{problem}' is "
                "compared. Only results on one problem compare."
            )
    unnamed = table["method"].isna().to_numpy()
    if unnamed.any():
        raise InputError(f"{file}, row {int(np.argmax(unnamed)) + 2}: the method has no name.")
    table["seed"] = _whole(file, table, "seed", 0)
    table["evaluation"] = _whole(file, table, "evaluation", 1, LAST)
    for name in metrics:
        table[name] = _numbers(file, table, name)
    twice = table.duplicated(list(_NEEDED))
    if twice.any():
        row = int(np.argmax(twice))
        told = ", ".join(f"{name} {table[name][row]}" for name in _NEEDED)
        raise InputError(f"{file}, row {row + 2}: {told} is there twice.")
    entries = []
    for _, rows in table.groupby(["method", "seed"], sort=False, dropna=False):
        method, seed = rows["method"].iloc[0], rows["seed"].iloc[0]
        entries.append(_entry(file, str(method), int(seed), rows, metrics))
    return entries


def check_foreign(entries: Sequence[Entry], methods: Collection[str]) -> None:
    """Refuse entries from elsewhere with the name of a method here, or of one another.

    Raises:
        InputError: There is one.
    """
    keys = [(entry.method, entry.seed) for entry in entries]
    for entry in entries:
        if entry.method in methods or keys.count((entry.method, entry.seed)) > 1:
            raise InputError(
                f"{entry.origin}: the comparison has another '{entry.method}' with seed {entry.seed}, or a "
                "method of this name of its own, and nothing is written over: choose another name."
            )


def check_possible(entries: Sequence[Entry], judge: Formulation, exact: pd.DataFrame | None) -> None:
    """Refuse entries from elsewhere in which something is better than an exact front, by more than rounding.

    Raises:
        InputError: They are of another problem, or in other units.
    """
    if exact is None or not judge.is_fitted:
        return
    for entry in entries:
        table = entry.table.select(judge.metrics)
        f, g = judge.apply(table)
        front, _ = judge.apply(Evaluations.of(table.metrics, exact[list(judge.metrics)].to_numpy()))
        rows = np.flatnonzero(~table.failed & (g <= 0).all(axis=1))
        better = rows[beyond(front, f[rows])]
        if len(better):
            row = better[0]
            values = ", ".join(f"{name} {table[name][row]:g}" for name in judge.metrics)
            raise InputError(
                f"{entry.origin}: evaluation {entry.evaluation[row]} of '{entry.method}', seed "
                f"{entry.seed}, has {values}: no network of this problem has. It is of another problem, "
                "or in other units."
            )


def _entry(file: Path, method: str, seed: int, rows: pd.DataFrame, metrics: Mapping[str, Metric]) -> Entry:
    """Return the entry that some rows of a file are."""
    rows = rows.sort_values("evaluation")
    described = list(metrics.values())
    values = rows[list(metrics)].to_numpy(dtype=np.float64)
    told = rows["reason"] if "reason" in rows else pd.Series(index=rows.index, dtype="str")
    found = Evaluations.of(described, values)
    reasons = tuple(
        None if why is None else (own if isinstance(own, str) and own else why)
        for why, own in zip(found.reasons, told, strict=True)
    )
    table = Evaluations(found.genomes, found.metrics, found.values, reasons)
    names = rows["architecture"] if "architecture" in rows else pd.Series(index=rows.index, dtype="str")
    labels = tuple(
        name if isinstance(name, str) and name else f"{method}, seed {seed}, evaluation {when}"
        for name, when in zip(names, rows["evaluation"], strict=True)
    )
    when = rows["evaluation"].to_numpy(dtype=np.int64)
    return Entry(method, seed, table, labels, (), file.name, when, "elsewhere")


def _whole(file: Path, table: pd.DataFrame, name: str, least: int, most: int | None = None) -> pd.Series:
    """Return a column of whole numbers."""
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)
    # 2^53: beyond it a float is no longer the number that was written.
    within = (values >= least) & (values <= (2**53 if most is None else most))
    wrong = ~(within & (values == np.floor(values)))
    if wrong.any():
        row = int(np.argmax(wrong))
        span = f"of at least {least}" if most is None else f"of {least} to {most:,}"
        raise InputError(f"{file}, row {row + 2}: {name} is a whole number {span}; got '{table[name][row]}'.")
    return pd.Series(values.astype(np.int64), index=table.index)


def _numbers(file: Path, table: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of numbers, NaN where a cell is empty."""
    values = pd.to_numeric(table[name], errors="coerce")
    wrong = (values.isna() & table[name].notna()).to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"{file}, row {row + 2}: {name} is a number; got '{table[name][row]}'.")
    return values.astype(np.float64)
