"""Genomes in, a table of measurements out: canonical, once each, from the store where they are there."""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np

from moo_nas.arrays import IntArray, stable_hash, stable_seed
from moo_nas.errors import InputError, unknown, whole_number
from moo_nas.evaluation.bench import Bench, Listener, Reasons, Shelf, Values, genome_text
from moo_nas.evaluation.evaluations import Evaluations
from moo_nas.evaluation.runner import Runner
from moo_nas.evaluation.store import Store
from moo_nas.meters import Aggregate, BlockMeter, Meter, Metric
from moo_nas.spaces import SearchSpace
from moo_nas.spaces.tables import Tabulated

Source = Meter | Aggregate


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
        InputError: What is no list of meters, a metric twice, or an aggregate of one that no meter gives.
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
        given: object = sources
        if not isinstance(given, Iterable):
            raise InputError(f"Meters are given in a list, such as [Analytic(96)]; got {given!r}.")
        self.space = space
        self.sources = tuple(sources)
        self.seed = whole_number("The problem's seed must be a whole number", seed, 0)
        self.store = store or Store()
        self.runner = runner or Runner()
        what = "The size n_reference of the reference sample must be a whole number"
        self.n_reference = whole_number(what, n_reference, 2)
        self.pool = pool
        self._drawn = pool  # what random architectures are of
        self.listener: Listener | None = None
        self._source: dict[str, Source] = {}
        self._metrics: dict[str, Metric] = {}
        taken: tuple[object, ...] = self.sources
        for one in taken:
            if not isinstance(one, Source):
                hint = f": make one, {one.__name__}(...)" if isinstance(one, type) else ""
                raise InputError(f"A meter is a Meter or an Aggregate; got {one!r}{hint}.")
        for source in self.sources:
            if isinstance(source, BlockMeter):
                source.check()
            for metric in (source.metric,) if isinstance(source, Aggregate) else source.metrics:
                if metric.name in self._metrics:
                    raise InputError(f"Two meters give the metric '{metric.name}'.")
                self._metrics[metric.name] = metric
                self._source[metric.name] = source
        for source in self.sources:
            if isinstance(source, Aggregate):
                for name in source.inputs:
                    self.metric(name)
        # Of a pruned space, the whole one: the same network has the same measurements, and the same scale.
        self._whole = space.whole
        self._shelf = Shelf(self.store, self._whole, self.seed)
        self._benches: dict[Meter, Bench] = {}
        self._fits: dict[Aggregate, dict[str, Any]] = {}

    def at(self, store: Store, runner: Runner) -> "Evaluator":
        """Return the same evaluator with another store and runner."""
        pool = self._drawn
        moved = Evaluator(self.space, self.sources, self.seed, store, runner, self.n_reference, pool)
        moved.pool = self.pool
        return moved

    def confined(self, pool: IntArray) -> "Evaluator":
        """Return the same evaluator where algorithms propose what a pool ``(n, n_var)`` has alone.

        What is measured, and the reference sample, stay as they are.
        """
        confined = copy.copy(self)
        confined.pool = pool
        return confined

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
        return self._bench(meter).key

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
        return self._settings(names, self.space)

    def _settings(self, names: Iterable[str], space: SearchSpace) -> dict[str, Any]:
        asked = {self._source[name] for name in self._columns(names)}
        return {
            "space": stable_hash(space.settings),
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
        return self._evaluated(self.space.canonical(self.space.check(genomes)), names, optional)

    def _evaluated(
        self, genomes: IntArray, names: Iterable[str], optional: Iterable[str] = ()
    ) -> Evaluations:
        """Return the table of canonical genomes of the whole space."""
        names, optional = list(names), list(optional)
        columns = self._columns((*names, *optional))
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
        evaluations = self._evaluated(sample, names)
        valid = evaluations.rows(~evaluations.failed)
        if 2 * len(valid) < len(sample):
            reason = next(r for r in evaluations.reasons if r)
            raise InputError(
                f"{len(sample) - len(valid)} of the {len(sample)} architectures of the reference sample "
                f"could not be measured, the first because: {reason}."
            )
        return valid

    def reference_genomes(self) -> IntArray:
        """Return the genomes of the reference sample ``(n, n_var)``; of a pruned space, of the whole one."""
        return self._draw(self._whole, self.n_reference, stable_seed("reference", self.seed))

    def draw(self, n: int, seed: int) -> IntArray:
        """Return ``n`` distinct random canonical genomes, of the pool if there is one.

        Fewer where there are not so many: a pool's all, or what a hundred times as many draws find.
        """
        return self._draw(self.space, n, seed)

    def _draw(self, space: SearchSpace, n: int, seed: int) -> IntArray:
        rng = np.random.default_rng(seed)
        found: dict[str, IntArray] = {}
        for _ in range(100):
            if self._drawn is None:
                drawn = space.canonical(space.sample(n, rng))
            else:
                drawn = self._drawn[rng.permutation(len(self._drawn))]
            for genome in drawn:
                if len(found) < n:
                    found.setdefault(genome_text(genome), genome)
            if len(found) == n or self._drawn is not None:
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
            made_of = self._settings((aggregate.metric.name,), self._whole)
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
        reasons: list[dict[str, list[str]]] = [{} for _ in genomes]
        for meter in predictors:
            bench = self._bench(meter)
            found = bench.ready.why_outside([bench.space.decode(genome) for genome in bench.seen(genomes)])
            for row, why in zip(reasons, found or [None] * len(reasons), strict=True):
                if why is not None:
                    row.setdefault(why, []).extend(metric.name for metric in meter.metrics)
        return tuple("; ".join(f"{', '.join(of)}: {why}" for why, of in row.items()) for row in reasons)

    def recall(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what the store keeps under a name for this space and seed; make it first if need be."""
        return self._shelf.recall(name, make)

    def tables(self, name: str) -> tuple[Tabulated, int] | None:
        """Return what looks an instant metric up by genomes, and its column; None if nothing does."""
        meter = self._source[self.metric(name).name]
        if not isinstance(meter, Meter) or not meter.instant:
            return None
        bench = self._bench(meter)
        tables = bench.tables(bench.seen(self._whole.sample(1, 0)))
        if tables is not None and self.space is not self._whole:
            tables = bench.ready.tabulate(bench.part(self.space))
        return None if tables is None else (tables, [m.name for m in meter.metrics].index(name))

    def ready(self, meter: Meter) -> Meter:
        """Return a meter fitted or calibrated on the space, from the store where it was before."""
        return self._bench(meter).ready

    def _bench(self, meter: Meter) -> Bench:
        if meter not in self._benches:
            self._benches[meter] = Bench(meter, self._whole, self.store, self.runner, self.seed)
        return self._benches[meter]

    def _measure(self, genomes: IntArray, names: Sequence[str]) -> tuple[Values, Reasons]:
        """Return each metric's values ``(n,)`` of distinct genomes, and why some have none."""
        values: Values = {}
        reasons: Reasons = {}
        # Timings come last: nothing else may run beside them.
        for meter in sorted(self.meters(names), key=lambda m: m.exclusive):
            wanted = [metric.name for metric in meter.metrics if metric.name in names]
            measured, failed = self._bench(meter).measure(genomes, wanted, self.listener)
            values.update(measured)
            reasons.update(failed)
        return values, reasons
