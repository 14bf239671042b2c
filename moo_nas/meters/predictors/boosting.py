"""Costs as a sum of small trees: gradient boosting."""

from typing import ClassVar

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.meters.predictors.regressor import Groups
from moo_nas.meters.predictors.standardised import Standardised


class GradientBoosting(Standardised):
    """Gradient boosting of regression trees.

    Needs no law of how costs add up, and more samples than those who know one.

    Args:
        scale: What is boosted: the cost (``linear``) or its logarithm (``log``).

    Example:
        >>> features = np.random.default_rng(0).uniform(size=(200, 2))
        >>> costs = np.where(features[:, 0] > 0.5, 8.0, 2.0)
        >>> model = GradientBoosting().fit(features, costs)
        >>> model.predict(np.array([[0.2, 0.5], [0.9, 0.5]]))[0].round(1).tolist()
        [2.0, 8.0]

    References:
        J. Friedman. Greedy Function Approximation: A Gradient Boosting Machine. Annals of
        Statistics 29(5), 2001.
    """

    name: ClassVar[str] = "gradient boosting"

    def _fit(self, features: FloatArray, targets: FloatArray, groups: Groups) -> None:
        from sklearn.ensemble import GradientBoostingRegressor

        self._model = GradientBoostingRegressor(
            n_estimators=150,
            learning_rate=0.1,
            max_depth=3,
            subsample=0.7,
            max_features=0.3,
            random_state=0,
        ).fit(features, targets)

    def _predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self._model.predict(features) if len(features) else np.empty(0), np.ones(len(features))
