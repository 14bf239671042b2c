"""HaeNAS's perceptron: one-hot choices in, log cost out."""

import warnings
from typing import Any, ClassVar

import numpy as np

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.meters.predictors.regressor import Groups
from moo_nas.meters.predictors.standardised import Standardised

_HIDDEN = (64, 64)


class Perceptron(Standardised):
    """The paper's perceptron, for one-hot genomes (:func:`one_hot`): two hidden layers of 64.

    Fitted to standardised log costs. It is told neither what choices cost nor which are alike, and
    needs some thousand samples for what others learn from a hundred.

    Args:
        seed: Of its first weights.

    Example:
        >>> genomes = np.random.default_rng(0).integers(0, 3, (300, 4))
        >>> features = one_hot(genomes, np.array([3, 3, 3, 3]))
        >>> costs = 2.0 + genomes.sum(axis=1)
        >>> predicted, _ = Perceptron().fit(features, costs).predict(features[:50])
        >>> bool(np.median(np.abs(predicted / costs[:50] - 1)) < 0.05)
        True

    References:
        Y. Ren, C. Chen, Z. Qi. HaeNAS: Hardware-Aware Efficient Neural Architecture Search via
        Zero-Cost Proxy, section 3.1.
    """

    name: ClassVar[str] = "perceptron"
    raw: ClassVar[bool] = True

    def __init__(self, seed: int = 0) -> None:
        super().__init__("log")
        self.seed = seed

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, "seed": self.seed}

    def _fit(self, features: FloatArray, targets: FloatArray, groups: Groups) -> None:
        self.layers = fit_layers(features, targets, self.seed)

    def _predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        return forward(self.layers, features)[:, 0], np.ones(len(features))


def one_hot(genomes: IntArray, n_choices: IntArray) -> FloatArray:
    """Return genomes ``(n, n_var)`` as a column a choice, ``(n, n_choices.sum())``.

    Example:
        >>> one_hot(np.array([[1, 0]]), np.array([2, 3])).tolist()
        [[0.0, 1.0, 1.0, 0.0, 0.0]]
    """
    starts = np.cumsum(np.append(0, n_choices[:-1]))
    features = np.zeros((len(genomes), int(n_choices.sum())))
    np.put_along_axis(features, genomes + starts, 1.0, axis=1)
    return features


def fit_layers(features: FloatArray, targets: FloatArray, seed: int) -> list[tuple[FloatArray, FloatArray]]:
    """Return weights and biases of every layer, fitted to standardised targets ``(n,)``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    model = MLPRegressor(
        hidden_layer_sizes=_HIDDEN, solver="lbfgs", alpha=1e-2, max_iter=1000, random_state=seed % 2**32
    )
    with warnings.catch_warnings():
        # That it goes on to fit what it has fitted already is no news to the user.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, targets)
    return list(zip(model.coefs_, model.intercepts_, strict=True))


def forward(layers: list[tuple[FloatArray, FloatArray]], features: FloatArray) -> FloatArray:
    """Return what layers make of features ``(n, k)``, or of one row ``(k,)``."""
    for weights, biases in layers[:-1]:
        features = np.maximum(features @ weights + biases, 0)
    weights, biases = layers[-1]
    result: FloatArray = features @ weights + biases
    return result
