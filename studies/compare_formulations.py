"""Which trade-offs does each formulation find on one budget?

The same problem (HaeNAS on this CPU: score and predicted latency), budget, algorithm and seeds for
single-objective, constrained, weighted-product and Pareto search; every run judged by all it
evaluated, in score and latency.

Run:     python studies/compare_formulations.py [--smoke] [--jobs N]
Takes:   about 10 minutes on two cores, 30 s with --smoke.
Writes:  studies/results/compare_formulations.csv and .png; runs/compare_formulations/ (every run,
         and report.html); with --smoke all of it under runs/smoke/.
"""

from common import arguments, publish

from moo_nas import Constrained, Pareto, Single, WeightedProduct, compare
from problems.haenas import HaeNAS


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    problem = HaeNAS(**options.problem)
    comparison = compare(
        problem,
        {
            "single": Single("score"),
            "constrained": Constrained("score", {"latency_ms": None}),
            "product": WeightedProduct.soft("score"),
            "product-hard": WeightedProduct.hard("score"),
            "pareto": Pareto("score", "latency_ms"),
        },
        algorithms=["nsga2"],
        seeds=options.seeds(3),
        budget=options.budget(100),
        n_jobs=options.jobs,
        out=options.folder("compare_formulations"),
    )
    publish(comparison, options, "compare_formulations")


if __name__ == "__main__":
    main()
