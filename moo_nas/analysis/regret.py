"""How far a search is from the exact front: hypervolume regret over its evaluations."""

from collections.abc import Collection, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from moo_nas.analysis.indicators import hypervolume, nondominated
from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError

# The reference point of every objective, where the exact front spans 0 to 1.
REFERENCE = 1.1
# What is less is rounding: a floor, so that regrets have a geometric mean.
FLOOR = 1e-4
# Of objectives on the scale of the exact front.
_ROUNDING = 1e-9


class Regret:
    r"""The share of the exact front's hypervolume that a set of found points lacks.

    .. math:: regret(A) = \max\left(1 - \frac{HV(A)}{HV(A^*)}, 10^{-4}\right)

    with the objectives scaled (after a logarithm, if one is asked for) so that the exact front
    :math:`A^*` spans [0, 1] in each, and the reference point 1.1 in each. 0 is perfect (and given
    as the floor), 1 is nothing found inside of the box.

    Args:
        exact: The exact front's objectives ``(n, n_obj)``, minimised; dominated rows are left out.
        log: Which objectives (columns) are costs that are looked at on a logarithmic scale.

    Attributes:
        exact: The exact front, scaled, ``(n, n_obj)``.

    Raises:
        InputError: An exact front of fewer than two objectives, or with one that is the same in all
            points; a logarithm of what is not positive.

    Example:
        >>> regret = Regret([[1, 100], [2, 10], [5, 1]], log=[1])
        >>> regret([[1, 100], [2, 10], [5, 1], [9, 9]])
        0.0001
        >>> round(regret([[2, 10]]), 3)
        0.128

    References:
        E. Zitzler et al. Performance Assessment of Multiobjective Optimizers: An Analysis and Review.
        IEEE TEVC 7(2), 2003.
    """

    def __init__(self, exact: npt.ArrayLike, log: Collection[int] = ()) -> None:
        matrix = np.asarray(exact, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] < 2 or not np.isfinite(matrix).all():
            raise InputError(
                "An exact front is a matrix (n, n_obj) of finite objectives, two or more; got shape "
                f"{matrix.shape}."
            )
        self.log = sorted(set(log))
        if self.log and not 0 <= self.log[0] <= self.log[-1] < matrix.shape[1]:
            raise InputError(f"log names columns of {matrix.shape[1]} objectives; got {list(log)}.")
        matrix = self._logged(np.unique(matrix[nondominated(matrix)], axis=0))
        self._low, self._high = matrix.min(axis=0), matrix.max(axis=0)
        for column in np.flatnonzero(self._low == self._high):
            raise InputError(
                f"Objective {column} is the same in all {len(matrix)} points of the exact front: it has no "
                "scale to judge a search by. Leave it out, or ask for others."
            )
        self.exact = self._scaled(matrix)

    @cached_property
    def hypervolume(self) -> float:
        """The exact front's hypervolume, of :math:`1.1^{n_{obj}}` at the most."""
        return hypervolume(self.exact, self._reference)

    def __call__(self, f: npt.ArrayLike) -> float:
        """Return the regret of points ``(n, n_obj)``."""
        f = np.asarray(f, dtype=np.float64)
        return float(self.curve(f, [len(f)])[0])

    def curve(self, f: npt.ArrayLike, budgets: Sequence[int] | IntArray) -> FloatArray:
        """Return the regret after each budget ``(n_budgets,)`` of one run.

        Args:
            f: The run's objectives ``(n, n_obj)`` in the order of evaluation; infeasible and failed
                rows at infinity (or at :data:`~moo_nas.formulations.base.WORST`): they add nothing. Of a
                run with limits, ``np.where(run.feasible[:, None], run.objectives, np.inf)``.
            budgets: Of how many evaluations: prefixes of ``f``. A run that ended earlier keeps what it had.

        Raises:
            InputError: Another number of objectives, NaN, a negative budget, or what no point of
                the exact front is as good as.
        """
        f = np.asarray(f, dtype=np.float64)
        wanted = np.asarray(budgets, dtype=np.int64)
        if f.ndim != 2 or f.shape[1] != self.exact.shape[1] or np.isnan(f).any():
            raise InputError(
                f"Found objectives are (n, {self.exact.shape[1]}) without NaN, failed rows at infinity; got "
                f"shape {f.shape}."
            )
        if (wanted < 0).any():
            raise InputError(f"Budgets are numbers of evaluations; got {wanted.min()}.")
        inside = np.flatnonzero((f < self._worst).all(axis=1))
        scaled = self._scaled(self._logged(f[inside]))
        regrets, front, seen, volume = np.ones(len(wanted)), scaled[:0], 0, 0.0
        for position in np.argsort(wanted, kind="stable"):
            upto = int(np.searchsorted(inside, wanted[position]))
            if upto > seen:
                front = np.concatenate([front, scaled[seen:upto]])
                front, seen = front[nondominated(front)], upto
                volume = hypervolume(front, self._reference)
            regrets[position] = max(1 - volume / self.hypervolume, FLOOR)
        for point in front:
            if not (self.exact <= point + _ROUNDING).all(axis=1).any():
                raise InputError(
                    "Some of what was found is beyond the exact front, so the two are not of one problem. "
                    "Rows that break a limit go to infinity: "
                    "np.where(run.feasible[:, None], run.objectives, np.inf)."
                )
        return regrets

    @property
    def _reference(self) -> FloatArray:
        return np.full(len(self._low), REFERENCE)

    @property
    def _worst(self) -> FloatArray:
        """The reference point, unscaled."""
        worst: FloatArray = self._low + REFERENCE * (self._high - self._low)
        worst[self.log] = 10 ** worst[self.log]
        return worst

    def _logged(self, f: FloatArray) -> FloatArray:
        f = f.copy()
        for column in self.log:
            if (f[:, column] <= 0).any():
                raise InputError(
                    f"Objective {column} has no logarithm: it is {f[:, column].min():g} somewhere."
                )
            f[:, column] = np.log10(f[:, column])
        return f

    def _scaled(self, f: FloatArray) -> FloatArray:
        scaled: FloatArray = (f - self._low) / (self._high - self._low)
        return scaled


def regret_curve(
    f: npt.ArrayLike, exact: npt.ArrayLike, budgets: Sequence[int] | IntArray, log: Collection[int] = ()
) -> FloatArray:
    """Return the regret after each budget of one run ``(n_budgets,)``: see :class:`Regret`.

    Example:
        >>> regret_curve([[2, 9], [1, 4], [9, 9], [4, 1]], [[1, 4], [4, 1]], [1, 2, 4]).round(3).tolist()
        [1.0, 0.476, 0.0]
    """
    return Regret(exact, log).curve(f, budgets)
