"""Which zero-cost proxies can be trusted on a problem's space?"""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from moo_nas.analysis.repeatability import repeatability, seeds_needed, spearman, spearman_interval
from moo_nas.arrays import BoolArray, FloatArray, IntArray, stable_seed
from moo_nas.errors import InputError
from moo_nas.evaluation import Runner
from moo_nas.meters import Aggregate, LookUp, ZeroCost
from moo_nas.problem import NASProblem

# What is told of every row.
_BASELINES = ("params", "flops")
_TIMED = 3  # architectures that each proxy alone is timed on


def judge_proxies(
    problem: NASProblem,
    proxies: Sequence[str] | None = None,
    n: int = 50,
    n_seeds: int = 3,
    n_jobs: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Measure proxies of random architectures under several seeds, and return what they are worth.

    One row a proxy, a score made of them, and the baselines params and FLOPs:

    - ``repeatability`` and its 95 % interval ``low``, ``high``: rank correlation with itself under
      another seed of the weights; ``seeds_for_0.9``: over how many such seeds it must be averaged for
      0.9 (infinite where it does not get there), each a mean over the meter's own ``n_seeds``;
    - ``params``, ``flops``: rank correlation with them, of the mean over seeds;
    - ``<metric>``, ``<metric>_low``, ``<metric>_high``: where the problem has published results, the
      rank correlation with each, positive where the proxy's better is the result's better;
    - ``seconds``: of one architecture by that proxy alone, in this process;
    - ``n``: how many architectures it could measure under every seed.

    Args:
        problem: Whose space, images and networks; it must have a :class:`ZeroCost` meter.
        proxies: Which; by default all that the meter measures.
        n: How many architectures.
        n_seeds: Under how many seeds of the weights.
        n_jobs: How many processes measure; -1 uses every core.
        seed: What draws architectures and weights.
        progress: Called with how many measurements of how many are done.

    Raises:
        InputError: Fewer than 10 architectures or 2 seeds, a problem without proxies, or an unknown
            proxy.
    """
    if n < 10 or n_seeds < 2:
        raise InputError(f"Repeatability needs n >= 10 architectures and 2 seeds; got {n} and {n_seeds}.")
    evaluator = problem.evaluator
    meter = next((s for s in evaluator.sources if isinstance(s, ZeroCost)), None)
    if meter is None:
        raise InputError(f"Problem '{problem.name}' has no zero-cost proxies.")
    for name in proxies or ():
        if name not in {metric.name for metric in meter.metrics}:
            raise InputError(
                f"Problem '{problem.name}' measures no proxy '{name}'; it measures "
                f"{', '.join(metric.name for metric in meter.metrics)}."
            )
    if proxies is not None:
        meter = meter.only(proxies)
    genomes = evaluator.draw(n, stable_seed("judged proxies", seed))
    values = _measure(meter, problem, genomes, n_seeds, n_jobs, seed, progress)
    known = evaluator.evaluate(genomes, ()).columns()
    results = {
        metric.name: evaluator.evaluate(genomes, (), (metric.name,)).columns()[metric.name]
        * (1 if metric.goal == "max" else -1)
        for source in evaluator.sources
        if isinstance(source, LookUp)
        for metric in source.metrics
        if metric.goal is not None
    }
    goals = {metric.name: 1 if metric.goal == "max" else -1 for metric in meter.metrics}
    seconds = _seconds(meter, problem, genomes)
    for source in evaluator.sources:
        if isinstance(source, Aggregate) and all(i in values or i in known for i in source.inputs):
            values[source.metric.name] = _aggregated(source, values, known)
            goals[source.metric.name] = 1
    rows = []
    for name, by_seed in values.items():
        whole = ~np.isnan(by_seed.sum(axis=0))
        oriented = goals[name] * by_seed[:, whole]
        repeats = repeatability(oriented, seed) if whole.sum() > 2 else (np.nan,) * 3
        row = dict(zip(("proxy", "repeatability", "low", "high"), (name, *repeats), strict=True))
        row["seeds_for_0.9"] = seeds_needed(repeats[0])
        rows.append(row | _correlations(oriented.mean(axis=0), whole, known, results, seed))
        rows[-1] |= {"seconds": seconds.get(name, math.nan), "n": int(whole.sum())}
    for name in _BASELINES:
        row = {"proxy": name, "repeatability": 1.0, "low": 1.0, "high": 1.0, "seeds_for_0.9": 1}
        everything = np.ones(len(genomes), dtype=bool)
        rows.append(row | _correlations(known[name], everything, known, results, seed))
        rows[-1] |= {"seconds": 0.0, "n": len(genomes)}
    return pd.DataFrame(rows)


def _measure(
    meter: ZeroCost,
    problem: NASProblem,
    genomes: IntArray,
    n_seeds: int,
    n_jobs: int,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> dict[str, FloatArray]:
    """Return each proxy's values ``(n_seeds, n)``, NaN where it failed."""
    architectures = [problem.space.decode(genome) for genome in genomes]
    found = np.full((n_seeds * len(genomes), len(meter.metrics)), np.nan)
    seeds = [stable_seed(seed, k, str(a)) for k in range(n_seeds) for a in architectures]
    done = 0
    for outcomes in Runner(n_jobs).run(meter, architectures * n_seeds, seeds):
        for outcome in outcomes:
            if outcome.values is not None:
                found[outcome.index] = outcome.values
        done += len(outcomes)
        if progress is not None:
            progress(done, len(found))
    by_seed = found.reshape(n_seeds, len(genomes), -1)
    return {metric.name: by_seed[:, :, i] for i, metric in enumerate(meter.metrics)}


def _aggregated(
    aggregate: Aggregate, values: dict[str, FloatArray], known: Mapping[str, FloatArray]
) -> FloatArray:
    """Return an aggregate ``(n_seeds, n)``, fitted to the architectures at hand under the first seed."""
    n_seeds = len(next(iter(values.values())))
    columns = {i: values[i] if i in values else np.tile(known[i], (n_seeds, 1)) for i in aggregate.inputs}
    whole = np.isfinite([column[0] for column in columns.values()]).all(axis=0)
    fit = aggregate.fit({i: column[0][whole] for i, column in columns.items()})
    return np.array(
        [aggregate.combine({i: column[k] for i, column in columns.items()}, fit) for k in range(n_seeds)]
    )


def _correlations(
    values: FloatArray,
    whole: BoolArray,
    known: Mapping[str, FloatArray],
    results: dict[str, FloatArray],
    seed: int,
) -> dict[str, float]:
    """Return rank correlations of values of the whole rows with what is known of them."""
    row = {name: spearman(values, known[name][whole]) for name in _BASELINES}
    for name, result in results.items():
        there = np.isfinite(result[whole])
        found = spearman_interval(values[there], result[whole][there], seed)
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
    return row


def _seconds(meter: ZeroCost, problem: NASProblem, genomes: IntArray) -> dict[str, float]:
    """Return the median seconds of one architecture by each proxy alone."""
    seconds = {}
    for metric in meter.metrics:
        alone, taken = meter.only([metric.name]), []
        for genome in genomes[:_TIMED]:
            start = time.perf_counter()
            next(iter(Runner().run(alone, [problem.space.decode(genome)], [0])))
            taken.append(time.perf_counter() - start)
        seconds[metric.name] = float(np.median(taken))
    return seconds
