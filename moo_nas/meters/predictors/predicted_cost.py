"""A cost of any device, predicted from a table of measured architectures."""

import copy
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from moo_nas.arrays import FloatArray, stable_hash, stable_seed
from moo_nas.errors import InputError, MeterError, unknown
from moo_nas.meters.base import Memory, Meter, Metric
from moo_nas.meters.device.elsewhere import DeviceTable
from moo_nas.meters.predictors.best import Best
from moo_nas.meters.predictors.domain import DRAWN, Domain, Reach
from moo_nas.meters.predictors.features import cost_features, feature_groups, feature_matrix
from moo_nas.meters.predictors.regressor import Interval, Regressor
from moo_nas.spaces import Architecture, SearchSpace


class PredictedCost(Meter):
    """A cost predicted from measurements of some architectures, wherever those were taken.

    The samples may be of any space and device and the cost of any unit: a latency read off a
    phone, an energy from a published table. Features are those of
    :func:`~moo_nas.meters.predictors.features.cost_features`; the error card of the fit, on
    samples that it has not seen, is kept in the run's memory under ``predicted cost of .../...``.

    Args:
        metric: The description of the cost.
        architectures: Those that were measured: a hundred random ones of the space are a good
            start.
        values: Their costs ``(n,)``, positive; of an architecture measured twice, both.
        image_size: Pixels of the images that they were measured on.
        n_classes: How many classes they tell apart.
        source: Where the numbers come from: a device and a tool, a file.
        regressor: What is fitted; by default the best of several.
        margin: How far beyond the samples' features an architecture may lie and still be of the
            domain; see :class:`~moo_nas.meters.predictors.domain.Domain`.
        batch_size: How many images at a time the costs are of.

    Raises:
        InputError: Too few samples, costs that are not positive or all the same, not one a sample; a
            regressor that needs one-hot genomes.

    Example:
        >>> from moo_nas.evaluation import Store
        >>> from moo_nas.meters import Analytic
        >>> from moo_nas.meters.predictors import Ridge
        >>> from moo_nas.spaces import StageSpace
        >>> space = StageSpace.haenas()
        >>> samples = [space.decode(genome) for genome in space.sample(60, seed=0)]
        >>> measured = 2.5 + Analytic(96, 10).measure(samples, [0] * 60)[:, 2] / 1e7  # a law of its own
        >>> meter = PredictedCost(
        ...     Metric("latency_ms", "ms", "min"), samples, measured, 96, 10, "an example", Ridge("linear")
        ... ).prepare(space, Store(), seed=0)
        >>> meter.card["spearman"] > 0.9
        True
        >>> other = Architecture.parse("stem_k3_s2_c16 ibn_d9_k9_s2_e6_c24 pool_conv_c1280")
        >>> meter.why_outside([samples[0], other])[0] is None
        True
        >>> meter.why_outside([other])[0]
        'stage1.depthwise9.traffic is 1.604, no sample has it'
    """

    instant = True

    def __init__(
        self,
        metric: Metric,
        architectures: Sequence[Architecture],
        values: npt.ArrayLike,
        image_size: int,
        n_classes: int,
        source: str,
        regressor: Regressor | None = None,
        margin: float = 0.25,
        batch_size: int = 1,
    ) -> None:
        self.metrics = (metric,)
        self.architectures = tuple(architectures)
        self.values = np.asarray(values, dtype=np.float64)
        if self.values.shape != (len(self.architectures),):
            raise InputError(
                f"'{metric.name}' needs one value an architecture, ({len(self.architectures)},); got "
                f"{self.values.shape}."
            )
        self.image_size = image_size
        self.n_classes = n_classes
        self.source = source
        self.regressor = Best() if regressor is None else regressor
        self.margin = margin
        self.batch_size = batch_size
        raw = _raw(self.regressor)
        if raw is not None:
            raise InputError(
                f"The regressor '{raw.name}' takes one-hot genomes as they are; '{metric.name}' is predicted "
                "from cost features, whose scales differ by millions. Choose Ridge, GaussianProcess, "
                "GradientBoosting or Best."
            )
        self._names: tuple[str, ...] = ()
        self._domain: Domain | None = None
        self._card: dict[str, Any] = {}

    @classmethod
    def of_table(
        cls, table: DeviceTable, metric: str = "latency_ms", regressor: Regressor | None = None
    ) -> Self:
        """Return the predictor of a metric from networks measured elsewhere: those that have a value.

        Args:
            table: The table that came back.
            metric: One of its metrics.
            regressor: What is fitted; by default the best of several.

        Raises:
            InputError: The table has no such metric.
        """
        found = {one.name: one for one in table.metrics}
        if metric not in found:
            raise unknown(f"metric of the table {table.source}", metric, found)
        source = table.source
        if metric == "energy_mj":
            source += ", idle power subtracted" if table.idle_subtracted else ", idle power not subtracted"
        there = table.frame[metric].notna().to_numpy()
        architectures = [a for a, has in zip(table.architectures, there, strict=True) if has]
        return cls(
            found[metric],
            architectures,
            table.frame.loc[there, metric].to_numpy(),
            table.image_size,
            table.n_classes,
            source,
            regressor,
            batch_size=table.batch_size,
        )

    @property
    def settings(self) -> dict[str, Any]:
        texts = sorted(zip(map(str, self.architectures), self.values.tolist(), strict=True))
        return {
            "metric": self.metrics[0].name,
            "unit": self.metrics[0].unit,
            "source": self.source,
            "n_samples": len(self.architectures),
            "samples": stable_hash(texts),
            "image_size": self.image_size,
            "n_classes": self.n_classes,
            "margin": self.margin,
            "batch_size": self.batch_size,
            **self.regressor.settings,
        }

    @property
    def card(self) -> dict[str, Any]:
        """How good the predictions of samples not fitted on are.

        Raises:
            MeterError: The meter is not prepared.
        """
        self._fitted_domain()
        return dict(self._card)

    def prepare(self, space: SearchSpace, memory: Memory, seed: int) -> Self:
        """Return the meter fitted: from the samples alone, the same on every space and seed.

        Raises:
            InputError: Nothing can be learnt from the samples; the message says of which metric.
        """
        meter = copy.copy(self)
        samples = [self._features(architecture) for architecture in self.architectures]
        meter._domain = Domain.of(samples, self.margin)
        meter._names = names = tuple(sorted(meter._domain.low))
        name = self.metrics[0].name

        def fit() -> Regressor:
            try:
                return self.regressor.fit(feature_matrix(samples, names), self.values, feature_groups(names))
            except InputError as error:
                raise InputError(f"'{name}' of {self.source}: {error}") from error

        def about() -> dict[str, Any]:
            meter.regressor = fit()  # here, so that its time is told as set-up
            return {
                "metric": name,
                "source": self.source,
                "n_samples": len(self.architectures),
                "held_out": meter.regressor.held_out(),
                "reach": asdict(self.reach(space)),
            }

        meter._card = memory.recall(f"predicted cost of {name}/{self.key}", about)["held_out"]
        if meter.regressor is self.regressor:
            meter.regressor = fit()  # anew, the same: a model is code, which a memory does not keep
        return meter

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        self._fitted_domain()
        # What company in a matrix does to a row's rounding errors is gone with its sixth digit.
        return self.regressor.predict(self._matrix(architectures))[0].reshape(-1, 1)

    def reach(self, space: SearchSpace) -> Reach:
        """Return how much of a space is like the samples, and how many samples would be enough."""
        samples = [self._features(architecture) for architecture in self.architectures]
        genomes = space.sample(DRAWN, stable_seed("reach"))  # not those that samples may have been drawn by
        drawn = [self._features(space.decode(genome)) for genome in genomes]
        return Reach.of(Domain.of(samples, self.margin), drawn)

    def interval(self, architectures: Sequence[Architecture], coverage: float = 0.9) -> Interval:
        """Return where the costs of architectures lie with this probability, ``(n,)`` each.

        Raises:
            MeterError: The meter is not prepared.
        """
        self._fitted_domain()
        return self.regressor.interval(self._matrix(architectures), coverage)

    def standard_deviation(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Return the standard deviations ``(n,)`` of predictions, in the metric's unit.

        Raises:
            MeterError: The meter is not prepared.
        """
        self._fitted_domain()
        return self.regressor.predict(self._matrix(architectures))[1]

    def why_outside(self, architectures: Sequence[Architecture]) -> list[str | None]:
        """Return why each architecture is unlike the samples; None for those that are like them.

        What is predicted outside of the samples' domain is not covered by the error card.

        Raises:
            MeterError: The meter is not prepared.
        """
        domain = self._fitted_domain()
        return [domain.why_outside(self._features(architecture)) for architecture in architectures]

    def _features(self, architecture: Architecture) -> dict[str, float]:
        return cost_features(architecture, self.image_size, self.n_classes)

    def _matrix(self, architectures: Sequence[Architecture]) -> FloatArray:
        return feature_matrix([self._features(architecture) for architecture in architectures], self._names)

    def _fitted_domain(self) -> Domain:
        if self._domain is None:
            raise MeterError(
                f"The predictor of '{self.metrics[0].name}' is not fitted: prepare the meter first."
            )
        return self._domain


def _raw(regressor: Regressor) -> Regressor | None:
    """Return the regressor, of several the first, that takes features as they are."""
    several = regressor.candidates if isinstance(regressor, Best) else (regressor,)
    for one in several:
        found = _raw(one) if isinstance(one, Best) else one if getattr(one, "raw", False) else None
        if found is not None:
            return found
    return None
