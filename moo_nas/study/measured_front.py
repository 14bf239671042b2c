"""The front on the stop-watch: what was predicted, measured."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.arrays import stable_hash
from moo_nas.meters.device import StopWatch
from moo_nas.problem import NASProblem
from moo_nas.study.run import Run

# What it is kept under in the store.
MEASURED = "measured front/"


def measure_front(run: Run, problem: NASProblem, tell: Callable[[str], None]) -> pd.DataFrame | None:
    """Return the front with a predicted metric as predicted and as measured; None if none is checked.

    Args:
        run: Whose front it is.
        problem: Its problem, with the stop-watches and the store.
        tell: Told what is being done.
    """
    checked = [
        metric
        for metric, timer in problem.timers.items()
        if metric in run.formulation.metrics and metric in {m.name for m in timer.metrics}
    ]
    if not checked or run.front.empty:
        return None
    metric = checked[0]
    timer = problem.timers[metric]
    genomes = run.table.genomes[run.front_rows]

    def measure() -> dict[str, Any]:
        tell(f"measuring the front's {len(genomes)} architectures")
        architectures = [run.space.decode(genome) for genome in genomes]
        ready = problem.evaluator.ready(timer)
        seeds = [0] * len(genomes)
        faults = [""] * len(genomes)
        if isinstance(ready, StopWatch):
            faults = [
                "; ".join(timing.faults)
                for timing in ready.timings(architectures, seeds)
                for _ in range(timing.latencies.shape[1])
            ]
        # The same rounds again, from the store.
        return {"rows": ready.measure(architectures, seeds).tolist(), "faults": faults}

    key = f"{MEASURED}{run.name}/{timer.key}/{stable_hash(genomes.tolist())}"
    kept = problem.evaluator.store.recall(key, measure)
    rows = np.array(kept["rows"])
    return pd.DataFrame(
        {
            "architecture": run.front["architecture"].to_numpy(),
            f"predicted_{metric}": run.front[metric].to_numpy(),
            **{m.name: rows[:, i] for i, m in enumerate(timer.metrics)},
            "fault": pd.Series(kept["faults"], dtype="str"),
        }
    )
