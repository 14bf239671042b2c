"""Costs as a smooth function of features near a linear one: a Gaussian process."""

from typing import ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from moo_nas.arrays import FloatArray
from moo_nas.meters.predictors.regressor import Groups
from moo_nas.meters.predictors.standardised import Standardised

_WIDTHS = (0.7, 2.0)
_PRIOR, _NOISE_PRIOR = -3.0, -4.0  # Means of the log weights.
_PRIOR_WEIGHT = 0.02
_JITTER = 1e-9
_SEARCHED = 150  # samples at most, that the weights are found on
_CHUNK = 2048  # of rows predicted at a time


class GaussianProcess(Standardised):
    r"""A Gaussian process whose kernel is a sum: linear, interactions of two, smooth at two widths.

    The kernel is a sum over groups of features. With :math:`x` those of a group, standardised, over
    the root mean square of their length,

    .. math::
        k(x, x') = w_1 x^T x' + w_2 (x^T x')^2 + \sum_{l \in \{0.7, 2\}} w_l e^{-|x - x'|^2 / 2 l^2}

    The weights, and that of the noise, maximise the marginal likelihood times a weak log-normal
    prior, which keeps those small of which few samples tell nothing; of many samples 150 at most are
    taken for that. The spread is the posterior
    standard deviation.

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
        2, 4 and 5. D. Duvenaud, H. Nickisch, C. Rasmussen. Additive Gaussian Processes. NeurIPS 2011.
    """

    name: ClassVar[str] = "gaussian process"

    def _fit(self, features: FloatArray, targets: FloatArray, groups: Groups) -> None:
        named = np.array(groups, dtype=object)
        self._groups = [np.flatnonzero(named == group) for group in sorted(set(groups))]
        self._lengths = [float(np.sqrt(np.mean((features[:, g] ** 2).sum(axis=1)))) for g in self._groups]
        self._samples = self._split(features)
        kernels = _kernels(self._samples, self._samples)
        # Samples come sorted: every so many of them are spread over all.
        some = np.arange(0, len(targets), -(-len(targets) // _SEARCHED))
        prior = np.array([_PRIOR] * len(kernels) + [_NOISE_PRIOR])
        found = minimize(
            _loss,
            prior,
            args=(kernels[:, some[:, None], some], targets[some], prior),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-14.0, 8.0)] * len(kernels) + [(-18.0, 1.0)],
            options={"maxiter": 80},
        )
        self._weights = np.exp(found.x)
        self._factor = cho_factor(_covariance(kernels, self._weights), lower=True)
        self._dual = cho_solve(self._factor, targets)

    def _predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        parts = [self._chunk(features[start : start + _CHUNK]) for start in range(0, len(features), _CHUNK)]
        if not parts:
            return np.empty(0), np.empty(0)
        predicted, variance = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return predicted, np.sqrt(np.maximum(variance, self._weights[-1] + _JITTER))

    def _chunk(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        split = self._split(features)
        cross = np.tensordot(self._weights[:-1], _kernels(split, self._samples), 1)
        squares = [(part**2).sum(axis=1) for part in split]
        ones = np.ones(len(features))
        own = [one for square in squares for one in (square, square**2, *(ones for _ in _WIDTHS))]
        variance = self._weights @ np.array([*own, ones])
        return cross @ self._dual, variance - (cross * cho_solve(self._factor, cross.T).T).sum(axis=1)

    def _split(self, features: FloatArray) -> list[FloatArray]:
        return [
            features[:, group] / length for group, length in zip(self._groups, self._lengths, strict=True)
        ]


def _kernels(left: list[FloatArray], right: list[FloatArray]) -> FloatArray:
    """Return the kernels of every group, ``(n_kernels, n, n_right)``."""
    made = []
    for a, b in zip(left, right, strict=True):
        inner = a @ b.T
        squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * inner
        smooth = [np.exp(-np.maximum(squared, 0) / (2 * width**2)) for width in _WIDTHS]
        made += [inner, inner**2, *smooth]
    return np.array(made)


def _covariance(kernels: FloatArray, weights: FloatArray) -> FloatArray:
    total: FloatArray = np.tensordot(weights[:-1], kernels, 1)
    total[np.diag_indices_from(total)] += weights[-1] + _JITTER
    return total


def _loss(
    logs: FloatArray, kernels: FloatArray, targets: FloatArray, prior: FloatArray
) -> tuple[float, FloatArray]:
    """Return the negative log posterior of the log weights, and its gradient."""
    weights = np.exp(logs)
    factor = cho_factor(_covariance(kernels, weights), lower=True)
    dual = cho_solve(factor, targets)
    loss = targets @ dual / 2 + np.log(np.diag(factor[0])).sum()
    inner = cho_solve(factor, np.eye(len(targets))) - np.outer(dual, dual)
    slopes = np.append(kernels.reshape(len(kernels), -1) @ inner.ravel(), np.trace(inner))
    away = logs - prior
    return float(loss + _PRIOR_WEIGHT * away @ away), weights * slopes / 2 + 2 * _PRIOR_WEIGHT * away
