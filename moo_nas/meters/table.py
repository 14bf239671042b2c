"""Metrics looked up in a table of known results."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError, MeterError
from moo_nas.meters.base import Meter, Metric
from moo_nas.spaces import Architecture, SearchSpace
from moo_nas.spaces.tables import Tabulated


class LookUp(Meter):
    """Metrics of architectures that a table has: published accuracies, latencies, energies.

    They are computed anew rather than stored, as they are there already, but stand for what takes
    GPU days: but for those that are named ``free``, a search must not know them before it evaluates.

    Args:
        frame: One row an architecture, its text (``str(architecture)``) as index; a column a metric.
        metrics: Which columns, and what they are.
        source: Where the numbers come from, as part of the meter's identity: a file's name and
            version, or a hash of it.
        free: Which of the metrics are known before an evaluation: sizes, counts, scores without
            training.
        genomes: The rows' genomes ``(n, n_var)`` of the space that is searched, if they are known:
            then nothing is decoded to be looked up.
        absent: Why an architecture may have no row, for the reason of its failure.

    Raises:
        InputError: A metric that is no column, an architecture twice, or ``free`` names no metric.

    Example:
        >>> from moo_nas.spaces import Architecture
        >>> text = "stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64"
        >>> frame = pd.DataFrame({"top1": [71.5]}, index=[text])
        >>> meter = LookUp(frame, [Metric("top1", "%", "max")], "an example")
        >>> meter.measure([Architecture.parse(text)], [0])
        array([[71.5]])
    """

    instant = True

    def __init__(
        self,
        frame: pd.DataFrame,
        metrics: Sequence[Metric],
        source: str,
        free: Collection[str] = (),
        genomes: IntArray | None = None,
        absent: str = "",
    ) -> None:
        for metric in metrics:
            if metric.name not in frame:
                raise InputError(
                    f"The table of {source} has no column '{metric.name}'; it has {', '.join(frame.columns)}."
                )
        twice = frame.index[frame.index.duplicated()]
        if len(twice):
            raise InputError(f"The table of {source} has '{twice[0]}' more than once.")
        names = [metric.name for metric in metrics]
        for name in free:
            if name not in names:
                raise InputError(f"'{name}' is to be free but is no metric; they are {', '.join(names)}.")
        self.metrics = tuple(metrics)
        self.source = source
        self.absent = absent
        self._free = tuple(name for name in names if name in free)
        self._values = frame[names].to_numpy(dtype=np.float64)
        self._row = {text: row for row, text in enumerate(frame.index)}
        self._row_of_genome: dict[bytes, int] | None = None
        if genomes is not None:
            self._row_of_genome = {genome.tobytes(): row for row, genome in enumerate(genomes)}

    @property
    def settings(self) -> dict[str, Any]:
        return {"source": self.source, "metrics": [metric.name for metric in self.metrics]}

    @property
    def free(self) -> tuple[str, ...]:
        return self._free

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        rows = np.empty((len(architectures), len(self.metrics)))
        for row, architecture in zip(rows, architectures, strict=True):
            known = self._row.get(str(architecture))
            if known is None:
                raise MeterError(
                    f"The table of {self.source} has no row of '{architecture}'"
                    f"{self.absent and f': {self.absent}'}."
                )
            row[:] = self._values[known]
        return rows

    def tabulate(self, space: SearchSpace) -> Tabulated | None:
        return None if self._row_of_genome is None else self._look_up

    def _look_up(self, genomes: IntArray) -> FloatArray:
        assert self._row_of_genome is not None
        rows = np.array([self._row_of_genome.get(genome.tobytes(), -1) for genome in genomes], dtype=np.int64)
        values = np.full((len(rows), len(self.metrics)), np.nan)
        values[rows >= 0] = self._values[rows[rows >= 0]]
        return values
