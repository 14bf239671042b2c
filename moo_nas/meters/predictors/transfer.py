"""A new device from a few measurements, where other devices were measured thoroughly."""

import copy
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError, MeterError

_FEWEST = 2
_COMPONENTS = 8
_NOISES = (0.06, 0.1, 0.17, 0.3)  # Standard deviations of a log cost: what a few measurements can tell apart.
_WIDTHS = (1.0, 0.3, 0.1, 0.03)  # Of a known device's surroundings, as shares of the devices' covariance.
_OFFSET = 100.0  # Variance of the log of a device's speed: any.


class DeviceTransfer:
    r"""Predicts costs on a new device from costs on others and 5 to 20 measurements on the new one.

    The log costs :math:`L` of many architectures on the known devices, centred, have principal
    components with scores :math:`z` (unit variance) and a loading vector :math:`w_d` a device. So

    .. math:: \log y = b + z^T w + \epsilon, \qquad \epsilon \sim N(0, \sigma^2),

    for the new device too, and what :math:`w` can be the known devices tell: it is drawn from
    around one of them or from around their mean, a mixture of normal distributions with the
    covariance of the :math:`w_d` (half of it shrunk to its diagonal), narrowed by several factors.
    Each member, with each of several :math:`\sigma`, has a posterior in closed form; they are
    averaged by how well they explain the measurements (their marginal likelihood). The offset
    :math:`b`, the device's speed, is free. So a device like a known one is predicted from that one,
    and any other from what devices have in common.

    Args:
        known: Costs ``(n, n_devices)`` of architectures on at least three known devices, positive:
            a published table, or what predictors of these devices say of random architectures.

    Raises:
        InputError: Too few devices or architectures, or a cost that is not positive and finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> work, layers = rng.uniform(1, 9, (2, 500))
        >>> known = np.stack([work, work + layers, 2 * work + layers, 3 * layers + 1], axis=1)
        >>> new = 0.1 * work + 0.07 * layers
        >>> transfer = DeviceTransfer(known).fit(known[:10], new[:10])
        >>> predicted, _ = transfer.predict(known[10:])
        >>> bool(np.median(np.abs(predicted / new[10:] - 1)) < 0.03)
        True

    References:
        H. Lee et al. HELP: Hardware-Adaptive Efficient Latency Prediction for NAS via
        Meta-Learning. NeurIPS 2021, for the task. C. Bishop. Pattern Recognition and Machine
        Learning. Springer 2006, sections 3.3 to 3.5 and 12.1.
    """

    def __init__(self, known: FloatArray) -> None:
        known = _positive(known, "A known device's costs")
        if known.ndim != 2 or known.shape[1] < 3 or len(known) <= known.shape[1]:
            raise InputError(
                "A transfer needs costs (n, n_devices) of three devices or more, and of more architectures "
                f"than devices; got {known.shape}."
            )
        logs = np.log(known)
        self._mean = logs.mean(axis=0)
        # A device on which all cost the same tells nothing.
        self._std = np.where(np.ptp(logs, axis=0) > 0, logs.std(axis=0), 1.0)
        with threadpool_limits(1):
            _, singular, axes = np.linalg.svd((logs - self._mean) / self._std, full_matrices=False)
        deviations = singular / np.sqrt(len(known))
        kept = min(_COMPONENTS, int(np.sum(deviations > 1e-6 * deviations[0])))
        self._axes = axes[:kept].T / deviations[:kept]
        self.loadings = axes[:kept].T * deviations[:kept] * self._std[:, None]
        self._covariance = _shrunk(self.loadings)
        self._offset = 0.0
        # Of the posterior over offset and loadings: mean, covariance, and the noise's variance.
        self._posterior: tuple[FloatArray, FloatArray, float] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What a transfer depends on beside costs, as JSON."""
        return {"components": self._axes.shape[1], "noises": list(_NOISES), "widths": list(_WIDTHS)}

    def fit(self, known: FloatArray, costs: FloatArray) -> Self:
        """Return the transfer fitted to the new device.

        Args:
            known: What the measured architectures cost on the known devices, ``(n, n_devices)``.
            costs: What they cost on the new one, ``(n,)``.

        Raises:
            InputError: Fewer than two measurements, shapes that do not fit, or a cost that is not
                positive and finite.
        """
        scores, costs = self._scores(known), _positive(costs, "A measured cost")
        if costs.shape != (len(scores),):
            raise InputError(
                f"A transfer needs one cost an architecture, ({len(scores)},); got {costs.shape}."
            )
        if len(costs) < _FEWEST:
            raise InputError(f"A transfer needs at least {_FEWEST} measurements; got {len(costs)}.")
        order = np.lexsort((costs, *scores.T))
        scores, logs = scores[order], np.log(costs[order])
        fitted = copy.copy(self)
        fitted._offset = float(logs.mean())
        members = [
            (centre, width * self._covariance, noise**2)
            for centre in (self.loadings.mean(axis=0), *self.loadings)
            for width in _WIDTHS
            for noise in _NOISES
        ]
        with threadpool_limits(1):
            found = [_posterior(scores, logs - fitted._offset, *member) for member in members]
        evidence = np.array([one[0] for one in found])
        shares = np.exp(evidence - evidence.max())
        shares /= shares.sum()
        means = np.array([mean for _, mean, _ in found])
        mean = shares @ means
        inner = np.tensordot(shares, np.array([covariance for *_, covariance in found]), 1)
        between = (means - mean).T @ ((means - mean) * shares[:, None])
        noise = float(shares @ np.array([noise for *_, noise in members]))
        fitted._posterior = mean, inner + between, noise
        return fitted

    def predict(self, known: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return costs ``(n,)`` on the new device and their standard deviations ``(n,)``.

        Args:
            known: What the architectures cost on the known devices, ``(n, n_devices)``.

        Raises:
            MeterError: The transfer is not fitted.
            InputError: Another number of devices, or a cost that is not positive and finite.
        """
        if self._posterior is None:
            raise MeterError("The transfer is not fitted to a new device: call fit first.")
        mean, covariance, noise = self._posterior
        inputs = np.column_stack([np.ones(len(known)), self._scores(known)])
        costs = np.exp(self._offset + inputs @ mean)
        return costs, costs * np.sqrt(np.sum(inputs @ covariance * inputs, axis=1) + noise)

    def _scores(self, known: FloatArray) -> FloatArray:
        known = _positive(known, "A known device's costs")
        if known.ndim != 2 or known.shape[1] != len(self._mean):
            raise InputError(
                f"The transfer knows {len(self._mean)} devices: it needs costs (n, {len(self._mean)}); got "
                f"{known.shape}."
            )
        scores: FloatArray = (np.log(known) - self._mean) / self._std @ self._axes
        return scores


def _posterior(
    scores: FloatArray, logs: FloatArray, centre: FloatArray, covariance: FloatArray, noise: float
) -> tuple[float, FloatArray, FloatArray]:
    """Return the log evidence, and the posterior mean and covariance of offset and loadings."""
    inputs = np.column_stack([np.ones(len(scores)), scores])
    prior = np.zeros((inputs.shape[1], inputs.shape[1]))
    prior[0, 0], prior[1:, 1:] = _OFFSET, covariance
    mean = np.append(0.0, centre)
    total = inputs @ prior @ inputs.T + noise * np.eye(len(logs))
    gain = np.linalg.solve(total, inputs @ prior)
    away = logs - inputs @ mean
    evidence = -(away @ np.linalg.solve(total, away) + np.linalg.slogdet(total)[1]) / 2
    return float(evidence), mean + gain.T @ away, prior - prior @ inputs.T @ gain


def _shrunk(loadings: FloatArray) -> FloatArray:
    covariance = np.atleast_2d(np.cov(loadings.T))
    shrunk: FloatArray = (covariance + np.diag(np.diag(covariance))) / 2
    return shrunk


def _positive(costs: FloatArray, what: str) -> FloatArray:
    costs = np.asarray(costs, dtype=np.float64)
    wrong = costs[~(np.isfinite(costs) & (costs > 0))]
    if wrong.size:
        raise InputError(f"{what} must be positive and finite; got {wrong.flat[0]}.")
    return costs
