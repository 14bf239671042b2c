"""From how few measurements is a network's latency or energy predicted, on devices of all kinds?

Spearman's rank correlation and relative errors of every predictor against the number of random networks
that it was fitted on, the rest of the table being the test (of large tables a random part, but with 100
samples all of it), on

-   HW-NAS-Bench: NAS-Bench-201 on four devices, latency and energy;
-   Accel-NASBench: MnasNet-like networks on two FPGA boards;
-   12 pairs of GPU and batch size of Once-for-all's MobileNetV3 networks.

The paper's perceptron, on one-hot genes, is drawn beside them. The features of cells were thought out with
HW-NAS-Bench's tables in view. "best" is judged without nested cross-validation, for time: the coverage of its
intervals is that of ``Best(nested=False)``.

And how well is a new device predicted from 5 to 20 measurements, where others were measured (18 pairs of
device and batch size with NAS-Bench-201's networks, each left out in turn)? Once with all the others known,
once without its make's (the same GPU at other batch sizes). How well it can be done at all is told by a
regression on all the others, fitted to half of all networks.

Reads:   the tables of the folder that MOO_NAS_DATA names.
Run:     python studies/hardware_predictors.py [--smoke]
Takes:   about 60 minutes on one core, 1 minute with --smoke.
Writes:  studies/results/hardware_predictors.csv and .png (under runs/smoke/results/ with --smoke).
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from common import COLOURS, REGRESSORS, arguments
from matplotlib.figure import Figure

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.meters.predictors import (
    DeviceTransfer,
    Perceptron,
    Ridge,
    cost_features,
    feature_groups,
    feature_matrix,
    one_hot,
)
from moo_nas.meters.predictors.sample import error_card
from moo_nas.spaces import CellSpace, SearchSpace, StageSpace
from problems.data import benchmark_table
from problems.mnasnet import TABLE as MNASNET
from problems.mnasnet import table_genomes

SAMPLES = (10, 20, 50, 100, 200, 500)
ASKED = 100
TRANSFER = (5, 10, 20)
CEILING = "ridge on other devices, half of all networks"


@dataclass(frozen=True)
class Benchmark:
    """A table: cost features with their groups and one-hot genes ``(n, k)``, and costs by name."""

    name: str
    features: FloatArray
    groups: tuple[str, ...]
    genes: FloatArray
    costs: dict[str, FloatArray]


def of_space(
    name: str, space: SearchSpace, genomes: IntArray, size: int, n_classes: int, costs: Any
) -> Benchmark:
    """Return a table of networks of a space."""
    features = [cost_features(space.decode(genome), size, n_classes) for genome in genomes]
    names = sorted({name for row in features for name in row})
    matrix, genes = feature_matrix(features, names), one_hot(genomes, space.n_choices)
    return Benchmark(name, matrix, feature_groups(names), genes, costs)


def nasbench201(n: int) -> Benchmark:
    """Return HW-NAS-Bench's table of CIFAR-10."""
    table = benchmark_table("nb201_accuracy_hw.csv.xz", dtype={"naslib_code": str}).iloc[:n]
    genomes = np.array([[int(digit) for digit in code] for code in table["naslib_code"]])
    devices = ("raspi4_latency", "edgegpu_latency", "eyeriss_latency", "fpga_latency")
    devices += ("edgegpu_energy", "eyeriss_energy", "fpga_energy")
    costs = {device: table[f"cifar10__{device}"].to_numpy() for device in devices}
    return of_space("NAS-Bench-201", CellSpace.nasbench201(merge=False), genomes, 32, 10, costs)


def mnasnet(n: int) -> Benchmark:
    """Return Accel-NASBench's table, the networks that were timed."""
    table = benchmark_table(MNASNET).dropna(subset=["latency_zcu102_ms", "latency_vck190_ms"]).iloc[:n]
    space = StageSpace.mnasnet()
    costs = {f"{device}_latency": table[f"latency_{device}_ms"].to_numpy() for device in ("zcu102", "vck190")}
    return of_space("Accel-NASBench", space, table_genomes(table, space), 224, 1000, costs)


def once_for_all(n: int) -> Benchmark:
    """Return HELP's table of Once-for-all's MobileNetV3 networks, genes as features.

    Five stages of 2 to 4 layers, each with kernel and expansion; what a network does not have is
    zero. Of every stage: depth, and sums over its layers of kernel, expansion and their product,
    alone and times the image's pixels.
    """
    table = benchmark_table("ofa_mbv3_help_latency.csv.xz", dtype={"d": str, "ks": str, "e": str}).iloc[:n]
    depth, kernel, expansion = (
        np.array([[int(digit) for digit in code] for code in table[column]]) for column in ("d", "ks", "e")
    )
    size = table[["r"]].to_numpy()
    pixels = (size / 224) ** 2
    there = np.arange(4) < depth[:, :, None]
    kernels, expansions = kernel.reshape(-1, 5, 4) * there, expansion.reshape(-1, 5, 4) * there
    layers = [kernels, expansions, kernels**2 * expansions]
    stages = np.concatenate([depth, *(layer.sum(axis=2) for layer in layers)], axis=1)
    single = np.concatenate([layer.reshape(len(table), -1) for layer in layers], axis=1)
    parts = {"size": pixels, "stage": stages, "stage and size": stages * pixels, "layer": single}
    groups = tuple(name for name, part in parts.items() for _ in range(part.shape[1]))
    genes = np.concatenate([depth, kernels.reshape(-1, 20), expansions.reshape(-1, 20), size], axis=1)
    hot = np.concatenate([column[:, None] == np.unique(column) for column in genes.T], axis=1).astype(float)
    costs = {column: table[column].to_numpy() for column in table.columns[4:]}
    return Benchmark("Once-for-all", np.concatenate(list(parts.values()), axis=1), groups, hot, costs)


def error_rows(
    benchmark: Benchmark, samples: tuple[int, ...], draws: dict[int, int], n_test: int
) -> Iterator[dict[str, Any]]:
    """Return a row a cost, predictor and number of samples: what its card is, the mean of draws."""
    for device, costs in benchmark.costs.items():
        for n in samples:
            for name, predictor in REGRESSORS.items():
                features = benchmark.genes if isinstance(predictor, Perceptron) else benchmark.features
                groups = None if isinstance(predictor, Perceptron) else benchmark.groups
                cards = []
                for draw in range(draws[n]):
                    order = np.random.default_rng((draw, n)).permutation(len(costs))
                    known, unseen = order[:n], order[n:] if n == ASKED else order[n : n + n_test]
                    fitted = predictor.fit(features[known], costs[known], groups)
                    bounds = fitted.interval(features[unseen])
                    cards.append(error_card(bounds.cost, costs[unseen], bounds.low, bounds.high))
                yield row(benchmark.name, device, name, n, cards)


def transfer_rows(n_architectures: int, draws: int) -> Iterator[dict[str, Any]]:
    """Return a row a device left out, way to predict it and number of measurements."""
    table = benchmark_table("nb201_help_latency.csv.xz").iloc[:n_architectures, 1:]
    codes = benchmark_table("nb201_accuracy_hw.csv.xz", dtype={"naslib_code": str})["naslib_code"]
    genomes = np.array([[int(digit) for digit in code] for code in codes[: len(table)]])
    own = of_space("", CellSpace.nasbench201(merge=False), genomes, 32, 10, {})
    for device in table:
        costs, others = table[device].to_numpy(), table.drop(columns=device).to_numpy()
        transfer = DeviceTransfer(others)
        make = device.rpartition("_")[0]
        strangers = table[[name for name in table if name.rpartition("_")[0] != make]].to_numpy()
        estranged = DeviceTransfer(strangers)
        half = np.random.default_rng(0).permutation(len(costs))
        known, unseen = half[: len(half) // 2], half[len(half) // 2 :]
        ceiling, _ = Ridge().fit(np.log(others[known]), costs[known]).predict(np.log(others[unseen]))
        card = error_card(ceiling, costs[unseen])
        yield row("a new device", device, CEILING, len(known), [card])
        for n in TRANSFER:
            cards: dict[str, list[dict[str, float]]] = {
                "transfer": [],
                "transfer, without its make": [],
                "ridge, without other devices": [],
            }
            for draw in range(draws):
                order = np.random.default_rng((draw, n)).permutation(len(costs))
                known, unseen = order[:n], order[n:]
                predicted, _ = transfer.fit(others[known], costs[known]).predict(others[unseen])
                cards["transfer"].append(error_card(predicted, costs[unseen]))
                predicted, _ = estranged.fit(strangers[known], costs[known]).predict(strangers[unseen])
                cards["transfer, without its make"].append(error_card(predicted, costs[unseen]))
                if np.ptp(costs[known]) > 0:
                    alone = Ridge("linear").fit(own.features[known], costs[known])
                    predicted, _ = alone.predict(own.features[unseen])
                    cards["ridge, without other devices"].append(error_card(predicted, costs[unseen]))
            for name, some in cards.items():
                yield row("a new device", device, name, n, some)


def row(benchmark: str, cost: str, predictor: str, n: int, cards: list[dict[str, float]]) -> dict[str, Any]:
    """Return a row of the results: the mean of every draw's card, and the least rank correlation."""
    table = pd.DataFrame(cards).rename(columns={"n": "tested"})
    return {
        "benchmark": benchmark,
        "cost": cost,
        "predictor": predictor,
        "samples": n,
        "draws": len(cards),
        **table.mean().to_dict(),
        "spearman_least": table["spearman"].min(),
    }


def picture(table: pd.DataFrame) -> Figure:
    """Draw one minus Spearman against samples: each cost, the mean of Once-for-all's, and new devices."""
    figure = Figure(figsize=(13, 9), layout="constrained")
    single = table[table["benchmark"].isin(("NAS-Bench-201", "Accel-NASBench"))]
    panels = {name.replace("_", " "): part for name, part in single.groupby("cost", sort=False)}
    panels["Once-for-all, mean of 12"] = table[table["benchmark"] == "Once-for-all"]
    panels["a new device of 18, mean"] = table[table["benchmark"] == "a new device"]
    axes = figure.subplots(3, 4, sharey=True).ravel()
    for axis, (title, part) in zip(axes, panels.items(), strict=False):
        shown = part.assign(loss=np.maximum(1 - part["spearman"], 1e-6))
        means = shown.pivot_table(
            index="samples", columns="predictor", values="loss", sort=False
        ).sort_index()
        if CEILING in means:
            axis.axhline(means.pop(CEILING).dropna().item(), color="gray", linestyle="--", label=CEILING)
            means = means.dropna(how="all")
        for name in means:
            axis.plot(means.index, means[name], "o-", color=COLOURS.get(name), markersize=3.5, label=name)
        axis.set(title=title, xscale="log", yscale="log", ylim=(1e-6, 1))
        axis.set_xticks(means.index, [str(n) for n in means.index])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    axes[0].legend(fontsize=7, frameon=False)
    axes[len(panels) - 1].legend(fontsize=7, frameon=False)
    figure.supxlabel("measured networks")
    figure.supylabel("1 - Spearman's rank correlation with the measurement")
    return figure


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    smoke = options.smoke
    samples = (10, 20) if smoke else SAMPLES
    draws = {n: 1 if smoke else 10 if n == ASKED else 3 if n < 200 else 1 for n in samples}
    size = 200 if smoke else 1_000_000
    rows: list[dict[str, Any]] = []
    target = options.results / "hardware_predictors.csv"
    for made in (
        transfer_rows(size, 1 if smoke else 10),
        error_rows(nasbench201(size), samples, draws, 3000),
        error_rows(mnasnet(size), samples, draws, 3000),
        error_rows(once_for_all(size), samples, {n: min(k, 2) for n, k in draws.items()}, 3000),
    ):
        for one in itertools.islice(made, 2 * len(REGRESSORS)) if smoke else made:
            rows.append(one)
            print(*(f"{v:.4g}" if isinstance(v, float) else v for v in one.values()), flush=True)
        table = pd.DataFrame(rows)
        table.to_csv(target, index=False, float_format="%.5g")
    picture(table).savefig(options.results / "hardware_predictors.png", dpi=130)
    asked = table[(table["samples"] == samples[-1] if smoke else table["samples"] == ASKED)]
    for what in ("spearman", "median_error", "coverage_90"):
        print(what)
        print(
            asked.pivot_table(
                index=["benchmark", "cost"], columns="predictor", values=what, sort=False
            ).round(4)
        )
    new = table[table["benchmark"] == "a new device"].groupby(["predictor", "samples"])["spearman"]
    print(new.agg(["mean", "min"]).round(4))
    print(f"Results: {target}")


if __name__ == "__main__":
    main()
