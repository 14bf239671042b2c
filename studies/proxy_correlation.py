"""Which zero-cost proxies rank trained networks, and which score should a search use?

Figure 4 of HaeNAS from our own scores: Spearman's rank correlation of every proxy with accuracy, params
and FLOPs beside them, on

-   300 random NAS-Bench-201 networks (of those without dead edges), CIFAR-10 and CIFAR-100 test accuracy,
    beside the published scores of the same networks;
-   500 random networks of Accel-NASBench (MnasNet-like stages), ImageNet top-1 accuracy, by
    initialisation, resolution and source of the images.

Scores made of several, with no coefficient fitted to anything: on Accel-NASBench the best of a list is
chosen on one half of the networks and reported on the other. And HAE's vote: of four random networks, how
good (0 worst, 1 best) is the one that a proxy, or a majority of three, picks?

Reads:   the tables and images of the folder that MOO_NAS_DATA names.
Run:     python studies/proxy_correlation.py [--smoke] [--jobs N]
Takes:   40 minutes on two cores, 1 minute with --smoke. Stopped, it goes on where it was.
Writes:  studies/results/proxy_correlation.csv and .png; runs/proxy_correlation/ (every score);
         the table of proxies in README.md; with --smoke all but that under runs/smoke/.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import HERE, Options, arguments
from matplotlib.figure import Figure

from moo_nas.algorithms.vote import vote
from moo_nas.analysis.repeatability import spearman_interval
from moo_nas.arrays import FloatArray, IntArray
from moo_nas.evaluation import Store
from moo_nas.meters import SCORE, ZMean
from moo_nas.meters.proxies import PROXIES
from moo_nas.problem import NASProblem
from problems.data import benchmark_table
from problems.mnasnet import MnasNet
from problems.nasbench201 import NASBench201

IMAGES = str(Path(os.environ.get("MOO_NAS_DATA", "")) / "cifar10_jpg_subset.zip")
PUBLISHED = "nb201_zc_proxies.csv.xz"
# What its columns call our proxies otherwise.
_ALIASES = {"naswot": "nwot", "jacob_cov": "jacov"}

# Networks, images and initialisations; the first of each benchmark is measured by every proxy.
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "nasbench201": [{"init": "kaiming"}, {"init": "torch"}],
    "mnasnet": [
        {},
        {"init": "torch"},
        {"init": "xavier"},
        {"data": "digits"},
        {"data": "noise"},
        {"image_size": 64},
    ],
}
BASE = {"init": "kaiming", "image_size": 32, "data": IMAGES, "batch_size": 32}
EXPENSIVE = ("grasp", "zen")

# Scores that may be chosen: z-means of what ranks on its own, none fitted.
SCORES = {
    "paper's three": ("jacob_cov", "grad_norm", "snip"),
    "snip, params": ("snip", "log(params)"),
    "log snip, params": ("log(snip)", "log(params)"),
    "snip, log snip, params": ("snip", "log(snip)", "log(params)"),
    "snip, synflow, params": ("snip", "synflow", "log(params)"),
    "snip, fisher, params": ("log(snip)", "log(fisher)", "log(params)"),
    "snip, grad_norm, params": ("snip", "grad_norm", "log(params)"),
    "synflow, params": ("synflow", "log(params)"),
    "naswot, params": ("naswot", "log(params)"),
}
MARKS = ("<!-- by studies/proxy_correlation.py -->", "<!-- end -->")  # around its table in the README
VOTES = {
    "vote of the paper's three": ("jacob_cov", "grad_norm", "snip"),
    "vote of snip, grad_norm, params": ("snip", "grad_norm", "params"),
    "vote of snip, synflow, params": ("snip", "synflow", "params"),
}


def networks(benchmark: str, setting: Mapping[str, Any], n: int, store: Store, jobs: int, smoke: bool) -> Any:
    """Return a problem in a setting, its random networks' genomes, and their official rows (or None)."""
    options = {**BASE, **setting, "store": store, "n_jobs": jobs}
    if smoke:
        options |= {"image_size": options["image_size"] // 4, "batch_size": 8}
    if benchmark == "mnasnet":
        problem: NASProblem = MnasNet(**options)
        return problem, problem.evaluator.draw(n, 0), None
    cells = NASBench201(**options)
    alive = np.flatnonzero(benchmark_table(PUBLISHED)["cifar10__snip"].notna())
    rows = np.sort(np.random.default_rng(0).choice(alive, n, replace=False))
    return cells, cells.official_genomes()[rows], rows


def accuracies(benchmark: str, problem: NASProblem, genomes: IntArray, rows: Any) -> dict[str, FloatArray]:
    """Return what proxies are held against, more is better."""
    if benchmark == "mnasnet":
        return {"ImageNet": -problem.evaluator.evaluate(genomes, ["top1_error"])["top1_error"]}
    table = benchmark_table("nb201_accuracy_hw.csv.xz")
    return {
        name: table[f"{column}_test_acc"].to_numpy()[rows]
        for name, column in (("CIFAR-10", "cifar10"), ("CIFAR-100", "cifar100"))
    }


def correlation_rows(
    values: Mapping[str, FloatArray], truth: FloatArray, **where: Any
) -> list[dict[str, Any]]:
    """Return a row a proxy: its rank correlation with accuracy, and a 95 % interval."""
    rows = []
    for name, x in values.items():
        there = np.isfinite(x) & np.isfinite(truth)
        if there.sum() > 2:
            found = dict(
                zip(("spearman", "low", "high"), spearman_interval(x[there], truth[there]), strict=True)
            )
            rows.append({**where, "proxy": name, "n": int(there.sum()), **found})
    return rows


def scores(values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return every score that these values make, on the scale of the networks at hand."""
    made = {}
    for name, terms in SCORES.items():
        score = ZMean(terms)
        if all(i in values for i in score.inputs):
            columns = {i: values[i] for i in score.inputs}
            whole = np.all([np.isfinite(column) for column in columns.values()], axis=0)
            made[name] = score.combine(columns, score.fit({i: c[whole] for i, c in columns.items()}))
    return made


def picks(values: Mapping[str, FloatArray], truth: FloatArray, n_groups: int = 4000) -> dict[str, float]:
    """Return how good the pick among four networks is, 0 the worst of them and 1 the best."""
    rng = np.random.default_rng(0)
    groups = np.array([rng.choice(len(truth), 4, replace=False) for _ in range(n_groups)])
    goodness = truth[groups].argsort(axis=1).argsort(axis=1) / 3
    fitness = {name: -np.nan_to_num(x, nan=-np.inf)[groups] for name, x in values.items()}
    picked = {name: x.argmin(axis=1) for name, x in fitness.items()}
    for name, voters in VOTES.items():
        if all(voter in values for voter in voters):
            ballots = np.stack([picked[voter] for voter in voters], axis=1)
            recorder = fitness[voters[0]]
            picked[name] = np.array([vote(b, f, np.zeros(4)) for b, f in zip(ballots, recorder, strict=True)])
    return {name: float(goodness[np.arange(n_groups), pick].mean()) for name, pick in picked.items()}


def published(names: list[str], rows: IntArray) -> dict[str, FloatArray]:
    """Return the published scores on CIFAR-10 of networks by their official rows."""
    table = benchmark_table(PUBLISHED).iloc[rows]
    columns = {name: f"cifar10__{_ALIASES.get(name, name)}" for name in names}
    return {name: table[column].to_numpy() for name, column in columns.items() if column in table}


def study(benchmark: str, n: int, options: Options) -> list[dict[str, Any]]:
    """Return every row of a benchmark."""
    rows: list[dict[str, Any]] = []
    folder = options.folder("proxy_correlation")
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / f"{benchmark}.sqlite")
    for number, setting in enumerate(SETTINGS[benchmark][: 2 if options.smoke else None]):
        problem, genomes, official = networks(benchmark, setting, n, store, options.jobs, options.smoke)
        names = [name for name in PROXIES if number == 0 or name not in EXPENSIVE]
        table = problem.evaluator.evaluate(genomes, (), names)
        values = {name: table[name] for name in (*names, "params", "flops")}
        where = {"benchmark": benchmark, **BASE, **setting}
        where["data"] = "CIFAR-10" if where["data"] == IMAGES else where["data"]
        for target, truth in accuracies(benchmark, problem, genomes, official).items():
            more = {"target": target, "whose": "ours"}
            rows += correlation_rows({**values, **scores(values)}, truth, **where, **more, half="all")
            for half, chosen in (("choosing", slice(0, None, 2)), ("reporting", slice(1, None, 2))):
                part = {name: x[chosen] for name, x in values.items()}
                rows += correlation_rows({**part, **scores(part)}, truth[chosen], **where, **more, half=half)
            if number == 0:
                found = picks({**values, **scores(values)}, truth)
                rows += [
                    {**where, **more, "proxy": p, "n": len(truth), "pick_of_4": x} for p, x in found.items()
                ]
        if official is None:
            continue
        theirs = published(names, official)
        for target, truth in accuracies(benchmark, problem, genomes, official).items():
            if number == 0:
                rows += correlation_rows(theirs, truth, **where, target=target, whose="published", half="all")
        for proxy, scored in theirs.items():
            rows += correlation_rows(
                {proxy: values[proxy]}, scored, **where, target="published scores", whose="ours", half="all"
            )
    store.close()
    return rows


def picture(table: pd.DataFrame) -> Figure:
    """Return Figure 4: a panel a benchmark, a row a proxy."""
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    panels = [
        (
            "nasbench201",
            "NAS-Bench-201",
            [
                ("ours", "CIFAR-10", "o", "#0072B2"),
                ("ours", "CIFAR-100", "s", "#56B4E9"),
                ("published", "CIFAR-10", "x", "#D55E00"),
            ],
        ),
        ("mnasnet", "Accel-NASBench", [("ours", "ImageNet", "o", "#0072B2")]),
    ]
    for axes, (benchmark, title, series) in zip(figure.subplots(1, 2), panels, strict=True):
        first = {**BASE, **SETTINGS[benchmark][0], "data": "CIFAR-10"}
        rows = table[(table["benchmark"] == benchmark) & (table["half"] == "all")]
        for key, value in first.items():
            rows = rows[rows[key] == value]
        order = rows[(rows["whose"] == "ours") & (rows["target"] == series[0][1])].sort_values("spearman")
        place = {name: y for y, name in enumerate(order["proxy"])}
        for number, (whose, target, marker, colour) in enumerate(series):
            part = rows[(rows["whose"] == whose) & (rows["target"] == target)]
            y = part["proxy"].map(place) + 0.22 * (1 - number)
            error = [part["spearman"] - part["low"], part["high"] - part["spearman"]]
            axes.errorbar(
                part["spearman"],
                y,
                xerr=error,
                fmt=marker,
                color=colour,
                markersize=5,
                linewidth=1,
                label=f"{whose}, {target}",
            )
        axes.set_yticks(list(place.values()), list(place))
        axes.axvline(0, color="black", linewidth=0.8)
        axes.grid(axis="x", alpha=0.3)
        axes.set_title(title)
        axes.set_xlabel("Spearman with test accuracy, 95 % interval")
        axes.legend(fontsize=8, frameon=False, loc="center left")
    return figure


def chosen(table: pd.DataFrame) -> str:
    """Return the score that ranks the choosing half of Accel-NASBench's networks best, as first set up."""
    rows = table[(table["benchmark"] == "mnasnet") & (table["half"] == "choosing")]
    rows = rows[(rows["init"] == "kaiming") & (rows["image_size"] == 32) & (rows["data"] == "CIFAR-10")]
    rows = rows[rows["proxy"].isin(SCORES)]
    return str(rows.loc[rows["spearman"].idxmax(), "proxy"])


def readme_table(table: pd.DataFrame) -> str:
    """Return the README's table of proxies: rank correlations, and picks of four."""
    first = table[(table["init"] == "kaiming") & (table["image_size"] == 32) & (table["data"] == "CIFAR-10")]

    def column(benchmark: str, target: str, whose: str, value: str) -> pd.Series:
        rows = first[(first["benchmark"] == benchmark) & (first["target"] == target)]
        rows = rows[(rows["whose"] == whose) & rows[value].notna()]
        rows = rows[rows["half"].isna() | (rows["half"] == "all")]
        return rows.set_index("proxy")[value]

    columns = {
        "ImageNet, stages": column("mnasnet", "ImageNet", "ours", "spearman"),
        "best of four": column("mnasnet", "ImageNet", "ours", "pick_of_4"),
        "CIFAR-10, cells": column("nasbench201", "CIFAR-10", "ours", "spearman"),
        "published": column("nasbench201", "CIFAR-10", "published", "spearman"),
        "CIFAR-100, cells": column("nasbench201", "CIFAR-100", "ours", "spearman"),
    }
    default = next(name for name, terms in SCORES.items() if terms == SCORE)
    names = [*PROXIES, "params", "flops", default, "paper's three", *VOTES]
    shown = pd.DataFrame(columns).reindex(names).sort_values("best of four", ascending=False)
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name, row in shown.iterrows():
        label = f"**{name}**: the default score" if name == default else name
        cells = ["" if np.isnan(x) else f"{x:.2f}" for x in row]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_in_readme(lines: str) -> None:
    """Put the table between its marks in the README."""
    readme = HERE.parent / "README.md"
    before, mark, rest = readme.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    if not mark or not after:
        raise ValueError(f"{readme} must have the marks {MARKS}.")
    readme.write_text(f"{before}{mark}\n{lines}\n{MARKS[1]}{after}", encoding="utf-8")


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    rows = study("mnasnet", 8 if options.smoke else 500, options)
    rows += study("nasbench201", 8 if options.smoke else 300, options)
    table = pd.DataFrame(rows)
    target = options.results / "proxy_correlation.csv"
    table.to_csv(target, index=False, float_format="%.5g")
    picture(table).savefig(options.results / "proxy_correlation.png", dpi=150)
    shown = table[(table["half"] == "reporting") & (table["benchmark"] == "mnasnet")]
    print(
        shown.pivot_table(index="proxy", columns=["init", "data", "image_size"], values="spearman").round(3)
    )
    if not options.smoke:
        write_in_readme(readme_table(pd.read_csv(target)))
    best = chosen(table)
    print(f"Best on the choosing half: {best}, {SCORES[best]}; the default score: {SCORE}")
    print(f"Results: {target}")


if __name__ == "__main__":
    main()
