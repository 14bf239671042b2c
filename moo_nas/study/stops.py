"""When a search ends."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from moo_nas.analysis.indicators import Box, nondominated
from moo_nas.arrays import BoolArray, FloatArray
from moo_nas.errors import positive_seconds, whole_number

# Of the hypervolume: what has grown by less has stagnated.
GROWTH = 1e-3
# Of an objective's value: what it is widened to where fronts lie closer together than anybody tells apart.
CLOSE = 1e-5


@dataclass(frozen=True)
class Stops:
    """What ends a search, whichever comes first; a space with nothing left to evaluate always does.

    Args:
        budget: How many distinct architectures are evaluated.
        max_seconds: How long it may be at work, set-up and all sittings together, but not what lies
            between them. Looked at between steps, each of which is evaluated whole.
        stagnation: Over how many evaluations the hypervolume of the front has to grow by a
            thousandth, from the first feasible one on; gains of less than 1e-8 of an objective's value are
            none.

    Raises:
        InputError: One of them is not positive, or a number of evaluations is not whole.
    """

    budget: int
    max_seconds: float | None = None
    stagnation: int | None = None

    def __post_init__(self) -> None:
        given: dict[str, Any] = {
            "budget": whole_number("The budget must be a whole number of evaluations", self.budget, 1)
        }
        if self.max_seconds is not None:
            given["max_seconds"] = positive_seconds("max_seconds", self.max_seconds)
        if self.stagnation is not None:
            what = "stagnation must be a whole number of evaluations"
            given["stagnation"] = whole_number(what, self.stagnation, 1)
        for name, value in given.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> "Stops":
        """Return what ends a run, of all that defines it."""
        return cls(definition["budget"], definition.get("max_seconds"), definition.get("stagnation"))

    @property
    def settings(self) -> dict[str, Any]:
        """What was given, as JSON."""
        given = {"max_seconds": self.max_seconds, "stagnation": self.stagnation}
        return {
            "budget": self.budget,
            **{name: value for name, value in given.items() if value is not None},
        }


class Stagnation:
    """Tells when the hypervolume of a front has stopped growing.

    Args:
        n: Over how many evaluations.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._every = math.ceil(n / 10)  # evaluations between two looks, as a look takes time
        self._looked = 0
        self._f: list[FloatArray] = []
        self._feasible: list[BoolArray] = []

    def add(self, f: FloatArray, feasible: BoolArray) -> None:
        """Take in evaluations in ask order: objectives ``(n, n_obj)``, and which are feasible ``(n,)``."""
        self._f.append(f)
        self._feasible.append(feasible)

    def stagnated(self) -> bool:
        """Return whether it has grown by less than a thousandth over the last ``n`` evaluations.

        Both volumes are taken in one box, around the fronts then, now, and of the first quarter of what is
        feasible: networks on none of them, however bad, have no part in it. In each objective it is at least
        1e-5 of the value wide, so that one which creeps by less than 1e-8 of it has stagnated. It takes a
        look only where a tenth of ``n`` evaluations came since the last one.
        """
        total = sum(map(len, self._f))
        if total // self._every == self._looked // self._every:
            return False
        self._looked = total
        f, feasible = np.concatenate(self._f), np.concatenate(self._feasible)
        then = f[: max(total - self._n, 0)][feasible[: max(total - self._n, 0)]]
        if len(then) == 0:
            return False
        now = f[feasible]
        # The first quarter's is the scale where the others are one point, as of a single objective.
        first, before, after = (
            rows[nondominated(rows)] for rows in (now[: math.ceil(len(now) / 4)], then, now)
        )
        rows = np.concatenate([first, before, after])
        best = rows.min(axis=0)
        box = Box.around(np.vstack([rows, np.maximum(rows.max(axis=0), best + CLOSE * np.abs(best))]))
        return box.hypervolume(after) <= (1 + GROWTH) * box.hypervolume(before)
