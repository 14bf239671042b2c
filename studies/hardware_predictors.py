"""From how few measurements is a network's latency or energy predicted, on devices of all kinds?

Spearman's rank correlation and relative errors of every predictor against the number of random networks
that it was fitted on, the rest of the table being the test (of large tables a random part, but with 100
samples all of it), on

-   HW-NAS-Bench: NAS-Bench-201 on four devices, latency and energy;
-   Accel-NASBench: MnasNet-like networks on two FPGA boards;
-   12 pairs of GPU and batch size of Once-for-all's MobileNetV3 networks.

The paper's perceptron, on one-hot genes, is drawn beside them. And how well is a new device predicted from
10 measurements, where 17 other devices were measured (18 devices of NAS-Bench-201, each left out in turn)?

Reads:   the tables of the folder that MOO_NAS_DATA names.
Run:     python studies/hardware_predictors.py [--smoke]
Takes:   @@ minutes on one core, 1 minute with --smoke.
Writes:  studies/results/hardware_predictors.csv and .png (under runs/smoke/results/ with --smoke).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from common import arguments
from matplotlib.figure import Figure

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.meters.predictors import (
    Best,
    DeviceTransfer,
    GaussianProcess,
    GradientBoosting,
    Perceptron,
    Regressor,
    Ridge,
    cost_features,
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
PREDICTORS: dict[str, Regressor] = {
    "ridge": Ridge("linear"),
    "gradient boosting": GradientBoosting(),
    "Gaussian process": GaussianProcess(),
    "best": Best(),
    "the paper's perceptron": Perceptron(),
}
COLOURS = dict(zip(PREDICTORS, ("#E69F00", "#009E73", "#56B4E9", "#0072B2", "#D55E00"), strict=True))


@dataclass(frozen=True)
class Benchmark:
    """A table: cost features and one-hot genes ``(n, k)``, and costs by their column's name."""

    name: str
    features: FloatArray
    genes: FloatArray
    costs: dict[str, FloatArray]


def of_space(name: str, space: SearchSpace, genomes: IntArray, size: int, n_classes: int, costs: Any) -> Benchmark:
    """Return a table of networks of a space."""
    features = [cost_features(space.decode(genome), size, n_classes) for genome in genomes]
    names = sorted({name for row in features for name in row})
    return Benchmark(name, feature_matrix(features, names), one_hot(genomes, space.n_choices), costs)


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
    pixels = (table["r"].to_numpy()[:, None] / 224) ** 2
    there = np.arange(4) < depth[:, :, None]
    kernels = kernel.reshape(-1, 5, 4) * there
    expansions = expansion.reshape(-1, 5, 4) * there
    layers = [kernels, expansions, kernels**2 * expansions]
    stages = np.concatenate([depth, *(layer.sum(axis=2) for layer in layers)], axis=1)
    ordinal = np.concatenate([layer.reshape(len(table), -1) for layer in layers], axis=1)
    features = np.concatenate([pixels, stages, stages * pixels, ordinal], axis=1)
    genes = [depth, (kernel.reshape(-1, 5, 4) * there).reshape(-1, 20), (expansion.reshape(-1, 5, 4) * there).reshape(-1, 20)]
    genes += [table[["r"]].to_numpy()]
    columns = np.concatenate(genes, axis=1)
    hot = np.concatenate([column[:, None] == np.unique(column) for column in columns.T], axis=1).astype(float)
    costs = {column: table[column].to_numpy() for column in table.columns[4:]}
    return Benchmark("Once-for-all", features, hot, costs)


def error_rows(benchmark: Benchmark, draws: int, samples: tuple[int, ...], n_test: int) -> Iterator[dict[str, Any]]:
    """Return a row a cost, predictor and number of samples: what its card is, the mean of draws."""
    for device, costs in benchmark.costs.items():
        for n in samples:
            for name, predictor in PREDICTORS.items():
                features = benchmark.genes if isinstance(predictor, Perceptron) else benchmark.features
                cards = []
                for draw in range(draws):
                    order = np.random.default_rng((draw, n)).permutation(len(costs))
                    known, unseen = order[:n], order[n:] if n == ASKED else order[n : n + n_test]
                    fitted = predictor.fit(features[known], costs[known])
                    predicted, _ = fitted.predict(features[unseen])
                    bounds = fitted.interval(features[unseen])
                    cards.append(error_card(predicted, costs[unseen], bounds.low, bounds.high))
                card = pd.DataFrame(cards)
                yield {
                    "benchmark": benchmark.name,
                    "cost": device,
                    "predictor": name,
                    "samples": n,
                    "draws": draws,
                    **card.mean().to_dict(),
                    "spearman_least": card["spearman"].min(),
                }
