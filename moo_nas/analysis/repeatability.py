"""How far a score can be trusted: agreement with itself, and with what it stands for."""

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from moo_nas.arrays import FloatArray

_RESAMPLES = 1000


def spearman(x: FloatArray, y: FloatArray) -> float:
    """Return Spearman's rank correlation of two columns ``(n,)``; NaN where one is constant, or n < 3."""
    if len(x) < 3:
        return np.nan
    return float(_correlations(_ranks(x[:, None]), _ranks(y[:, None]))[0])


def spearman_interval(x: FloatArray, y: FloatArray, seed: int = 0) -> tuple[float, float, float]:
    """Return Spearman's rank correlation and its 95 % interval, by resampling rows."""
    return _interval(x[:, None], y[:, None], np.array([[0, 0]]), seed)


def repeatability(values: FloatArray, seed: int = 0) -> tuple[float, float, float]:
    """Return how a score agrees with itself under another seed, and a 95 % interval.

    The mean of Spearman's rank correlation over all pairs of seeds; the interval is that of
    resampling the architectures.

    Args:
        values: ``(n_seeds, n)``: under each seed, the score of each architecture.
        seed: What draws the resamples.
    """
    pairs = np.array(list(itertools.combinations(range(len(values)), 2)))
    return _interval(values.T, values.T, pairs, seed)


def seeds_needed(once: float, asked: float = 0.9) -> float:
    r"""Return over how many seeds a score must be averaged to repeat as well as asked.

    .. math:: k = \left\lceil \frac{r_k (1 - r)}{r (1 - r_k)} \right\rceil

    with r the repeatability of one seed; infinite where that is not positive.

    Example:
        >>> seeds_needed(0.6), seeds_needed(0.95), seeds_needed(-0.1)
        (6, 1, inf)

    References:
        C. Spearman, W. Brown. British Journal of Psychology 3, 1910.
    """
    if not once > 0:
        return math.inf
    needed = asked * (1 - once) / (once * (1 - asked))
    return max(1, math.ceil(needed - 1e-9))


def _ranks(columns: FloatArray) -> FloatArray:
    ranks: FloatArray = rankdata(columns, axis=0)
    return ranks


def _correlations(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return Pearson's correlation of each column of x with that of y, ``(k,)``."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = (x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return found


def _interval(
    x: FloatArray, y: FloatArray, pairs: npt.NDArray[np.integer[Any]], seed: int
) -> tuple[float, float, float]:
    """Return the mean correlation over pairs of columns of x and y, and its 95 % interval."""
    n = len(x)
    if n < 3:
        return np.nan, np.nan, np.nan
    everything = np.arange(n)[:, None]
    drawn = np.random.default_rng(seed).integers(0, n, (n, _RESAMPLES))

    def mean(rows: npt.NDArray[np.integer[Any]]) -> FloatArray:
        """Return the mean over pairs for each column of row numbers ``(n, k)``, ``(k,)``."""
        found: FloatArray = np.mean(
            [_correlations(_ranks(x[rows, i]), _ranks(y[rows, j])) for i, j in pairs], axis=0
        )
        return found

    means = mean(drawn)
    low, high = np.nanquantile(means, [0.025, 0.975]) if np.isfinite(means).any() else (np.nan, np.nan)
    return float(mean(everything)[0]), float(low), float(high)
