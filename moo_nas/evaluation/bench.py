"""One meter at work: in which space it measures, what it must know first, what the store has of it."""

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from moo_nas.arrays import FloatArray, IntArray, stable_hash, stable_seed
from moo_nas.evaluation.chunk import Outcome, measure_chunk
from moo_nas.evaluation.runner import Runner
from moo_nas.evaluation.store import Measurement, Store
from moo_nas.meters import Meter
from moo_nas.spaces import SearchSpace
from moo_nas.spaces.tables import Tabulated

# Told which meter has measured how many of how many architectures, while a batch is measured.
Listener = Callable[[str, int, int], None]

Values = dict[str, FloatArray]  # by metric, (n,)
Reasons = dict[tuple[str, int], str]  # why a metric has no value in a row


class Shelf:
    """The part of a store that is of one space and seed: a meter's memory.

    Args:
        store: The store.
        space: The space.
        seed: The problem's seed.
    """

    def __init__(self, store: Store, space: SearchSpace, seed: int) -> None:
        self._store = store
        # What a measurement depends on beside the meter and the genome.
        self.context = stable_hash(space.settings, seed, version("moo_nas"))

    def recall(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what is kept under a name; make and keep it first if nothing is."""
        return self._store.recall(f"{name}/{self.context}", make)


class Bench:
    """A meter on a space, with a store for what it measures.

    Args:
        meter: What measures.
        whole: The space that is searched, whole. A meter that takes no configuration measures
            its architectures alone, each once, and as a problem on these alone has them.
        store: Where results are kept.
        runner: What measures in parallel.
        seed: The problem's seed.
    """

    def __init__(self, meter: Meter, whole: SearchSpace, store: Store, runner: Runner, seed: int) -> None:
        self.meter = meter
        self.space = self.part(whole)
        self._store = store
        self._runner = runner
        self._seed = seed
        self._shelf = Shelf(store, self.space, seed)
        self._made: Tabulated | None = None
        self._is_made = False

    def part(self, space: SearchSpace) -> SearchSpace:
        """Return what of a space the meter measures: all of it, or its architectures alone."""
        return space if self.meter.takes_configuration else space.architectures

    def seen(self, genomes: IntArray) -> IntArray:
        """Return genomes ``(n, n_var)`` as the meter's space has them: a configuration's genes come last."""
        return np.ascontiguousarray(genomes[:, : self.space.n_var])

    @property
    def key(self) -> str:
        """What its measurements are kept under in the store."""
        return f"{self.meter.key}-{self._shelf.context}"

    @cached_property
    def ready(self) -> Meter:
        """The meter fitted or calibrated on the space, from the store where it was before."""
        return self.meter.prepare(self.space, self._shelf, self._seed)

    def measure(
        self, genomes: IntArray, names: Sequence[str], listener: Listener | None
    ) -> tuple[Values, Reasons]:
        """Return metrics of canonical genomes of the whole space, and why some have none."""
        seen = self.seen(genomes)
        if self.meter.instant:
            columns, failed = self._compute(seen)
            metrics = [metric.name for metric in self.meter.metrics]
            return (
                {name: columns[:, i] for i, name in enumerate(metrics)},
                {(name, row): why for row, why in failed.items() for name in metrics},
            )
        values: Values = {name: np.full(len(genomes), np.nan) for name in names}
        reasons: Reasons = {}
        for row, kept in enumerate(self._kept(seen, names, listener)):
            for name in names:
                measurement = kept[name]
                if measurement.value is not None:
                    values[name][row] = measurement.value
                else:
                    reasons[name, row] = measurement.reason or "no value"
        return values, reasons

    def tables(self, genomes: IntArray) -> Tabulated | None:
        """Return what looks an instant meter up by genomes of its space, made once; None if nothing does."""
        self._tabulated(genomes)
        return self._made

    def _compute(self, genomes: IntArray) -> tuple[FloatArray, dict[int, str]]:
        """Return an instant meter's values ``(n, n_metrics)``, and why rows have none."""
        values, failed = self._tabulated(genomes), {}
        if values is None:
            values = np.full((len(genomes), len(self.meter.metrics)), np.nan)
        # What no table has is asked for network by network, for the reason.
        open_rows = np.flatnonzero(np.isnan(values).all(axis=1)).tolist()
        architectures = [self.space.decode(genomes[row]) for row in open_rows]
        for outcome in measure_chunk(self.ready, architectures, [0] * len(architectures), open_rows):
            if outcome.values is None:
                failed[outcome.index] = outcome.reason or "no value"
            else:
                values[outcome.index] = outcome.values
        return values, failed

    def _tabulated(self, genomes: IntArray) -> FloatArray | None:
        """Return an instant meter's values ``(n, n_metrics)`` from its tables, made once; None without."""
        ready = self.ready  # what cannot be prepared ends the run
        try:
            if not self._is_made:
                self._made, self._is_made = ready.tabulate(self.space), True
            return None if self._made is None else self._made(genomes)
        except Exception as error:
            # A block that has no cost fails the architectures that have it, told one by one.
            warnings.warn(
                f"{type(self.meter).__name__} is computed network by network, which is slower: "
                f"a block has no cost ({type(error).__name__}: {error}).",
                stacklevel=2,
            )
            self._made, self._is_made = None, True
            return None

    def _kept(
        self, genomes: IntArray, names: Sequence[str], listener: Listener | None
    ) -> list[dict[str, Measurement]]:
        """Return the measurements of every genome, measuring first what the store lacks."""
        key = self.key
        texts = [genome_text(genome) for genome in genomes]
        kept = self._store.measurements(key, texts)
        # Once each: an architecture may be there on several configurations.
        first = dict(zip(reversed(texts), reversed(range(len(texts))), strict=True))
        missing = [i for i in sorted(first.values()) if not set(names) <= kept.get(texts[i], {}).keys()]
        if missing:
            self._store.describe(key, {"meter": type(self.meter).__name__, **self.meter.settings})
            ready = self.ready.only(names)
            measured = [metric.name for metric in ready.metrics]
            architectures = [self.space.decode(genomes[i]) for i in missing]
            seeds = [stable_seed(self._seed, texts[i]) for i in missing]
            n_done = 0
            for outcomes in self._runner.run(ready, architectures, seeds):
                fresh = [
                    _measurement(texts[missing[outcome.index]], name, outcome, position)
                    for outcome in outcomes
                    for position, name in enumerate(measured)
                ]
                self._store.add(key, fresh)
                n_done += len(outcomes)
                if listener:
                    listener(type(self.meter).__name__, n_done, len(missing))
                for measurement in fresh:
                    # What is kept already stays, in the file and here.
                    kept.setdefault(measurement.genome, {}).setdefault(measurement.metric, measurement)
        return [kept[text] for text in texts]


def genome_text(genome: IntArray) -> str:
    """Return a genome as the store writes it: indices, separated by commas."""
    return ",".join(map(str, genome.tolist()))


def _measurement(genome: str, name: str, outcome: Outcome, position: int) -> Measurement:
    if outcome.values is None:
        return Measurement(genome, name, None, outcome.reason)
    value = float(outcome.values[position])
    if not np.isfinite(value):
        return Measurement(genome, name, None, outcome.reasons.get(name, f"{name} is {value}"))
    return Measurement(genome, name, value)
