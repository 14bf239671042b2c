"""Do methods differ? Ranks, tests and effect sizes, by scipy, over several problems or seeds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError


@dataclass(frozen=True, slots=True)
class Friedman:
    """Friedman's test: are some methods ranked better than others throughout?

    Attributes:
        ranks: Each method's mean rank ``(n_methods,)``, 1 the least; ties share their mean.
        p: The probability of ranks so far apart if all methods were alike; NaN where all are tied.
    """

    ranks: FloatArray
    p: float


def friedman(values: npt.ArrayLike) -> Friedman:
    """Return the mean ranks and Friedman's test of methods over problems, less being better.

    Args:
        values: One row a problem, one column a method, ``(n_problems, n_methods)``.

    Raises:
        InputError: Fewer than two problems or three methods; NaN.

    Example:
        >>> found = friedman([[1, 2, 3], [1, 3, 2], [1, 2, 3], [1, 2, 3]])
        >>> found.ranks.tolist(), round(found.p, 3)
        ([1.0, 2.25, 2.75], 0.039)

    References:
        J. Demsar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7, 2006.
    """
    matrix = _matrix(values)
    if matrix.shape[0] < 2 or matrix.shape[1] < 3:
        raise InputError(
            f"Friedman's test needs two problems and three methods at least; got {matrix.shape[0]} and "
            f"{matrix.shape[1]}."
        )
    ranks = stats.rankdata(matrix, axis=1)
    tied = (np.ptp(matrix, axis=1) == 0).all()
    p = float("nan") if tied else float(stats.friedmanchisquare(*matrix.T).pvalue)
    return Friedman(ranks.mean(axis=0), p)


@dataclass(frozen=True, slots=True)
class Nemenyi:
    """Nemenyi's test: which methods' mean ranks differ by more than chance would have them?

    Attributes:
        ranks: Each method's mean rank ``(n_methods,)``, 1 the least.
        difference: The critical difference: ranks that differ by more are told apart.
        groups: The largest sets of methods, by column, none of which is told from another; each by
            rising rank, those of one method left out.
    """

    ranks: FloatArray
    difference: float
    groups: tuple[tuple[int, ...], ...]


def nemenyi(values: npt.ArrayLike, alpha: float = 0.05) -> Nemenyi:
    """Return the critical difference of methods' mean ranks over problems, less being better.

    To be asked after :func:`friedman` has told that some methods differ.

    Args:
        values: One row a problem, one column a method, ``(n_problems, n_methods)``.
        alpha: The probability of telling any two apart by chance.

    Raises:
        InputError: Fewer than two problems or methods; NaN; alpha not between 0 and 1.

    Example:
        >>> found = nemenyi([[1, 2, 5, 6], [2, 1, 6, 5], [1, 2, 5, 6]] * 3)
        >>> found.groups, round(found.difference, 3)
        (((0, 1), (2, 3)), 1.563)

    References:
        J. Demsar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7, 2006.
    """
    matrix = _matrix(values)
    if min(matrix.shape) < 2:
        raise InputError(
            f"A critical difference needs two problems and two methods at least; got {matrix.shape[0]} and "
            f"{matrix.shape[1]}."
        )
    ranks = stats.rankdata(matrix, axis=1).mean(axis=0)
    difference = critical_difference(matrix.shape[1], matrix.shape[0], alpha)
    order = [int(column) for column in np.argsort(ranks, kind="stable")]
    groups: list[tuple[int, ...]] = []
    reached = 0
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and ranks[order[end]] - ranks[order[start]] <= difference:
            end += 1
        # Only what reaches further than the groups so far is none of their subsets.
        if end - start > 1 and end > reached:
            groups.append(tuple(order[start:end]))
        reached = max(reached, end)
    return Nemenyi(ranks, difference, tuple(groups))


def critical_difference(n_methods: int, n_problems: int, alpha: float = 0.05) -> float:
    r"""Return Nemenyi's critical difference of mean ranks.

    .. math:: CD = q_\alpha \sqrt{k (k + 1) / (6 N)}

    with k methods, N problems, and q the studentized range's quantile over :math:`\sqrt 2`.

    Raises:
        InputError: Fewer than two methods, no problem, or alpha not between 0 and 1.

    Example:
        >>> round(critical_difference(4, 14), 2)
        1.25
    """
    if n_methods < 2 or n_problems < 1 or not 0 < alpha < 1:
        raise InputError(
            "A critical difference needs two methods, a problem and 0 < alpha < 1; got "
            f"{n_methods}, {n_problems} and {alpha}."
        )
    q = stats.studentized_range.ppf(1 - alpha, n_methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_methods * (n_methods + 1) / (6 * n_problems)))


def wilcoxon_holm(values: npt.ArrayLike, control: int) -> FloatArray:
    """Return how probable such differences from one method are by chance, by method ``(n_methods,)``.

    Wilcoxon's signed-rank test over problems, two-sided, of each method against the control, the
    probabilities adjusted after Holm for their number; NaN for the control itself.

    Args:
        values: One row a problem, one column a method, ``(n_problems, n_methods)``.
        control: The column that all others are held against.

    Raises:
        InputError: Fewer than two problems or methods, no such column; NaN.

    Example:
        >>> rows = [[k, k + 1, k + (-1) ** k / (k + 2)] for k in range(8)]
        >>> wilcoxon_holm(rows, control=0).round(3).tolist()
        [nan, 0.016, 0.844]

    References:
        S. Holm. A Simple Sequentially Rejective Multiple Test Procedure. Scandinavian Journal of
        Statistics 6(2), 1979.
    """
    matrix = _matrix(values)
    if min(matrix.shape) < 2 or not 0 <= control < matrix.shape[1]:
        raise InputError(
            f"A test against a control needs two problems and two methods at least, and the control's "
            f"column; got {matrix.shape} and {control}."
        )
    others = [column for column in range(matrix.shape[1]) if column != control]
    adjusted = np.full(matrix.shape[1], np.nan)
    adjusted[others] = holm([_signed_rank(matrix[:, column], matrix[:, control]) for column in others])
    return adjusted


def holm(p: npt.ArrayLike) -> FloatArray:
    """Return probabilities of several tests ``(n,)`` adjusted for their number, after Holm.

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)
    scaled = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def a12(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Return Vargha and Delaney's effect size: how probable it is that one of x exceeds one of y.

    .. math:: A_{12} = P(X > Y) + P(X = Y) / 2

    0.5 is no difference; 0.56, 0.64 and 0.71 are called small, medium and large.

    Example:
        >>> a12([2, 3, 4], [1, 2, 3])
        0.7777777777777778

    References:
        A. Vargha, H. Delaney. A Critique and Improvement of the CL Common Language Effect Size
        Statistics of McGraw and Wong. Journal of Educational and Behavioral Statistics 25(2), 2000.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not (x.ndim == y.ndim == 1 and len(x) and len(y)) or np.isnan(x).any() or np.isnan(y).any():
        raise InputError(f"An effect size needs two samples without NaN; got shapes {x.shape} and {y.shape}.")
    return float(stats.mannwhitneyu(x, y).statistic / (len(x) * len(y)))


def _signed_rank(x: FloatArray, y: FloatArray) -> float:
    # Two infinities are alike.
    differences = np.subtract(x, y, where=x != y, out=np.zeros(len(x)))
    # Where nothing differs there is nothing to test.
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def _matrix(values: npt.ArrayLike) -> FloatArray:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or np.isnan(matrix).any():
        raise InputError(
            f"A test needs a matrix (n_problems, n_methods) without NaN; got shape {matrix.shape}."
        )
    return matrix
