"""Latency from a table of single blocks measured on this device, corrected on a few whole networks."""

import copy
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

import numpy as np
from scipy.optimize import nnls

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError, MeterError
from moo_nas.meters.analytic import Analytic
from moo_nas.meters.base import BlockMeter, Memory, Metric
from moo_nas.meters.device.timer import CpuLatency
from moo_nas.meters.predictors.sample import error_card, measured_networks
from moo_nas.spaces import Architecture, Block, SearchSpace, StageSpace


class BlockTableLatency(BlockMeter):
    r"""Predicted latency of a network: its blocks' measured latencies and a fitted residual.

    A block alone finds its weights in the cache and costs one call; in a network it often does
    not, and costs what lies between calls too. So with :math:`t_b` the measured latency of block
    :math:`b`, :math:`l_b` its number of layers and :math:`p_b` its parameters in millions,

    .. math:: latency = \sum_b w_1 t_b + w_2 l_b + w_3 p_b, \qquad w \ge 0,

    fitted to a few whole networks by non-negative least squares on relative errors. Every distinct
    block of the space is measured (218 of HaeNAS), so no prediction leaves the table. What the
    prediction is worth, by leaving out each of the whole networks in turn, is kept with it.

    Args:
        timer: How networks and blocks are timed; its settings are those of the prediction.
        n_networks: How many whole networks the residual is fitted on.

    Example:
        >>> BlockTableLatency(CpuLatency(image_size=96), n_networks=20).metrics[0].name
        'latency_ms'
    """

    metrics = (Metric("latency_ms", "ms", "min"),)
    reductions = ("sum",)

    def __init__(self, timer: CpuLatency, n_networks: int = 20) -> None:
        super().__init__(timer.image_size, timer.n_classes)
        if n_networks < 5:
            raise InputError(f"The residual needs at least 5 whole networks; got n_networks={n_networks}.")
        self.timer = timer
        self.n_networks = n_networks
        self._table: dict[Block, float] = {}
        self._weights = np.zeros(3)

    @property
    def settings(self) -> dict[str, Any]:
        return {"timer": self.timer.settings, "n_networks": self.n_networks}

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        if not isinstance(space, StageSpace):
            raise InputError(f"A block table needs a stage space; got a {space.name}.")
        meter = copy.copy(self)
        meter.timer = self.timer.prepare(space, memory, seed)
        kept = memory.recall(f"block table/{self.timer.key}", lambda: meter._measure_blocks(space))
        meter._table = {Block(**row): ms for row, ms in zip(kept["blocks"], kept["ms"], strict=True)}
        genomes, measured = measured_networks(space, meter.timer, self.n_networks, memory, seed)
        features = np.array([meter._features(space, genome) for genome in genomes])
        fit = memory.recall(f"latency residual/{self.key}/{seed}", lambda: _fit(features, measured))
        meter._weights = np.array(fit["weights"])
        return meter

    def block_cost(self, block: Block) -> FloatArray:
        return np.array([self._block_features(block) @ self._weights])

    def summed_blocks(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Return the blocks' measured latencies in ms, summed, ``(n,)``: the prediction without residual."""
        blocks = (a.blocks(self.image_size, self.n_classes) for a in architectures)
        return np.array([sum(self._block_features(b)[0] for b in some) for some in blocks])

    def _measure_blocks(self, space: StageSpace) -> dict[str, Any]:
        from moo_nas.networks import build_block

        blocks = space.blocks(self.image_size, self.n_classes)
        rounds = self.timer.time([build_block(block) for block in blocks], [b.in_size for b in blocks])
        return {"blocks": [asdict(block) for block in blocks], "ms": np.median(rounds, axis=0).tolist()}

    def _block_features(self, block: Block) -> FloatArray:
        if block not in self._table:
            raise MeterError(f"No measured latency of {block}: prepare the meter on the space first.")
        layers = block.layers()
        params = Analytic(self.image_size, self.n_classes).block_cost(block)[0]
        return np.array([self._table[block], len(layers), params / 1e6])

    def _features(self, space: StageSpace, genome: Any) -> FloatArray:
        blocks = space.decode(genome).blocks(self.image_size, self.n_classes)
        summed: FloatArray = np.sum([self._block_features(block) for block in blocks], axis=0)
        return summed


def _fit(features: FloatArray, measured: FloatArray) -> dict[str, Any]:
    relative = features / measured[:, None]
    ones = np.ones(len(measured))
    left_out = np.array(
        [
            features[i] @ nnls(np.delete(relative, i, axis=0), np.delete(ones, i))[0]
            for i in range(len(measured))
        ]
    )
    return {"weights": nnls(relative, ones)[0].tolist(), "left_out": error_card(left_out, measured)}
