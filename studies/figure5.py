"""What does a search find for one device, and what for another? Figure 5 of HaeNAS, of our own targets.

On each target the best score is sought among networks within a latency that a quarter of random ones
keep, by Algorithm 1 of HaeNAS. In the HaeNAS space, with the zero-cost score: this CPU (latency from a
table of blocks measured here), and an A100 and a Snapdragon 855 (the least latency that their published
peaks allow). In the MnasNet space, with published ImageNet error and latency: the boards ZCU102 and VCK190.

Run:     python studies/figure5.py [--smoke] [--jobs N]
Takes:   about 30 minutes on two busy cores, 15 s with --smoke; reads MOO_NAS_DATA.
Writes:  studies/results/figure5.csv, .png and .svg; runs/figure5/ (every run); with --smoke all of it
         under runs/smoke/.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from common import Options, arguments

from moo_nas import Constrained, NASProblem, Run, search
from moo_nas.analysis.side_by_side import draw_side_by_side
from moo_nas.analysis.style import quantity
from moo_nas.analysis.svg_png import svg_png
from moo_nas.formulations import Quantile
from moo_nas.meters.device import machine
from problems.haenas import HaeNAS
from problems.mnasnet import MnasNet

BUDGET = 300
SHARE = 0.25  # of random networks that keep the limit
SMOKE = ("a100", "zcu102")  # those that nothing is timed for


@dataclass(frozen=True)
class Target:
    """A device: what it is called, how its latency is known, and the problem on it."""

    name: str
    known: str
    make: Callable[[Options], NASProblem]
    score: str
    latency: str


def haenas(**given: Any) -> Callable[[Options], NASProblem]:
    """Return what makes the HaeNAS problem."""
    return lambda options: HaeNAS(**{**options.problem, **given})


TARGETS = {
    "cpu": Target("this CPU", "block table measured here", haenas(), "score", "latency_ms"),
    "a100": Target(
        "NVIDIA A100",
        "estimated from peaks",
        haenas(estimates="a100-sxm4-40gb"),
        "score",
        "estimated_latency_ms",
    ),
    "snapdragon": Target(
        "Snapdragon 855",
        "estimated from peaks",
        haenas(estimates="snapdragon-855"),
        "score",
        "estimated_latency_ms",
    ),
    "zcu102": Target(
        "AMD ZCU102", "published", lambda _: MnasNet(device="zcu102"), "top1_error", "latency_ms"
    ),
    "vck190": Target(
        "AMD VCK190", "published", lambda _: MnasNet(device="vck190"), "top1_error", "latency_ms"
    ),
}


def searched(key: str, target: Target, options: Options) -> Run:
    """Return the search of one target."""
    return search(
        target.make(options),
        Constrained(target.score, {target.latency: Quantile(SHARE)}),
        algorithm="hae",
        budget=40 if options.smoke and target.known == "published" else options.budget(BUDGET),
        n_jobs=options.jobs,
        out=options.folder("figure5") / key,
    )


def row_of(key: str, target: Target, run: Run) -> dict[str, Any]:
    """Return the best network of a run, or of those that violate the limit least."""
    best = (run.front if len(run.front) else run.least_violating).iloc[0]
    return {
        "target": key,
        "space": run.record["problem"]["name"],
        "latency_from": target.known,
        "device": machine()["cpu"] if key == "cpu" else target.name,
        "score_metric": target.score,
        "score": best[target.score],
        "latency_metric": target.latency,
        "latency_ms": best[target.latency],
        "limit_ms": run.formulation.settings["limits"][target.latency],
        "params": best["params"],
        "macs": best["macs"],
        "evaluations": len(run.table),
        "architecture": best["architecture"],
    }


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    rows, drawn = [], []
    for key, target in TARGETS.items():
        if options.smoke and key not in SMOKE:
            continue
        run = searched(key, target, options)
        row = row_of(key, target, run)
        rows.append(row)
        told = ", ".join(
            f"{label} {quantity(run.table.metric(metric), row[column])}"
            for label, metric, column in (
                ("score" if target.score == "score" else "top-1 error", target.score, "score"),
                ("latency", target.latency, "latency_ms"),
                ("limit", target.latency, "limit_ms"),
            )
        )
        about = f"{told} ({target.known}), {row['params'] / 1e6:.1f} M parameters"
        title = f"{target.name} ({row['device']})" if key == "cpu" else target.name
        architecture = run.space.decode(run.table.genomes[int(best_row(run))])
        drawn.append((f"{title}, {row['space']}", about, architecture))
    table = pd.DataFrame(rows)
    table.to_csv(options.results / "figure5.csv", index=False, float_format="%.6g")
    svg = draw_side_by_side(drawn)
    (options.results / "figure5.svg").write_text(svg, encoding="utf-8")
    (options.results / "figure5.png").write_bytes(svg_png(svg))
    print(table[["target", "score", "latency_ms", "limit_ms", "architecture"]].to_string(index=False))
    print(f"Results: {options.results / 'figure5.csv'}")


def best_row(run: Run) -> int:
    """Return the number of the evaluation that is shown."""
    return int((run.front if len(run.front) else run.least_violating).index[0])


if __name__ == "__main__":
    main()
