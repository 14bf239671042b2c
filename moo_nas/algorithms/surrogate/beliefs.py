"""What is believed of all objectives and constraints of the candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from moo_nas.algorithms.surrogate.candidates import Candidates, together
from moo_nas.algorithms.surrogate.improvement import Belief, Exact, Normal
from moo_nas.algorithms.surrogate.outcome import Outcome
from moo_nas.algorithms.surrogate.scale import least_positive, logarithm
from moo_nas.arrays import BoolArray, FloatArray, IntArray

Believe = Callable[[Outcome], Normal]


@dataclass(frozen=True)
class Observations:
    """What was evaluated.

    Args:
        candidates: The networks.
        f: Objectives ``(n, n_obj)``.
        shares: What is limited, as shares of the limits ``(n, n_constraints)``: at most 1 where met.
        failed: Which could not be measured, ``(n,)``; their other numbers mean nothing.
    """

    candidates: Candidates
    f: FloatArray
    shares: FloatArray
    failed: BoolArray

    def __len__(self) -> int:
        return len(self.failed)

    @property
    def columns(self) -> FloatArray:
        """Objectives and shares, ``(n, n_columns)``."""
        return np.column_stack([self.f, self.shares])

    @property
    def feasible(self) -> BoolArray:
        """Which keep all limits, ``(n,)``."""
        return ~self.failed & (self.shares <= 1).all(axis=1)

    def then(self, new: "Observations") -> "Observations":
        """Return these and new ones."""
        return Observations(
            together([self.candidates, new.candidates]),
            np.concatenate([self.f, new.f]),
            np.concatenate([self.shares, new.shares]),
            np.concatenate([self.failed, new.failed]),
        )

    def after(self, n: int) -> "Observations":
        """Return all but the first ``n``."""
        index = np.arange(n, len(self))
        return Observations(self.candidates.rows(index), self.f[n:], self.shares[n:], self.failed[n:])


class Beliefs:
    """An outcome for each objective and constraint that is not known in advance, and one for failing.

    Args:
        groups: The columns of each group of features.
        n_doubted: How many of them, the last ones, are expected to matter little.
        known: Which objectives and constraints are known in advance, ``(n_columns,)``.
        n_obj: How many of them are objectives.

    Attributes:
        candidates: What beliefs are about.
    """

    candidates: Candidates

    def __init__(self, groups: Sequence[IntArray], n_doubted: int, known: BoolArray, n_obj: int) -> None:
        self._groups, self._n_doubted = groups, n_doubted
        self._known = known
        self._n_obj = n_obj
        self._outcomes = {int(column): Outcome(groups, n_doubted) for column in np.flatnonzero(~known)}
        self._failing: Outcome | None = None
        self._least_known: list[float | None] = [None] * len(known)
        self._n_valid = self._n = 0

    def learn(self, seen: Observations) -> None:
        """Learn from all observations; at least two have not failed."""
        valid, columns = ~seen.failed, seen.columns
        self._least_known = [least_positive(column) for column in columns[valid].T]
        for column, outcome in self._outcomes.items():
            outcome.learn(seen.candidates.features[valid], columns[valid, column])
        if seen.failed.any():
            self._failing = self._failing or Outcome(self._groups, self._n_doubted)
            self._failing.learn(seen.candidates.features, _sign(seen.failed))
        self._count(seen)

    def recall(self, seen: Observations) -> None:
        """Take all observations anew, with what was learnt before."""
        valid, columns = ~seen.failed, seen.columns
        for column, outcome in self._outcomes.items():
            outcome.condition(seen.candidates.features[valid], columns[valid, column])
        if self._failing is not None:
            self._failing.condition(seen.candidates.features, _sign(seen.failed))
        self._count(seen)

    def takes(self, new: Observations) -> bool:
        """Can new observations be added to what was learnt?"""
        columns = new.columns[~new.failed]
        return all(outcome.takes(columns[:, i]) for i, outcome in self._outcomes.items()) and not (
            self._failing is None and new.failed.any()
        )

    def watch(self, candidates: Candidates) -> None:
        """Be about these candidates."""
        self.candidates = candidates
        for outcome in self._all():
            outcome.track(candidates.features)

    def keep(self, index: IntArray) -> None:
        """Be about these of the candidates alone."""
        self.candidates = self.candidates.rows(index)
        for outcome in self._all():
            outcome.keep(index)

    def add(self, new: Observations) -> None:
        """Take observations in place of what was imagined since the last."""
        self._forget()
        columns = new.columns
        for row, features in enumerate(new.candidates.features):
            if not new.failed[row]:
                for column, outcome in self._outcomes.items():
                    outcome.add(features, columns[row, column])
            if self._failing is not None:
                self._failing.add(features, float(_sign(new.failed)[row]))
        self._n += len(new)
        self._n_valid += int((~new.failed).sum())

    def imagine(self, one: Candidates) -> FloatArray:
        """Take a network's expectation for an observation; return its objectives ``(n_obj,)``."""
        objectives, _ = self.about(one, 1.0)
        for outcome in self._all():
            outcome.imagine(one.features[0])
        return np.array([float(belief.mean[0]) for belief in objectives])

    def objectives(self) -> list[Belief]:
        """Return what is believed of each objective, on the scale of the models."""
        return self._objectives(self.candidates, lambda outcome: outcome.belief)

    def about(self, others: Candidates, doubt: float) -> tuple[list[Belief], FloatArray]:
        """Return what is believed of the objectives of others, and how likely ``(n,)`` they are feasible.

        Args:
            others: Any networks.
            doubt: How many times as wide as the models say beliefs are taken to be.
        """

        def believe(outcome: Outcome) -> Normal:
            return outcome.about(others.features, doubt)

        return self._objectives(others, believe), self._feasibility(others, believe)

    def means(self) -> FloatArray:
        """Return what is expected of each objective of the candidates, ``(n, n_obj)``."""
        return np.column_stack([belief.mean for belief in self.objectives()])

    def is_likely(self) -> BoolArray:
        """Return which candidates are likely to be feasible, or the likeliest where none is, ``(n,)``."""
        probability = self.feasibility()
        return probability >= min(0.5, float(probability.max()))

    def feasibility(self) -> FloatArray:
        """Return the probability ``(n,)`` that a candidate can be measured and keeps all limits."""
        return self._feasibility(self.candidates, lambda outcome: outcome.belief)

    def scaled(self, f: FloatArray) -> FloatArray:
        """Return objectives ``(n, n_obj)`` on the scale of the models."""
        return np.column_stack([self._scaled(f[:, j], j) for j in range(self._n_obj)])

    def expected(self, candidates: Candidates) -> tuple[FloatArray, FloatArray]:
        """Return what is expected of any candidates: objectives ``(n, n_obj)``, summed violation ``(n,)``."""
        columns = [
            self._scaled(candidates.known[:, j], j)
            if self._known[j]
            else self._outcomes[j].expected(candidates.features)
            for j in range(len(self._known))
        ]
        violation = np.zeros(len(candidates))
        for j in range(self._n_obj, len(self._known)):
            violation += np.maximum(columns[j] - self._scaled(np.ones(1), j), 0.0)
        return np.column_stack(columns[: self._n_obj]), violation

    def _objectives(self, candidates: Candidates, believe: Believe) -> list[Belief]:
        return [
            Exact(self._scaled(candidates.known[:, j], j)) if self._known[j] else believe(self._outcomes[j])
            for j in range(self._n_obj)
        ]

    def _feasibility(self, candidates: Candidates, believe: Believe) -> FloatArray:
        probability = np.ones(len(candidates))
        for j in range(self._n_obj, len(self._known)):
            if self._known[j]:
                probability *= candidates.known[:, j] <= 1
            else:
                limit = float(self._scaled(np.ones(1), j)[0])
                probability *= _below(believe(self._outcomes[j]), limit)
        if self._failing is not None:
            probability *= _below(believe(self._failing), 0.0)
        return probability

    def _scaled(self, values: FloatArray, column: int) -> FloatArray:
        if not self._known[column]:
            return self._outcomes[column].scaled(values)
        least = self._least_known[column]
        return values if least is None else logarithm(values, least)

    def _all(self) -> list[Outcome]:
        return [*self._outcomes.values(), *([] if self._failing is None else [self._failing])]

    def _forget(self) -> None:
        for outcome in self._outcomes.values():
            outcome.forget(self._n_valid)
        if self._failing is not None:
            self._failing.forget(self._n)

    def _count(self, seen: Observations) -> None:
        self._n, self._n_valid = len(seen), int((~seen.failed).sum())


def _sign(failed: BoolArray) -> FloatArray:
    return np.where(failed, 1.0, -1.0)


def _below(belief: Normal, limit: float) -> FloatArray:
    probability: FloatArray = ndtr((limit - belief.mean) / belief.sd)
    return probability
