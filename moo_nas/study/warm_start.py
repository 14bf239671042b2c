"""Where a search starts: what was good on another data set or device."""

from collections.abc import Hashable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from moo_nas.arrays import IntArray
from moo_nas.errors import InputError, SpaceError
from moo_nas.spaces import Gene, SearchSpace


def warm_start_genomes(given: npt.ArrayLike | pd.DataFrame, space: SearchSpace) -> IntArray:
    """Return a warm start as distinct canonical genomes ``(n, n_var)``, in the order given.

    Args:
        given: Genomes ``(n, n_var)``, or a table with a column of choices a gene, such as
            ``run.front`` or what ``front.csv`` holds; its other columns are of no matter.
        space: Where they come from.

    Raises:
        InputError: None are given, a gene has no column, or a value is not among its choices.

    Example:
        >>> from moo_nas.spaces import StageSpace
        >>> space = StageSpace.haenas()
        >>> table = space.choices(space.sample(3, seed=0))
        >>> bool((warm_start_genomes(table, space) == space.canonical(space.sample(3, seed=0))).all())
        True
    """
    if isinstance(given, str | Path):
        raise InputError(
            f"A warm start is a table or genomes; read '{given}' first, with "
            "moo_nas.study.warm_start.read_warm_start."
        )
    if np.size(given) == 0:
        raise InputError("A warm start needs at least one genome; got none. Leave it out to start anew.")
    genomes = space.canonical(
        _of_table(given, space) if isinstance(given, pd.DataFrame) else space.check(given)
    )
    _, first = np.unique(genomes, axis=0, return_index=True)
    return genomes[np.sort(first)]


def read_warm_start(path: Path) -> pd.DataFrame:
    """Return the table in a CSV file, such as the ``front.csv`` of another run, all as texts.

    As numbers, ``01`` would be 1; and ``None``, the name of an operator, nothing at all.

    Raises:
        InputError: There is no such file, or it is no CSV table.
    """
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"The warm start {path} cannot be read as a CSV table: {error}.") from error


def _of_table(table: pd.DataFrame, space: SearchSpace) -> IntArray:
    missing = [gene.name for gene in space.genes if gene.name not in table.columns]
    if missing:
        raise InputError(
            f"A warm start needs a column a gene; {len(missing)} of {space.n_var} are missing, the first "
            f"'{missing[0]}'. It is of another space: give genomes of this one."
        )
    genomes = np.empty((len(table), space.n_var), dtype=np.int64)
    for position, gene in enumerate(space.genes):
        index = _indices(gene)
        for row, value in enumerate(table[gene.name].tolist()):
            number = next((index[key] for key in _keys(value) if key in index), None)
            if number is None:
                raise SpaceError(
                    f"Gene '{gene.name}' has choices {gene.choices}; got {value!r} in row {row} "
                    "of the warm start."
                )
            genomes[row, position] = number
    return genomes


def _indices(gene: Gene) -> dict[Hashable, Any]:
    """Return a gene's choices by value, and by their text: a file may hold '1' as 1."""
    by_text: dict[Hashable, int] = {str(choice): i for i, choice in enumerate(gene.choices)}
    return by_text | {choice: i for i, choice in enumerate(gene.choices)}


def _keys(value: object) -> Iterator[Hashable]:
    """Yield what a value may be among the choices: itself, its text, the number that this text is."""
    if isinstance(value, Hashable):
        yield value
    yield str(value)
    with suppress(ValueError):
        yield float(str(value))
