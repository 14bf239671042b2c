"""What do the algorithms themselves take, beside what they evaluate?

Each figure is measured in this one run, ratios side by side:

1.  Seconds and memory of the exact front of `additive`, 1.49e11 networks: of three objectives, asked less
    than 5 s, and of four, less than 20 s and 4 GB (the most this process ever held, libraries included).
2.  NSGA-II's own seconds per evaluation at population 100, the problem answering at once, against
    pymoo's NSGA-II (its defaults) on the same problem, 2,000 evaluations. Asked: at most 0.6.
3.  The same over 10,000 evaluations, Optuna's NSGA-II over ours. Asked: at least 20.
4.  The surrogate search's milliseconds for an evaluation, the mean over runs of 200 on tables, one thread.
    Asked: at most 20.

Run:     python studies/search_speed.py [--smoke]   (pip install -e .[test]; reads MOO_NAS_DATA)
Takes:   2 minutes, 20 s with --smoke.
Writes:  studies/results/search_speed.csv (runs/smoke/results/search_speed.csv with --smoke).
"""

import resource
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pandas as pd
from cases import ACCEL, ADDITIVE, ALL, cases
from common import arguments, clock
from pymoo.algorithms.moo import nsga2
from pymoo.core.problem import Problem
from threadpoolctl import threadpool_limits

from moo_nas import Pareto, search
from moo_nas.algorithms import NSGA2
from moo_nas.algorithms.exact import exact_front
from moo_nas.spaces import StageSpace
from problems.additive import Additive

SPACE = StageSpace.haenas()
FRONTS = (("error", "latency_ms", "params"), ("error", "latency_ms", "params", "macs"))
MODELLED = (
    (ALL, "cifar10, raspi4 latency"),
    (ALL, "cifar10, edgegpu latency, energy"),
    (ALL, "cifar10, raspi4 latency, edgegpu energy, params"),
    (ACCEL, "zcu102 latency"),
    (ADDITIVE, "error, latency, params"),
)
Row = tuple[str, float, str]


def exact() -> list[Row]:
    """Return the seconds of exact fronts, and the gigabytes of the last."""
    rows = []
    for names, asked in zip(FRONTS, ("< 5", "< 20"), strict=True):
        problem = Additive(Pareto(*names))
        problem.fitted()  # the reference sample is no part of the front
        seconds, front = clock(lambda p=problem: exact_front(p))
        rows.append((f"exact front of {len(names)} objectives, {len(front):,} points: s", seconds, asked))
    unit = 1 if sys.platform == "darwin" else 1024
    held = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9
    return [*rows, ("most memory held: GB", held, "< 4")]


class Instant(Problem):
    """A problem that answers at once: two conflicting sums over the genes."""

    def __init__(self) -> None:
        super().__init__(
            n_var=SPACE.n_var, n_obj=2, xl=np.zeros(SPACE.n_var), xu=SPACE.n_choices - 1.0, vtype=int
        )
        self.space = SPACE
        self._weights = np.random.default_rng(0).normal(size=(SPACE.n_var, 2))

    def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        out["F"] = np.rint(x) @ self._weights


def optimiser_seconds(make: Callable[[], Any], n_evaluations: int) -> float:
    """Return an algorithm's own seconds per evaluation."""
    algorithm = make()
    algorithm.setup(Instant(), termination=("n_eval", n_evaluations), seed=0, verbose=False)
    seconds, _ = clock(algorithm.run)
    return seconds / algorithm.evaluator.n_eval


def optuna_seconds(n_evaluations: int) -> float:
    """Return the seconds per evaluation of Optuna's NSGA-II on the same problem."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(population_size=100, seed=0)
    study = optuna.create_study(directions=["minimize"] * 2, sampler=sampler)
    problem = Instant()
    n_choices = dict(zip((gene.name for gene in SPACE.genes), SPACE.n_choices.tolist(), strict=True))

    def run() -> None:
        for _ in range(n_evaluations):
            trial = study.ask()
            genome = [trial.suggest_int(name, 0, n - 1) for name, n in n_choices.items()]
            study.tell(trial, problem.evaluate(np.array(genome)).tolist())

    seconds, _ = clock(run)
    return seconds / n_evaluations


def evolution(smoke: bool) -> list[Row]:
    """Return what NSGA-II takes beside pymoo's and Optuna's."""
    pairs = [
        [optimiser_seconds(lambda c=cls: c(pop_size=100), 2_000) for cls in (NSGA2, nsga2.NSGA2)]
        for _ in range(3 if smoke else 15)
    ]
    ours, theirs = np.median(pairs, axis=0)
    n = 500 if smoke else 10_000
    many, optunas = optimiser_seconds(lambda: NSGA2(pop_size=100), n), optuna_seconds(n)
    print(f"2,000 evaluations: {1e6 * ours:.0f} against {1e6 * theirs:.0f} microseconds each of pymoo's")
    print(f"{n:,} evaluations: {1e6 * many:.0f} against {1e6 * optunas:.0f} microseconds each of Optuna's")
    return [
        ("NSGA-II at population 100, s per evaluation: ours / pymoo's", ours / theirs, "<= 0.6"),
        (f"the same over {n:,} evaluations: Optuna's / ours", optunas / many, ">= 20"),
    ]


def surrogate(smoke: bool) -> list[Row]:
    """Return the surrogate search's milliseconds for an evaluation, medians of three runs."""
    budget, rows = 20 if smoke else 200, []
    for group, name in MODELLED:
        problem = cases()[group, name].problem
        runs = []
        for seed in range(1 if smoke else 3):
            with threadpool_limits(1):
                seconds, _ = clock(
                    lambda p=problem, s=seed: search(p, algorithm="surrogate", budget=budget, seed=s)
                )
            runs.append(1e3 * seconds / budget)
        objectives = problem.n_obj
        rows.append((f"surrogate, {group} ({objectives} objectives): ms", float(np.median(runs)), "<= 20"))
    return rows


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    # First, as the most memory held so far is theirs.
    rows = [*exact(), *evolution(options.smoke), *surrogate(options.smoke)]
    table = pd.DataFrame(rows, columns=["figure", "measured", "asked"])
    print(table.to_string(index=False, float_format="%.3f"))
    target = options.results / "search_speed.csv"
    table.to_csv(target, index=False, float_format="%.4g")
    print(f"Results: {target}")


if __name__ == "__main__":
    main()
