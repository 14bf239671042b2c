"""Which trade-offs a method reached, could reach at all, and which one to take."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import ConvexHull

from moo_nas.analysis.indicators import nondominated, objective_matrix
from moo_nas.analysis.tables import feasible_rows, finite
from moo_nas.arrays import BoolArray, FloatArray
from moo_nas.errors import InputError
from moo_nas.meters import Metric

_FAR = 10.0  # where rows lie between 0 and 1
_FACETS = 1000  # that rows are held against at a time


def best_known_front(runs: Sequence[npt.ArrayLike]) -> FloatArray:
    """Return the rows that none of several runs' rows dominate, each once, ``(n_front, n_obj)``, sorted.

    Args:
        runs: What each run found, ``(n, n_obj)``, minimised; rows that are not finite are left out.

    Raises:
        InputError: No run, runs of different objectives, NaN.

    Example:
        >>> best_known_front([[[1, 3], [3, 2]], [[2, 2], [1, 3]]]).tolist()
        [[1.0, 3.0], [2.0, 2.0]]
    """
    if not runs:
        raise InputError("A best-known front needs at least one run; got none.")
    found = [objective_matrix(run) for run in runs]
    widths = {f.shape[1] for f in found}
    if len(widths) > 1:
        raise InputError(f"Runs of one front have the same objectives; got {sorted(widths)} of them.")
    rows = np.concatenate(found)
    rows = np.unique(rows[np.isfinite(rows).all(axis=1)], axis=0)
    return rows[nondominated(rows)]


def reached(front: npt.ArrayLike, found: npt.ArrayLike) -> BoolArray:
    """Return which points of a front were reached ``(n_front,)``: by something as good in every objective.

    Args:
        front: The front, ``(n_front, n_obj)``, minimised.
        found: What a method found, ``(n, n_obj)``.

    Raises:
        InputError: Other objectives, NaN.

    Example:
        >>> reached([[1, 3], [2, 2], [3, 1]], [[2, 2], [4, 1]]).tolist()
        [False, True, False]
    """
    points, rows = objective_matrix(front), objective_matrix(found)
    if points.shape[1] != rows.shape[1]:
        raise InputError(f"The front has {points.shape[1]} objectives, what was found {rows.shape[1]}.")
    return np.array([bool((rows <= point).all(axis=1).any()) for point in points], dtype=bool)


def coverage(front: npt.ArrayLike, found: npt.ArrayLike) -> float:
    """Return the share of a front's points that were reached; NaN of a front without points.

    Example:
        >>> coverage([[1, 3], [2, 2], [3, 1], [4, 0]], [[2, 2]])
        0.25
    """
    hit = reached(front, found)
    return float(hit.mean()) if len(hit) else float("nan")


def supported(f: npt.ArrayLike) -> BoolArray:
    r"""Return which rows some weighted sum of the objectives has for its best, ``(n,)``.

    Those on the lower convex hull. For the others (in a concave part of a front, or worse than
    another in every objective) no weights do, whatever the normalisation:

    .. math:: \exists w \ge 0, \sum_i w_i = 1: \; w \cdot f_j \ge w \cdot f \; \forall j

    by the facets of the convex hull of the rows and all that is worse. A row that is best together with
    others counts.

    Args:
        f: Objectives ``(n, n_obj)``, finite, minimised.

    Raises:
        InputError: NaN or infinity.

    Example:
        >>> supported([[0, 10], [4, 9], [10, 0], [1, 5]]).tolist()
        [True, False, True, True]
    """
    rows = objective_matrix(f)
    if not np.isfinite(rows).all():
        raise InputError("Objectives must be finite: leave failed rows out.")
    if len(rows) == 0:
        return np.zeros(0, dtype=bool)
    width = np.ptp(rows, axis=0)
    rows = (rows - rows.min(axis=0)) / np.where(width > 0, width, 1.0)
    if rows.shape[1] == 1:
        return np.asarray(rows[:, 0] == 0)
    # Far along every axis: all that is worse, so that the hull is solid and facets with weights >= 0 face the
    # ideal.
    far = [rows + _FAR * axis for axis in np.eye(rows.shape[1])]
    facets = np.unique(ConvexHull(np.concatenate([rows, *far])).equations.round(12), axis=0)
    facets = facets[(facets[:, :-1] <= 1e-9).all(axis=1)]
    found = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(facets), _FACETS):
        some = facets[start : start + _FACETS]
        found |= (rows @ some[:, :-1].T + some[:, -1] >= -1e-9).any(axis=1)
    return found


def knee(f: npt.ArrayLike) -> int | None:
    r"""Return which row of a front bends towards the ideal most: the farthest below the line of extremes.

    Objectives are scaled so that the front spans [0, 1] in each. Two objectives: the extremes are then
    (0, 1) and (1, 0), and a row's distance below the line through them is
    :math:`(1 - z_1 - z_2) / \sqrt 2`. More objectives: the distance below the plane
    :math:`\sum_i z_i = 1`. Beyond a knee, a little more of one objective costs much of another.

    Args:
        f: Objectives ``(n, n_obj)``, finite, minimised, two objectives or more; dominated rows are no
            knees.

    Returns:
        The row; of equals the first. None where no row lies below the line: on a concave front, and
        on one of fewer than three points.

    Raises:
        InputError: Fewer than two objectives, NaN or infinity.

    Example:
        >>> knee([[0, 10], [1, 2], [4, 1], [10, 0]])
        1

    References:
        I. Das. On Characterizing the "Knee" of the Pareto Curve Based on Normal-Boundary
        Intersection. Structural Optimization 18, 1999.
    """
    rows = objective_matrix(f)
    if rows.shape[1] < 2 or not np.isfinite(rows).all():
        raise InputError(f"A knee needs two objectives or more, all finite; got shape {rows.shape}.")
    if len(rows) == 0:
        return None
    best = nondominated(rows)
    low, high = rows[best].min(axis=0), rows[best].max(axis=0)
    # An objective that is the same all over bends nowhere.
    varies = high > low
    if varies.sum() < 2:
        return None
    below = 1 - ((rows[:, varies] - low[varies]) / (high - low)[varies]).sum(axis=1)
    below[~best] = -np.inf
    place = int(np.argmax(below))
    return place if below[place] > 1e-12 else None


def best_within(
    evaluations: pd.DataFrame,
    score: Metric,
    cost: Metric,
    limits: Sequence[float],
    by: Sequence[str] = ("method", "seed"),
) -> pd.DataFrame:
    """Return the best score that each run found within each limit of a cost.

    Args:
        evaluations: One row an evaluation (or a row of a run's front in these two metrics): the
            columns of ``by``, the two metrics, and ``feasible`` if there is such a thing; rows
            that are infeasible or not finite do not count.
        score: What is to be best.
        cost: What is limited: at most of a metric to be minimised, at least of one to be maximised.
        limits: The limits, in the cost's unit.
        by: What a run is told by.

    Returns:
        One row a run and limit, runs in the order of the table: the columns of ``by``, ``limit``,
        ``best`` (NaN where nothing is within the limit), and ``cost``, that of the best (of equal
        scores the cheaper's).

    Raises:
        InputError: A column that is not there; NaN among the limits.

    Example:
        >>> score, latency = Metric("score", "1", "max"), Metric("latency_ms", "ms", "min")
        >>> rows = pd.DataFrame({"method": "a", "seed": 0, "score": [1, 2, 3], "latency_ms": [5, 9, 20]})
        >>> best_within(rows, score, latency, [1, 10, 100])["best"].tolist()
        [nan, 2.0, 3.0]
    """
    missing = [name for name in (*by, score.name, cost.name) if name not in evaluations]
    if missing:
        raise InputError(f"The table lacks {', '.join(missing)}; it has {', '.join(map(str, evaluations))}.")
    if np.isnan(np.asarray(limits, dtype=np.float64)).any():
        raise InputError("A limit must be a number; got NaN.")
    signs = [1.0 if metric.goal == "min" else -1.0 for metric in (score, cost)]
    rows = []
    for key, run in evaluations.groupby(list(by), sort=False):
        kept = finite(run[feasible_rows(run)], score.name, cost.name)
        f = kept[[score.name, cost.name]].to_numpy(dtype=np.float64) * signs
        f = f[np.lexsort(f.T[::-1])]
        for limit in limits:
            within = f[f[:, 1] <= signs[1] * limit]
            best, its_cost = within[0] * signs if len(within) else (np.nan, np.nan)
            rows.append((*key, float(limit), best, its_cost))
    return pd.DataFrame(rows, columns=[*by, "limit", "best", "cost"])
