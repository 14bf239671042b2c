"""Costs as a sum over features: ridge regression."""

from typing import ClassVar

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.meters.predictors.regressor import Groups
from moo_nas.meters.predictors.standardised import Standardised

_PENALTIES = np.logspace(-10, 3, 53)  # of one sample; more would but say the mean


class Ridge(Standardised):
    r"""Ridge regression, its penalty chosen by leaving out each sample in turn.

    .. math:: \min_w \|y - X w\|^2 + \lambda \|w\|^2

    Costs that layers add up to are linear in features, and their logarithms nearly so where the
    costs of a space lie close together.

    Args:
        scale: What is linear in the features: the cost (``linear``) or its logarithm (``log``).

    Example:
        >>> features = np.arange(20.0)[:, None]
        >>> model = Ridge("linear").fit(features, 3 + 2 * features[:, 0])
        >>> model.predict(np.array([[7.5]]))[0].round(2).tolist()
        [18.0]

    References:
        A. Hoerl, R. Kennard. Ridge Regression: Biased Estimation for Nonorthogonal Problems.
        Technometrics 12(1), 1970.
    """

    name: ClassVar[str] = "ridge"

    def _fit(self, features: FloatArray, targets: FloatArray, groups: Groups) -> None:
        U, s, Vt = np.linalg.svd(features, full_matrices=False)
        n = len(targets)
        projected = U.T @ targets
        best = np.inf
        for penalty in _PENALTIES * n:
            shrunk = s**2 / (s**2 + penalty)
            # The mean, which targets are without, is one more parameter.
            leverage = np.minimum((U**2) @ shrunk + 1 / n, 1 - 1e-9)
            error = float(np.mean(((targets - U @ (shrunk * projected)) / (1 - leverage)) ** 2))
            if error < best:
                best = error
                self._weights = Vt.T @ (s / (s**2 + penalty) * projected)

    def _predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        return features @ self._weights, np.ones(len(features))
