"""What predictors are worth, read from a run's record."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What a record calls a card, and how its networks were kept from the fit.
HOW = {"left_out": "left out in turn", "held_out": "held out"}
# Predictors of this device's latency, by what their records are called.
_OF_HERE = ("latency residual", "perceptron", "saved block table")
# Figures of a card: key, heading, is it a share?
_FIGURES = (
    ("spearman", "Spearman", False),
    ("kendall", "Kendall", False),
    ("mape", "MAPE", True),
    ("median_error", "median error", True),
    ("worst_5_error", "worst 5 % off by", True),
    ("coverage_90", "coverage of 90 % intervals", True),
)


@dataclass(frozen=True, slots=True)
class ErrorCard:
    """How good a predictor is on networks that it was not fitted on.

    Attributes:
        metric: What it predicts; empty if its record does not say.
        predictor: Which predictor it is, and where what it was fitted on comes from.
        how: How the networks were kept from the fit.
        card: The figures, by name.
    """

    metric: str
    predictor: str
    how: str
    card: Mapping[str, Any]

    @property
    def n(self) -> str:
        """On how many networks."""
        n = self.card.get("n")
        return f"{n:g}" if isinstance(n, int | float) else "?"

    @property
    def words(self) -> str:
        """The card in a sentence."""
        name = f"{self.metric}, predicted ({self.predictor})" if self.metric else self.predictor
        told = ", ".join(f"{heading} {figure}" for heading, figure in figures(self.card).items())
        return f"{name}: on {self.n} networks {self.how}: {told}."


def error_cards(record: Mapping[str, Any]) -> list[ErrorCard]:
    """Return the error cards of all predictors in a run's record.

    Example:
        >>> fit = {"held_out": {"n": 20, "spearman": 0.95, "mape": 0.09}, "metric": "energy_mj"}
        >>> (card,) = error_cards({"setup": {"a fit/1f": fit}})
        >>> card.words
        'energy_mj, predicted (a fit): on 20 networks held out: Spearman 0.950, MAPE 9.0 %.'
    """
    cards = []
    for name, value in (record.get("setup") or {}).items():
        kind = name.partition("/")[0]
        for key, how in HOW.items():
            if isinstance(value.get(key), Mapping):
                metric = str(value.get("metric", "latency_ms" if kind in _OF_HERE else ""))
                source = value.get("source")
                cards.append(ErrorCard(metric, f"{kind}: {source}" if source else kind, how, value[key]))
    return cards


def figures(card: Mapping[str, Any]) -> dict[str, str]:
    """Return what a card says, by heading; a figure that is not defined says so.

    Example:
        >>> figures({"spearman": 0.9951, "mape": 0.034, "kendall": float("nan")})
        {'Spearman': '0.995', 'Kendall': 'undefined', 'MAPE': '3.4 %'}
    """
    found = {}
    for key, heading, is_share in _FIGURES:
        if key not in card:
            continue
        value = card[key]
        if not isinstance(value, int | float) or not math.isfinite(value):
            found[heading] = "undefined"
        else:
            found[heading] = f"{100 * value:.1f} %" if is_share else f"{value:.3f}"
    return found
