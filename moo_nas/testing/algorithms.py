"""What every search algorithm keeps to."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from moo_nas.arrays import FloatArray, IntArray, stable_seed
from moo_nas.evaluation import Evaluator
from moo_nas.evaluation.bench import genome_text
from moo_nas.formulations import Constrained, Formulation, Pareto, Single
from moo_nas.meters import Analytic, External, Meter, Metric
from moo_nas.problem import Failures, NASProblem
from moo_nas.spaces import Architecture, CellSpace, Head, SearchSpace, StageChoices, StageSpace, Stem
from moo_nas.study import Progress, Run, search
from moo_nas.study.search import set_up

if TYPE_CHECKING:
    from pymoo.core.algorithm import Algorithm

How = Literal["raise", "nan", "inf"]
HOW: tuple[How, ...] = ("raise", "nan", "inf")
FAILURES: tuple[Failures, ...] = ("constraint", "penalty")
SCORES = ("score", "jacob_cov", "grad_norm", "snip")


class StandIn(Meter):
    """Scores without a network: hashes of the architecture and its seed, between 0 and 1.

    Instead of proxies where an algorithm is tested and not what it finds; measured in workers and
    kept in the store as they are.

    Args:
        names: What the scores are called; all are to be maximised.
        failing: The share of architectures that cannot be measured.
        how: What measuring one of them does: ``raise``, or gives ``nan`` or ``inf``.

    Example:
        >>> a = Architecture.parse("stem_k3_s2_c16 ibn_d2_k3_s2_e6_c24 pool_conv_c64")
        >>> StandIn(("score",)).measure([a], [0]).shape
        (1, 1)
    """

    def __init__(self, names: Sequence[str] = SCORES, failing: float = 0.0, how: How = "raise") -> None:
        self.metrics = tuple(Metric(name, "1", "max") for name in names)
        self.failing = failing
        self.how = how

    @property
    def settings(self) -> dict[str, Any]:
        return {"names": [metric.name for metric in self.metrics], "failing": self.failing, "how": self.how}

    def fails(self, architecture: Architecture) -> bool:
        """Is this architecture among those that cannot be measured?"""
        return stable_seed("fails", str(architecture)) / 2**63 < self.failing

    def measure(self, architectures: Sequence[Architecture], seeds: Sequence[int]) -> FloatArray:
        rows = []
        for architecture, seed in zip(architectures, seeds, strict=True):
            failed = self.fails(architecture)
            if failed and self.how == "raise":
                raise ArithmeticError(f"no score for {architecture}")
            drawn = [stable_seed(m.name, str(architecture), int(seed)) / 2**63 for m in self.metrics]
            rows.append([float(self.how)] * len(drawn) if failed else drawn)
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.metrics))


class AlgorithmKit(ABC):
    """Tests of a search algorithm (a pymoo ``Algorithm`` on integer genomes): override :meth:`algorithm`.

    Override :attr:`formulations`, and :attr:`impossible` (with limits that nothing meets), where it
    refuses some. The problem has formulas and stand-ins for
    scores, so a search takes milliseconds.

    Example:
        .. code-block:: python

            class TestMyAlgorithm(AlgorithmKit):
                def algorithm(self):
                    return MyAlgorithm(pop_size=10)
    """

    formulations: tuple[Formulation, ...] = (
        Pareto("params", "peak_activation_bytes"),
        Pareto("score", "params", "peak_activation_bytes"),
        Single("score"),
        Constrained("score", {"params": None, "peak_activation_bytes": None}),
    )
    impossible: tuple[Formulation, ...] = (Pareto("score", "macs", limits={"params": 1.0}),)
    budget = 40

    @abstractmethod
    def algorithm(self) -> "Algorithm":
        """Return a new algorithm, not yet set up."""

    def space(self) -> SearchSpace:
        """Return the space to search: HaeNAS's."""
        return StageSpace.haenas()

    def tiny_space(self) -> SearchSpace:
        """Return a space that is searched to its end: 12 networks."""
        return StageSpace(
            [StageChoices(4, 1, (8,), kernel=(3,), expansion=(1, 2), depth=(1, 2, 3))],
            Stem(8),
            Head(8),
            image_size=8,
        )

    def problem(
        self,
        formulation: Formulation,
        space: SearchSpace | None = None,
        failing: float = 0.0,
        how: How = "raise",
        failures: Failures = "constraint",
    ) -> NASProblem:
        """Return a problem under a formulation, with a share of networks that cannot be measured."""
        sources = [Analytic(32, 10), StandIn(failing=failing, how=how)]
        return NASProblem(Evaluator(space or self.space(), sources, n_reference=20), formulation, failures)

    def searched(self, formulation: Formulation, seed: int = 0, n_jobs: int = 1, failing: float = 0.0) -> Run:
        """Return a run of a new algorithm."""
        return search(
            self.problem(formulation, failing=failing), None, self.algorithm(), self.budget, seed, n_jobs
        )

    def asked(self, algorithm: "Algorithm", problem: NASProblem, n: int) -> IntArray:
        """Return the first ``n`` or more genomes that an algorithm asks for, as it makes them."""
        ready = set_up(algorithm, problem, seed=0)
        genomes: list[IntArray] = []
        while sum(map(len, genomes)) < n:
            genomes.append(_step(ready))
        return np.concatenate(genomes)

    def test_genomes_are_int64_in_bounds_and_none_is_asked_for_twice(self) -> None:
        for formulation in self.formulations:
            problem = self.problem(formulation)
            genomes = self.asked(self.algorithm(), problem, 2 * self.budget)
            assert genomes.dtype == np.int64
            assert ((genomes >= 0) & (genomes < problem.space.n_choices)).all()
            canonical = problem.space.canonical(genomes)
            assert len(np.unique(canonical, axis=0)) == len(genomes)

    def test_the_budget_is_kept_exactly(self) -> None:
        for formulation in self.formulations:
            for budget in (1, self.budget - 3, self.budget):
                run = search(self.problem(formulation), None, self.algorithm(), budget)
                assert len(run.table) == budget
                assert len(np.unique(run.table.genomes, axis=0)) == budget
                assert run.stop_reason in ("budget", "infeasible")

    def test_the_same_seed_makes_the_same_run(self) -> None:
        for formulation in self.formulations:
            first, again = self.searched(formulation, seed=5), self.searched(formulation, seed=5)
            assert _same(first, again)

    def test_another_seed_makes_another_run(self) -> None:
        for formulation in self.formulations:
            assert not _same(self.searched(formulation, seed=5), self.searched(formulation, seed=6))

    def test_the_number_of_workers_changes_nothing(self) -> None:
        for formulation in self.formulations:
            # Some fail, so that chunks are broken up in the workers too.
            alone = self.searched(formulation, n_jobs=1, failing=0.1)
            assert _same(alone, self.searched(formulation, n_jobs=2, failing=0.1))

    def test_a_shorter_run_is_the_beginning_of_a_longer_one(self) -> None:
        for formulation in self.formulations:
            longer = self.searched(formulation)
            shorter = search(self.problem(formulation), None, self.algorithm(), self.budget // 2)
            assert shorter.table.genomes.tolist() == longer.table.genomes[: self.budget // 2].tolist()

    def test_measurements_that_fail_are_survived_and_never_on_the_front(self) -> None:
        for formulation, how in zip(cycle(self.formulations), HOW, strict=False):
            for failures in FAILURES:
                problem = self.problem(formulation, failing=0.25, how=how, failures=failures)
                run = search(problem.also_measuring(["score"]), None, self.algorithm(), self.budget)
                assert len(run.table) == self.budget
                assert 0 < run.table.failed.sum() < self.budget / 2
                assert not run.table.failed[run.front_rows].any()
                assert (run.front["status"] == "ok").all()
                assert len(run.front) or run.stop_reason == "infeasible"

    def test_where_everything_fails_it_ends_and_says_so(self) -> None:
        # Of what needs no reference sample: there is none.
        fitted = (one for one in self.formulations if one.is_fitted)
        for formulation in (next(fitted, Constrained("score", {"params": 1e9})),):
            problem = self.problem(formulation, failing=1.0).also_measuring(["score"])
            run = search(problem, None, self.algorithm(), self.budget)
            assert (run.stop_reason, len(run.table)) == ("infeasible", self.budget)
            assert run.front.empty

    def test_limits_that_nothing_meets_end_with_the_least_violating(self) -> None:
        for formulation in (Constrained("score", {"params": 1.0}), *self.impossible):
            run = search(self.problem(formulation), None, self.algorithm(), self.budget)
            assert (run.stop_reason, len(run.table)) == ("infeasible", self.budget)
            assert run.front.empty
            assert run.least_violating["params"].tolist() == [run.evaluations["params"].min()]

    def test_no_network_is_evaluated_twice_though_several_genomes_stand_for_it(self) -> None:
        space = CellSpace.nasbench201()
        for formulation in self.formulations[:1]:
            run = search(self.problem(formulation, space), None, self.algorithm(), self.budget)
            assert len(run.table) == self.budget
            assert run.evaluations["architecture"].is_unique

    def test_of_a_table_every_row_is_evaluated_and_nothing_else(self) -> None:
        space = self.space()
        pool = np.unique(space.canonical(space.sample(self.budget // 2, seed=0)), axis=0)
        for formulation in self.formulations[:1]:
            whole = self.problem(formulation).evaluator
            evaluator = Evaluator(space, whole.sources, n_reference=10, pool=pool)
            run = search(NASProblem(evaluator, formulation), None, self.algorithm(), 10 * self.budget)
            assert run.stop_reason == "exhausted"
            assert np.unique(run.table.genomes, axis=0).tolist() == pool.tolist()
            assert len(run.table) == len(pool)

    def test_a_warm_start_is_evaluated_first(self) -> None:
        for formulation in self.formulations:
            problem = self.problem(formulation)
            for n in (3, self.budget - 4):
                start = problem.space.canonical(problem.space.sample(n, seed=9))
                run = search(problem, None, self.algorithm(), self.budget, warm_start=start)
                assert run.table.genomes[:n].tolist() == start.tolist()
                assert len(run.table) == self.budget

    def test_a_run_that_was_interrupted_ends_as_one_that_was_not(self, tmp_path: Path) -> None:
        def interrupt(news: Progress) -> None:
            if news.n_evaluations >= self.budget // 2:
                raise KeyboardInterrupt

        formulation = self.formulations[-1]
        problem = self.problem(formulation)
        begun = search(problem, None, self.algorithm(), self.budget, out=tmp_path, progress=interrupt)
        assert begun.stop_reason == "interrupted"
        ended = search(self.problem(formulation), None, self.algorithm(), self.budget, out=tmp_path)
        assert begun.table.genomes.tolist() == ended.table.genomes[: len(begun.table)].tolist()
        assert _same(ended, self.searched(formulation))

    def test_told_in_any_order_what_was_measured_elsewhere_it_is_the_same_run(self, tmp_path: Path) -> None:
        # What is open is taken from a sample, which nobody tells.
        possible = [f for f in self.formulations[:2] if f.is_fitted] or [Single("score")]
        for formulation in possible[-1:]:
            here = self.problem(formulation, failing=0.25).also_measuring(["score"])
            names = tuple(dict.fromkeys(("score", *(name for name in formulation.metrics if name in SCORES))))
            by_name = StandIn(names, failing=0.25)
            sources = [Analytic(32, 10), *(External(name, "1", "max") for name in names)]
            evaluator = Evaluator(here.space, sources, n_reference=20)
            elsewhere = NASProblem(evaluator, formulation).also_measuring(["score"])
            budget = self.budget // 2
            rng = np.random.default_rng(0)
            run = Run.open(elsewhere, None, self.algorithm(), budget, out=tmp_path)
            while len(proposals := run.ask(budget)):
                for i in rng.permutation(len(proposals)):
                    architecture = Architecture.parse(proposals["architecture"][i])
                    seed = stable_seed(0, genome_text(here.space.encode(architecture)))
                    told, reason = _measured(by_name, architecture, seed)
                    run.tell(proposals["id"][i], told, reason)
                if rng.random() < 0.2:  # another process goes on
                    run.close()
                    run = Run.open(elsewhere, None, self.algorithm(), budget, out=tmp_path)
            run.close()
            assert _same(run, search(here, None, self.algorithm(), budget))

    def test_a_search_leaves_the_given_instance_as_it_was(self) -> None:
        for formulation in self.formulations:
            algorithm = self.algorithm()
            first = search(self.problem(formulation), None, algorithm, self.budget, seed=1)
            search(self.problem(formulation), None, algorithm, self.budget, seed=2)
            again = search(self.problem(formulation), None, algorithm, self.budget, seed=1)
            assert _same(first, again)
            assert _same(first, self.searched(formulation, seed=1))

    def test_a_space_searched_to_its_end_is_exhausted_and_measured_once_each(self) -> None:
        for formulation in self.formulations:
            space = self.tiny_space()
            run = search(self.problem(formulation, space), None, self.algorithm(), 10 * space.size)
            assert run.stop_reason == "exhausted"
            canonical = space.canonical(np.array([space.genome_at(i) for i in range(space.size)]))
            every = {tuple(genome) for genome in canonical.tolist()}
            assert len(run.table) == len(every)
            assert {tuple(genome) for genome in run.table.genomes.tolist()} == every

    def test_two_instances_share_no_state(self) -> None:
        for formulation in self.formulations:
            problem = self.problem(formulation)
            alone = self.asked(self.algorithm(), problem, self.budget)
            one = set_up(self.algorithm(), problem, seed=0)
            other = set_up(self.algorithm(), problem, seed=1)
            asked: list[IntArray] = []
            while sum(map(len, asked)) < self.budget:
                asked.append(_step(one))
                _step(other)
            assert np.concatenate(asked).tolist() == alone.tolist()

    def test_global_random_generators_have_no_part_in_it(self) -> None:
        before = np.random.get_state()  # noqa: NPY002  # the global generator is what is watched
        try:
            for formulation in self.formulations:
                first = self.searched(formulation)
                np.random.seed(1)  # noqa: NPY002
                moved = str(np.random.get_state())  # noqa: NPY002
                assert _same(first, self.searched(formulation))
                assert str(np.random.get_state()) == moved  # noqa: NPY002
        finally:
            np.random.set_state(before)  # noqa: NPY002


def _step(algorithm: "Algorithm") -> IntArray:
    """Take an algorithm one step on and return what it asked for, ``(n, n_var)``."""
    infills = algorithm.ask()
    algorithm.evaluator.eval(algorithm.problem, infills)
    algorithm.tell(infills=infills)
    genomes: IntArray = infills.get("X")
    return genomes


def _measured(
    meter: StandIn, architecture: Architecture, seed: int
) -> tuple[dict[str, float] | None, str | None]:
    """Return what is told of an architecture: its metrics, or why there are none."""
    try:
        (row,) = meter.measure([architecture], [seed])
    except ArithmeticError as error:
        return None, f"{type(error).__name__}: {error}"
    return {metric.name: float(value) for metric, value in zip(meter.metrics, row, strict=True)}, None


def _same(one: Run, other: Run) -> bool:
    return bool(
        one.table.genomes.tolist() == other.table.genomes.tolist()
        and np.array_equal(one.table.values, other.table.values, equal_nan=True)
        and one.table.reasons == other.table.reasons
        and one.front.equals(other.front)
        and one.stop_reason == other.stop_reason
    )
