"""How well is a network's latency on this CPU predicted, and from how many measured networks?

On 60 unseen HaeNAS networks at 96 px, batch 1, one thread: the block table with its residual fitted
on 20 whole networks, the same without a residual, and the paper's perceptron on as many and on ten
times as many networks. Beside them the measurement's own noise: even rounds against odd rounds.
Asked of the block table: Spearman >= 0.98, median absolute error <= 6 %.

Run:     python studies/latency_predictor.py [--smoke]
Takes:   10 minutes on one core, 20 s with --smoke.
Writes:  studies/results/latency_predictor.csv and .png (under runs/smoke/results/ with --smoke).
"""

import numpy as np
import pandas as pd
from common import arguments
from matplotlib.figure import Figure

from moo_nas.evaluation import Store
from moo_nas.meters import BlockTableLatency, CpuLatency, MlpLatency
from moo_nas.meters.predictors.sample import error_card
from moo_nas.spaces import StageSpace


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    space, store = StageSpace.haenas(), Store()
    n_unseen, n_few, n_many = (10, 5, 20) if options.smoke else (60, 20, 200)
    timer = CpuLatency(image_size=32 if options.smoke else 96).prepare(space, store, seed=0)
    unseen = space.sample(n_unseen, seed=2026)
    architectures = [space.decode(genome) for genome in unseen]
    rounds = timer.rounds(architectures, [0] * n_unseen)
    measured = np.median(rounds, axis=0)

    block_table = BlockTableLatency(timer, n_few).prepare(space, store, seed=0)
    predictions = {
        (f"block table + residual, {n_few} networks", n_few): space.tabulate(block_table)(unseen)[:, 0],
        ("block table alone", 0): block_table.summed_blocks(architectures),
    }
    for n in (n_many,) if options.smoke else (n_few, n_many):
        perceptron = MlpLatency(timer, n).prepare(space, store, seed=0)
        key = (f"the paper's perceptron, {n} networks", n)
        predictions[key] = perceptron.measure(architectures, [0] * n_unseen)[:, 0]
    predictions[("noise: even rounds for odd ones", 0)] = np.median(rounds[::2], axis=0)
    table = pd.DataFrame(
        {
            "predictor": name,
            "whole_networks": n,
            **error_card(values, np.median(rounds[1::2], axis=0) if name.startswith("noise") else measured),
        }
        for (name, n), values in predictions.items()
    )
    print(table.to_string(index=False, float_format="%.4f"))
    table.to_csv(options.results / "latency_predictor.csv", index=False)

    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.add_subplot(xlabel="measured latency, ms", ylabel="predicted latency, ms")
    marks = zip(predictions.items(), "os^v", ("#0072B2", "#999999", "#D55E00", "#CC79A7"), strict=False)
    for ((name, _), values), marker, colour in marks:
        if not name.startswith("noise"):
            axes.plot(measured, values, marker, color=colour, markersize=4, label=name, alpha=0.8)
    ends = [0, measured.max() * 1.05]
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.legend(fontsize=7.5, frameon=False)
    figure.savefig(options.results / "latency_predictor.png", dpi=150)
    print(f"Results: {options.results / 'latency_predictor.csv'}")


if __name__ == "__main__":
    main()
