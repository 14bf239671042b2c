"""Which algorithm finds the better front on one budget?

Random search, aging evolution and NSGA-II on the Pareto front of score and predicted latency
(HaeNAS on this CPU); and aging evolution, HAE and NSGA-II on the weighted product, where HAE is
defined. Every run is judged by all it evaluated, in score and latency.

Run:     python studies/compare_algorithms.py [--smoke] [--jobs N]
Takes:   about 15 minutes on two cores, 30 s with --smoke.
Writes:  studies/results/compare_algorithms.csv and .png; runs/compare_algorithms/ (every run, and
         report.html); with --smoke all of it under runs/smoke/.
"""

from common import arguments, publish

from moo_nas import Pareto, WeightedProduct, compare
from problems.haenas import HaeNAS


def main() -> None:
    """Run the study."""
    options = arguments(__doc__)
    comparison = compare(
        HaeNAS(**options.problem),
        {"pareto": Pareto("score", "latency_ms"), "product": WeightedProduct.soft("score")},
        algorithms=["random", "aging", "hae", "nsga2"],
        seeds=options.seeds(3),
        budget=options.budget(100),
        n_jobs=options.jobs,
        out=options.folder("compare_algorithms"),
    )
    publish(comparison, options, "compare_algorithms")


if __name__ == "__main__":
    main()
