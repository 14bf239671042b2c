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


def error_card(
    predicted: FloatArray,
    measured: FloatArray,
    low: FloatArray | None = None,
    high: FloatArray | None = None,
) -> dict[str, float]:
    """Return how well predictions ``(n,)`` of networks not fitted on agree with measurements.

    =================== =========================================================================
    ``n``               how many networks
    ``spearman``        Spearman's rank correlation; NaN where all of one side are the same
    ``kendall``         Kendall's, tau-b
    ``mape``            mean absolute relative error; of costs near zero it tells nothing
    ``median_error``    the median of the same errors
    ``p95_error``       their 95th percentile
    ``worst_5_error``   the mean of the worst 5 % of them, of one at least
    ``coverage_90``     which share of measurements lay within 90 % intervals, if those are given
    =================== =========================================================================

    Args:
        predicted: Predicted costs.
        measured: Measured costs, positive.
        low: Lower bounds of 90 % intervals.
        high: Upper bounds.

    Example:
        >>> card = error_card(np.array([1.1, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
        >>> card["spearman"], card["median_error"].__round__(2), card["worst_5_error"]
        (1.0, 0.1, 0.25)
    """
    error = np.abs(predicted / measured - 1)
    ranked = np.ptp(predicted) > 0 and np.ptp(measured) > 0
    card = {
        "n": len(measured),
        "spearman": float(stats.spearmanr(predicted, measured).statistic) if ranked else float("nan"),
        "kendall": float(stats.kendalltau(predicted, measured).statistic) if ranked else float("nan"),
        "mape": float(np.mean(error)),
        "median_error": float(np.median(error)),
        "p95_error": float(np.quantile(error, 0.95)),
        "worst_5_error": float(np.mean(np.sort(error)[-max(1, round(0.05 * len(error))) :])),
    }
    if low is not None and high is not None:
        card["coverage_90"] = float(np.mean((low <= measured) & (measured <= high)))
    return card
