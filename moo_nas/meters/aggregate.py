"""One score of several metrics, on the scale of a recorded reference sample."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import InputError
from moo_nas.meters.base import Metric

# The score that studies/proxy_correlation.py chose for stage spaces, on half of its networks.
SCORE = ("log(snip)", "log(params)")

_TERM = re.compile(r"(-?)(?:log\((\w+)\)|(\w+))")


class Aggregate(ABC):
    """A metric made of other metrics of the same architecture, fitted to a reference sample."""

    metric: Metric
    inputs: tuple[str, ...]

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """All that it depends on, as JSON."""

    @abstractmethod
    def fit(self, reference: Mapping[str, FloatArray]) -> dict[str, Any]:
        """Return what it needs to know of the reference sample, as JSON.

        Args:
            reference: For each of ``inputs``, its values ``(n,)``; all finite.
        """

    @abstractmethod
    def combine(self, values: Mapping[str, FloatArray], fit: dict[str, Any]) -> FloatArray:
        """Return the metric ``(n,)`` for the values ``(n,)`` of each of ``inputs``."""


class ZMean(Aggregate):
    r"""The mean of robust z-scores: unbounded, more is better, a number of one architecture.

    .. math:: score = \frac1T \sum_t \pm\frac{x_t - median_t}{1.4826\,MAD_t}

    with each term's median and median absolute deviation taken from the reference sample, so a
    score does not depend on which other architectures are looked at.

    Args:
        terms: Metrics of which more is better: ``snip``, ``log(params)``; with a ``-`` in front,
            of which less is.
        name: What the score is called.

    Example:
        >>> score = ZMean(("snip", "log(params)"))
        >>> score.inputs
        ('snip', 'params')
        >>> fit = score.fit({"snip": np.array([1.0, 2, 3]), "params": np.array([1e5, 1e6, 1e7])})
        >>> score.combine({"snip": np.array([2.0]), "params": np.array([1e6])}, fit)
        array([0.])
    """

    def __init__(self, terms: Sequence[str], name: str = "score") -> None:
        self.terms = tuple(terms)
        self.metric = Metric(name, "1", "max")
        if not self.terms:
            raise InputError(f"'{name}' needs at least one term, such as snip or log(params); got none.")
        self._parsed: list[tuple[float, bool, str]] = []
        for term in self.terms:
            found = _TERM.fullmatch(term.strip())
            if found is None:
                raise InputError(f"A term of '{name}' is a metric, log(metric) or -metric; got '{term}'.")
            sign, logged, plain = found.groups()
            self._parsed.append((-1.0 if sign else 1.0, logged is not None, logged or plain))
        self.inputs = tuple(dict.fromkeys(metric for _, _, metric in self._parsed))

    @property
    def settings(self) -> dict[str, Any]:
        return {"zmean": list(self.terms)}

    def fit(self, reference: Mapping[str, FloatArray]) -> dict[str, Any]:
        fit: dict[str, Any] = {"terms": list(self.terms), "median": [], "scale": []}
        for term, values in zip(self.terms, self._values(reference), strict=True):
            if not np.isfinite(values).all():
                raise InputError(f"Term '{term}' has no finite value for some of the reference sample.")
            median = float(np.median(values))
            scale = 1.4826 * float(np.median(np.abs(values - median)))
            if scale == 0:
                raise InputError(
                    f"Term '{term}' is the same for at least half of the reference sample, it has no scale."
                )
            fit["median"].append(median)
            fit["scale"].append(scale)
        return fit

    def combine(self, values: Mapping[str, FloatArray], fit: dict[str, Any]) -> FloatArray:
        scores = [
            sign * (x - median) / scale
            for (sign, _, _), x, median, scale in zip(
                self._parsed, self._values(values), fit["median"], fit["scale"], strict=True
            )
        ]
        mean: FloatArray = np.mean(scores, axis=0)
        return mean

    def _values(self, values: Mapping[str, FloatArray]) -> list[FloatArray]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return [np.log(values[name]) if logged else values[name] for _, logged, name in self._parsed]


class WorstCase(Aggregate):
    r"""The worst of several costs, each as a share of its target: one objective for many devices.

    .. math:: worst = \max_i \frac{m_i}{t_i}

    At most 1 where every target is met, so ``Constrained("val_error", {"worst_latency": 1.0})`` asks for
    what is within all of them, and ``Pareto("val_error", "worst_latency")`` for what is good on every
    device rather than on the mean one.

    Args:
        targets: The target of each metric, in its own unit, positive; None for the median of the
            reference sample.
        name: What the worst is called.

    Raises:
        InputError: Fewer than two metrics; a target that is no positive number.

    Example:
        >>> worst = WorstCase({"raspi4_latency_ms": 20.0, "edgegpu_latency_ms": 5.0}, "worst_latency")
        >>> measured = {"raspi4_latency_ms": np.array([10.0, 30]), "edgegpu_latency_ms": np.array([4.0, 4])}
        >>> worst.combine(measured, worst.fit(measured))
        array([0.8, 1.5])

    References:
        Y. Jin, J. Branke. Evolutionary Optimization in Uncertain Environments. IEEE Transactions on
        Evolutionary Computation 9(3), 2005 (the worst case as a measure of robustness).
    """

    def __init__(self, targets: Mapping[str, float | None], name: str = "worst_case") -> None:
        self.metric = Metric(name, "1", "min")
        self.targets = {metric: None if t is None else float(t) for metric, t in targets.items()}
        self.inputs = tuple(self.targets)
        if len(self.inputs) < 2:
            raise InputError(f"'{name}' is of two metrics at least; got {', '.join(self.inputs) or 'none'}.")
        for metric, target in self.targets.items():
            if target is not None and not (np.isfinite(target) and target > 0):
                raise InputError(f"The target of '{metric}' must be positive and finite; got {target}.")

    @property
    def settings(self) -> dict[str, Any]:
        return {"worst_case": dict(self.targets)}

    def fit(self, reference: Mapping[str, FloatArray]) -> dict[str, Any]:
        targets = {
            metric: float(np.median(reference[metric])) if target is None else target
            for metric, target in self.targets.items()
        }
        for metric, target in targets.items():
            if not target > 0:
                raise InputError(
                    f"The median of '{metric}' over the reference sample is {target:g}: state its target, "
                    "which must be positive."
                )
        return {"targets": targets}

    def combine(self, values: Mapping[str, FloatArray], fit: dict[str, Any]) -> FloatArray:
        shares = [values[metric] / target for metric, target in fit["targets"].items()]
        worst: FloatArray = np.max(shares, axis=0)
        return worst
