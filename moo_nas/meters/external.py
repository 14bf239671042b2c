"""Metrics that are measured elsewhere and told."""

from collections.abc import Sequence
from typing import Any, Literal

from moo_nas.arrays import FloatArray
from moo_nas.errors import SourceError
from moo_nas.meters.base import Meter, Metric
from moo_nas.spaces import Architecture


class External(Meter):
    """A metric that its user measures, however and wherever: by training on a cluster, on a phone.

    A run with one is opened by :meth:`moo_nas.Run.open`: it is asked what to measure, and told what
    came out.

    Args:
        name: The metric's name in tables; a unit ends it (``latency_ms``).
        unit: The unit, ``1`` for a pure number.
        goal: ``min`` if less is better, ``max`` if more is.

    Raises:
        InputError: Another goal.

    Example:
        >>> External("accuracy", "%", "max").metrics
        (Metric(name='accuracy', unit='%', goal='max'),)
    """

    takes_configuration = True  # what is told is of the whole proposal

    def __init__(self, name: str, unit: str, goal: Literal["min", "max"]) -> None:
        self.metrics = (Metric(name, unit, goal),)

    @property
    def settings(self) -> dict[str, Any]:
        (metric,) = self.metrics
        return {"name": metric.name, "unit": metric.unit, "goal": metric.goal}

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        """Refuse: nothing here can measure it.

        Raises:
            SourceError: Always.
        """
        raise SourceError(
            f"'{self.metrics[0].name}' is measured elsewhere: open the run with Run.open, ask it what to "
            "measure, and tell it the values. Limits and targets of a run with it are numbers, as there is "
            "no reference sample to take them from, and a product's score has scale=False."
        )
