"""Any table of results as a problem: bring your own benchmark."""

import os
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Literal

import numpy as np
import pandas as pd

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator, Runner, Store
from moo_nas.formulations import Formulation, Pareto, Single
from moo_nas.meters import LookUp, Metric
from moo_nas.problem import Failures
from moo_nas.spaces import FlatSpace, Gene
from problems.known import KnownProblem
from problems.reading import choice_column, number_column, read_table


class Table(KnownProblem):
    """Which row of a table of results is best?

    Columns that were chosen are genes, columns that were measured are metrics. A gene's choices are
    the values that occur, in order: numbers by size (truth values are 1 and 0), texts by the alphabet.
    Combinations that the table lacks cannot be evaluated: they fail with the reason, and a search
    proposes only those that are there. So does a row whose metric is missing (empty, ``nan``).

    Args:
        frame_or_path: A pandas table, or the path of a CSV (``.csv``, or compressed, ``.csv.xz``) or
            Parquet file (needs ``pyarrow``). In a CSV file texts such as ``01`` stay texts.
        genes: The columns that say what was chosen.
        metrics: The columns that say what came of it, each with its goal, ``min`` or ``max``.
        free: Columns known before an evaluation (sizes, counts, scores without training): features
            for algorithms that learn, without a goal of their own, on which no budget is spent. One
            that is in ``metrics`` too is an objective known in advance.
        formulation: What is asked for; by default the Pareto front of all metrics, or the best of one.
        seed: The problem's seed: the reference sample.
        ordinal: Genes whose neighbouring choices are alike (a width, a depth), so that a mutation
            steps. All others are categorical, and a mutation redraws: numbers may well be
            codes of operators, and steps along codes mislead where redrawing only loses a little.
        n_reference: Size of the reference sample.
        failures: See :class:`~moo_nas.problem.NASProblem`.
        store: Where measurements are kept when the problem is used without :func:`moo_nas.search`.
        n_jobs: How many processes measure then.

    Raises:
        InputError: The file cannot be read; a column is not there, is named for two things, or holds what it
            cannot; two rows have the same genes; a gene has one value only.

    Example:
        >>> frame = pd.DataFrame({
        ...     "op": ["conv", "conv", "pool", "pool"], "depth": [1, 2, 1, 2],
        ...     "error": [9.0, 7.0, 12.0, 11.0], "latency_ms": [2.0, 3.5, 1.0, 3.0],
        ... })
        >>> problem = Table(frame, ["op", "depth"], {"error": "min", "latency_ms": "min"}, ordinal=["depth"])
        >>> problem.exact_front()[["op", "depth", "error"]].values.tolist()
        [['conv', 1, 9.0], ['conv', 2, 7.0], ['pool', 1, 12.0]]
    """

    name = "table"

    def __init__(
        self,
        frame_or_path: pd.DataFrame | str | os.PathLike[str],
        genes: Sequence[str],
        metrics: Mapping[str, Literal["min", "max"]],
        free: Sequence[str] = (),
        formulation: Formulation | None = None,
        seed: int = 0,
        *,
        ordinal: Collection[str] = (),
        n_reference: int = 200,
        failures: Failures = "constraint",
        store: Store | None = None,
        n_jobs: int = 1,
    ) -> None:
        _check_names(genes, metrics, free, ordinal)
        named = [*metrics, *(name for name in free if name not in metrics)]
        frame, source = read_table(frame_or_path, [*genes, *named])
        space, genomes = _space(frame, source, genes, ordinal)
        _check_distinct(frame, source, genes, genomes)
        values = np.column_stack([number_column(frame, name, source) for name in named])
        for name in free:
            _check_finite(values[:, named.index(name)], name, source)
        digest = sha256(repr(space.settings).encode() + genomes.tobytes() + values.tobytes()).hexdigest()[:16]
        known = LookUp(
            pd.DataFrame(values, columns=named, index=[str(space.decode(genome)) for genome in genomes]),
            [Metric(name, "1", metrics.get(name)) for name in named],
            f"{source} ({digest})",
            free,
            genomes,
        )
        options = {
            "table": source,
            "hash": digest,
            "genes": list(genes),
            "metrics": dict(metrics),
            "free": list(free),
            "ordinal": list(ordinal),
            "seed": seed,
            "n_reference": n_reference,
            "failures": failures,
        }
        pool = None if len(genomes) == space.size else genomes
        super().__init__(
            Evaluator(space, [known], seed, store, Runner(n_jobs), n_reference, pool),
            formulation or (Single(*metrics) if len(metrics) == 1 else Pareto(*metrics)),
            failures,
            options,
        )


def _check_names(
    genes: Sequence[str], metrics: Mapping[str, str], free: Sequence[str], ordinal: Collection[str]
) -> None:
    for what, names in (("genes", genes), ("free", free), ("ordinal", ordinal)):
        if isinstance(names, str):
            raise InputError(f"{what} must be a list of columns, such as ['{names}']; got '{names}'.")
        if len(set(names)) != len(names):
            raise InputError(f"{what} names a column twice: {', '.join(names)}.")
    if not isinstance(metrics, Mapping):
        raise InputError(
            f"metrics must give each column its goal, such as {{'error': 'min'}}; got {metrics!r}."
        )
    if not genes or not metrics:
        raise InputError("A table needs at least one column of genes and one of metrics.")
    for name, goal in metrics.items():
        if goal not in ("min", "max"):
            raise InputError(f"Metric '{name}' needs the goal min or max; got {goal!r}.")
    for name in genes:
        if name in metrics or name in free:
            raise InputError(f"Column '{name}' is named as a gene and as a result; it can be one of them.")
    for name in (*genes, *metrics, *free):
        if not isinstance(name, str):
            raise InputError(
                f"The names of columns are texts; got {name!r}. Rename them: frame.rename(columns=str)."
            )
    for name in ordinal:
        if name not in genes:
            raise InputError(f"'{name}' is to be ordinal but is no gene; they are {', '.join(genes)}.")


def _space(
    frame: pd.DataFrame, source: str, genes: Sequence[str], ordinal: Collection[str]
) -> tuple[FlatSpace, IntArray]:
    """Return the space of the values that occur, and each row's genome ``(n, n_var)``."""
    made, columns = [], []
    for name in genes:
        values = choice_column(frame, name, source)
        choices = sorted(set(values))  # a column is of numbers or of texts
        if len(choices) == 1:
            raise InputError(
                f"Gene column '{name}' of {source} has the one value {choices[0]!r}: leave it out."
            )
        made.append(Gene(name, choices, "ordinal" if name in ordinal else "categorical"))
        index = {choice: i for i, choice in enumerate(choices)}
        columns.append([index[value] for value in values])
    return FlatSpace(made), np.array(columns, dtype=np.int64).T.copy()


def _check_distinct(frame: pd.DataFrame, source: str, genes: Sequence[str], genomes: IntArray) -> None:
    row_of: dict[bytes, int] = {}
    for row, genome in enumerate(genomes):
        first = row_of.setdefault(genome.tobytes(), row)
        if first != row:
            chosen = ", ".join(f"{name}={frame[name].iloc[row]}" for name in genes)
            raise InputError(
                f"Rows {first + 1} and {row + 1} of {source} have the same genes ({chosen}). Keep one of "
                "them, or their mean: frame.groupby(genes, as_index=False).mean(numeric_only=True)."
            )


def _check_finite(values: FloatArray, name: str, source: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise InputError(
            f"Column '{name}' of {source} is to be known beforehand, so it needs a finite number in "
            f"every row; row {wrong[0] + 1} of the data has {values[wrong[0]]}."
        )
