"""Metrics looked up in a table of known results."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError, MeterError
from moo_nas.meters.base import Meter, Metric
from moo_nas.spaces import Architecture


class LookUp(Meter):
    """Metrics of architectures that a table has: published accuracies, latencies, energies.

    Args:
        frame: One row an architecture, its text (``str(architecture)``) as index; a column a metric.
        metrics: Which columns, and what they are.
        source: Where the numbers come from, as part of the meter's identity: a file's name and
            version, or a hash of it.

    Raises:
        InputError: A metric that is no column, or an architecture twice.

    Example:
        >>> from moo_nas.spaces import Architecture
        >>> text = "stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64"
        >>> frame = pd.DataFrame({"top1": [71.5]}, index=[text])
        >>> meter = LookUp(frame, [Metric("top1", "%", "max")], "an example")
        >>> meter.measure([Architecture.parse(text)], [0])
        array([[71.5]])
    """

    instant = True

    def __init__(self, frame: pd.DataFrame, metrics: Sequence[Metric], source: str) -> None:
        for metric in metrics:
            if metric.name not in frame:
                raise InputError(
                    f"The table of {source} has no column '{metric.name}'; it has {', '.join(frame.columns)}."
                )
        twice = frame.index[frame.index.duplicated()]
        if len(twice):
            raise InputError(f"The table of {source} has '{twice[0]}' more than once.")
        self.metrics = tuple(metrics)
        self.source = source
        values = frame[[metric.name for metric in metrics]].to_numpy(dtype=np.float64)
        self._rows = dict(zip(frame.index, values, strict=True))

    @property
    def settings(self) -> dict[str, Any]:
        return {"source": self.source, "metrics": [metric.name for metric in self.metrics]}

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        rows = np.empty((len(architectures), len(self.metrics)))
        for row, architecture in zip(rows, architectures, strict=True):
            known = self._rows.get(str(architecture))
            if known is None:
                raise MeterError(f"The table of {self.source} has no row of '{architecture}'.")
            row[:] = known
        return rows
