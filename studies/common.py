"""What the studies share: their options, where their results go, and a clock."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moo_nas.meters.predictors import (
    Best,
    GaussianProcess,
    GradientBoosting,
    Perceptron,
    Regressor,
    Ridge,
)

HERE = Path(__file__).parent
# What studies of hardware costs compare; the perceptron takes one-hot genes, the others cost features.
REGRESSORS: dict[str, Regressor] = {
    "ridge": Ridge("linear"),
    "gradient boosting": GradientBoosting("linear"),
    "Gaussian process": GaussianProcess("linear"),
    "best": Best(nested=False),
    "the paper's perceptron": Perceptron(),
}
COLOURS = dict(zip(REGRESSORS, ("#E69F00", "#009E73", "#56B4E9", "#000000", "#D55E00"), strict=True))


@dataclass(frozen=True)
class Options:
    """What a study was asked for; ``smoke`` makes everything tiny, to show that it runs."""

    smoke: bool
    jobs: int

    @property
    def problem(self) -> dict[str, Any]:
        """Options of the problem."""
        if self.smoke:
            return {
                "image_size": 16,
                "batch_size": 8,
                "n_reference": 10,
                "n_networks": 5,
                "latency_size": 32,
                "latency_rounds": 2,
            }
        return {}

    def seeds(self, n: int) -> int:
        """How many seeds, of ``n`` in the whole study."""
        return 1 if self.smoke else n

    def budget(self, n: int) -> int:
        """How many evaluations, of ``n`` in the whole study."""
        return 8 if self.smoke else n

    def folder(self, study: str) -> Path:
        """Where the study's runs go."""
        return HERE.parent / "runs" / ("smoke" if self.smoke else "") / study

    @property
    def results(self) -> Path:
        """Where the study's results go."""
        path = HERE.parent / "runs" / "smoke" / "results" if self.smoke else HERE / "results"
        path.mkdir(parents=True, exist_ok=True)
        return path


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return what reads a study's command line."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--smoke", action="store_true", help="tiny: shows that it runs")
    made.add_argument("--jobs", type=int, default=-1, help="processes that measure (default: every core)")
    return made


def arguments(description: str | None) -> Options:
    """Return the options of the command line."""
    given = parser(description).parse_args()
    return Options(given.smoke, given.jobs)


def clock(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return a call's seconds and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result
