"""Is an architecture like those that a predictor was fitted on?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from moo_nas.errors import InputError

_TOLERANCE = 1e-9
_TRIED = 200  # random architectures that a share is of
_WANTED = 0.9  # of them inside
_NUMBERS = (10, 15, 20, 30, 40, 50, 60, 80, 100, 120, 150, 200, 300, 400, 500, 600, 800, 1000)  # of samples
DRAWN = _TRIED + _NUMBERS[-1]


@dataclass(frozen=True)
class Domain:
    """The ranges of the features that a predictor was fitted on.

    An architecture lies outside if it has a feature that no sample had, or one that is below or
    above all samples' by more than a margin. A random sample of a space leaves its extremes out:
    the margin, a share of each range, is what a predictor is trusted to extrapolate.

    Args:
        low: The least value of every feature, by name.
        high: The largest.
        margin: How far beyond the range is still inside, as a share of the range.

    Example:
        >>> domain = Domain.of([{"layers": 4.0}, {"layers": 10.0, "conv3.macs": 2.0}])
        >>> domain.why_outside({"layers": 10.5, "conv3.macs": 1.0}) is None
        True
        >>> domain.why_outside({"layers": 20.0})
        'layers is 20, the samples have 4 to 10'
        >>> domain.why_outside({"layers": 5.0, "conv9.macs": 1.0})
        'conv9.macs is 1, no sample has it'
    """

    low: Mapping[str, float]
    high: Mapping[str, float]
    margin: float = 0.25

    def __post_init__(self) -> None:
        if self.margin < 0:
            raise InputError(f"A domain's margin must not be negative; got {self.margin}.")

    @classmethod
    def of(cls, samples: Sequence[Mapping[str, float]], margin: float = 0.25) -> Self:
        """Return the domain of samples' features; what a sample does not name is zero.

        Raises:
            InputError: No samples, or a negative margin.
        """
        if not samples:
            raise InputError("A domain needs at least one sample; got none.")
        names = sorted({name for sample in samples for name in sample})
        columns = {name: [sample.get(name, 0.0) for sample in samples] for name in names}
        return cls(
            {name: min(values) for name, values in columns.items()},
            {name: max(values) for name, values in columns.items()},
            margin,
        )

    def why_outside(self, features: Mapping[str, float]) -> str | None:
        """Return what is outside about these features, the worst of it; None if nothing is."""
        reasons: list[tuple[float, str]] = []
        for name in {**self.low, **features}:
            value = features.get(name, 0.0)
            if name not in self.low:
                if value:
                    reasons.append((np.inf, f"{name} is {value:.4g}, no sample has it"))
                continue
            low, high = self.low[name], self.high[name]
            beyond = max(low - value, value - high)
            slack = self.margin * (high - low) + _TOLERANCE * max(abs(low), abs(high))
            if beyond > slack:
                excess = beyond / (high - low) if high > low else np.inf
                reasons.append((excess, f"{name} is {value:.4g}, the samples have {_range(low, high)}"))
        return max(reasons, key=lambda reason: (reason[0], reason[1]))[1] if reasons else None


@dataclass(frozen=True, slots=True)
class Reach:
    """How much of a space lies inside of the samples' domain.

    Attributes:
        inside: The share of random architectures that do.
        enough: Of how many random samples nine in ten would; None if a thousand are too few.
    """

    inside: float
    enough: int | None

    @classmethod
    def of(cls, domain: Domain, drawn: Sequence[Mapping[str, float]]) -> Self:
        """Return a domain's reach in a space.

        Args:
            domain: The samples'.
            drawn: Features of random architectures of the space, :data:`DRAWN` of them.
        """
        tried, pool = drawn[:_TRIED], drawn[_TRIED:]
        shares = ((n, _share(Domain.of(pool[:n], domain.margin), tried)) for n in _NUMBERS)
        return cls(_share(domain, tried), next((n for n, share in shares if share >= _WANTED), None))

    @property
    def words(self) -> str:
        """The reach in a sentence."""
        told = f"Of random architectures of the space {self.inside:.0%} are like the samples"
        if self.inside >= _WANTED:
            return f"{told}."
        enough = f"about {self.enough}" if self.enough else f"more than {_NUMBERS[-1]}"
        return f"{told}; {_WANTED:.0%} would be of {enough} measured at random."


def _share(domain: Domain, drawn: Sequence[Mapping[str, float]]) -> float:
    return float(np.mean([domain.why_outside(features) is None for features in drawn]))


def _range(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
