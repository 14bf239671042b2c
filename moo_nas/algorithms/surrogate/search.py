"""Surrogate-assisted search."""

import functools
from typing import Any

import moocore
import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population
from threadpoolctl import ThreadpoolController

from moo_nas.algorithms.operators import priority
from moo_nas.algorithms.surrogate.acquisition import Acquisition, front
from moo_nas.algorithms.surrogate.beliefs import Beliefs, Observations
from moo_nas.algorithms.surrogate.candidates import Candidates, Source
from moo_nas.algorithms.surrogate.improvement import Normal
from moo_nas.algorithms.unseen import Unseen, next_step, population
from moo_nas.arrays import BoolArray, FloatArray, IntArray
from moo_nas.errors import InputError, whole_number
from moo_nas.formulations.base import WORST
from moo_nas.problem import NASProblem

_GROWTH = 1.12  # of the observations until hyper-parameters are found again
_LEAST_GROWTH = 2  # observations
_RENEWED = 5  # observations after which the candidates of a large space are made anew
_SHORTLIST = 2000  # candidates kept between looks at all of them
_SHORTLIST_OF_MANY, _PROMISING = 400, 2000  # of three or more objectives
_AROUND, _AROUND_FROM, _DOUBT = 6, 30, 3.0  # evaluations; and how much wider spreads are
_APART = 2.0  # times as many observations from one extreme to the next


class SurrogateSearch(Algorithm):  # type: ignore[misc]  # pymoo is untyped
    """Bayesian optimisation: Gaussian processes and expected hypervolume improvement.

    Of the first networks one half have all genes at their first choice, all at their last, or all
    equally far between: in many spaces the cheapest, the dearest, and what one operator makes
    alone. The other half is random; a warm start comes before. Then each step evaluates the candidate whose
    expected hypervolume improvement, times its probability of being feasible, is largest. Every
    objective and limit is modelled by a process of its own, on genes, the network's structure and
    the metrics known in advance; what is itself known in advance is no model's but exact. All
    genomes are candidates where they are few (20,000), otherwise those that a short evolution on the
    models makes. Each time observations have doubled, the extreme of one objective is looked at,
    whatever the volume says: models know least there. Every sixth evaluation, at most one a step, is of a
    network next to the front, as if models erred thrice as much as they say: what a gene does elsewhere,
    they take for granted there too. With one objective all this is the expected improvement. Where
    no candidate is worth anything, the one expected to violate limits least is evaluated, of equals the
    one of the best rank.

    Args:
        n_initial: How many networks are evaluated before any is chosen by a model.
        batch_size: How many a step, evaluated in parallel; each after the first is chosen as if the ones
            before had turned out as expected.
        free_metrics: Are metrics looked at that are known before an evaluation (``problem.free``)?

    References:
        M. Emmerich, A. Deutz, J. Klinkenberg. Hypervolume-based Expected Improvement. CEC 2011.
        D. Ginsbourger, R. Le Riche, L. Carraro. Kriging Is Well-Suited to Parallelize Optimization.
        Springer 2010 (the kriging believer).
    """

    def __init__(self, n_initial: int = 10, batch_size: int = 1, free_metrics: bool = True) -> None:
        super().__init__()
        self.n_initial = whole_number("n_initial must be a whole number", n_initial, 2)
        self.batch_size = whole_number("batch_size must be a whole number", batch_size, 1)
        if not isinstance(free_metrics, bool):
            raise InputError(f"free_metrics must be True or False; got {free_metrics!r}.")
        self.free_metrics = free_metrics

    def _setup(self, problem: Any, warm_start: IntArray | None = None, **kwargs: Any) -> None:
        self._unseen = Unseen(problem, warm_start)
        if not isinstance(problem, NASProblem):
            raise InputError(f"Surrogate search models a NASProblem; got a {type(problem).__name__}.")
        self.problem: NASProblem = problem
        self._free = problem.free if self.free_metrics else ()
        self._seen: Observations | None = None
        self._n_learnt = 0
        self._next_fit, self._next_candidates, self._next_extreme = 0, 0, 0
        self._n_extremes, self._next_around = 0, _AROUND_FROM
        self._taken: BoolArray = np.empty(0, dtype=bool)  # of the candidates

    def _initialize_infill(self) -> Population | None:
        with _one_thread():
            self._source = Source(self.problem, self._unseen, self.random_state, self._free)
        self._beliefs = Beliefs(
            self._source.groups, self._source.n_metrics, self._source.known, self.problem.n_obj
        )
        return population(self._unseen.first(self.n_initial, self.random_state, self.n_initial // 2))

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        self._advance(infills)

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is None:
            return
        # Only the best are kept as a population: all that was seen is kept for the models.
        self.pop = Population.merge(self.opt, infills)
        f, n_limits = infills.get("F"), self.problem.formulation.n_ieq_constr
        g = infills.get("G")[:, :n_limits] if n_limits else np.empty((len(f), 0))
        new = Observations(self._source.of(infills.get("X")), f, 1 + g, (f >= WORST).any(axis=1))
        self._seen = new if self._seen is None else self._seen.then(new)

    def _infill(self) -> Population | None:
        with _one_thread():
            chosen = self._choose()
        new = self._unseen.fresh(self.batch_size, lambda n: chosen[:n], self.random_state)
        return next_step(self, new)

    def _choose(self) -> IntArray:
        """Return the genomes to evaluate next; fewer than asked for where there are no candidates."""
        chosen: list[IntArray] = []
        seen = self._seen
        if seen is None or (~seen.failed).sum() < 2:
            return np.empty((0, self.problem.space.n_var), dtype=np.int64)
        is_new = self._update(seen)
        beliefs = self._beliefs
        if len(beliefs.candidates) == 0:
            return np.empty((0, self.problem.space.n_var), dtype=np.int64)
        if is_new:
            self._predicted = front(beliefs.means()[beliefs.is_likely()])
        acquisition = Acquisition(beliefs.scaled(seen.f[seen.feasible]), self._predicted)
        if is_new:
            extreme = self._extreme(seen)
            if extreme is not None:
                self._take(extreme, acquisition, chosen)
            self._shorten(acquisition)
        if len(seen) >= self._next_around and not chosen:
            self._next_around = len(seen) + _AROUND
            self._look_around(seen, acquisition, chosen)
        while len(chosen) < self.batch_size and not self._taken.all():
            worth = acquisition(beliefs.objectives(), beliefs.feasibility())
            worth[self._taken] = -np.inf
            if worth.max() <= 0:  # or nothing else would tell candidates apart
                worth = np.where(self._taken, -np.inf, self._standing(beliefs.candidates))
            self._take(int(worth.argmax()), acquisition, chosen)
        return np.array(chosen)

    def _look_around(self, seen: Observations, acquisition: Acquisition, chosen: list[IntArray]) -> None:
        """Choose the network next to the front that is worth most if models err more than they say."""
        genomes, f = seen.candidates.genomes[seen.feasible], seen.f[seen.feasible]
        if len(f) == 0:
            return
        near = self._source.around(genomes[moocore.is_nondominated(f)], self.random_state)
        if len(near) == 0:
            return
        worth = acquisition(*self._beliefs.about(near, _DOUBT))
        if worth.max() <= 0:
            return
        best = near.rows(np.array([int(worth.argmax())]))
        chosen.append(best.genomes[0])
        if self.batch_size > 1:
            acquisition.add(self._beliefs.imagine(best))
        self._taken |= (self._beliefs.candidates.genomes == best.genomes).all(axis=1)

    def _take(self, candidate: int, acquisition: Acquisition, chosen: list[IntArray]) -> None:
        """Choose a candidate; more are chosen as if it had turned out as expected."""
        beliefs = self._beliefs
        chosen.append(beliefs.candidates.genomes[candidate])
        if len(chosen) < self.batch_size:
            acquisition.add(beliefs.imagine(beliefs.candidates.rows(np.array([candidate]))))
        self._taken[candidate] = True

    def _update(self, seen: Observations) -> bool:
        """Take in all that was seen; return whether there are new candidates."""
        n, beliefs, new = len(seen), self._beliefs, seen.after(self._n_learnt)
        self._n_learnt = n
        is_due = n >= self._next_fit or not beliefs.takes(new)
        if not is_due and n < self._next_candidates and not self._taken.all():
            beliefs.add(new)
            return False
        if is_due:
            beliefs.learn(seen)
            self._next_fit = max(n + _LEAST_GROWTH, int(n * _GROWTH))
        else:
            beliefs.recall(seen)
        self._next_candidates = self._next_fit if self._source.enumerates else n + _RENEWED
        beliefs.watch(self._source.fresh(seen.candidates, beliefs.expected, self.random_state))
        self._taken = np.zeros(len(beliefs.candidates), dtype=bool)
        return True

    def _shorten(self, acquisition: Acquisition) -> None:
        """Keep the candidates that are worth most: until all are looked at again, few others would be."""
        objectives, feasibility = self._beliefs.objectives(), self._beliefs.feasibility()
        index, n = np.arange(len(feasibility)), _SHORTLIST
        if self.problem.n_obj > 2 and feasibility.max() > 0:
            index, n = acquisition.promising(objectives, feasibility, _PROMISING), _SHORTLIST_OF_MANY
        if len(index) > n:
            worth = acquisition([belief.rows(index) for belief in objectives], feasibility[index])
            if worth.max() <= 0:
                worth = self._standing(self._beliefs.candidates.rows(index))
            index = np.sort(index[np.argpartition(-worth, n)[:n]])
        if len(index) < len(feasibility):
            self._keep(index)

    def _standing(self, candidates: Candidates) -> FloatArray:
        """Return what tells candidates apart where none is worth anything ``(n,)``: more is better."""
        return -priority(*self._beliefs.expected(candidates), self.random_state).astype(np.float64)

    def _keep(self, index: IntArray) -> None:
        self._beliefs.keep(index)
        self._taken = self._taken[index]

    def _extreme(self, seen: Observations) -> int | None:
        """Return the candidate expected to better the least of an objective most, if it is time for one."""
        beliefs, objectives = self._beliefs, self._beliefs.objectives()
        unknown = [j for j, belief in enumerate(objectives) if isinstance(belief, Normal)]
        if len(seen) < self._next_extreme or len(objectives) == 1 or not unknown or not seen.feasible.any():
            return None
        self._next_extreme = int(_APART * len(seen))
        j = unknown[-1 - self._n_extremes % len(unknown)]  # costs come last, mostly
        self._n_extremes += 1
        least = beliefs.scaled(seen.f[seen.feasible])[:, j].min(keepdims=True)
        return int((objectives[j].below(least)[:, 0] * beliefs.feasibility()).argmax())


@functools.cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def _one_thread() -> Any:
    """Return a context in which linear algebra takes one thread: with more, sums round otherwise."""
    return _threads().limit(limits=1, user_api="blas")
