"""What a front is worth: dominance and hypervolume, by moocore, on float64 and minimised objectives."""

import moocore
import numpy as np
import numpy.typing as npt

from moo_nas.arrays import BoolArray, FloatArray
from moo_nas.errors import InputError


def nondominated(f: npt.ArrayLike) -> BoolArray:
    """Return which rows of objectives ``(n, n_obj)`` no other row dominates, ``(n,)``; equals are kept.

    Example:
        >>> nondominated([[1, 2], [2, 1], [2, 2], [1, 2]]).tolist()
        [True, True, False, True]
    """
    f = _objectives(f)
    if len(f) == 0:
        return np.zeros(0, dtype=bool)
    if f.shape[1] == 1:
        best: BoolArray = f[:, 0] == f.min()
        return best
    return np.asarray(moocore.is_nondominated(f, keep_weakly=True), dtype=bool)


def hypervolume(f: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the volume that rows ``(n, n_obj)`` dominate below a reference point ``(n_obj,)``.

    Rows that are not below the reference point in every objective add nothing.

    Example:
        >>> hypervolume([[1, 2], [2, 1]], [3, 3])
        3.0
    """
    f, point = _objectives(f), np.asarray(reference, dtype=np.float64)
    if point.shape != f.shape[1:]:
        raise InputError(f"The reference point needs {f.shape[1]} objectives; got shape {point.shape}.")
    inside = f[(f < point).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    if f.shape[1] == 1:
        return float(point[0] - inside.min())
    return float(moocore.hypervolume(inside, ref=point))


class Box:
    """A box in objective space in which hypervolumes are shares of it, between 0 and 1.

    Args:
        best: Its lower corner ``(n_obj,)``.
        worst: Its upper corner ``(n_obj,)``, the reference point.
    """

    def __init__(self, best: npt.ArrayLike, worst: npt.ArrayLike) -> None:
        self.best = np.asarray(best, dtype=np.float64)
        self.worst = np.asarray(worst, dtype=np.float64)
        # Where nothing varies any width will do: the volume is then of the other objectives.
        self._width = np.where(self.worst > self.best, self.worst - self.best, 1.0)

    @classmethod
    def around(cls, f: npt.ArrayLike, margin: float = 0.1) -> "Box":
        """Return the box around rows ``(n, n_obj)``, its worst corner a margin beyond them."""
        f = _objectives(f)
        if len(f) == 0:
            raise InputError("A box needs at least one row of objectives; got none.")
        best, worst = f.min(axis=0), f.max(axis=0)
        return cls(best, worst + margin * np.where(worst > best, worst - best, 1.0))

    def hypervolume(self, f: npt.ArrayLike) -> float:
        """Return the share of the box that rows ``(n, n_obj)`` dominate; more than 1 if they better it."""
        scaled = (_objectives(f) - self.best) / self._width
        return hypervolume(scaled, (self.worst - self.best) / self._width)


def _objectives(f: npt.ArrayLike) -> FloatArray:
    matrix = np.asarray(f, dtype=np.float64)
    if matrix.ndim != 2:
        raise InputError(f"Objectives must be a matrix (n, n_obj); got shape {matrix.shape}.")
    if np.isnan(matrix).any():
        raise InputError("Objectives must not be NaN: leave failed rows out.")
    return matrix
