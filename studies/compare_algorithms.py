"""Which algorithm finds the better front, at every budget?

Every algorithm of moo_nas, and what others use: Optuna's multivariate TPE and NSGA-II, pymoo's NSGA-II
with its documented integer setting (populations of 20, as there, and of 100, its default), a textbook
regularised evolution with random weights, random search. Twelve problems on published tables, ten of
them also without the cells in which no path leads from the input to the output, and `additive`: 1.49e11
networks whose exact front is computed. With fewer seeds and methods: the same results as a user's own
tables (columns without structure), and devices that no setting was chosen on.

A search asks for the metrics that it is judged by (test error and costs). Regret is 1 - HV / HV of the
exact front, costs on a logarithmic scale, the exact front scaled to [0, 1], reference point 1.1, floor
1e-4; budgets are prefixes of one run; networks that a peer asks for again are not counted, and what a
table lacks is answered for by the nearest new one it has.

Run:     python studies/compare_algorithms.py [--smoke] [--jobs N]   (pip install -e .[test])
Takes:   about 6 hours on two cores, 30 s with --smoke. Stopped, it goes on where it was; delete
         runs/compare_algorithms/ to begin anew.
Writes:  studies/results/compare_algorithms.csv (a row a run and budget), compare_algorithms_ranks.csv
         (geometric means, ranks, tests, effect sizes) and compare_algorithms.png; with --smoke under
         runs/smoke/results/.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from cases import ACCEL, ADDITIVE, ALL, HELD_OUT, LIVE, PLAIN, cases, curve
from common import Options, arguments
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from peers import PEERS
from threadpoolctl import threadpool_limits

from moo_nas import registry, search
from moo_nas.algorithms.surrogate import SurrogateSearch
from moo_nas.analysis.statistics import a12, friedman, wilcoxon_holm
from moo_nas.arrays import FloatArray

BUDGETS = [25, 50, 100, 200, 400, 800]
LONG = [*BUDGETS, 1600, 5000, 20_000]  # of additive, for those that are quick
SEEDS = 20
FEW_SEEDS = 5  # for all that takes long, and for KIN
FEWER, FEWER_SEEDS = (PLAIN, HELD_OUT), 10  # to 200 evaluations
SLOW = ("surrogate", "surrogate, no free metrics", "TPE (Optuna)")
ADDITIVE_BUDGETS = {
    **{method: [25, 50, 100, 200, 400, 500] for method in SLOW},
    # What these take for a step grows with all before.
    "NSGA-II (Optuna)": BUDGETS,
    "local search": BUDGETS,
}

OURS: dict[str, Callable[[], Any]] = {
    "surrogate": SurrogateSearch,
    "surrogate, no free metrics": lambda: SurrogateSearch(free_metrics=False),
    "NSGA-II": lambda: registry.load("algorithm", "nsga2")(),
    "aging evolution": lambda: registry.load("algorithm", "aging")(),
    "NSGA-III": lambda: registry.load("algorithm", "nsga3")(),
    "SMS-EMOA": lambda: registry.load("algorithm", "smsemoa")(),
    "MOEA/D": lambda: registry.load("algorithm", "moead")(),
    "C-TAEA": lambda: registry.load("algorithm", "ctaea")(),
    "RVEA": lambda: registry.load("algorithm", "rvea")(),
    "local search": lambda: registry.load("algorithm", "local-search")(),
    "random": lambda: registry.load("algorithm", "random")(),
}
# Means over all tables, with and without the cells that no path leads through.
TOGETHER = {"twelve tables": (ALL, ACCEL), "twelve tables, live cells": (LIVE, ACCEL)}
KIN = ("NSGA-III", "SMS-EMOA", "MOEA/D", "C-TAEA", "RVEA", "local search")
DRAWN = {
    "surrogate": ("#D55E00", "-"),
    "NSGA-II": ("#0072B2", "-"),
    "aging evolution": ("#009E73", "-"),
    "TPE (Optuna)": ("#D55E00", "--"),
    "NSGA-II (Optuna)": ("#56B4E9", "--"),
    "NSGA-II (pymoo, 20)": ("#0072B2", "--"),
    "regularised evolution": ("#009E73", "--"),
    "random": ("#999999", ":"),
}


RUN = ["group", "problem", "method", "seed", "run_budget"]  # what tells runs apart, as in Task.key


@dataclass(frozen=True)
class Task:
    """One run."""

    group: str
    problem: str
    method: str
    seed: int
    budgets: tuple[int, ...]

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        """What tells it from other runs."""
        return self.group, self.problem, self.method, self.seed, self.budgets[-1]

    def run(self) -> list[dict[str, Any]]:
        """Return a row a budget: the regret, and the seconds of the whole run."""
        case, budget = cases()[self.group, self.problem], self.budgets[-1]
        _ = case.regret  # the exact front is no part of a search's time
        with threadpool_limits(1):
            start = time.perf_counter()
            if self.method in OURS:
                run = search(case.problem, algorithm=OURS[self.method](), budget=budget, seed=self.seed)
                found = list(run.objectives)
            else:
                found = self._ask(budget)
            seconds = time.perf_counter() - start
        regrets = curve(case, found, list(self.budgets))
        where = {"group": self.group, "problem": self.problem, "method": self.method, "seed": self.seed}
        return [
            {
                **where,
                "run_budget": budget,
                "budget": b,
                "regret": r,
                "evaluated": len(found),
                "seconds": seconds,
            }
            for b, r in zip(self.budgets, regrets.tolist(), strict=True)
        ]

    def _ask(self, budget: int) -> list[FloatArray]:
        """Return the objectives of the distinct networks that a peer asks for, in order."""
        case = cases()[self.group, self.problem]
        asking = PEERS[self.method](case.problem.space, len(case.objectives), self.seed)
        found: dict[bytes, FloatArray] = {}
        genome = next(asking)
        for _ in range(5 * budget):
            network, objectives = case.answer(genome, found)
            found.setdefault(network, objectives)
            if len(found) == budget:
                break
            try:
                genome = asking.send(objectives)
            except StopIteration:
                break
        return list(found.values())


def tasks(smoke: bool) -> list[Task]:
    """Return every run: what is quick, then what is slow to 200 evaluations, then the few that go further."""
    if smoke:
        some = [(ALL, "cifar10, raspi4 latency"), (ADDITIVE, "error, latency, params")]
        every = itertools.product(some, (*OURS, *PEERS), range(2))
        return [Task(*where, method, seed, (12, 20)) for where, method, seed in every]
    found = []
    for seed, (group, problem), method in itertools.product(range(SEEDS), cases(), (*OURS, *PEERS)):
        few, budgets = seed < FEW_SEEDS, BUDGETS
        if group in FEWER:
            budgets = BUDGETS[:4] if seed < FEWER_SEEDS and method in DRAWN else []
        elif not few and (group == ADDITIVE or method in KIN):
            budgets = []
        elif group == ADDITIVE:
            budgets = ADDITIVE_BUDGETS.get(method, LONG)
        elif method == "surrogate, no free metrics" or (method in SLOW and not few):
            budgets = BUDGETS[:4]
        if budgets:
            found.append(Task(group, problem, method, seed, tuple(budgets)))
    return sorted(
        found, key=lambda task: (task.method in SLOW, task.budgets[-1] if task.method in SLOW else 0)
    )


def everything(options: Options) -> pd.DataFrame:
    """Return the rows of all runs, each kept as it is done."""
    kept = options.folder("compare_algorithms") / "runs.csv"
    kept.parent.mkdir(parents=True, exist_ok=True)
    done: set[tuple[Any, ...]] = set()
    if kept.exists():
        done = set(pd.read_csv(kept)[RUN].itertuples(index=False, name=None))
    missing = [task for task in tasks(options.smoke) if task.key not in done]
    parallel = joblib.Parallel(n_jobs=options.jobs, return_as="generator_unordered")
    for number, rows in enumerate(parallel(joblib.delayed(Task.run)(task) for task in missing), start=1):
        pd.DataFrame(rows).to_csv(kept, mode="a", header=not kept.exists(), index=False, float_format="%.6g")
        print(f"\r{number} of {len(missing)} runs", end="", flush=True)
    print()
    # Runs of other budgets may be there from before.
    wanted = pd.DataFrame([task.key for task in tasks(options.smoke)], columns=RUN)
    return pd.read_csv(kept).drop_duplicates([*RUN, "budget"]).merge(wanted)


def means(table: pd.DataFrame, group: str, budget: int) -> pd.DataFrame:
    """Return geometric means over seeds: a row a problem, a column a method."""
    part = table[(table["group"] == group) & (table["budget"] == budget)]
    logs = part.assign(log=np.log(part["regret"])).pivot_table(
        index="problem", columns="method", values="log"
    )
    return np.exp(logs).dropna(axis=1)


def ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a group, budget and method.

    ``regret`` is the geometric mean over problems and seeds; ``to_best_peer`` its ratio to that of the
    best peer, and ``worst_to_best_peer`` the largest such ratio on a single problem; ``rank`` the mean
    rank over problems; ``friedman_p``; ``p_against_surrogate`` after Wilcoxon and Holm over problems;
    ``a12_against_surrogate`` the mean over problems of how probable it is that a run has more regret than
    a run of the surrogate search.
    """
    rows = []
    together = [table[table["group"].isin(parts)].assign(group=name) for name, parts in TOGETHER.items()]
    table = pd.concat([table, *together])
    for group, budget in table[["group", "budget"]].drop_duplicates().sort_values(["group", "budget"]).values:
        by_problem = means(table, group, budget)
        peers = [method for method in PEERS if method in by_problem]
        overall = np.exp(np.log(by_problem).mean())
        part = table[(table["group"] == group) & (table["budget"] == budget)]
        tested = min(by_problem.shape) > 2
        test = friedman(by_problem.to_numpy()) if tested else None
        control = by_problem.columns.get_loc("surrogate") if "surrogate" in by_problem else None
        p = wilcoxon_holm(by_problem.to_numpy(), control) if tested and control is not None else None
        for place, method in enumerate(by_problem):
            rows.append(
                {
                    "group": group,
                    "budget": budget,
                    "method": method,
                    "regret": overall[method],
                    "to_best_peer": overall[method] / overall[peers].min() if peers else np.nan,
                    "worst_to_best_peer": (
                        (by_problem[method] / by_problem[peers].min(axis=1)).max() if peers else np.nan
                    ),
                    "rank": test.ranks[place] if test else np.nan,
                    "friedman_p": test.p if test else np.nan,
                    "p_against_surrogate": np.nan if p is None else p[place],
                    "a12_against_surrogate": np.nan if control is None else _a12(part, method),
                    "n_problems": len(by_problem),
                    "n_seeds": int(part[part["method"] == method]["seed"].nunique()),
                }
            )
    return pd.DataFrame(rows)


def aging_over_nsga2(table: pd.DataFrame) -> pd.DataFrame:
    """Return the ratio of regrets, a geometric mean over problems and seeds, and its 95 % interval."""
    rng, rows = np.random.default_rng(0), []
    for name, parts in TOGETHER.items():
        there = table[table["group"].isin(parts) & table["method"].isin(["aging evolution", "NSGA-II"])]
        for budget, part in there.groupby("budget"):
            logs = part.assign(log=np.log(part["regret"])).pivot_table(
                index="seed", columns="method", values="log"
            )
            apart = (logs["aging evolution"] - logs["NSGA-II"]).to_numpy()
            drawn = np.exp(rng.choice(apart, (2000, len(apart))).mean(axis=1))
            rows.append((name, budget, np.exp(apart.mean()), *np.quantile(drawn, (0.025, 0.975))))
    return pd.DataFrame(rows, columns=["group", "budget", "ratio", "low", "high"])


def _a12(part: pd.DataFrame, method: str) -> float:
    sizes = [
        a12(runs[runs["method"] == method]["regret"], runs[runs["method"] == "surrogate"]["regret"])
        for _, runs in part.groupby("problem")
    ]
    return float(np.mean(sizes))


def draw(axes: Axes, table: pd.DataFrame, methods: Sequence[str], title: str) -> None:
    """Draw regret over evaluations: geometric means over problems and seeds, and 95 % bands over seeds."""
    rng = np.random.default_rng(0)
    for method in methods:
        part = table[table["method"] == method]
        logs = part.assign(log=np.log(part["regret"])).pivot_table(
            index="seed", columns="budget", values="log", aggfunc="mean"
        )
        colour, style = DRAWN[method]
        middle = np.exp(logs.mean())
        axes.plot(middle.index, middle, style, color=colour, label=method, linewidth=1.8)
        bands = []
        for budget in logs:
            there = logs[budget].dropna().to_numpy()
            drawn = np.exp(rng.choice(there, (500, len(there))).mean(axis=1))
            bands.append(np.quantile(drawn, (0.025, 0.975)))
        low, high = np.transpose(bands)
        axes.fill_between(
            logs.columns.to_numpy(dtype=float), low, high, color=colour, alpha=0.15, linewidth=0
        )
    axes.set(xscale="log", yscale="log", xlabel="evaluated architectures", title=title)
    ticks = sorted(table["budget"].unique())[:: 1 if table["budget"].nunique() < 8 else 2]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(color="#e6e9ed")


def picture(table: pd.DataFrame) -> Figure:
    """Return the figure: a panel a group."""
    groups = [
        group for group in (ALL, LIVE, ACCEL, ADDITIVE, PLAIN, HELD_OUT) if (table["group"] == group).any()
    ]
    figure = Figure(
        figsize=(5.2 * min(2, len(groups)), 3.9 * -(-len(groups) // 2) + 0.6), layout="constrained"
    )
    panels = figure.subplots(-(-len(groups) // 2), min(2, len(groups)), squeeze=False).ravel()
    for axes, group in zip(panels, groups, strict=False):
        part = table[table["group"] == group]
        n = part["problem"].nunique()
        there = [method for method in DRAWN if (part["method"] == method).any()]
        draw(axes, part, there, group if n == 1 else f"{group}: {n} problems")
        axes.set_ylabel("regret")
    for axes in panels[len(groups) :]:
        axes.remove()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    table = everything(options).sort_values(["group", "problem", "method", "seed", "run_budget", "budget"])
    results: Path = options.results
    table.to_csv(results / "compare_algorithms.csv", index=False, float_format="%.4g")
    summary = ranks(table)
    summary.to_csv(results / "compare_algorithms_ranks.csv", index=False, float_format="%.4g")
    picture(table).savefig(results / "compare_algorithms.png", dpi=150)
    for value in ("to_best_peer", "worst_to_best_peer"):
        print(f"\n{value}")
        ratios = summary.pivot_table(index=["group", "method"], columns="budget", values=value)
        print(ratios.round(2).to_string(na_rep=""))
    print("\naging evolution over NSGA-II")
    print(aging_over_nsga2(table).round(2).to_string(index=False))
    print(f"Results: {results / 'compare_algorithms.csv'}")


if __name__ == "__main__":
    main()
