"""The weighted product of HaeNAS and MnasNet."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import NoneType
from typing import Any, Self

import numpy as np

from moo_nas.arrays import FloatArray
from moo_nas.errors import FormulationError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations.base import Formulation, as_number, as_numbers, minimised

# The hardware costs of eq. 1.
_COSTS = ("latency_ms", "energy_mj")


@dataclass(frozen=True)
class PositiveScale:
    """A score of any sign on a positive, accuracy-like scale; its order is kept.

    Affine from ``low`` -> ``at_low`` to ``high`` -> ``at_high`` and above; below ``low``,
    ``at_low exp(slope (x - low) / at_low)``, which meets it with the same slope and stays positive.
    The exponents of a weighted product are calibrated on accuracy (twice the latency for 3 %
    relative accuracy), and a product of a negative score would *reward* slow networks.

    Args:
        low: The 5th percentile of the reference sample.
        high: The 95th percentile.
        at_low: What ``low`` becomes.
        at_high: What ``high`` becomes.

    Raises:
        FormulationError: ``low`` is not below ``high``, or ``at_low`` not in (0, ``at_high``).
    """

    low: float
    high: float
    at_low: float = 0.70
    at_high: float = 0.80

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, as_number(name, getattr(self, name)))
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise FormulationError(
                "A positive scale needs a 5th percentile below the 95th; got "
                f"{self.low} and {self.high}. The score does not vary over the reference sample."
            )
        _settle_ends(self)

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Return scores ``(n,)`` on the positive scale."""
        slope = (self.at_high - self.at_low) / (self.high - self.low)
        affine = self.at_low + slope * (scores - self.low)
        # Far below, exp would round to 0; the smallest normal number keeps the product positive.
        below = self.at_low * np.exp(np.minimum(slope * (scores - self.low) / self.at_low, 0.0))
        return np.where(scores < self.low, np.maximum(below, np.finfo(float).tiny), affine)


def _settle_ends(given: "PositiveScale | WeightedProduct") -> None:
    """Make at_low and at_high Python's own numbers, or refuse them."""
    for name in ("at_low", "at_high"):
        object.__setattr__(given, name, as_number(name, getattr(given, name)))
    if not 0 < given.at_low < given.at_high < np.inf:
        raise FormulationError(
            f"A positive scale needs 0 < at_low < at_high; got {given.at_low} and {given.at_high}."
        )


@dataclass(frozen=True, eq=False)
class WeightedProduct(Formulation):
    r"""One fitness of a score and hardware costs: eq. 1 and 2 of HaeNAS.

    .. math:: maximise\; Score(a) \prod_m [m(a) / T_m]^{w_m}, \qquad
              w_m = \alpha \text{ if } m(a) \le T_m \text{ else } \beta

    over latency and energy, or other costs. Soft: :math:`\alpha = \beta = -0.05`; hard:
    :math:`\alpha = 0, \beta = -0.7`.

    Args:
        score: The metric to be maximised.
        targets: The target of each cost, None for the reference sample's median. By default those
            of latency and energy that the problem can measure; what is left out is recorded.
        alpha: The exponent within the target, at most 0.
        beta: The exponent above it, at most 0.
        scale: What makes the score positive; None fits it to the reference sample, False takes
            the score as it is, and a score that is not positive is then an error.
        at_low: What a fitted scale makes of the reference sample's 5th percentile.
        at_high: What it makes of the 95th.

    Example:
        >>> WeightedProduct.hard("score", {"latency_ms": 80.0}).beta
        -0.7

    References:
        HaeNAS, section 2.1 and Figure 3; M. Tan et al. MnasNet. CVPR 2019.
    """

    score: str
    targets: Mapping[str, float | None] | None = None
    alpha: float = -0.05
    beta: float = -0.05
    scale: PositiveScale | bool | None = None
    at_low: float = 0.70
    at_high: float = 0.80
    left_out: tuple[str, ...] = ()
    name = "product"

    def __post_init__(self) -> None:
        if self.targets is not None:
            object.__setattr__(self, "targets", as_numbers("target", self.targets, (NoneType,)))
            if not self.targets:
                raise FormulationError("A weighted product needs at least one cost; got none.")
        for metric, target in (self.targets or {}).items():
            if target is not None and not (np.isfinite(target) and target > 0):
                raise FormulationError(f"The target of '{metric}' must be positive; got {target}.")
        for name in ("alpha", "beta"):
            value = as_number(name, getattr(self, name))
            if not (np.isfinite(value) and value <= 0):
                raise FormulationError(
                    f"{name} must be at most 0, or more cost would be better; got {value}."
                )
            object.__setattr__(self, name, value)
        scale: object = self.scale
        if not (scale is None or scale is False or isinstance(scale, PositiveScale)):
            raise FormulationError(
                f"scale is a PositiveScale, None (fit one) or False (none); got {scale!r}."
            )
        _settle_ends(self)
        left_out: object = self.left_out
        if not (isinstance(left_out, list | tuple) and all(isinstance(name, str) for name in left_out)):
            raise FormulationError(f"left_out is a tuple of names of metrics; got {left_out!r}.")
        object.__setattr__(self, "left_out", tuple(left_out))

    @classmethod
    def soft(cls, score: str, targets: Mapping[str, float | None] | None = None) -> "WeightedProduct":
        """Return the soft form: alpha = beta = -0.05."""
        return cls(score, targets, -0.05, -0.05)

    @classmethod
    def hard(cls, score: str, targets: Mapping[str, float | None] | None = None) -> "WeightedProduct":
        """Return the hard form: alpha = 0, beta = -0.7."""
        return cls(score, targets, 0.0, -0.7)

    @classmethod
    def mnasnet(cls, score: str, targets: Mapping[str, float | None] | None = None) -> "WeightedProduct":
        """Return MnasNet's soft form: alpha = beta = -0.07; its hard form is alpha = 0, beta = -1."""
        return cls(score, targets, -0.07, -0.07)

    @property
    def _costs(self) -> Mapping[str, float | None]:
        return dict.fromkeys(_COSTS) if self.targets is None else self.targets

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.score, *self._costs)))

    @property
    def settings(self) -> dict[str, Any]:
        scale = self.scale
        return {
            "formulation": self.name,
            "score": self.score,
            "targets": None if self.targets is None else dict(self.targets),
            "alpha": self.alpha,
            "beta": self.beta,
            "scale": dict(vars(scale)) if isinstance(scale, PositiveScale) else scale,
            "at_low": self.at_low,
            "at_high": self.at_high,
            "left_out": list(self.left_out),
        }

    def objectives(self, evaluations: Evaluations) -> FloatArray:
        if evaluations.metric(self.score).goal == "min" and self.scale is False:
            raise FormulationError(f"'{self.score}' is to be minimised; a product needs a score to maximise.")
        scores = -minimised(evaluations, self.score)
        if isinstance(self.scale, PositiveScale):
            scores = self.scale(scores)
        elif (scores <= 0).any():
            raise FormulationError(
                f"A weighted product needs positive scores; '{self.score}' is {scores.min():g}. Multiplying "
                "it by a factor below 1 would reward slow networks: leave scale=None, which maps it."
            )
        fitness = scores
        for metric, target in self._costs.items():
            costs = evaluations[metric]
            if evaluations.metric(metric).goal == "max":
                raise FormulationError(f"'{metric}' is to be maximised; a product's costs are minimised.")
            if (costs <= 0).any():
                raise FormulationError(
                    f"A weighted product needs positive costs; '{metric}' is {costs.min():g} of one network. "
                    "Where that is no measurement, let it be NaN, a failure; or ask for Constrained(...)."
                )
            assert target is not None
            exponent = np.where(costs <= target, self.alpha, self.beta)
            fitness = fitness * (costs / target) ** exponent
        return -fitness[:, None]

    def with_score(self, metric: str) -> "WeightedProduct":
        if not isinstance(self.scale, PositiveScale):
            return replace(self, score=metric)
        # Another score has a scale of its own, between the same values.
        at_low, at_high = self.scale.at_low, self.scale.at_high
        return replace(self, score=metric, scale=None, at_low=at_low, at_high=at_high)

    def resolve(self, available: Collection[str]) -> Self:
        if self.targets is not None:
            return self
        costs = [metric for metric in _COSTS if metric in available]
        if not costs:
            raise FormulationError(
                f"A weighted product needs one of {', '.join(_COSTS)}; the problem has neither."
            )
        left_out = tuple(metric for metric in _COSTS if metric not in available)
        return replace(self, targets=dict.fromkeys(costs), left_out=left_out)

    @property
    def is_fitted(self) -> bool:
        return self.scale is not None and None not in self._costs.values()

    def fit(self, reference: Callable[[Iterable[str]], Evaluations]) -> Self:
        if self.is_fitted:
            return self
        sample = reference(self.metrics)
        scale = self.scale
        if scale is None:
            low, high = np.quantile(-minimised(sample, self.score), (0.05, 0.95))
            scale = PositiveScale(float(low), float(high), self.at_low, self.at_high)
        targets = {
            metric: float(np.median(sample[metric])) if target is None else target
            for metric, target in self._costs.items()
        }
        return replace(self, scale=scale, targets=targets)
