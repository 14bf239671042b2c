"""HaeNAS's latency predictor: a multi-layer perceptron on measured networks."""

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError, MeterError
from moo_nas.meters.base import Memory, Meter, Metric
from moo_nas.meters.device.timer import StopWatch
from moo_nas.meters.predictors.perceptron import fit_layers, forward, one_hot
from moo_nas.meters.predictors.sample import error_card, measured_networks
from moo_nas.spaces import Architecture, SearchSpace

_HELD_OUT = 0.2


class MlpLatency(Meter):
    """Predicted latency of a network by the paper's perceptron, on one-hot genomes.

    Two hidden layers of 64 on standardised log latencies, fitted to random networks measured on
    this device (1,000 in the paper). A fifth of them is held out of a first fit for the error
    card; the fit in use has seen all.

    Args:
        timer: How networks are timed; its settings are those of the prediction.
        n_networks: How many networks are measured.

    References:
        HaeNAS, section 3.1.
    """

    metrics = (Metric("latency_ms", "ms", "min"),)
    instant = True

    def __init__(self, timer: StopWatch, n_networks: int = 1000) -> None:
        if n_networks < 20:
            raise InputError(f"A perceptron needs at least 20 networks; got n_networks={n_networks}.")
        self.timer = timer
        self.uses_gpu = timer.uses_gpu
        self.n_networks = n_networks
        self._space: SearchSpace | None = None
        self._layers: list[tuple[FloatArray, FloatArray]] = []
        self._scale = (0.0, 1.0)

    @property
    def settings(self) -> dict[str, Any]:
        return {"timer": self.timer.settings, "n_networks": self.n_networks}

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        meter = copy.copy(self)
        genomes, measured = measured_networks(
            space, self.timer.prepare(space, memory, seed), self.n_networks, memory, seed
        )
        fit = memory.recall(
            f"perceptron/{self.key}/{seed}", lambda: _fit(one_hot(genomes, space.n_choices), measured, seed)
        )
        meter._space = space
        meter._layers = [
            (np.array(w), np.array(b)) for w, b in zip(fit["weights"], fit["biases"], strict=True)
        ]
        meter._scale = (fit["mean"], fit["std"])
        return meter

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        if self._space is None:
            raise MeterError("The perceptron is not fitted: prepare the meter on a space first.")
        if not architectures:
            return np.empty((0, 1))
        genomes = np.array([self._space.encode(a) for a in architectures])
        mean, std = self._scale
        # Row by row: the product of a whole matrix may round a row differently with its company.
        rows = [forward(self._layers, row) for row in one_hot(genomes, self._space.n_choices)]
        return np.exp(mean + std * np.array(rows))


def _fit(features: FloatArray, measured: FloatArray, seed: int) -> dict[str, Any]:
    target = np.log(measured)
    mean, std = float(target.mean()), float(target.std()) or 1.0

    def fitted(rows: IntArray) -> list[tuple[FloatArray, FloatArray]]:
        with threadpool_limits(1):
            return fit_layers(features[rows], (target[rows] - mean) / std, seed)

    held = round(_HELD_OUT * len(target))
    first, rest = np.arange(held), np.arange(held, len(target))
    predicted = np.exp(mean + std * forward(fitted(rest), features[first])[:, 0])
    layers = fitted(np.arange(len(target)))
    return {
        "weights": [weights.tolist() for weights, _ in layers],
        "biases": [biases.tolist() for _, biases in layers],
        "mean": mean,
        "std": std,
        "held_out": error_card(predicted, measured[first]),
    }
