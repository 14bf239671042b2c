"""One number of a network, an objective or a violation, as a function of its features."""

from collections.abc import Sequence

import numpy as np

from moo_nas.algorithms.surrogate.gaussian_process import ConditionedProcess
from moo_nas.algorithms.surrogate.improvement import Normal
from moo_nas.algorithms.surrogate.scale import least_positive, logarithm
from moo_nas.arrays import FloatArray, IntArray

_REACH = 2.0  # interquartile ranges from the median within which the scale is as it is
_OUTLIER = 3.0  # spreads: errors beyond count as this far
_MOST_INFLATED = 2.0
_LEAST_VARIANCE = 1e-10


class Outcome:
    """What is believed of a number at candidates, after some observations of it.

    It is modelled on its logarithm where nothing observed is negative and most is positive (what is
    0 then counts as the least positive), with outliers drawn in: a network that costs a hundredth of
    any other, or learns nothing, would leave no detail to the rest.
    Beliefs are as wide as the errors at observations left out are, where these are wider than the
    process says: its hyper-parameters are the most likely, not the true ones.

    Args:
        groups: The columns of each group of features.
        n_doubted: How many of them, the last ones, are expected to matter little.
    """

    def __init__(self, groups: Sequence[IntArray], n_doubted: int = 0) -> None:
        self._process = ConditionedProcess(groups, n_doubted)
        self._least: float | None = None
        self._centre, self._reach = 0.0, 1.0
        self._mean, self._sd, self._inflation = 0.0, 1.0, 1.0

    def learn(self, features: FloatArray, values: FloatArray) -> None:
        """Choose the scale and find the hyper-parameters, from features ``(n, d)`` and values ``(n,)``."""
        self._least = least_positive(values)
        lower, self._centre, upper = np.quantile(self._plain(values), (0.25, 0.5, 0.75))
        # Where half are equal all count, and where nothing varies any width will do.
        self._reach = _REACH * float(upper - lower or self._plain(values).std()) or 1.0
        scaled = self.scaled(values)
        self._mean = float(scaled.mean())
        self._sd = float(scaled.std()) or 1.0
        self._process.learn(features, self._standard(values))
        self.condition(features, values)
        errors, spreads = self._process.left_out()
        squares = np.minimum((errors / spreads) ** 2, _OUTLIER**2)
        self._inflation = float(np.clip(np.sqrt(squares.mean()), 1.0, _MOST_INFLATED))

    def takes(self, values: FloatArray) -> bool:
        """Has the scale a place for these values?"""
        return self._least is None or bool((values >= 0).all())

    def scaled(self, values: FloatArray) -> FloatArray:
        """Return values on the scale of the model, which grows like a logarithm beyond the reach."""
        away = self._plain(values) - self._centre
        beyond = np.abs(away) / self._reach
        drawn_in = np.sign(away) * self._reach * (1 + np.log(np.maximum(beyond, 1.0)))
        scaled: FloatArray = self._centre + np.where(beyond > 1, drawn_in, away)
        return scaled

    def condition(self, features: FloatArray, values: FloatArray) -> None:
        """Take these observations in place of all before."""
        self._process.condition(features, self._standard(values))

    def track(self, features: FloatArray) -> None:
        """Keep beliefs about candidates ``(m, d)``."""
        self._process.track(features)

    def keep(self, index: IntArray) -> None:
        """Keep beliefs about these candidates alone."""
        self._process.keep(index)

    def add(self, features: FloatArray, value: float) -> None:
        """Take one more observation."""
        self._process.add(features, float(self._standard(np.array(value))))

    def imagine(self, features: FloatArray) -> None:
        """Take what is expected at features ``(d,)`` for an observation."""
        self._process.add(features, float(self._process.predict(features[None])[0][0]))

    def forget(self, n: int) -> None:
        """Forget all observations but the first ``n``."""
        self._process.forget(n)

    @property
    def belief(self) -> Normal:
        """What is believed of the candidates, on the scale of the model."""
        return self._normal(self._process.mean, self._process.variance)

    def expected(self, features: FloatArray) -> FloatArray:
        """Return the expectation ``(m,)`` at features ``(m, d)``, on the scale of the model."""
        return self._process.predict(features)[0] * self._sd + self._mean

    def about(self, features: FloatArray, doubt: float) -> Normal:
        """Return what is believed at features ``(m, d)``, the spreads so many times as wide."""
        return self._normal(*self._process.predict(features), doubt)

    def _normal(self, mean: FloatArray, variance: FloatArray, doubt: float = 1.0) -> Normal:
        spread = np.sqrt(np.maximum(variance, _LEAST_VARIANCE))
        return Normal(mean * self._sd + self._mean, spread * (self._sd * self._inflation * doubt))

    def _plain(self, values: FloatArray) -> FloatArray:
        return values if self._least is None else logarithm(values, self._least)

    def _standard(self, values: FloatArray) -> FloatArray:
        return (self.scaled(values) - self._mean) / self._sd
