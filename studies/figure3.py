"""How much does latency weigh in the weighted product? Figure 3 of HaeNAS, redrawn.

The fitness of eq. 1 over latency, as a share of the score, with the target L = 80 ms and without energy:
soft (alpha = beta = -0.05), hard (alpha = 0, beta = -0.7), computed by the formulation itself. The dots are
at once, twice and three times the target.

Run:     python studies/figure3.py [--smoke]
Takes:   seconds.
Writes:  studies/results/figure3.csv and .png (under runs/smoke/results/ with --smoke).
"""

import numpy as np
import pandas as pd
from common import arguments
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moo_nas import WeightedProduct
from moo_nas.evaluation import Evaluations
from moo_nas.meters import Metric

TARGET_MS = 80.0
METRICS = (Metric("score", "1", "max"), Metric("latency_ms", "ms", "min"))
FORMS = {
    "soft": WeightedProduct("score", {"latency_ms": TARGET_MS}, alpha=-0.05, beta=-0.05, scale=False),
    "hard": WeightedProduct("score", {"latency_ms": TARGET_MS}, alpha=0.0, beta=-0.7, scale=False),
}
COLOURS = {"soft": "#0072B2", "hard": "#D55E00"}


def share_of_score(product: WeightedProduct, latency_ms: np.ndarray) -> np.ndarray:
    """Return the fitness of networks with score 1 and these latencies ``(n,)``."""
    f, _ = product.apply(Evaluations.of(METRICS, np.column_stack([np.ones(len(latency_ms)), latency_ms])))
    return -f[:, 0]


def draw(axes: Axes, form: str, rows: pd.DataFrame) -> None:
    """Draw one form's curve, with what it makes of once, twice and three times the target."""
    product = FORMS[form]
    axes.axvline(TARGET_MS, color="#8C8C8C", linestyle="--", linewidth=1)
    axes.text(TARGET_MS + 2, 0.03, f"L = {TARGET_MS:g} ms", color="#555555", fontsize=9)
    axes.plot(rows["latency_ms"], rows["fitness"], color=COLOURS[form], linewidth=2)
    marks = TARGET_MS * np.array([1.0, 2.0, 3.0])
    for latency, value in zip(marks, share_of_score(product, marks), strict=True):
        axes.plot(latency, value, "o", color=COLOURS[form], markersize=5)
        axes.annotate(f"{value:.3f}", (latency, value), (4, 6), textcoords="offset points", fontsize=9)
    title = rf"{form}: $\alpha = {product.alpha:g}, \beta = {product.beta:g}$"
    axes.set_title(title, fontsize=11, loc="left")
    axes.set(xlim=(0, 270), ylim=(0, 1.25), ylabel="fitness / score")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    latency_ms = np.linspace(2, 270, 32 if options.smoke else 269)
    table = pd.DataFrame(
        {
            "form": form,
            "alpha": product.alpha,
            "beta": product.beta,
            "target_ms": TARGET_MS,
            "latency_ms": latency_ms,
            "fitness": share_of_score(product, latency_ms),
        }
        for form, product in FORMS.items()
    ).explode(["latency_ms", "fitness"], ignore_index=True)
    table = table.astype({"latency_ms": float, "fitness": float})
    table.to_csv(options.results / "figure3.csv", index=False, float_format="%.6g")
    figure = Figure(figsize=(7, 6.4), layout="constrained")
    figure.suptitle("The weighted product over latency", fontsize=12)
    panels = figure.subplots(2, 1, sharex=True)
    for axes, form in zip(panels, FORMS, strict=True):
        draw(axes, form, table[table["form"] == form])
    panels[-1].set_xlabel("latency (ms)")
    figure.savefig(options.results / "figure3.png", dpi=150)
    at = TARGET_MS * np.array([0.5, 1.0, 2.0, 3.0])
    shares = pd.DataFrame({form: share_of_score(product, at) for form, product in FORMS.items()}, index=at)
    print(shares.rename_axis("latency_ms").to_string(float_format="%.3f"))
    print(f"Results: {options.results / 'figure3.csv'}")


if __name__ == "__main__":
    main()
