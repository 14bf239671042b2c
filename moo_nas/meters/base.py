"""What a meter is: anything that puts one or more metrics on architectures."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np

from moo_nas.arrays import FloatArray, stable_hash
from moo_nas.errors import InputError
from moo_nas.spaces import Architecture, Block, SearchSpace
from moo_nas.spaces.tables import Reduction, Tabulated, reduce_costs


@dataclass(frozen=True, slots=True)
class Metric:
    """The description of a number.

    Args:
        name: Its name in tables; a unit ends it (``latency_ms``).
        unit: The unit, ``1`` for a pure number.
        goal: ``min`` if less is better, ``max`` if more is; None of what is a feature only, to learn
            from: no formulation takes it.
    """

    name: str
    unit: str
    goal: Literal["min", "max"] | None

    def __post_init__(self) -> None:
        if self.goal not in ("min", "max", None):
            raise InputError(f"Metric '{self.name}' needs the goal min or max; got '{self.goal}'.")


class Memory(Protocol):
    """Where a meter keeps what it must know before its first measurement (the store of a run)."""

    def recall(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what is kept under a name; make and keep it first if nothing is."""


class Meter(ABC):
    """Puts one or more metrics on architectures.

    Subclasses give ``metrics``, ``settings`` and ``measure``. A meter is sent to other processes,
    so it must be picklable and small; what it needs it rebuilds there from its settings. Programs
    that it starts there it can end; a pool of ``multiprocessing`` is there one of the ``fork`` context
    (what joblib's workers spawn does not start).
    """

    metrics: tuple[Metric, ...]
    exclusive: bool = False  # Timings are: never beside other work.
    instant: bool = False  # Formulas and fitted predictors are: computed anew rather than stored.
    uses_gpu: bool = False  # Does it work on a GPU here, whose energy then counts with a search's?
    takes_configuration: bool = False  # Does it measure Configured architectures, or architectures alone?
    largest_chunk: int = 8  # The most architectures that one call gets.

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """All that a measurement depends on, as JSON: the store's key is made of it."""

    @property
    def free(self) -> tuple[str, ...]:
        """Which metrics are known before anything is evaluated: all of an instant meter's, by default."""
        return tuple(metric.name for metric in self.metrics) if self.instant else ()

    @abstractmethod
    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        """Return the metrics ``(n, n_metrics)`` of architectures, with one seed each.

        A row with NaN or infinity says that this architecture could not be measured; so does a
        raise, after which the architectures of the call are tried one by one.
        """

    def why_outside(self, architectures: Sequence[Architecture]) -> Sequence[str | None] | None:
        """Return why each architecture is unlike those that the meter was fitted on, None if it is like them.

        None for all of it where no such thing can be: by default.
        """
        return None

    @property
    def key(self) -> str:
        """A hash of all that a measurement depends on."""
        return stable_hash(type(self).__module__, type(self).__qualname__, self.settings)

    def tabulate(self, space: SearchSpace) -> Tabulated | None:
        """Return the meter as a function of a space's genomes; None where there is none but :meth:`measure`.

        Of a prepared instant meter; a row of NaN alone is measured after all, for the reason.
        """
        return None

    def only(self, names: Collection[str]) -> "Meter":
        """Return a meter for these of the metrics, if that saves work; else this one.

        A metric's value must not depend on which others are measured with it.
        """
        return self

    def load(self) -> None:
        """Load what measuring needs and is slow to load, in a new process: no time-out counts it."""
        return

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        """Return the meter ready to measure: fitted or calibrated, from memory where it was before."""
        return self


class BlockMeter(Meter):
    """A meter whose metrics follow from sums (or maxima) over an architecture's blocks.

    Subclasses give :meth:`block_cost`; those with metrics that are no sums, such as a ratio of two,
    give :meth:`derive` too. Spaces tabulate such meters, so genomes are measured
    without being decoded, and whole spaces can be solved exactly.

    Args:
        image_size: Width of the (square) images in pixels.
        n_classes: How many classes the head tells apart.
    """

    instant = True
    # Are a block's costs those of its layers, each summed or maximised like those of blocks?
    of_layers = False
    reductions: tuple[Reduction, ...]

    def __init__(self, image_size: int, n_classes: int) -> None:
        if image_size < 1 or n_classes < 1:
            raise InputError(f"image_size and n_classes must be positive; got {image_size} and {n_classes}.")
        self.image_size = image_size
        self.n_classes = n_classes

    @property
    def settings(self) -> dict[str, Any]:
        return {"image_size": self.image_size, "n_classes": self.n_classes}

    @abstractmethod
    def block_cost(self, block: Block) -> Sequence[float] | FloatArray:
        """Return one block's costs, ``(n_costs,)``, one for each of ``reductions``."""

    def reduce(self, costs: FloatArray) -> FloatArray:
        """Return the costs ``(n_costs,)`` of blocks ``(n_blocks, n_costs)`` together."""
        return reduce_costs(costs, self.reductions)

    def derive(self, costs: FloatArray) -> FloatArray:
        """Return the metrics ``(n, n_metrics)`` of networks with these costs ``(n, n_costs)``.

        By default the costs are the metrics.
        """
        return costs

    def check(self) -> None:
        """Raise an :class:`InputError` unless costs are metrics, one by one, or are made into them."""
        n_costs, n_metrics = len(self.reductions), len(self.metrics)
        if n_costs != n_metrics and type(self).derive is BlockMeter.derive:
            raise InputError(
                f"{type(self).__name__} has {n_metrics} metrics and {n_costs} reductions: it needs one for "
                "each, or a derive() that makes metrics of costs."
            )

    def tabulate(self, space: SearchSpace) -> Tabulated | None:
        return space.tabulate(self)

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        rows = [
            self.reduce(
                np.array([self.block_cost(b) for b in a.blocks(self.image_size, self.n_classes)], dtype=float)
            )
            for a in architectures
        ]
        return self.derive(np.array(rows).reshape(len(rows), len(self.reductions)))
