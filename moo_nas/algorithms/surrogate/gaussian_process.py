"""A Gaussian process that is asked about the same candidates again and again."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky
from scipy.linalg.blas import get_blas_funcs
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import minimize

from moo_nas.arrays import FloatArray, IntArray

_ROOT_5 = float(np.sqrt(5.0))
_JITTER = 1e-8
_ITERATIONS = 25
# The normal prior of the logarithms. Weights sum to about a half; they vary together by a spread of 1, and
# each by one of 1.5 from that. Those of doubted groups are expected to be a fiftieth.
_WEIGHTS, _TOGETHER, _EACH, _DOUBT = 0.5, 1.0, 1.5, 0.02
# Means and spreads of the signal's variance and the noise's.
_VARIANCES = ((0.0, 1.0), (-6.0, 1.5))
_BOUND = 4.0  # spreads
_MANY = 4000  # candidates from which on they are in single precision,
_EXACT_FROM = 250  # but not of as many observations: these leave spreads too small for it
_SEARCHED = 400  # points at most, that hyper-parameters are found on


class ConditionedProcess:
    r"""A Gaussian process with Matérn's kernel and a weight for each group of features.

    .. math::
        k(x, x') = s^2 \left(1 + \sqrt 5 r + \tfrac53 r^2\right) e^{-\sqrt 5 r},
        \qquad r^2 = \sum_g w_g |x_g - x'_g|^2

    Weights, signal and noise maximise the marginal likelihood times log-normal priors; each search
    starts from the last result.

    Other than :class:`~moo_nas.meters.predictors.gaussian_process.GaussianProcess`, which is fitted once to
    predict costs, it takes one more observation at a time, at a cost of :math:`O(n m)` for ``m`` candidates:
    the candidates' rows of the Cholesky factor are kept and grow with it.

    Args:
        groups: The columns of each group.
        n_doubted: How many of them, the last ones, are expected to matter little.

    Attributes:
        mean: Of the candidates that are tracked, ``(m,)``.
        variance: Of the same, without noise.

    References:
        C. Rasmussen, C. Williams. Gaussian Processes for Machine Learning. MIT Press 2006.
        C. Hvarfner, E. Hellsten, L. Nardi. Vanilla Bayesian Optimization Performs Great in High
        Dimensions. ICML 2024 (priors that grow with the number of features).
    """

    mean: FloatArray
    variance: FloatArray
    _rows: npt.NDArray[np.floating[Any]]  # the candidates' of the Cholesky factor

    def __init__(self, groups: Sequence[IntArray], n_doubted: int = 0) -> None:
        n = len(groups)
        self._groups = tuple(groups)
        weights = np.full(n, np.log(_WEIGHTS / max(n, 1)))
        weights[n - n_doubted :] += np.log(_DOUBT)
        means, spreads = np.array(_VARIANCES).T
        self._prior = np.concatenate([weights, means])
        self._spread = np.concatenate([np.full(n, np.hypot(_TOGETHER, _EACH)), spreads])
        precision = np.diag(self._spread**-2)
        precision[:n, :n] = np.linalg.inv(_TOGETHER**2 + _EACH**2 * np.eye(n))
        self._precision = precision
        self.logs = self._prior.copy()
        self.n_groups = n

    def learn(self, features: FloatArray, targets: FloatArray) -> None:
        """Find weights, amplitudes and noise from features ``(n, d)`` and targets ``(n,)``."""
        if len(targets) > _SEARCHED:
            # Of many the latest, which are where the search is, and of the others every so many.
            half = _SEARCHED // 2
            early = np.linspace(0, len(targets) - half - 1, half).astype(np.int64)
            some = np.concatenate([early, np.arange(len(targets) - half, len(targets))])
            features, targets = features[some], targets[some]
        n = len(targets)
        apart = self._apart(features).reshape(-1, n * n)
        found = minimize(
            self._loss,
            self.logs,
            args=(apart, targets),
            jac=True,
            method="L-BFGS-B",
            bounds=list(
                zip(self._prior - _BOUND * self._spread, self._prior + _BOUND * self._spread, strict=True)
            ),
            options={"maxiter": _ITERATIONS},
        )
        self.logs = found.x

    def _apart(self, features: FloatArray) -> FloatArray:
        """Return the squared distances by each group, ``(n_groups, n, n)``."""
        parts = [features[:, group] for group in self._groups]
        inner = np.array([part @ part.T for part in parts]).reshape(-1, len(features), len(features))
        squares = np.diagonal(inner, axis1=1, axis2=2)
        apart: FloatArray = np.maximum(squares[:, :, None] + squares[:, None, :] - 2 * inner, 0.0)
        return apart

    def _loss(self, logs: FloatArray, apart: FloatArray, targets: FloatArray) -> tuple[float, FloatArray]:
        """Return the negative log posterior of the hyper-parameters, and its gradient."""
        n = len(targets)
        weights, (signal, noise) = np.exp(logs[:-2]), np.exp(logs[-2:])
        squared = (weights @ apart).reshape(n, n)
        r = _ROOT_5 * np.sqrt(squared + 1e-12)
        decay = np.exp(-r)
        matern = signal * (1 + r + squared * (5 / 3)) * decay
        covariance = matern.copy()
        covariance.flat[:: n + 1] += noise + _JITTER
        away = logs - self._prior
        pull = self._precision @ away
        # LAPACK itself: what scipy does around it takes longer than the numbers do.
        factor, failed = dpotrf(covariance, lower=1)
        if failed:
            return 1e25, np.zeros_like(logs)
        inverse = _inverse(factor)
        dual = inverse @ targets
        loss = targets @ dual / 2 + np.log(np.diag(factor)).sum() + away @ pull / 2
        slope = inverse - np.outer(dual, dual)  # twice the derivative by the covariance
        by_square = slope * decay * (1 + r) * (-5 / 6 * signal)
        by_variance = [np.vdot(slope, matern), noise * np.trace(slope)]
        gradient = np.concatenate([weights * (apart @ by_square.ravel()), by_variance]) / 2
        return float(loss), gradient + pull

    def condition(self, features: FloatArray, targets: FloatArray) -> None:
        """Take observations ``(n, d)`` and ``(n,)`` in place of all before."""
        self._points = self._scaled(features)
        self._targets = targets
        covariance = self._kernel(self._points, self._points)
        covariance[np.diag_indices(len(targets))] += self.noise + _JITTER
        self._factor = cholesky(covariance, lower=True, check_finite=False)
        self._whitened = _solve(self._factor, targets[:, None].copy())[:, 0]

    @property
    def noise(self) -> float:
        """The variance of what the features do not explain."""
        return float(np.exp(self.logs[-1]))

    @property
    def signal(self) -> float:
        """The variance of what they do explain."""
        return float(np.exp(self.logs[-2]))

    def left_out(self) -> tuple[FloatArray, FloatArray]:
        """Return each observation less its prediction from all others ``(n,)``, and the spread of that."""
        inverse = _inverse(self._factor)
        variance = 1 / np.diag(inverse)
        return (inverse @ self._targets) * variance, np.sqrt(variance)

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the mean and the variance, without noise, at features ``(m, d)``."""
        points = self._scaled(features)
        rows = _solve(self._factor, self._kernel(self._points, points))
        return self._whitened @ rows, self.signal - np.einsum("ij,ij->j", rows, rows)

    def track(self, features: FloatArray) -> None:
        """Keep the predictions at candidates ``(m, d)`` up to date from here on.

        Of more than 4,000 they are in single precision, in half the time, until fewer are kept or there
        are 250 observations.
        """
        self._candidates = self._scaled(features)
        self._compute(self._precision_for(len(features)))

    def keep(self, index: IntArray) -> None:
        """Track these candidates alone."""
        self._candidates = self._candidates[index]
        if self._rows.dtype == np.float32:
            self._compute(self._precision_for(len(index)))
        else:
            self._rows = np.ascontiguousarray(self._rows[:, index])
            self.mean, self.variance = self.mean[index], self.variance[index]

    def _precision_for(self, n_candidates: int) -> type[np.floating[Any]]:
        return np.float32 if n_candidates > _MANY and len(self._targets) < _EXACT_FROM else np.float64

    def _compute(self, precision: type[np.floating[Any]]) -> None:
        points, candidates = self._points.astype(precision), self._candidates.astype(precision)
        self._rows = _solve(self._factor.astype(precision), self._kernel(points, candidates))
        self._sum_up()

    def add(self, features: FloatArray, target: float) -> None:
        """Take one more observation, at features ``(d,)``."""
        point = self._scaled(features[None])
        row = _solve(self._factor, self._kernel(self._points, point))[:, 0]
        own = np.sqrt(max(float(self.signal + self.noise + _JITTER - row @ row), _JITTER))
        whitened = (target - row @ self._whitened) / own
        n = len(self._targets)
        factor = np.zeros((n + 1, n + 1))
        factor[:n, :n], factor[n, :n], factor[n, n] = self._factor, row, own
        tracked = (self._kernel(point, self._candidates)[0] - row @ self._rows) / own
        self._factor = factor
        self._whitened = np.append(self._whitened, whitened)
        self._targets = np.append(self._targets, target)
        self._points = np.concatenate([self._points, point])
        self._rows = np.concatenate([self._rows, tracked[None].astype(self._rows.dtype)])
        self.mean = self.mean + whitened * tracked
        self.variance = self.variance - tracked**2

    def forget(self, n: int) -> None:
        """Forget all observations but the first ``n``."""
        if n == len(self._targets):
            return
        self._factor, self._whitened = self._factor[:n, :n], self._whitened[:n]
        self._targets, self._points, self._rows = self._targets[:n], self._points[:n], self._rows[:n]
        self._sum_up()

    def _sum_up(self) -> None:
        rows = self._rows
        self.mean = (self._whitened.astype(rows.dtype) @ rows).astype(np.float64)
        self.variance = self.signal - np.einsum("ij,ij->j", rows, rows).astype(np.float64)

    def _scaled(self, features: FloatArray) -> FloatArray:
        scale = np.zeros(features.shape[1])
        for group, log in zip(self._groups, self.logs[:-2].tolist(), strict=True):
            scale[group] = np.exp(log / 2)
        scaled: FloatArray = features * scale
        return scaled

    def _kernel(self, left: FloatArray, right: FloatArray) -> FloatArray:
        squared = (-2 * left) @ right.T
        squared += (left**2).sum(axis=1)[:, None]
        squared += (right**2).sum(axis=1)
        # In place: matrices of observations by candidates are what time goes into.
        np.maximum(squared, 0, out=squared)
        r = np.sqrt(squared)
        r *= _ROOT_5
        squared *= 5 / 3
        squared += r
        squared += 1
        np.negative(r, out=r)
        np.exp(r, out=r)
        squared *= r
        squared *= self.signal
        kernel: FloatArray = squared
        return kernel


def _solve(factor: FloatArray, right: FloatArray) -> FloatArray:
    """Return the inverse of a lower factor times a matrix ``(n, m)``, which is overwritten."""
    # By the transposes, which need no copy: scipy's solve_triangular takes twice as long.
    (trsm,) = get_blas_funcs(("trsm",), (factor, right))
    solved: FloatArray = trsm(1.0, factor.T, right.T, side=1, overwrite_b=1).T
    return solved


def _inverse(factor: FloatArray) -> FloatArray:
    """Return the inverse of the matrix that has this lower Cholesky factor."""
    lower = np.tril(dpotri(factor, lower=1)[0])
    inverse: FloatArray = lower + lower.T
    inverse.flat[:: len(inverse) + 1] /= 2
    return inverse
