"""Costs as a smooth function of features near a linear one: a Gaussian process."""

from typing import ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from moo_nas.arrays import FloatArray
from moo_nas.meters.predictors.standardised import Standardised

_WIDTHS = (0.5, 1.0, 2.0)
_PRIOR = (-3.0, -4.0)  # Mean of a kernel's and of the noise's log weight.
_PRIOR_WEIGHT = 0.02
_JITTER = 1e-9


class GaussianProcess(Standardised):
    r"""A Gaussian process whose kernel is a sum: linear, interactions of two, smooth at three widths.

    With :math:`x` the standardised features over the root of their number,

    .. math::
        k(x, x') = w_1 x^T x' + w_2 (x^T x')^2
                   + \sum_{l \in \{1/2, 1, 2\}} w_l e^{-|x - x'|^2 / 2 l^2} + w_0 [x = x']

    The weights maximise the marginal likelihood times a weak log-normal prior, which keeps those
    that few samples tell nothing about small. The spread is the posterior standard deviation.

    Args:
        scale: What the process is of: the cost (``linear``) or its logarithm (``log``).

    Example:
        >>> features = np.random.default_rng(0).uniform(size=(60, 2))
        >>> costs = 1 + features[:, 0] * (1 + 3 * features[:, 1])
        >>> predicted, _ = GaussianProcess().fit(features, costs).predict(np.array([[0.5, 0.5]]))
        >>> round(float(predicted[0]), 1)
        2.2

    References:
        C. Rasmussen, C. Williams. Gaussian Processes for Machine Learning. MIT Press 2006, chapters
        2, 4 and 5.
    """

    name: ClassVar[str] = "gaussian process"

    def _fit(self, features: FloatArray, targets: FloatArray) -> None:
        self._samples = features / np.sqrt(max(features.shape[1], 1))
        kernels = _kernels(self._samples, self._samples)
        prior = np.full(len(kernels) + 1, _PRIOR[0])
        prior[-1] = _PRIOR[1]
        found = minimize(
            _loss,
            prior,
            args=(kernels, targets, prior),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-14.0, 8.0)] * len(kernels) + [(-18.0, 1.0)],
            options={"maxiter": 200},
        )
        self._weights = np.exp(found.x)
        self._factor = cho_factor(_covariance(kernels, self._weights), lower=True)
        self._dual = cho_solve(self._factor, targets)

    def _predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        features = features / np.sqrt(max(features.shape[1], 1))
        cross = np.tensordot(self._weights[:-1], np.array(_kernels(features, self._samples)), 1)
        squares = (features**2).sum(axis=1)
        own = self._weights @ np.array(
            [squares, squares**2, *(np.ones(len(squares)) for _ in _WIDTHS), np.ones(len(squares))]
        )
        variance = own - (cross * cho_solve(self._factor, cross.T).T).sum(axis=1)
        return cross @ self._dual, np.sqrt(np.maximum(variance, self._weights[-1] + _JITTER))


def _kernels(left: FloatArray, right: FloatArray) -> list[FloatArray]:
    inner = left @ right.T
    squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * inner
    smooth = [np.exp(-np.maximum(squared, 0) / (2 * width**2)) for width in _WIDTHS]
    return [inner, inner**2, *smooth]


def _covariance(kernels: list[FloatArray], weights: FloatArray) -> FloatArray:
    total: FloatArray = np.tensordot(weights[:-1], np.array(kernels), 1)
    total[np.diag_indices_from(total)] += weights[-1] + _JITTER
    return total


def _loss(
    logs: FloatArray, kernels: list[FloatArray], targets: FloatArray, prior: FloatArray
) -> tuple[float, FloatArray]:
    """Return the negative log posterior of the log weights, and its gradient."""
    weights = np.exp(logs)
    factor = cho_factor(_covariance(kernels, weights), lower=True)
    dual = cho_solve(factor, targets)
    loss = targets @ dual / 2 + np.log(np.diag(factor[0])).sum()
    inner = cho_solve(factor, np.eye(len(targets))) - np.outer(dual, dual)
    slopes = [(inner * kernel).sum() for kernel in kernels] + [np.trace(inner)]
    gradient = weights * np.array(slopes) / 2
    away = logs - prior
    return float(loss + _PRIOR_WEIGHT * away @ away), gradient + 2 * _PRIOR_WEIGHT * away
