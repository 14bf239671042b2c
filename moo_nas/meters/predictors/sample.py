"""Whole networks measured on the device, for predictors to be fitted on."""

from typing import Any

import numpy as np
from scipy import stats

from moo_nas.arrays import FloatArray, IntArray, stable_seed
from moo_nas.meters.base import Memory
from moo_nas.meters.device.timer import StopWatch
from moo_nas.spaces import SearchSpace

_DRAWS = 50  # of n genomes each, to find n distinct ones


def measured_networks(
    space: SearchSpace, timer: StopWatch, n: int, memory: Memory, seed: int
) -> tuple[IntArray, FloatArray]:
    """Return ``n`` distinct random genomes ``(n, n_var)`` and their latencies in ms ``(n,)``.

    Measured once and kept in memory.
    """
    n = min(n, space.size)

    def make() -> dict[str, Any]:
        rng = np.random.default_rng(stable_seed("measured networks", seed))
        genomes: dict[tuple[int, ...], None] = {}
        for _ in range(_DRAWS):
            if len(genomes) >= n:
                break
            for genome in space.canonical(space.sample(n, rng)):
                genomes.setdefault(tuple(map(int, genome)))
        # Fewer where many genomes are one network.
        chosen = list(genomes)[:n]
        architectures = [space.decode(np.array(genome)) for genome in chosen]
        measured = timer.measure(architectures, [0] * len(chosen))
        return {
            "genomes": [list(genome) for genome in chosen],
            "latency_ms": measured[:, 0].tolist(),
            "spread_ms": measured[:, 1].tolist(),
        }

    kept = memory.recall(f"measured networks/{timer.key}/{n}/{seed}", make)
    return np.array(kept["genomes"], dtype=np.int64), np.array(kept["latency_ms"])


def error_card(predicted: FloatArray, measured: FloatArray) -> dict[str, float]:
    """Return how well predictions ``(n,)`` of networks not fitted on agree with measurements.

    Spearman's and Kendall's rank correlation, and the median and the 95th percentile of the
    absolute relative error.
    """
    error = np.abs(predicted / measured - 1)
    return {
        "n": len(measured),
        "spearman": float(stats.spearmanr(predicted, measured).statistic),
        "kendall": float(stats.kendalltau(predicted, measured).statistic),
        "median_error": float(np.median(error)),
        "p95_error": float(np.quantile(error, 0.95)),
    }
