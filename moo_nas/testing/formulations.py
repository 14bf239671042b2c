"""What every formulation keeps to."""

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from moo_nas.arrays import FloatArray
from moo_nas.errors import FormulationError
from moo_nas.evaluation import Evaluations
from moo_nas.formulations import Formulation
from moo_nas.meters import Metric

# Kits are inherited, so the same test runs on several classes: meant. Tables are small as drawn, and
# shrinking them takes minutes where many tests fail.
_kit = settings(
    deadline=None,
    max_examples=50,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.differing_executors],
)


class FormulationKit(ABC):
    """Tests of a :class:`~moo_nas.formulations.Formulation` on tables drawn by Hypothesis.

    Override :meth:`formulation` and :meth:`metrics`; and :meth:`values` where a metric cannot have
    any finite value.

    Example:
        .. code-block:: python

            class TestMyFormulation(FormulationKit):
                def formulation(self):
                    return MyFormulation("score", limits={"latency_ms": 5.0})

                def metrics(self):
                    return (Metric("score", "1", "max"), Metric("latency_ms", "ms", "min"))
    """

    @abstractmethod
    def formulation(self) -> Formulation:
        """Return the formulation, with or without what it takes from a reference sample."""

    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """Return the metrics of the tables, at least those it reads, at least one to be maximised."""

    def values(self, metric: Metric) -> st.SearchStrategy[float]:
        """Return what a metric can be: by default any finite number."""
        return st.floats(allow_nan=False, allow_infinity=False)

    def reference(self, names: Iterable[str]) -> Evaluations:
        """Return a reference sample of these metrics: positive, none constant."""
        wanted = set(names)
        metrics = [metric for metric in self.metrics() if metric.name in wanted]
        values = np.random.default_rng(0).gamma(4.0, 1.0, size=(50, len(metrics)))
        return Evaluations.of(metrics, values)

    def fitted(self) -> Formulation:
        """Return the formulation, resolved on the metrics and fitted to the reference sample."""
        return self.formulation().resolve([m.name for m in self.metrics()]).fit(self.reference)

    def draw(self, data: st.DataObject, least: int = 1, failing: bool = True) -> Evaluations:
        """Draw a table with up to five rows, some of them failed."""
        row = st.tuples(*(self.values(metric) for metric in self.metrics()))
        values = np.array(data.draw(st.lists(row, min_size=least, max_size=5), label="values"))
        if failing:
            position = st.sampled_from([*[None] * len(self.metrics()), *range(len(self.metrics()))])
            where = data.draw(st.lists(position, min_size=len(values), max_size=len(values)), label="failed")
            for i, at in enumerate(where):
                if at is not None:
                    values[i, at] = np.nan
        return Evaluations.of(self.metrics(), values)

    @_kit
    @given(st.data())
    def test_whatever_was_measured_comes_out_finite_and_of_the_stated_shape(
        self, data: st.DataObject
    ) -> None:
        formulation, table = self.fitted(), self.draw(data)
        f, g = formulation.apply(table)
        assert f.shape == (len(table), formulation.n_obj)
        assert g.shape == (len(table), formulation.n_ieq_constr)
        assert f.dtype == g.dtype == np.float64
        assert np.isfinite(f).all()
        assert np.isfinite(g).all()

    def test_an_empty_table_has_no_rows(self) -> None:
        formulation = self.fitted()
        f, g = formulation.apply(Evaluations.of(self.metrics(), np.empty((0, len(self.metrics())))))
        assert f.shape == (0, formulation.n_obj)
        assert g.shape == (0, formulation.n_ieq_constr)

    @_kit
    @given(st.data())
    def test_a_better_metric_never_worsens_an_objective_or_a_constraint(self, data: st.DataObject) -> None:
        formulation, table = self.fitted(), self.draw(data, failing=False)
        for position, metric in enumerate(self.metrics()):
            others = st.lists(self.values(metric), min_size=len(table), max_size=len(table))
            better = np.minimum if metric.goal == "min" else np.maximum
            values = table.values.copy()
            values[:, position] = better(values[:, position], data.draw(others, label=metric.name))
            (f, g), (better_f, better_g) = (
                formulation.apply(table),
                formulation.apply(Evaluations.of(self.metrics(), values)),
            )
            assert _no_worse(better_f, f)
            assert _no_worse(better_g, g)

    @_kit
    @given(st.data())
    def test_failed_rows_are_worst(self, data: st.DataObject) -> None:
        table = self.draw(data, least=2)
        f, g = self.fitted().apply(table)
        failed = table.failed
        if failed.any() and not failed.all():
            assert (f[failed].min(axis=0) >= f[~failed].max(axis=0)).all()
            assert (g[failed] > 0).all()
            assert (g[failed].min(axis=0, initial=np.inf) >= g[~failed].max(axis=0, initial=-np.inf)).all()

    @_kit
    @given(st.data())
    def test_rows_are_looked_at_one_by_one(self, data: st.DataObject) -> None:
        formulation, table = self.fitted(), self.draw(data, least=2)
        f, g = formulation.apply(table)
        order = np.array(data.draw(st.permutations(range(len(table)))), dtype=np.int64)
        for index in (order, order[: len(order) // 2]):
            some_f, some_g = formulation.apply(table.rows(index))
            assert some_f.tolist() == f[index].tolist()
            assert some_g.tolist() == g[index].tolist()

    def test_it_reads_metrics_that_the_table_has_and_each_once(self) -> None:
        read = self.fitted().metrics
        assert read
        assert len(set(read)) == len(read)
        assert set(read) <= {metric.name for metric in self.metrics()}

    def test_its_settings_are_json_and_tell_what_it_was_fitted_to(self) -> None:
        fitted = self.fitted()
        assert json.loads(json.dumps(fitted.settings)) == json.loads(json.dumps(self.fitted().settings))
        if not self.formulation().is_fitted:
            assert fitted.settings != self.formulation().settings

    def test_equal_settings_make_equal_formulations(self) -> None:
        assert self.formulation() == copy.deepcopy(self.formulation())
        assert self.fitted() == self.fitted()

    def test_before_it_is_fitted_it_says_so(self) -> None:
        formulation = self.formulation().resolve([m.name for m in self.metrics()])
        if not formulation.is_fitted:
            with pytest.raises(FormulationError, match="fit it first"):
                formulation.apply(self.reference(m.name for m in self.metrics()))

    def test_fitted_once_it_stays_as_it_is(self) -> None:
        fitted = self.fitted()
        assert fitted.is_fitted
        again = fitted.fit(lambda names: pytest.fail("a fitted formulation asked for the reference sample"))
        assert again.settings == fitted.settings

    def test_fitting_returns_another_and_leaves_the_first(self) -> None:
        formulation = self.formulation()
        before = json.dumps(formulation.settings)
        formulation.resolve([m.name for m in self.metrics()]).fit(self.reference)
        assert json.dumps(formulation.settings) == before

    def test_another_score_makes_the_same_kind_of_fitness_or_is_refused(self) -> None:
        fitted = self.fitted()
        score = next(metric.name for metric in self.metrics() if metric.goal == "max")
        if not fitted.is_scalar:
            with pytest.raises(FormulationError, match=fitted.name):
                fitted.with_score(score)
            return
        other = fitted.with_score(score).fit(self.reference)
        assert type(other) is type(fitted)
        assert (other.n_obj, other.n_ieq_constr) == (1, fitted.n_ieq_constr)
        assert score in other.metrics
        pair = self.reference(m.name for m in self.metrics()).rows([0, 0])
        values = pair.values.copy()
        values[1, pair.position(score)] += 1.0
        f, g = other.apply(Evaluations.of(pair.metrics, values))
        assert f[1] < f[0], "the better score, all else equal, is the fitter"
        assert _no_worse(g[1], g[0])


def _no_worse(after: FloatArray, before: FloatArray) -> bool:
    """Is nothing larger, but for the rounding of a few operations?"""
    with np.errstate(over="ignore"):
        return bool((after <= before + 1e-9 * np.abs(before)).all())
