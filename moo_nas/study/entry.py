"""What takes part in a comparison: a method under one seed, searched here or brought from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from moo_nas.arrays import IntArray
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import Formulation
from moo_nas.study.run import Run


@dataclass(frozen=True)
class Entry:
    """All that one method evaluated under one seed.

    Args:
        method: What it is called.
        seed: Of the search's randomness.
        table: What was evaluated, in order, with the judge's metrics among others.
        labels: What each row is called: the architecture's text, or where a foreign row is from.
        runs: The runs it is made of: one, a plan's several, none of what was searched elsewhere.
        origin: The file that it was read from, of what was searched elsewhere.
        when: At which evaluation each row was made, counted from 1, rising; by default one after the other.
        stop_reason: Why it ended.
    """

    method: str
    seed: int
    table: Evaluations
    labels: tuple[str, ...] | None = None
    runs: tuple[Run, ...] = ()
    origin: str | None = None
    when: IntArray | None = None
    stop_reason: str = "budget"

    @classmethod
    def of_runs(
        cls, method: str, seed: int, runs: Sequence[Run], budget: int, interrupted: bool = False
    ) -> "Entry":
        """Return the entry of a method that made these runs on one budget.

        Args:
            method: What it is called.
            seed: Of the search's randomness.
            runs: Of all its parts, or of those up to an interrupt.
            budget: Of all parts together.
            interrupted: Was it interrupted before the next part began?
        """
        tables = [run.table for run in runs]
        shared = [
            metric
            for metric in tables[0].metrics
            if all(metric.name in {m.name for m in table.metrics} for table in tables)
        ]
        values = [table.values[:, [table.position(m.name) for m in shared]] for table in tables]
        table = Evaluations(
            np.concatenate([one.genomes for one in tables]),
            tuple(shared),
            np.concatenate(values),
            tuple(reason for one in tables for reason in one.reasons),
        )
        last = "interrupted" if interrupted else runs[-1].stop_reason
        reason = "budget" if len(runs) > 1 and last != "interrupted" and len(table) == budget else last
        return cls(method, seed, table, None, tuple(runs), stop_reason=reason)

    @property
    def n_evaluations(self) -> int:
        """How many evaluations it took."""
        if self.when is not None:
            return int(self.when.max(initial=0))
        return len(self.table)

    @cached_property
    def evaluation(self) -> IntArray:
        """At which evaluation each row was made, counted from 1, ``(n,)``."""
        return np.arange(1, len(self.table) + 1) if self.when is None else self.when

    @property
    def formulations(self) -> tuple[Formulation, ...]:
        """What its runs asked for, fitted."""
        return tuple(run.formulation for run in self.runs)

    def label(self, row: int) -> str:
        """Return what a row is called."""
        if self.labels is not None:
            return self.labels[row]
        return str(self.runs[0].space.decode(self.table.genomes[row]))

    def outside(self, row: int) -> str | None:
        """Return why a row is outside of what predictors were fitted on; None where nothing is predicted."""
        for run in self.runs:
            if row < len(run.table):
                return None if run.outside is None else run.outside[row]
            row -= len(run.table)
        return None

    def seconds(self, key: str) -> float:
        """Return what its runs took by their records; NaN of what was searched elsewhere."""
        told: list[Any] = [run.record.get(key) for run in self.runs]
        return float(sum(told)) if told and None not in told else float("nan")
