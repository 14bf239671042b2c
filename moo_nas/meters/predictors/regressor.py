"""What every regressor of a hardware cost does: fit on few measurements, predict with an uncertainty."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError, MeterError
from moo_nas.meters.predictors.sample import error_card

_FEWEST = 5
_FOLDS = 5
_DIGITS = 5
_ONE_SIGMA = 0.6827

Groups = tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """Predicted costs ``(n,)``, and where they lie with a probability, in the cost's unit."""

    cost: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Residuals:
    """Samples' costs ``(n,)``, and what fits that had not seen them predicted, with spreads."""

    costs: FloatArray
    predicted: FloatArray
    spread: FloatArray

    @property
    def ratios(self) -> FloatArray:
        """Absolute errors over spreads, ``(n,)``."""
        ratios: FloatArray = np.abs(self.costs - self.predicted) / self.spread
        return ratios


class Regressor(ABC):
    r"""Predicts a positive cost from features, with an uncertainty that its own errors have shown.

    Subclasses give ``settings``, ``_fitted`` and ``_costs``.

    The uncertainty is cross-validated: each of five folds is predicted by a fit on the others, and
    with errors :math:`|y_i - \hat y_i|` and the regressor's own spread :math:`s_i` (constant, or
    in proportion to the cost, where it has none), a cost lies in :math:`\hat y \pm q s`, where
    :math:`q` is that quantile of :math:`|y_i - \hat y_i| / s_i` which makes the share of new
    samples as asked (conformal prediction by cross-validation, in a simpler form than the CV+ of
    the reference). With :math:`n` samples no share above :math:`n / (n + 1)` can be had: the largest
    error is taken then, so an interval of 90 % from five samples covers about 83 %. The standard
    deviation is the half-width of the 68 % interval: a normal error's, and blind to the few
    networks that are like no other.

    The fit depends on neither the order of the samples nor the unit of the cost, and is the same
    every time: it takes one thread. Costs are predicted to five digits, so that those which differ
    by rounding errors alone rank equal.

    References:
        R. Barber et al. Predictive inference with the jackknife+. Annals of Statistics 49(1), 2021.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self._residuals: Residuals | None = None

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What the fit depends on beside the samples, as JSON."""

    def fit(self, features: FloatArray, costs: FloatArray, groups: Groups | None = None) -> Self:
        """Return the regressor fitted to measured samples.

        Args:
            features: Their features, ``(n, k)``.
            costs: Their costs, ``(n,)``.
            groups: Of which group each feature is, ``(k,)``: a regressor may weigh groups apart; see
                :func:`~moo_nas.meters.predictors.features.feature_groups`. By default all are one.

        Raises:
            InputError: Fewer than five samples, a cost that is not positive and finite, or costs
                that are all the same.
        """
        features, costs = _checked(features, costs)
        groups = ("",) * features.shape[1] if groups is None else tuple(groups)
        if len(groups) != features.shape[1]:
            raise InputError(f"Each of {features.shape[1]} features has a group; got {len(groups)} groups.")
        fitted = self._fitted(features, costs, groups)
        fitted._residuals = self._left_out(fitted, features, costs, groups)
        return fitted

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return costs ``(n,)`` and their standard deviations ``(n,)``, in the cost's unit.

        Raises:
            MeterError: The regressor is not fitted.
        """
        bounds = self.interval(features, _ONE_SIGMA)
        return bounds.cost, bounds.high - bounds.cost

    def interval(self, features: FloatArray, coverage: float = 0.9) -> Interval:
        """Return costs ``(n,)``, and where they lie with this probability, if there are samples for it.

        Raises:
            MeterError: The regressor is not fitted.
            InputError: A coverage outside of (0, 1).
        """
        if not 0 < coverage < 1:
            raise InputError(f"A coverage lies between 0 and 1; got {coverage}.")
        residuals = self._known()
        return _interval(*self._costs(features), residuals.ratios, coverage)

    def held_out(self) -> dict[str, float]:
        """Return the error card of the cross-validation: predictions of samples not fitted on.

        The intervals whose coverage it has are made of the other folds' errors.

        Raises:
            MeterError: The regressor is not fitted.
        """
        residuals = self._known()
        low, high = np.empty(len(residuals.costs)), np.empty(len(residuals.costs))
        for fold in folds(len(residuals.costs)):
            bounds = _interval(
                residuals.predicted[fold], residuals.spread[fold], np.delete(residuals.ratios, fold), 0.9
            )
            low[fold], high[fold] = bounds.low, bounds.high
        return error_card(_rounded(residuals.predicted), residuals.costs, low, high)

    @abstractmethod
    def _fitted(self, features: FloatArray, costs: FloatArray, groups: Groups) -> Self:
        """Return a copy fitted to sound samples, without its uncertainty."""

    @abstractmethod
    def _costs(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return costs ``(n,)`` and spreads ``(n,)`` in proportion to their errors."""

    def _left_out(self, fitted: Self, features: FloatArray, costs: FloatArray, groups: Groups) -> Residuals:
        """Return the samples' costs beside predictions by fits that had not seen them."""
        return cross_predict(self, features, costs, groups)

    def _known(self) -> Residuals:
        if self._residuals is None:
            raise MeterError(f"The regressor '{self.name}' is not fitted: call fit first.")
        return self._residuals


def cross_predict(regressor: Regressor, features: FloatArray, costs: FloatArray, groups: Groups) -> Residuals:
    """Return samples' costs, each predicted by a fit without its fold."""
    predicted, spread = np.empty(len(costs)), np.empty(len(costs))
    for fold in folds(len(costs)):
        rest = np.setdiff1d(np.arange(len(costs)), fold)
        model = regressor._fitted(features[rest], costs[rest], groups)
        predicted[fold], spread[fold] = model._costs(features[fold])
    return Residuals(costs, predicted, spread)


def folds(n: int) -> list[IntArray]:
    """Return five folds of ``n`` samples, the same every time."""
    order = np.random.default_rng(0).permutation(n)
    return [np.sort(order[start::_FOLDS]) for start in range(min(_FOLDS, n))]


def _interval(predicted: FloatArray, spread: FloatArray, ratios: FloatArray, coverage: float) -> Interval:
    # With too few samples for the asked share the largest error is the best that is known.
    rank = min(int(np.ceil((len(ratios) + 1) * coverage)), len(ratios))
    # No closer than the digits that are given.
    half = np.sort(ratios)[rank - 1] * spread + _unit(predicted)
    costs = _rounded(predicted)
    return Interval(costs, np.maximum(costs - half, 0), costs + half)


def _rounded(costs: FloatArray) -> FloatArray:
    rounded: FloatArray = np.round(costs / _unit(costs)) * _unit(costs)
    return rounded


def _unit(costs: FloatArray) -> FloatArray:
    unit: FloatArray = 10.0 ** (np.floor(np.log10(costs)) - (_DIGITS - 1))
    return unit


def unlearnable(costs: FloatArray) -> str | None:
    """Return why nothing can be learnt from costs ``(n,)``: too few, or all the same; None if it can.

    Example:
        >>> unlearnable(np.array([3.0, 4.0]))
        'A fit needs at least 5 measured samples; got 2.'
    """
    if len(costs) < _FEWEST:
        return f"A fit needs at least {_FEWEST} measured samples; got {len(costs)}."
    if np.ptp(costs) == 0:
        return (
            f"All {len(costs)} samples cost {costs[0]}: there is nothing to learn. Measure other "
            "architectures, or look for a clock that is too coarse."
        )
    return None


def _checked(features: FloatArray, costs: FloatArray) -> tuple[FloatArray, FloatArray]:
    features, costs = np.asarray(features, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    if features.ndim != 2 or costs.shape != (len(features),):
        raise InputError(
            f"A fit needs features (n, k) and costs (n,); got {features.shape} and {costs.shape}."
        )
    wrong = np.flatnonzero(~(np.isfinite(costs) & (costs > 0)))
    if len(wrong):
        raise InputError(f"Costs must be positive and finite; sample {wrong[0]} has {costs[wrong[0]]}.")
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise InputError(f"Features must be finite; those of sample {bad[0]} are not.")
    why = unlearnable(costs)
    if why is not None:
        raise InputError(why)
    # Whatever order samples come in, one fit.
    order = np.lexsort((costs, *features.T[::-1]))
    return features[order], costs[order]
