"""How well is a network's latency on this CPU predicted, and from how many measured networks?

On 100 unseen HaeNAS networks, batch 1, one thread, at 96 and 224 px: the block table alone, with its
residual fitted on 10 and more whole networks, regressors on cost features, and the paper's perceptron on
one-hot genes, each the mean of ten draws of as many networks. Blocks, known and unseen networks are timed
against one reference; known and unseen ones in the same rounds. Beside them the measurement's own noise: the
medians of even rounds against those of odd ones.
Asked at 96 px: of the table alone Spearman >= 0.99; of table and residual a mean error of at most 4.5 % with
10 whole networks, of 3 % with 100.

Run:     python studies/latency_predictor.py [--smoke]
Takes:   40 minutes, 1 minute with --smoke; interrupted, it goes on where it was.
Writes:  studies/results/latency_predictor.csv and .png (under runs/smoke/results/ with --smoke), and all
         timings to runs/latency_predictor.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from common import COLOURS, REGRESSORS, Options, arguments
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.evaluation import Store
from moo_nas.meters import BlockTableLatency, CpuLatency
from moo_nas.meters.predictors import (
    BlockTable,
    Perceptron,
    cost_features,
    feature_groups,
    feature_matrix,
    one_hot,
)
from moo_nas.meters.predictors.block_table import fit_residual
from moo_nas.meters.predictors.sample import error_card
from moo_nas.spaces import Architecture, StageSpace

SPACE = StageSpace.haenas()
N_CLASSES = 10
TABLE, RESIDUAL = "block table", "block table + residual"
COLOUR_OF = {RESIDUAL: "#0072B2", **COLOURS}
SAMPLES = (10, 20, 50, 100, 200)


@dataclass(frozen=True)
class Measured:
    """What was measured at one image size: known networks come first, then the unseen ones."""

    table: BlockTable
    genomes: IntArray
    rounds: FloatArray  # ms, (n_rounds, n)
    n_known: int

    @property
    def latency_ms(self) -> FloatArray:
        """The medians over rounds, ``(n,)``."""
        return np.asarray(np.median(self.rounds, axis=0))

    @property
    def architectures(self) -> list[Architecture]:
        """The networks."""
        return [SPACE.decode(genome) for genome in self.genomes]


def measure(options: Options, image_size: int, n_rounds: int, n_known: int, n_unseen: int) -> Measured:
    """Return the block table and whole networks' latencies at one image size."""
    folder = options.folder("latency_predictor")
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / f"{image_size}.sqlite")
    timer = CpuLatency(image_size, n_classes=N_CLASSES, n_rounds=n_rounds).prepare(SPACE, store, seed=0)
    table = BlockTableLatency(timer, 0).prepare(SPACE, store, seed=0).table
    genomes = np.concatenate([SPACE.sample(n_known, seed=1), SPACE.sample(n_unseen, seed=2026)])
    order = np.random.default_rng(0).permutation(len(genomes))
    timings = timer.timings([SPACE.decode(genome) for genome in genomes[order]], [0] * len(order))
    for timing in timings:
        for fault in timing.faults:
            print(f"{image_size} px: {fault}")
    rounds = np.empty((n_rounds, len(genomes)))
    rounds[:, order] = np.concatenate([timing.latencies for timing in timings], axis=1)
    store.close()
    return Measured(table, genomes, rounds, n_known)


def predictions(measured: Measured, draws: int) -> Iterator[tuple[str, int, FloatArray]]:
    """Return predictors with the number of whole networks they know, and what they say of the unseen ones."""
    size, architectures, latency = measured.table.image_size, measured.architectures, measured.latency_ms
    unseen = slice(measured.n_known, None)

    def summed(table: BlockTable) -> FloatArray:
        return np.array([table.summed(a.blocks(size, N_CLASSES)) for a in architectures[unseen]])

    features = [cost_features(a, size, N_CLASSES) for a in architectures]
    names = sorted({name for row in features for name in row})
    costs, genes = feature_matrix(features, names), one_hot(measured.genomes, SPACE.n_choices)
    yield TABLE, 0, summed(measured.table)
    for n in (n for n in SAMPLES if n <= measured.n_known):
        for draw in range(draws if n < measured.n_known else 1):
            known = np.random.default_rng((draw, n)).permutation(measured.n_known)[:n]
            fit = fit_residual(measured.table, [architectures[i] for i in known], latency[known])
            yield RESIDUAL, n, summed(replace(measured.table, weights=tuple(fit["weights"])))
            for name, regressor in REGRESSORS.items():
                one_hots = isinstance(regressor, Perceptron)
                x, groups = (genes, None) if one_hots else (costs, feature_groups(names))
                yield name, n, regressor.fit(x[known], latency[known], groups).predict(x[unseen])[0]


def rows(measured: Measured, draws: int) -> Iterator[dict[str, Any]]:
    """Return a row a predictor and number of whole networks: its card, the mean of draws."""
    unseen = measured.latency_ms[measured.n_known :]
    cards: dict[tuple[str, int], list[dict[str, float]]] = {}
    for name, n, predicted in predictions(measured, draws):
        cards.setdefault((name, n), []).append(error_card(predicted, unseen))
    even, odd = (np.median(measured.rounds[start::2, measured.n_known :], axis=0) for start in (0, 1))
    cards["noise: even rounds for odd ones", 0] = [error_card(even, odd)]
    for (name, n), some in cards.items():
        table = pd.DataFrame(some).rename(columns={"n": "tested"})
        yield {
            "image_size": measured.table.image_size,
            "predictor": name,
            "whole_networks": n,
            "draws": len(some),
            **table.mean().to_dict(),
        }


def curves(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the mean error of every predictor against the whole networks that it knows."""
    for name in COLOUR_OF:
        part = table[table["predictor"] == name]
        axes.plot(
            part["whole_networks"],
            100 * part["mape"],
            "o-",
            color=COLOUR_OF[name],
            markersize=3.5,
            label=name,
        )
    for name, style in ((TABLE, "--"), ("noise: even rounds for odd ones", ":")):
        (error,) = table.loc[table["predictor"] == name, "mape"]
        label = "block table alone" if name == TABLE else "noise of the measurement"
        axes.axhline(100 * error, color="#999999" if name == TABLE else "black", linestyle=style, label=label)
    axes.set(xscale="log", yscale="log", xlabel="measured whole networks", ylabel="mean error, %")
    ticks = sorted(set(table.loc[table["whole_networks"] > 0, "whole_networks"]))
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.set_yticks([2, 3, 5, 10, 20, 30], ["2", "3", "5", "10", "20", "30"])
    axes.minorticks_off()
    axes.grid(alpha=0.3)


def scatter(axes: Axes, measured: Measured) -> None:
    """Draw predictions of unseen networks from blocks alone against measurements."""
    latency = measured.latency_ms[measured.n_known :]
    (_, _, predicted) = next(predictions(measured, 1))
    axes.plot(latency, predicted, "o", color=COLOUR_OF[RESIDUAL], markersize=3.5, alpha=0.7)
    ends = [min(latency.min(), predicted.min()) * 0.9, max(latency.max(), predicted.max()) * 1.1]
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="measured, ms", ylabel="block table alone, ms")
    ticks = [tick for tick in (5, 10, 20, 30, 50, 100, 200, 300) if ends[0] <= tick <= ends[1]]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    if options.smoke:
        settings = {32: (2, 20, 10), 48: (2, 20, 10)}
    else:
        settings = {96: (25, 300, 100), 224: (11, 100, 100)}
    everything = [measure(options, size, *numbers) for size, numbers in settings.items()]
    table = pd.DataFrame(
        [row for measured in everything for row in rows(measured, 1 if options.smoke else 10)]
    )
    print(table.drop(columns="tested").to_string(index=False, float_format="%.4f"))
    table.to_csv(options.results / "latency_predictor.csv", index=False, float_format="%.5g")
    figure = Figure(figsize=(9, 7.6), layout="constrained")
    for (left, right), measured in zip(figure.subplots(2, 2), everything, strict=True):
        size = measured.table.image_size
        curves(left, table[table["image_size"] == size])
        scatter(right, measured)
        left.set_title(f"{size} px")
        right.set_title(f"{size} px, {len(measured.genomes) - measured.n_known} unseen networks")
    lines = figure.axes[0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.savefig(options.results / "latency_predictor.png", dpi=150)
    print(f"Results: {options.results / 'latency_predictor.csv'}")


if __name__ == "__main__":
    main()
