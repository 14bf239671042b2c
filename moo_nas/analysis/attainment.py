"""What several runs attain: the border of what a share of them found, by moocore."""

import math
from collections.abc import Mapping, Sequence

import moocore
import numpy as np
import numpy.typing as npt

from moo_nas.analysis.indicators import nondominated
from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError

QUARTILES = (0.25, 0.5, 0.75)


def attainment(
    runs: Sequence[npt.ArrayLike], shares: Sequence[float] = QUARTILES
) -> Mapping[float, FloatArray]:
    """Return empirical attainment surfaces of runs in two objectives: one for each share.

    A run attains a point if it found something at least as good in both objectives. A share's surface
    is the border of what at least this share of the runs attain; its corners come back
    ``(n_corners, 2)``, the first objective rising, none dominated. 0.5 is the median. A run that found
    nothing counts as one that attains nothing, so a surface can have no corners.

    Args:
        runs: What each run found, ``(n, 2)``, minimised; rows that are not finite are left out.
        shares: Which shares, in (0, 1].

    Raises:
        InputError: No run; other than two objectives; NaN; a share out of (0, 1].

    Example:
        >>> found = attainment([[[1, 3], [2, 1]], [[2, 2]], [[3, 3]]])
        >>> found[0.5].tolist()
        [[2.0, 2.0]]
        >>> found[0.25].tolist()
        [[1.0, 3.0], [2.0, 1.0]]

    References:
        V. Grunert da Fonseca, C. Fonseca, A. Hall. Inferential Performance Assessment of Stochastic
        Optimisers and the Attainment Function. EMO 2001.
    """
    if not runs:
        raise InputError("An attainment surface needs at least one run; got none.")
    for share in shares:
        if not 0 < share <= 1:
            raise InputError(f"The share of a surface lies in (0, 1]; got {share}.")
    found = [_finite(run) for run in runs]
    some = [f for f in found if len(f)]
    return {share: _surface(some, _least(share, len(found))) for share in shares}


def _least(share: float, n_runs: int) -> int:
    """Return how many runs are at least a share of them; 0.1 of 10 runs is one run whatever the rounding."""
    return math.ceil(share * n_runs - 1e-9)


def _surface(runs: Sequence[FloatArray], level: int) -> FloatArray:
    """Return the border of what at least ``level`` of the runs attain."""
    if level > len(runs):
        return np.empty((0, 2))
    sets = np.repeat(np.arange(len(runs)), [len(f) for f in runs])
    # The percentile is rounded up to a number of runs: half a run less is on the safe side.
    percentile = 100 * (level - 0.5) / len(runs)
    corners = moocore.eaf(np.concatenate(runs), sets, percentiles=[percentile])[:, :2]
    corners = np.unique(corners, axis=0)
    return np.asarray(corners[nondominated(corners)], dtype=np.float64)


def _finite(run: npt.ArrayLike) -> FloatArray:
    f = np.asarray(run, dtype=np.float64)
    if f.size == 0:
        return np.empty((0, 2))
    if f.ndim != 2 or f.shape[1] != 2 or np.isnan(f).any():
        raise InputError(f"A run's objectives are (n, 2) without NaN; got shape {f.shape}.")
    return f[np.isfinite(f).all(axis=1)]
