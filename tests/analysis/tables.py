"""Tables as a run makes them, without a run."""

from typing import Any

import numpy as np
import pandas as pd

from moo_nas.analysis.indicators import nondominated
from moo_nas.meters import Metric
from moo_nas.spaces import StageSpace

LATENCY = Metric("latency_ms", "ms", "min")
SCORE = Metric("score", "1", "max")
METRICS = {"score": SCORE, "latency_ms": LATENCY}


def evaluations(n: int = 40, n_failed: int = 0, feasible: bool = True) -> pd.DataFrame:
    space = StageSpace.haenas()
    rng = np.random.default_rng(0)
    latency = rng.uniform(5, 50, n)
    frame = pd.DataFrame(
        {
            "score": np.log(latency) + rng.normal(0, 0.5, n),
            "latency_ms": latency,
            "status": "ok",
            "reason": pd.Series([None] * n, dtype="str"),
            "feasible": feasible,
            "architecture": [str(space.decode(genome)) for genome in space.sample(n, rng)],
        },
        index=pd.RangeIndex(n, name="evaluation"),
    )
    frame.loc[: n_failed - 1, ["score", "latency_ms"]] = np.nan
    frame.loc[: n_failed - 1, ["status", "reason", "feasible"]] = [
        "failed",
        "MeterError: out of memory",
        False,
    ]
    return frame


def front(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["feasible"]]
    return rows[nondominated(np.column_stack([-rows["score"], rows["latency_ms"]]))]


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "architecture": rows["architecture"].to_numpy(),
            "predicted_latency_ms": rows["latency_ms"].to_numpy(),
            "latency_ms": rows["latency_ms"].to_numpy() * 1.1,
            "spread_ms": 0.3,
        }
    )


def record(**changes: Any) -> dict[str, Any]:
    pareto = {"formulation": "pareto", "objectives": ["score", "latency_ms"], "limits": {}}
    return {
        "problem": {"name": "haenas", "seed": 0},
        "algorithm": {"class": "moo_nas.algorithms.nsga2.NSGA2", "pop_size": 40},
        "budget": 40,
        "seed": 3,
        "versions": {"moo_nas": "0.1.0"},
        "formulation": pareto,
        "asked_formulation": pareto,
        "machine": {"cpu": "AMD EPYC", "cores": 2},
        "stop_reason": "budget",
        "n_evaluations": 40,
        "n_failed": 0,
        "wall_seconds": 83.2,
        "cpu_seconds": 68.0,
        "setup": {
            "latency residual/b559/0": {
                "left_out": {
                    "n": 20,
                    "spearman": 0.955,
                    "kendall": 0.842,
                    "median_error": 0.081,
                    "p95_error": 0.135,
                },
                "seconds": 0.007,
            },
            "block table/0bbf": {"ms": "218 values", "seconds": 14.968},
        },
        **changes,
    }


def curves(methods: list[str], seeds: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    rows = [
        (method, seed, evaluation + 1, volume)
        for method in methods
        for seed in range(seeds)
        for evaluation, volume in enumerate(np.maximum.accumulate(rng.random(20)))
    ]
    return pd.DataFrame(rows, columns=["method", "seed", "evaluation", "hypervolume"])


def fronts(methods: list[str], seeds: int) -> pd.DataFrame:
    table = front(evaluations())[["score", "latency_ms", "architecture"]]
    return pd.concat(
        [table.assign(method=method, seed=seed) for method in methods for seed in range(seeds)],
        ignore_index=True,
    )
