"""How good a run is after each evaluation: hypervolume and IGD+ over the budget."""

import numpy as np

from moo_nas.analysis.indicators import Box, nondominated
from moo_nas.arrays import FloatArray, IntArray

# Of the matrix evaluations x front points, how many numbers are looked at at a time.
_CHUNK = 2_000_000


def hypervolume_curve(f: FloatArray, when: IntArray, n: int, box: Box) -> FloatArray:
    """Return the share of a box that a run dominates after each of ``n`` evaluations, ``(n,)``.

    Args:
        f: Its valid rows' objectives ``(n_valid, n_obj)``, minimised, in the order of evaluation.
        when: At which evaluation each was made ``(n_valid,)``, counted from 1, rising.
        n: How many evaluations there are, those without a valid row too.
        box: What volumes are shares of; see :meth:`Box.hypervolume`.

    Example:
        >>> f, when = np.array([[2.0, 2.0], [3.0, 3.0], [1.0, 3.0]]), np.array([1, 2, 4])
        >>> hypervolume_curve(f, when, 4, Box([0.0, 0.0], [4.0, 4.0])).tolist()
        [0.25, 0.25, 0.25, 0.3125]
    """
    curve = np.zeros(n)
    inside = (f < box.worst).all(axis=1)
    front = f[:0]
    for row, place in zip(f[inside], when[inside] - 1, strict=True):
        # Most are dominated, and that is quick to tell.
        if (front <= row).all(axis=1).any():
            continue
        front = np.vstack([front, row])
        front = front[nondominated(front)]
        curve[place:] = box.hypervolume(front)
    return curve


def igd_plus_curve(f: FloatArray, when: IntArray, n: int, front: FloatArray, box: Box) -> FloatArray:
    """Return the IGD+ to a front, in widths of a box, after each of ``n`` evaluations, ``(n,)``.

    Infinite before the first valid row, and of a front without points.

    Args:
        f: Its valid rows' objectives ``(n_valid, n_obj)``, minimised, in the order of evaluation.
        when: At which evaluation each was made ``(n_valid,)``, counted from 1, rising.
        n: How many evaluations there are.
        front: What was to be found, ``(n_front, n_obj)``.
        box: What objectives are scaled by; see :meth:`Box.scaled`.

    Example:
        >>> f, when = np.array([[2.0, 1.0], [1.0, 1.0]]), np.array([1, 3])
        >>> igd_plus_curve(f, when, 3, np.array([[1.0, 1.0]]), Box([0.0, 0.0], [1.0, 1.0])).tolist()
        [1.0, 1.0, 0.0]
    """
    curve = np.full(n, np.inf)
    if len(front) == 0 or len(f) == 0:
        return curve
    found, points = box.scaled(f), box.scaled(front)
    nearest = np.full(len(points), np.inf)
    step = max(_CHUNK // len(points), 1)
    for start in range(0, len(found), step):
        rows = found[start : start + step]
        worse = np.maximum(rows[:, None] - points, 0)
        distance = np.sqrt((worse**2).sum(axis=2))
        distance = np.minimum.accumulate(np.vstack([nearest, distance]), axis=0)[1:]
        nearest = distance[-1]
        places = when[start : start + step] - 1
        curve[places] = distance.mean(axis=1)
    # Between valid rows, what there was.
    filled: FloatArray = np.minimum.accumulate(curve)
    return filled
