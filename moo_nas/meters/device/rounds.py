"""Interleaved rounds of timings against a reference, and what is wrong with them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from moo_nas.arrays import FloatArray

Call = Callable[[], object]
Clock = Callable[[Call, float], float]

AGREEMENT = 0.99  # of odd with even rounds, Spearman
DRIFT = 0.15  # of the reference, relative


@dataclass(frozen=True, slots=True)
class Rounds:
    """Raw timings of one batch of networks.

    Attributes:
        ratios: Time of a network over the mean of the reference's just before and after,
            ``(n_rounds, n)``.
        reference_ms: The reference's times in ms, ``(n_rounds, n + 1)``, in the order they were taken.
    """

    ratios: FloatArray
    reference_ms: FloatArray

    def faults(self, quiet_ms: float) -> list[str]:
        """Return why the timings are not to be trusted; nothing if they are.

        The rounds disagree, if the medians of the odd and of the even ones rank the networks with
        Spearman below 0.99 (told of three networks or more). The reference drifts, if its mean over
        the first and the second half of the rounds, or over all of them and when undisturbed, are
        15 % apart: the clock changed, or something else ran.

        Args:
            quiet_ms: What the reference takes when undisturbed.
        """
        faults = []
        if self.ratios.shape[1] >= 3 and len(self.ratios) >= 2:
            odd, even = (np.median(self.ratios[start::2], axis=0) for start in (1, 0))
            if np.ptp(odd) and np.ptp(even):
                agreement = float(stats.spearmanr(odd, even).statistic)
                if agreement < AGREEMENT:
                    faults.append(f"rounds disagree: Spearman {agreement:.3f} of odd with even rounds")
        means = self.reference_ms.mean(axis=1)
        half = len(means) // 2
        if half:
            first, second = float(means[:half].mean()), float(means[half:].mean())
            if max(first, second) > (1 + DRIFT) * min(first, second):
                faults.append(f"the reference drifts: {first:.3g} ms in the first half, then {second:.3g} ms")
        slower = float(means.mean()) / quiet_ms
        if slower > 1 + DRIFT:
            faults.append(
                f"the machine was busy: the reference took {slower:.2f} times as long as undisturbed"
            )
        elif slower < 1 / (1 + DRIFT):
            faults.append(f"the reference took {slower:.2f} times what was taken for undisturbed")
        return faults

    def plain(self) -> dict[str, Any]:
        """Return the timings as JSON."""
        return {"ratios": self.ratios.tolist(), "reference_ms": self.reference_ms.tolist()}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Rounds":
        """Return the timings that :meth:`plain` gave."""
        return cls(np.array(plain["ratios"], dtype=float), np.array(plain["reference_ms"], dtype=float))


class CoreShare:
    """How much of a core this thread has had since, while it computed and waited for nothing else.

    Work that takes turns on the core shows here even where it slows all alike, so that no time
    stands out among the others.
    """

    def __init__(self) -> None:
        self._wall, self._worked = time.perf_counter(), time.thread_time()

    def faults(self, what: str) -> list[str]:
        """Return why what was timed is not to be trusted: less than 85 % of a core; else nothing."""
        share = (time.thread_time() - self._worked) / (time.perf_counter() - self._wall)
        return [f"the machine was busy: {what} had {share:.0%} of a core"] if share < 1 - DRIFT else []


def seconds(call: Call, min_seconds: float) -> float:
    """Return the seconds a repetition of a call, repeated for at least so long."""
    repeats, elapsed, start = 0, 0.0, time.perf_counter()
    while repeats == 0 or elapsed < min_seconds:
        call()
        repeats += 1
        elapsed = time.perf_counter() - start
    return elapsed / repeats


def time_rounds(
    calls: Sequence[Call], reference: Call, n_rounds: int, min_seconds: float, clock: Clock = seconds
) -> Rounds:
    """Time every call once a round, in an order drawn anew each round, against a reference call.

    Interleaving spreads a slow minute of the machine over all calls instead of a few, and the
    drawn order keeps one call's caches from always favouring the same other. A call is repeated
    until ``min_seconds`` have passed, after one repetition that warms up and is not counted.

    Args:
        calls: What is timed.
        reference: What runs before and after each.
        n_rounds: How many rounds.
        min_seconds: How long a call is repeated in a round; the reference runs once.
        clock: Gives the seconds a repetition.
    """
    rng = np.random.default_rng(0)
    ratios = np.empty((n_rounds, len(calls)))
    references = np.empty((n_rounds, len(calls) + 1))
    for row, beside in zip(ratios, references, strict=True):
        reference()
        beside[0] = clock(reference, 0)
        for place, position in enumerate(rng.permutation(len(calls))):
            calls[position]()
            spent = clock(calls[position], min_seconds)
            beside[place + 1] = clock(reference, 0)
            row[position] = 2 * spent / (beside[place] + beside[place + 1])
    return Rounds(ratios, 1e3 * references)
