"""Which trade-offs does each formulation find on one budget, and which can it not?

Eight formulations on the same problem, algorithm (NSGA-II), budget and seeds, each judged by all it
evaluated, in error (or score) and costs: accuracy alone, two-stage, limits, the weighted product soft and
hard, weighted sums and Tchebycheff distances of five weight vectors on one budget, the Pareto front.
Problems: NAS-Bench-201 (CIFAR-10) on a Raspberry Pi 4, and on Jetson TX2 and Eyeriss with latency and energy;
Accel-NASBench on ZCU102; HaeNAS on this CPU. Where a table knows all, what is found is held against the
exact front.

Run:     python studies/compare_formulations.py [--smoke] [--jobs N] [--only raspi4]
         (all but haenas read MOO_NAS_DATA)
Takes:   about a minute for each table on two cores, 15 for haenas; 10 s with --smoke. Stopped, it goes on.
Writes:  studies/results/compare_formulations.csv (a row a problem, method, seed and budget),
         compare_formulations_limits.csv (the best within limits), compare_formulations_ranks.csv (medians,
         ranks, tests, effect sizes), compare_formulations_reach.csv (points of the front) and
         compare_formulations.png; runs/compare_formulations/<problem>/ (every run, and report.html); with
         --smoke all of it under runs/smoke/.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from common import Options, parser
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from moo_nas import (
    Constrained,
    NASProblem,
    Pareto,
    Single,
    Tchebycheff,
    WeightedProduct,
    WeightedSum,
    compare,
)
from moo_nas.formulations import Formulation
from moo_nas.study import Comparison, Plan, Spread, TwoStage
from problems.haenas import HaeNAS
from problems.mnasnet import MnasNet
from problems.nasbench201 import NASBench201

BUDGETS = (25, 50, 100, 200)
COLOURS = {
    "single": "#999999",
    "two-stage": "#E69F00",
    "constrained": "#CC79A7",
    "product": "#56B4E9",
    "product-hard": "#0072B2",
    "sums": "#D55E00",
    "tchebycheff": "#009E73",
    "pareto": "#000000",
}


@dataclass(frozen=True)
class Case:
    """One problem, its score and its costs."""

    make: Callable[[Options], NASProblem]
    score: str
    costs: tuple[str, ...]
    seeds: int = 10
    budget: int = 200
    reads_tables: bool = True

    @property
    def asked(self) -> dict[str, Formulation | Plan]:
        """What is compared, by name; limits and targets are medians of the reference sample."""
        score, costs = self.score, self.costs
        weights = dict.fromkeys((score, *costs), 1.0)
        targets = dict.fromkeys(costs)
        return {
            "single": Single(score),
            "two-stage": TwoStage(score, costs),
            "constrained": Constrained(score, targets),
            "product": WeightedProduct.soft(score, targets),
            "product-hard": WeightedProduct.hard(score, targets),
            "sums": Spread.even(WeightedSum(weights), 5),
            "tchebycheff": Spread.even(Tchebycheff(weights), 5),
            "pareto": Pareto(score, *costs),
        }


def cell(device: str) -> Callable[[Options], NASProblem]:
    """Return what makes NAS-Bench-201 on a device."""
    return lambda options: NASBench201("cifar10", device, n_reference=50 if options.smoke else 200)


CASES = {
    "raspi4": Case(cell("raspi4"), "val_error", ("latency_ms",)),
    "edgegpu": Case(cell("edgegpu"), "val_error", ("latency_ms", "energy_mj")),
    "eyeriss": Case(cell("eyeriss"), "val_error", ("latency_ms", "energy_mj")),
    "accel-nasbench": Case(lambda _: MnasNet(device="zcu102"), "top1_error", ("latency_ms",)),
    "haenas": Case(lambda options: HaeNAS(**options.problem), "score", ("latency_ms",), 5, 100, False),
}


def run(name: str, case: Case, options: Options) -> Comparison:
    """Return the comparison on one problem."""
    return compare(
        case.make(options),
        case.asked,
        algorithms=["nsga2"],
        seeds=2 if options.smoke else case.seeds,
        budget=16 if options.smoke else case.budget,
        n_jobs=options.jobs if not case.reads_tables else 1,
        out=options.folder("compare_formulations") / name,
        judge=Pareto(case.score, *case.costs),
    )


def short(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table of a comparison with the problem's name, and methods without the algorithm's."""
    methods = frame["method"].str.removesuffix("-nsga2")
    return frame.assign(method=methods).pipe(lambda f: f.assign(problem=name)[["problem", *frame.columns]])


def at_budgets(comparison: Comparison) -> pd.DataFrame:
    """Return what each run had at each budget, and at its end."""
    last = int(comparison.curves["evaluation"].max())
    curves = comparison.curves[comparison.curves["evaluation"].isin([*BUDGETS, last])]
    ends = comparison.table[["method", "seed", "reached", "front_size", "failed"]]
    rows = curves.merge(ends.assign(evaluation=last), on=["method", "seed", "evaluation"], how="left")
    return rows.rename(columns={"evaluation": "budget"})


def draw(panels: dict[str, tuple[Axes, Axes]], comparisons: dict[str, Comparison]) -> None:
    """Draw what half of the runs attain, and how hypervolume grows, a row a problem."""
    for name, comparison in comparisons.items():
        left, right = panels[name]
        case = CASES[name]
        cost = case.costs[0]
        front = comparison.front.sort_values(cost)
        if comparison.front_is_exact and len(case.costs) == 1:
            left.step(
                front[cost], front[case.score], where="post", color="#DDDDDD", linewidth=5, label="exact"
            )
        half = comparison.attainment[
            (comparison.attainment["share"] == 0.5) & (comparison.attainment["metric"] == cost)
        ]
        curves = short(comparison.curves, name)
        for method, colour in COLOURS.items():
            corners = half[half["method"] == f"{method}-nsga2"].sort_values("limit")
            left.step(corners["limit"], corners["best"], where="post", color=colour, label=method)
            own = curves[curves["method"] == method]
            table = own.pivot_table(index="evaluation", columns="seed", values="hypervolume")
            right.plot(table.index, table.median(axis=1), color=colour)
        left.set(xlabel=cost, ylabel=case.score, title=f"{name}: what half of the runs attain")
        left.set_xscale("log")
        left.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        left.xaxis.set_major_formatter("{x:g}")
        left.xaxis.set_minor_locator(NullLocator())
        # Up to where the worst twentieth of all corners begins: what is useless stretches both axes.
        worst = 0.95 if comparison.metrics[case.score].goal == "min" else 0.05
        ends = sorted(
            [np.quantile(half["best"], worst), half["best"].min() if worst > 0.5 else half["best"].max()]
        )
        seen = half[half["best"].between(*ends)]["limit"]
        room = 0.05 * (ends[1] - ends[0])
        left.set_ylim(ends[0] - room, ends[1] + room)
        left.set_xlim(seen.min() / 1.15, seen.max() * 1.15)
        right.set(xlabel="evaluations", ylabel="hypervolume", title="median over seeds")
        last = curves[curves["evaluation"] == curves["evaluation"].max()]
        medians = last.groupby("method")["hypervolume"].median()
        right.set_ylim(medians.min() - 0.1, medians.max() + 0.01)
        for axes in (left, right):
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            axes.title.set_fontsize(10)


def picture(comparisons: dict[str, Comparison]) -> Figure:
    """Return the picture of all problems."""
    figure = Figure(figsize=(9.6, 3.1 * len(comparisons) + 0.6), layout="constrained")
    rows = figure.subplots(len(comparisons), 2, squeeze=False)
    draw({name: (row[0], row[1]) for name, row in zip(comparisons, rows, strict=True)}, comparisons)
    handles = {
        label: h for ax in figure.axes for h, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False)
    return figure


def main() -> None:
    """Run the study."""
    words = parser(__doc__)
    words.add_argument("--only", choices=CASES, help="one problem alone")
    given = words.parse_args()
    options = Options(given.smoke, given.jobs)
    has_tables = "MOO_NAS_DATA" in os.environ
    small = ["raspi4" if has_tables else "haenas"]
    names = [given.only] if given.only else small if given.smoke else list(CASES)
    # Of one problem alone the results are beside its runs: those of all are kept.
    folder = options.folder("compare_formulations") / given.only if given.only else options.results
    comparisons: dict[str, Comparison] = {}
    for name in names:
        if CASES[name].reads_tables and not has_tables:
            print(f"{name} is left out: MOO_NAS_DATA is not set.")
            continue
        comparisons[name] = run(name, CASES[name], options)
        table = short(comparisons[name].table, name)
        columns = ["hypervolume", "igd_plus", "reached"]
        medians = table.groupby("method", sort=False)[columns].median()
        print(f"{name}: medians", medians.to_string(float_format="%.4g"), sep="\n")
        print(*comparisons[name].notes, sep="\n")
    results = {
        "": at_budgets,
        "_limits": lambda comparison: comparison.best,
        "_ranks": lambda comparison: comparison.ranks,
        "_reach": lambda comparison: comparison.reach,
    }
    for suffix, of in results.items():
        frames = [short(of(comparison), name) for name, comparison in comparisons.items()]
        target = folder / f"compare_formulations{suffix}.csv"
        pd.concat(frames, ignore_index=True).to_csv(target, index=False, float_format="%.6g")
    picture(comparisons).savefig(folder / "compare_formulations.png", dpi=110)
    print(f"Results: {folder / 'compare_formulations.csv'}")


if __name__ == "__main__":
    main()
