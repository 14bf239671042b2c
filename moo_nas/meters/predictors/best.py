"""The regressor, or mean of regressors, that predicts best what it has not seen."""

import copy
import itertools
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError
from moo_nas.meters.predictors.boosting import GradientBoosting
from moo_nas.meters.predictors.gaussian_process import GaussianProcess
from moo_nas.meters.predictors.regressor import Regressor, cross_predict
from moo_nas.meters.predictors.ridge import Ridge
from moo_nas.meters.predictors.standardised import Standardised


class Best(Regressor):
    r"""One of several regressors, or the geometric mean of two, chosen by cross-validation.

    Of every candidate and every pair the one with the least mean absolute log error over five
    folds is fitted to all samples. What the uncertainty and the error card are made of comes from
    folds around the whole choice (nested cross-validation): what was chosen on a sample is never
    judged on it.

    Args:
        candidates: What is chosen from.

    Attributes:
        chosen: The names of what was chosen, once fitted.

    Example:
        >>> features = np.random.default_rng(0).uniform(size=(40, 2))
        >>> model = Best().fit(features, 1 + features @ [1.0, 3.0])
        >>> model.predict(np.array([[0.5, 0.5]]))[0].round(2).tolist()
        [3.0]

    References:
        M. Stone. Cross-Validatory Choice and Assessment of Statistical Predictions. Journal of the
        Royal Statistical Society B 36(2), 1974.
    """

    name: ClassVar[str] = "best"

    def __init__(self, candidates: Sequence[Standardised] | None = None) -> None:
        super().__init__()
        if candidates is None:
            candidates = (
                Ridge("linear"),
                Ridge(),
                GaussianProcess("linear"),
                GaussianProcess(),
                GradientBoosting(),
            )
        if not candidates:
            raise InputError("The best needs at least one candidate; got none.")
        self.candidates = tuple(candidates)
        self.chosen: tuple[str, ...] = ()
        self._models: tuple[Standardised, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        return {"regressor": self.name, "candidates": [one.settings for one in self.candidates]}

    def _fitted(self, features: FloatArray, costs: FloatArray) -> Self:
        logs = [np.log(cross_predict(one, features, costs)[0]) for one in self.candidates]
        groups = [
            group for size in (1, 2) for group in itertools.combinations(range(len(self.candidates)), size)
        ]
        errors = [
            float(np.mean(np.abs(np.mean([logs[i] for i in group], axis=0) - np.log(costs))))
            for group in groups
        ]
        model = copy.copy(self)
        model._models = tuple(
            self.candidates[i]._fitted(features, costs) for i in groups[int(np.argmin(errors))]
        )
        model.chosen = tuple(f"{one.name} ({one.scale})" for one in model._models)
        return model

    def _costs(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        # Their spreads are in units of their own, and one scale is fitted for all.
        predicted = [one._costs(features)[0] for one in self._models]
        return np.exp(np.mean(np.log(predicted), axis=0)), np.ones(len(features))
