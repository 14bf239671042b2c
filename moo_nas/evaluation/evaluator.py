"""Genomes in, a table of measurements out: canonical, once each, from the store where they are there."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from typing import Any, Self

import numpy as np

from moo_nas.arrays import FloatArray, IntArray, stable_hash, stable_seed
from moo_nas.errors import InputError, unknown, whole_number
from moo_nas.evaluation.chunk import Outcome, measure_chunk
from moo_nas.evaluation.evaluations import Evaluations
from moo_nas.evaluation.runner import Runner
from moo_nas.evaluation.store import Measurement, Store
from moo_nas.meters import Aggregate, Meter, Metric
from moo_nas.spaces import SearchSpace
from moo_nas.spaces.tables import Tabulated

Source = Meter | Aggregate

# Told which meter has measured how many of how many architectures, while a batch is measured.
Listener = Callable[[str, int, int], None]


class Evaluator:
    """Measures genomes of a space: each canonical genome and metric once, each result kept at once.

    Args:
        space: Where genomes come from.
        sources: Meters and aggregates; no two may give a metric of the same name.
        seed: The problem's seed: with a genome it makes the seed of its measurement, so that every
            algorithm and run sees the same value for the same network.
        store: Where results are kept.
        runner: What measures in parallel.
        n_reference: How many random architectures the reference sample has.
        pool: Genomes ``(n, n_var)`` that random architectures are drawn from, where only some of the
            space can be measured (a table of known results); by default the whole space.

    Raises:
        InputError: A metric twice, or an aggregate of one that no meter gives.
    """

    def __init__(
        self,
        space: SearchSpace,
        sources: Sequence[Source],
        seed: int = 0,
        store: Store | None = None,
        runner: Runner | None = None,
        n_reference: int = 200,
        pool: IntArray | None = None,
    ) -> None:
        self.space = space
        self.sources = tuple(sources)
        self.seed = whole_number("The problem's seed must be a whole number", seed, 0)
        self.store = store or Store()
        self.runner = runner or Runner()
        what = "The size n_reference of the reference sample must be a whole number"
        self.n_reference = whole_number(what, n_reference, 2)
        self.pool = pool
        self.listener: Listener | None = None
        self._source: dict[str, Source] = {}
        self._metrics: dict[str, Metric] = {}
        for source in self.sources:
            for metric in (source.metric,) if isinstance(source, Aggregate) else source.metrics:
                if metric.name in self._metrics:
                    raise InputError(f"Two meters give the metric '{metric.name}'.")
                self._metrics[metric.name] = metric
                self._source[metric.name] = source
        for source in self.sources:
            if isinstance(source, Aggregate):
                for name in source.inputs:
                    self.metric(name)
        # What a measurement depends on beside the meter and the genome.
        self._context = stable_hash(space.settings, self.seed, version("moo_nas"))
        self._prepared: dict[Meter, Meter] = {}
        self._tables: dict[Meter, Tabulated | None] = {}
        self._fits: dict[Aggregate, dict[str, Any]] = {}

    def at(self, store: Store, runner: Runner) -> "Evaluator":
        """Return the same evaluator with another store and runner."""
        return Evaluator(self.space, self.sources, self.seed, store, runner, self.n_reference, self.pool)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same evaluator: pymoo copies problems, and copies must share what was measured."""
        return self

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric there is."""
        return tuple(self._metrics.values())

    def metric(self, name: str) -> Metric:
        """Return a metric's description.

        Raises:
            InputError: There is no such metric; the message names the closest.
        """
        if name not in self._metrics:
            raise unknown("metric", name, self._metrics)
        return self._metrics[name]

    @property
    def formulas(self) -> tuple[str, ...]:
        """Metrics that are free and need no set-up: they are in every table."""
        return tuple(
            name
            for source in self.sources
            if isinstance(source, Meter) and type(source).prepare is Meter.prepare
            for name in source.free
        )

    def uses_gpu(self, names: Iterable[str]) -> bool:
        """Is a GPU of this machine at work where these metrics are measured?"""
        return any(meter.uses_gpu for meter in self.meters(names))

    def meters(self, names: Iterable[str]) -> tuple[Meter, ...]:
        """Return the meters that these metrics are made of."""
        sources = dict.fromkeys(self._source[name] for name in self._expanded(names))
        return tuple(source for source in sources if isinstance(source, Meter))

    def key(self, meter: Meter) -> str:
        """Return what a meter's measurements are kept under in the store."""
        return f"{meter.key}-{self._context}"

    def free(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the metrics known before an evaluation: formulas, and what of these names is predicted.

        Predictors of what is not asked for are left out: fitting them may take hours.
        """
        asked = self._columns(names)
        return tuple(name for name in self._metrics if name in asked and self._is_free(name))

    def _is_free(self, name: str) -> bool:
        source = self._source[name]
        if isinstance(source, Aggregate):
            return all(map(self._is_free, source.inputs))
        return name in source.free

    def settings(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the settings of all that makes a table of these metrics, as JSON."""
        asked = {self._source[name] for name in self._columns(names)}
        return {
            "space": stable_hash(self.space.settings),
            "seed": self.seed,
            "n_reference": self.n_reference,
            **({} if self.pool is None else {"pool": stable_hash(self.pool.tolist())}),
            "meters": [
                {"meter": type(source).__name__, **source.settings}
                for source in self.sources
                if source in asked
            ],
        }

    def evaluate(self, genomes: IntArray, names: Iterable[str], optional: Iterable[str] = ()) -> Evaluations:
        """Return these metrics, what they are made of, and all formulas, of genomes ``(n, n_var)``, in order.

        A raise, NaN or infinity is a failure row with its reason. Of an ``optional`` metric it is
        a missing value, and the row is none the worse for it.
        """
        names, optional = list(names), list(optional)
        columns = self._columns((*names, *optional))
        genomes = self.space.canonical(self.space.check(genomes))
        unique, inverse = np.unique(genomes, axis=0, return_inverse=True)
        values, reasons = self._measure(unique, self._expanded(columns))
        for name in columns:
            source = self._source[name]
            if isinstance(source, Aggregate):
                values[name] = source.combine({i: values[i] for i in source.inputs}, self._fit(source))
        required = [name for name in self._columns(names) if name not in optional]
        failures: list[str | None] = [None] * len(unique)
        for name in required:
            for row in np.flatnonzero(~np.isfinite(values[name])):
                if failures[row] is None:
                    failures[row] = reasons.get((name, int(row)), f"{name} is {values[name][row]}")
        table = np.column_stack([values[name] for name in columns])
        evaluations = Evaluations(
            unique, tuple(self.metric(name) for name in columns), table, tuple(failures)
        )
        return evaluations.rows(np.ravel(inverse))

    def reference(self, names: Iterable[str]) -> Evaluations:
        """Return these metrics of the reference sample: random architectures, without those that fail.

        Raises:
            InputError: Fewer than half of them could be measured.
        """
        sample = self.reference_genomes()
        evaluations = self.evaluate(sample, names)
        valid = evaluations.rows(~evaluations.failed)
        if 2 * len(valid) < len(sample):
            reason = next(r for r in evaluations.reasons if r)
            raise InputError(
                f"{len(sample) - len(valid)} of the {len(sample)} architectures of the reference sample "
                f"could not be measured, the first because: {reason}."
            )
        return valid

    def reference_genomes(self) -> IntArray:
        """Return the genomes of the reference sample, ``(n, n_var)``."""
        return self.draw(self.n_reference, stable_seed("reference", self.seed))

    def draw(self, n: int, seed: int) -> IntArray:
        """Return ``n`` distinct random canonical genomes, of the pool if there is one.

        Fewer where there are not so many: a pool's all, or what a hundred times as many draws find.
        """
        rng = np.random.default_rng(seed)
        found: dict[str, IntArray] = {}
        for _ in range(100):
            if self.pool is None:
                drawn = self.space.canonical(self.space.sample(n, rng))
            else:
                drawn = self.pool[rng.permutation(len(self.pool))]
            for genome in drawn:
                if len(found) < n:
                    found.setdefault(genome_text(genome), genome)
            if len(found) == n or self.pool is not None:
                break
        return np.array(list(found.values()))

    def _columns(self, names: Iterable[str]) -> list[str]:
        """Return the columns of a table of these metrics: formulas, what they are made of, themselves."""
        names = list(names)
        return list(dict.fromkeys((*self.formulas, *self._expanded(names), *names)))

    def _expanded(self, names: Iterable[str]) -> list[str]:
        """Return the metrics that meters must give for these names, in a fixed order."""
        wanted: set[str] = set()
        for name in names:
            self.metric(name)
            source = self._source[name]
            wanted.update(self._expanded(source.inputs) if isinstance(source, Aggregate) else (name,))
        return [name for name in self._metrics if name in wanted]

    def _fit(self, aggregate: Aggregate) -> dict[str, Any]:
        if aggregate not in self._fits:
            made_of = self.settings((aggregate.metric.name,))
            self._fits[aggregate] = self.recall(
                f"{aggregate.metric.name}/{stable_hash(made_of)}",
                lambda: aggregate.fit(self.reference(aggregate.inputs).columns()),
            )
        return self._fits[aggregate]

    def outside(self, genomes: IntArray, names: Iterable[str]) -> tuple[str, ...] | None:
        """Return why genomes lie outside of what predictors of these metrics were fitted on, by metric.

        The text is empty for a genome that is inside; there are no texts at all where none of the
        metrics is predicted from samples.
        """
        predictors = [
            meter for meter in self.meters(names) if type(meter).why_outside is not Meter.why_outside
        ]
        if not predictors:
            return None
        architectures = [self.space.decode(genome) for genome in genomes]
        reasons: list[dict[str, list[str]]] = [{} for _ in architectures]
        for meter in predictors:
            found = self.ready(meter).why_outside(architectures)
            for row, why in zip(reasons, found or [None] * len(reasons), strict=True):
                if why is not None:
                    row.setdefault(why, []).extend(metric.name for metric in meter.metrics)
        return tuple("; ".join(f"{', '.join(of)}: {why}" for why, of in row.items()) for row in reasons)

    def recall(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what the store keeps under a name for this space and seed; make it first if need be."""
        return self.store.recall(f"{name}/{self._context}", make)

    def tables(self, name: str) -> tuple[Tabulated, int] | None:
        """Return what looks an instant metric up by genomes, and its column; None if nothing does."""
        meter = self._source[self.metric(name).name]
        if not isinstance(meter, Meter) or not meter.instant:
            return None
        self._tabulated(meter, self.ready(meter), self.space.sample(1, 0))
        tables = self._tables[meter]
        return None if tables is None else (tables, [m.name for m in meter.metrics].index(name))

    def ready(self, meter: Meter) -> Meter:
        """Return a meter fitted or calibrated on the space, from the store where it was before."""
        if meter not in self._prepared:
            self._prepared[meter] = meter.prepare(self.space, self, self.seed)
        return self._prepared[meter]

    def _measure(
        self, genomes: IntArray, names: Sequence[str]
    ) -> tuple[dict[str, FloatArray], dict[tuple[str, int], str]]:
        """Return each metric's values ``(n,)`` of distinct genomes, and why some have none."""
        values: dict[str, FloatArray] = {}
        reasons: dict[tuple[str, int], str] = {}
        # Timings come last: nothing else may run beside them.
        for meter in sorted(self.meters(names), key=lambda m: m.exclusive):
            wanted = [metric.name for metric in meter.metrics if metric.name in names]
            if meter.instant:
                columns, failed = self._compute(meter, genomes)
                values.update({m.name: columns[:, i] for i, m in enumerate(meter.metrics)})
                reasons.update({(m.name, row): why for row, why in failed.items() for m in meter.metrics})
                continue
            values.update({name: np.full(len(genomes), np.nan) for name in wanted})
            for row, kept in enumerate(self._kept(meter, genomes, wanted)):
                for name in wanted:
                    measurement = kept[name]
                    if measurement.value is not None:
                        values[name][row] = measurement.value
                    else:
                        reasons[name, row] = measurement.reason or "no value"
        return values, reasons

    def _compute(self, meter: Meter, genomes: IntArray) -> tuple[FloatArray, dict[int, str]]:
        """Return an instant meter's values ``(n, n_metrics)``, and why rows have none."""
        ready = self.ready(meter)
        values, failed = self._tabulated(meter, ready, genomes), {}
        if values is None:
            values = np.full((len(genomes), len(meter.metrics)), np.nan)
        # What no table has is asked for network by network, for the reason.
        open_rows = np.flatnonzero(np.isnan(values).all(axis=1)).tolist()
        architectures = [self.space.decode(genomes[row]) for row in open_rows]
        for outcome in measure_chunk(ready, architectures, [0] * len(architectures), open_rows):
            if outcome.values is None:
                failed[outcome.index] = outcome.reason or "no value"
            else:
                values[outcome.index] = outcome.values
        return values, failed

    def _tabulated(self, meter: Meter, ready: Meter, genomes: IntArray) -> FloatArray | None:
        """Return an instant meter's values ``(n, n_metrics)`` from its tables, made once; None without."""
        try:
            if meter not in self._tables:
                self._tables[meter] = ready.tabulate(self.space)
            tables = self._tables[meter]
            return None if tables is None else tables(genomes)
        except Exception as error:
            # A block that has no cost fails the architectures that have it, told one by one.
            warnings.warn(
                f"{type(meter).__name__} is computed network by network, which is slower: "
                f"a block has no cost ({type(error).__name__}: {error}).",
                stacklevel=2,
            )
            self._tables[meter] = None
            return None

    def _kept(self, meter: Meter, genomes: IntArray, names: Sequence[str]) -> list[dict[str, Measurement]]:
        """Return a meter's measurements of every genome, measuring first what the store lacks."""
        key = self.key(meter)
        texts = [genome_text(genome) for genome in genomes]
        kept = self.store.measurements(key, texts)
        missing = [i for i, text in enumerate(texts) if not set(names) <= kept.get(text, {}).keys()]
        if missing:
            self.store.describe(key, {"meter": type(meter).__name__, **meter.settings})
            ready = self.ready(meter).only(names)
            measured = [metric.name for metric in ready.metrics]
            architectures = [self.space.decode(genomes[i]) for i in missing]
            seeds = [stable_seed(self.seed, texts[i]) for i in missing]
            n_done = 0
            for outcomes in self.runner.run(ready, architectures, seeds):
                fresh = [
                    _measurement(texts[missing[outcome.index]], name, outcome, position)
                    for outcome in outcomes
                    for position, name in enumerate(measured)
                ]
                self.store.add(key, fresh)
                n_done += len(outcomes)
                if self.listener:
                    self.listener(type(meter).__name__, n_done, len(missing))
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
