"""Directions that many-objective algorithms spread a front along, and the scale they are on."""

from math import comb

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.formulations.spread import das_dennis

_SMALL = 1e-6  # of a weight or a length that would be 0


def directions(n_obj: int, n: int) -> FloatArray:
    """Return about ``n`` evenly spread directions ``(n_directions, n_obj)``, each of sum 1 (Das and Dennis).

    Their number is that of the partition nearest to ``n``; with one objective there is one.

    Example:
        >>> directions(2, 5).tolist()
        [[0.0, 1.0], [0.25, 0.75], [0.5, 0.5], [0.75, 0.25], [1.0, 0.0]]
        >>> len(directions(3, 16))
        15
    """
    if n_obj == 1:
        return np.ones((1, 1))
    partitions = 1
    while comb(partitions + n_obj, n_obj - 1) <= n:
        partitions += 1
    below, above = (comb(p + n_obj - 1, n_obj - 1) for p in (partitions, partitions + 1))
    partitions += n - below > above - n
    return das_dennis(n_obj, partitions)[::-1].copy()


def scaled(f: FloatArray, front: FloatArray) -> FloatArray:
    """Return objectives ``(n, n_obj)`` such that a front's best are 0 and its worst 1.

    Where the front does not vary, values stay as they are above its best; without a front, all
    rows are it.
    """
    if len(front) == 0:  # nothing is feasible: what there is
        front = f
    best, worst = front.min(axis=0), front.max(axis=0)
    unit: FloatArray = (f - best) / np.where(worst > best, worst - best, 1.0)
    return unit


def tchebycheff(f: FloatArray, weights: FloatArray) -> FloatArray:
    r"""Return :math:`\max_k f_k / w_k` of every row and weight, ``(n, n_weights)``.

    Divided by, not multiplied with, a weight: the best lie along the direction itself.
    """
    values: FloatArray = (f[:, None, :] / np.maximum(weights, _SMALL)[None]).max(axis=2)
    return values


def angles(f: FloatArray, directions: FloatArray) -> FloatArray:
    """Return the angle between every row ``(n, n_obj)`` and direction, ``(n, n_directions)``, in radians."""
    lengths = np.maximum(np.linalg.norm(f, axis=1), _SMALL)[:, None]
    units = directions / np.linalg.norm(directions, axis=1)[:, None]
    turned: FloatArray = np.arccos(np.clip((f / lengths) @ units.T, -1.0, 1.0))
    return turned
