"""Regressors of standardised costs on standardised features."""

import copy
from abc import abstractmethod
from typing import Any, ClassVar, Literal, Self

import numpy as np
from threadpoolctl import threadpool_limits

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError
from moo_nas.meters.predictors.regressor import Groups, Regressor

Scale = Literal["log", "linear"]

_SAME = 1e-9  # of a column's largest value: what varies less is taken for constant


class Standardised(Regressor):
    """A regressor whose features and targets have mean 0 and standard deviation 1.

    Subclasses give ``_fit`` and ``_predict``. Features that do not vary are left out, and of equal
    ones all but the first.

    Args:
        scale: What the target is: the cost (``linear``) or its logarithm (``log``).

    Raises:
        InputError: Another scale.
    """

    raw: ClassVar[bool] = False  # Does it take features as they are?

    def __init__(self, scale: Scale = "log") -> None:
        super().__init__()
        if scale not in ("log", "linear"):
            raise InputError(f"A regressor's scale is log or linear; got '{scale}'.")
        self.scale = scale
        self._columns = np.arange(0)
        self._mean, self._std = np.empty(0), np.empty(0)
        self._target = (0.0, 1.0)
        self._least = 0.0

    @property
    def settings(self) -> dict[str, Any]:
        return {"regressor": self.name, "scale": self.scale}

    @abstractmethod
    def _fit(self, features: FloatArray, targets: FloatArray, groups: Groups) -> None:
        """Fit standardised targets ``(n,)`` on features ``(n, k)``, each of a group."""

    @abstractmethod
    def _predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return standardised targets ``(n,)`` and their spreads ``(n,)``, ones if all are alike."""

    def _fitted(self, features: FloatArray, costs: FloatArray, groups: Groups) -> Self:
        model = copy.copy(self)
        targets = np.log(costs) if self.scale == "log" else costs
        model._least = float(costs.min()) / 2
        model._target = (float(targets.mean()), float(targets.std()) or 1.0)
        model._mean, model._std, model._columns = _standardisation(features)
        if self.raw:
            model._columns = np.arange(features.shape[1])
        if len(model._columns):
            with threadpool_limits(1):
                model._fit(
                    model._standardised(features),
                    (targets - model._target[0]) / model._target[1],
                    tuple(groups[column] for column in model._columns),
                )
        return model

    def _costs(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        features = np.asarray(features, dtype=np.float64)
        # Samples that no feature tells apart are all predicted to cost their mean.
        predicted, spread = np.zeros(len(features)), np.ones(len(features))
        if len(self._columns):
            with threadpool_limits(1):
                predicted, spread = self._predict(self._standardised(features))
        mean, std = self._target
        targets = mean + std * predicted
        if self.scale == "log":
            costs = np.exp(targets)
            return costs, costs * std * spread
        # A sum can be predicted below zero, where no cost is: below half of the least sample it
        # falls off exponentially, smoothly and in the same order.
        least = self._least
        costs = np.where(targets < least, least * np.exp(np.clip(targets / least - 1, -50, 0)), targets)
        return costs, std * spread

    def _standardised(self, features: FloatArray) -> FloatArray:
        if self.raw:
            return features
        standardised: FloatArray = (features[:, self._columns] - self._mean) / self._std
        return standardised


def _standardisation(features: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return means, standard deviations, and which columns vary, each of equal ones once."""
    mean, std = features.mean(axis=0), features.std(axis=0)
    varying = np.flatnonzero(std > _SAME * np.maximum(np.abs(features).max(axis=0), _SAME))
    if len(varying) == 0:
        return np.empty(0), np.empty(0), varying.astype(np.int64)
    rounded = np.round((features[:, varying] - mean[varying]) / std[varying], 6)
    _, first = np.unique(rounded, axis=1, return_index=True)
    columns = varying[np.sort(first)].astype(np.int64)
    return mean[columns], std[columns], columns
