"""Which candidate is worth an evaluation."""

from collections.abc import Sequence

import moocore
import numpy as np

from moo_nas.algorithms.surrogate.improvement import Belief, expected_improvement
from moo_nas.arrays import FloatArray, IntArray

_MARGIN = 0.1  # of the reference point beyond the fronts


class Acquisition:
    """Expected hypervolume improvement times the probability of being feasible.

    Volumes are of objectives scaled to the box of the front observed and the one predicted together,
    below a reference point a tenth beyond it: what is predicted beyond the observed front is as much
    wanted as what lies within it. While nothing feasible is known, one objective waits: it is the
    probability alone then.

    Args:
        observed: Objectives of what was evaluated and feasible, ``(n, n_obj)``.
        predicted: The front of what candidates are expected to have, ``(m, n_obj)``.
    """

    def __init__(self, observed: FloatArray, predicted: FloatArray) -> None:
        fronts = front(np.concatenate([front(observed), predicted]))
        self._least = fronts.min(axis=0)
        width = np.ptp(fronts, axis=0)
        self._width = np.where(width > 1e-12 * np.abs(fronts).max(axis=0), width, 1.0)
        self._front = (front(observed) - self._least) / self._width
        # One objective has no box: all that is better than the best observed counts.
        self._reference = np.full(fronts.shape[1], 1 + _MARGIN if fronts.shape[1] > 1 else np.inf)

    def add(self, f: FloatArray) -> None:
        """Take objectives ``(n_obj,)`` for observed."""
        self._front = np.concatenate([self._front, (f - self._least)[None] / self._width])

    def __call__(self, beliefs: Sequence[Belief], feasibility: FloatArray) -> FloatArray:
        """Return what each candidate is worth, ``(n,)``."""
        if len(self._front) == 0 and len(self._reference) == 1:
            return feasibility
        return expected_improvement(self._front, self._reference, self._boxed(beliefs)) * feasibility

    def promising(self, beliefs: Sequence[Belief], feasibility: FloatArray, n: int) -> IntArray:
        """Return the ``n`` candidates that reach farthest beyond the front, if they are a spread better."""
        if len(feasibility) <= n:
            return np.arange(len(feasibility))
        # In single precision, an objective at a time: a coarse look at many.
        hopes = [(belief.mean - belief.sd).astype(np.float32) for belief in self._boxed(beliefs)]
        beyond = np.full(len(feasibility), np.inf, dtype=np.float32)
        points = self._front if len(self._front) else self._reference[None]
        for point in points.astype(np.float32):
            behind = point[0] - hopes[0]
            for level, hope in zip(point[1:], hopes[1:], strict=True):
                np.maximum(behind, level - hope, out=behind)
            np.minimum(beyond, behind, out=beyond)
        # Positive beyond the front, so that an unlikely one gains nothing by being behind it.
        worth = np.where(beyond > 0, beyond * feasibility, beyond)
        return np.argpartition(-worth, n)[:n]

    def _boxed(self, beliefs: Sequence[Belief]) -> list[Belief]:
        return [
            belief.within(float(least), float(width))
            for belief, least, width in zip(beliefs, self._least, self._width, strict=True)
        ]


def front(f: FloatArray) -> FloatArray:
    """Return the rows ``(n, n_obj)`` that no other dominates; of one objective the best."""
    if len(f) == 0:
        return f
    if f.shape[1] == 1:
        return f[[int(f.argmin())]]
    rows: FloatArray = f[moocore.is_nondominated(f)]
    return rows
