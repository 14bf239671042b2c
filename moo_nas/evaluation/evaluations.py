"""The table that measuring makes: one row an architecture, one column a metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moo_nas.arrays import BoolArray, FloatArray, IntArray
from moo_nas.errors import unknown
from moo_nas.meters import Metric


@dataclass(frozen=True)
class Evaluations:
    """Measured architectures.

    Args:
        genomes: Canonical genomes, ``(n, n_var)``.
        metrics: What was measured, ``n_metrics`` of them.
        values: Their values, ``(n, n_metrics)``; finite in every row without a reason.
        reasons: Why a row failed, ``None`` where it did not, ``n`` of them.
    """

    genomes: IntArray
    metrics: tuple[Metric, ...]
    values: FloatArray
    reasons: tuple[str | None, ...]

    @classmethod
    def of(
        cls, metrics: Sequence[Metric], values: FloatArray, genomes: IntArray | None = None
    ) -> "Evaluations":
        """Return a table of values alone; a row that is not finite is a failure that says so."""
        values = np.asarray(values, dtype=np.float64).reshape(-1, len(metrics))
        reasons = []
        for row in values:
            wrong = [f"{m.name} is {v}" for m, v in zip(metrics, row, strict=True) if not np.isfinite(v)]
            reasons.append("; ".join(wrong) or None)
        if genomes is None:
            genomes = np.arange(len(values), dtype=np.int64)[:, None]
        return cls(genomes, tuple(metrics), values, tuple(reasons))

    @classmethod
    def concat(cls, tables: Sequence["Evaluations"]) -> "Evaluations":
        """Return tables of the same metrics, at least one, as one."""
        return cls(
            np.concatenate([table.genomes for table in tables]),
            tables[0].metrics,
            np.concatenate([table.values for table in tables]),
            tuple(reason for table in tables for reason in table.reasons),
        )

    def __len__(self) -> int:
        return len(self.reasons)

    def __getitem__(self, name: str) -> FloatArray:
        """Return one metric's values ``(n,)``.

        Raises:
            InputError: The metric is not in the table.
        """
        return self.values[:, self.position(name)]

    def position(self, name: str) -> int:
        """Return the column of a metric."""
        names = [metric.name for metric in self.metrics]
        if name not in names:
            raise unknown("metric", name, names)
        return names.index(name)

    def metric(self, name: str) -> Metric:
        """Return a metric's description."""
        return self.metrics[self.position(name)]

    @property
    def failed(self) -> BoolArray:
        """Which rows failed, ``(n,)``."""
        return np.array([reason is not None for reason in self.reasons], dtype=bool)

    def rows(self, index: Sequence[int] | IntArray | BoolArray) -> "Evaluations":
        """Return the table of some rows, in the order of the index."""
        index = np.asarray(index)
        positions = np.arange(len(self))[index if index.dtype == bool else index.astype(np.int64)]
        return Evaluations(
            self.genomes[positions],
            self.metrics,
            self.values[positions],
            tuple(self.reasons[int(i)] for i in positions),
        )

    def select(self, names: Sequence[str]) -> "Evaluations":
        """Return the table of some metrics alone; a row has failed if one of these is missing."""
        positions = [self.position(name) for name in names]
        return Evaluations.of([self.metrics[i] for i in positions], self.values[:, positions], self.genomes)

    def columns(self) -> Mapping[str, FloatArray]:
        """Return every metric's values by name."""
        return {metric.name: self.values[:, i] for i, metric in enumerate(self.metrics)}
