"""What a front is worth: dominance, hypervolume, distances; by moocore, on float64, objectives minimised."""

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
    f = objective_matrix(f)
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
    f, point = objective_matrix(f), np.asarray(reference, dtype=np.float64)
    if point.shape != f.shape[1:]:
        raise InputError(f"The reference point needs {f.shape[1]} objectives; got shape {point.shape}.")
    inside = f[(f < point).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    if f.shape[1] == 1:
        return float(point[0] - inside.min())
    return float(moocore.hypervolume(inside, ref=point))


def igd(f: npt.ArrayLike, front: npt.ArrayLike) -> float:
    r"""Return the inverted generational distance: how far a front's points are from found ones, on average.

    .. math:: IGD = \frac{1}{|R|} \sum_{r \in R} \min_{a \in A} \lVert a - r \rVert_2

    Not Pareto-compliant: a set that is better can have a larger distance. Objectives of different
    units are to be scaled first (:meth:`Box.scaled`). Infinite where nothing was found.

    Args:
        f: What was found, ``(n, n_obj)``, minimised.
        front: The front that was to be found, ``(n_front, n_obj)``, finite, at least one row.

    Example:
        >>> igd([[1, 2], [2, 1]], [[1, 1]])
        1.0

    References:
        C. Coello Coello, M. Reyes Sierra. A Study of the Parallelization of a Coevolutionary
        Multi-Objective Evolutionary Algorithm. MICAI 2004.
    """
    found, points = _pair(f, front)
    return float(moocore.igd(found, ref=points)) if len(found) else float("inf")


def igd_plus(f: npt.ArrayLike, front: npt.ArrayLike) -> float:
    r"""Return the modified inverted generational distance, which counts only what is worse.

    .. math:: IGD^+ = \frac{1}{|R|} \sum_{r \in R} \min_{a \in A} \lVert \max(a - r, 0) \rVert_2

    Weakly Pareto-compliant: a set that is better never has a larger distance.

    Args:
        f: What was found, ``(n, n_obj)``, minimised.
        front: The front that was to be found, ``(n_front, n_obj)``, finite, at least one row.

    Example:
        >>> igd_plus([[1, 2], [2, 1]], [[2, 2]])
        0.0

    References:
        H. Ishibuchi, H. Masuda, Y. Tanigaki, Y. Nojima. Modified Distance Calculation in Generational
        Distance and Inverted Generational Distance. EMO 2015.
    """
    found, points = _pair(f, front)
    return float(moocore.igd_plus(found, ref=points)) if len(found) else float("inf")


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
        f = objective_matrix(f)
        if len(f) == 0:
            raise InputError("A box needs at least one row of objectives; got none.")
        best, worst = f.min(axis=0), f.max(axis=0)
        return cls(best, worst + margin * np.where(worst > best, worst - best, 1.0))

    def hypervolume(self, f: npt.ArrayLike) -> float:
        """Return the share of the box that rows ``(n, n_obj)`` dominate; more than 1 if they better it."""
        return hypervolume(self.scaled(f), (self.worst - self.best) / self._width)

    def scaled(self, f: npt.ArrayLike) -> FloatArray:
        """Return rows ``(n, n_obj)`` in widths of the box, from its best corner."""
        scaled: FloatArray = (objective_matrix(f) - self.best) / self._width
        return scaled


def _pair(f: npt.ArrayLike, front: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return what was found (rows that are finite) and a front of the same objectives."""
    f, front = objective_matrix(f), objective_matrix(front)
    if len(front) == 0 or not np.isfinite(front).all():
        raise InputError(f"A distance needs a front of at least one row, all finite; got {len(front)} rows.")
    if f.shape[1] != front.shape[1]:
        raise InputError(f"The front has {front.shape[1]} objectives, what was found {f.shape[1]}.")
    return f[np.isfinite(f).all(axis=1)], front


def objective_matrix(f: npt.ArrayLike) -> FloatArray:
    """Return objectives as a float64 matrix ``(n, n_obj)``.

    Raises:
        InputError: Another shape, or NaN.
    """
    matrix = np.asarray(f, dtype=np.float64)
    if matrix.ndim != 2:
        raise InputError(f"Objectives must be a matrix (n, n_obj); got shape {matrix.shape}.")
    if np.isnan(matrix).any():
        raise InputError("Objectives must not be NaN: leave failed rows out.")
    return matrix
