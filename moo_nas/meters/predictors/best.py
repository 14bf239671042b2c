"""The regressor, or mean of regressors, that predicts best what it has not seen."""

import copy
import itertools
import json
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError
from moo_nas.meters.predictors.boosting import GradientBoosting
from moo_nas.meters.predictors.gaussian_process import GaussianProcess
from moo_nas.meters.predictors.regressor import Groups, Regressor, Residuals, cross_predict
from moo_nas.meters.predictors.ridge import Ridge


class Best(Regressor):
    r"""One of several regressors, or the mean of two, chosen by cross-validation.

    Of every candidate and every pair, the one with the least mean absolute error over five folds is
    fitted to all samples. What the uncertainty and the error card are made of comes from folds
    around the whole choice (nested cross-validation): what was chosen with a sample is never
    judged on it.

    Args:
        candidates: What is chosen from.
        nested: Are the folds around the choice? If not, errors are those that the choice was made
            by: six times faster, and slightly too good.

    Attributes:
        chosen: The names of what was chosen, once fitted.

    Example:
        >>> features = np.random.default_rng(0).uniform(size=(40, 2))
        >>> model = Best((Ridge("linear"), Ridge())).fit(features, 1 + features @ [1.0, 3.0])
        >>> model.predict(np.array([[0.5, 0.5]]))[0].round(2).tolist()
        [3.0]

    References:
        M. Stone. Cross-Validatory Choice and Assessment of Statistical Predictions. Journal of the
        Royal Statistical Society B 36(2), 1974.
    """

    name: ClassVar[str] = "best"

    def __init__(self, candidates: Sequence[Regressor] | None = None, nested: bool = True) -> None:
        super().__init__()
        if candidates is None:
            candidates = (
                Ridge("linear"),
                Ridge(),
                GaussianProcess("linear"),
                GaussianProcess(),
                GradientBoosting("linear"),
            )
        if not candidates:
            raise InputError("The best needs at least one candidate; got none.")
        self.candidates = tuple(candidates)
        self.nested = nested
        self.chosen: tuple[str, ...] = ()
        self._models: list[Regressor] = []
        self._chosen_by: Residuals | None = None

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "regressor": self.name,
            "candidates": [one.settings for one in self.candidates],
            "nested": self.nested,
        }

    def _fitted(self, features: FloatArray, costs: FloatArray, groups: Groups) -> Self:
        tried = [cross_predict(one, features, costs, groups) for one in self.candidates]
        numbers = range(len(tried))
        choices = [*itertools.combinations(numbers, 1), *itertools.combinations(numbers, 2)]
        means = [_mean([(tried[i].predicted, tried[i].spread) for i in choice]) for choice in choices]
        errors = [float(np.mean(np.abs(predicted - costs))) for predicted, _ in means]
        first = int(np.argmin(errors))
        model = copy.copy(self)
        model._models = [self.candidates[i]._fitted(features, costs, groups) for i in choices[first]]
        model.chosen = tuple(json.dumps(self.candidates[i].settings) for i in choices[first])
        model._chosen_by = Residuals(costs, *means[first])
        return model

    def _costs(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        return _mean([one._costs(features) for one in self._models])

    def _left_out(self, fitted: Self, features: FloatArray, costs: FloatArray, groups: Groups) -> Residuals:
        if self.nested or fitted._chosen_by is None:
            return cross_predict(self, features, costs, groups)
        return fitted._chosen_by


def _mean(predictions: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    costs, spreads = (np.array(columns) for columns in zip(*predictions, strict=True))
    # Spreads are in units of their own.
    return costs.mean(axis=0), np.exp(np.log(spreads).mean(axis=0))
