"""A run whose evaluations are made elsewhere: asked what to evaluate, told what came out."""

import math
import operator
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cached_property
from numbers import Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pymoo.core.algorithm import Algorithm

from moo_nas.arrays import IntArray
from moo_nas.errors import InputError, unknown, whole_number
from moo_nas.evaluation import Runner
from moo_nas.evaluation.told import keep_told, told_meters, untold
from moo_nas.formulations import Formulation
from moo_nas.problem import NASProblem
from moo_nas.study.folder import Folder
from moo_nas.study.reading import keep_batch
from moo_nas.study.run import Run
from moo_nas.study.search import Prepared, set_up
from moo_nas.study.session import Session
from moo_nas.study.stops import Stops

_WAIT_S = 60.0  # for another process that asks or tells, which may measure meanwhile
_CACHED = tuple(name for name, value in vars(Run).items() if isinstance(value, cached_property))


class OpenRun(Run):
    """A run to be asked and told; :meth:`moo_nas.Run.open` makes it.

    What is told is committed at once. All else follows from it: the algorithm is replayed to where the
    store says that the run is, so it goes on after a kill, and several processes may have it open, and
    ask and tell one after the other; threads too. What was told elsewhere is seen at the next call.

    The run's tables have the batches that are told whole, and its ``stop_reason`` is ``open`` until it
    ends. With the last tell, the folder's files are those of a search.
    """

    def __init__(self, prepared: Prepared, folder: Folder | None) -> None:
        self._prepared = prepared
        self._home = folder
        self._mutex = threading.RLock()
        self._session: Session | None = None
        self._batch: IntArray | None = None  # what the algorithm asked for last
        self._proposals: dict[int, IntArray] = {}  # what of it is new, by id
        self._ended = False
        self._catch_up()

    def ask(self, n: int = 1) -> pd.DataFrame:
        """Return what to evaluate: up to ``n`` proposals that are not told yet.

        Algorithms ask in batches: the next one follows when all of this one is told, so there may be
        fewer than ``n``. Asked again, before or after a restart, the same proposals come first until
        they are told: to keep several workers busy, ask for as many as there are and deal them out.
        None are left when the run has ended, and only then. What the store has already, of another
        run of the problem, is not asked for.

        Returns:
            One row a proposal: its ``id`` (its row in ``run.evaluations`` once its batch is told), the
            genes as choices, and the ``architecture`` as text.

        Raises:
            InputError: ``n`` is less than 1.
            StoreError: The folder cannot be used.
        """
        n = whole_number("How many proposals are asked for must be a whole number", n, 1)
        with self._held():
            ids = list(self._pending())[:n]
            genomes = np.array([self._proposals[i] for i in ids], dtype=np.int64)
            genomes = genomes.reshape(len(ids), self.space.n_var)
            frame = self.space.choices(genomes)
            frame.insert(0, "id", pd.Series(ids, index=frame.index, dtype="int64"))
            texts = [str(self.space.decode(genome)) for genome in genomes]
            frame["architecture"] = pd.Series(texts, index=frame.index, dtype="str")
            return frame

    def tell(
        self,
        id: int,  # noqa: A002  # what the table of proposals calls it
        metrics: Mapping[str, float] | None = None,
        failure: str | None = None,
    ) -> None:
        """Tell what came of a proposal, in any order.

        Args:
            id: Which proposal.
            metrics: The values of all metrics measured elsewhere, by name. Those that another run of the
                problem was told may be among them or not: they stay as they were told.
            failure: Instead, why it could not be measured.

        Raises:
            InputError: No such proposal, or told already; a metric that is missing, unknown, no number or
                not finite; neither metrics nor a failure, or both. Nothing is changed.
            StoreError: The folder cannot be used.
        """
        if (metrics is None) == (failure is None):
            raise InputError("Tell either metrics or a failure, one of them.")
        if failure is not None and not (isinstance(failure, str) and failure.strip()):
            raise InputError(f"A failure is told by its reason, in words; got {failure!r}.")
        with self._held():
            pending = self._pending()
            number = self._number(id, pending)
            problem, lacking = self._now.problem, pending[number]
            values: dict[str, float | None] = dict.fromkeys(lacking)
            if metrics is not None:
                known = list(told_meters(problem.evaluator, _asked(problem)))
                values = _checked(metrics, known, lacking, number)
            keep_told(problem.evaluator, self._proposals[number], values, failure)
            self._catch_up()

    def close(self) -> None:
        """Let go of the folder, and of processes that measure."""
        self._prepared.runner.close()
        if self._home is not None:
            with self._mutex, self._home.held(_WAIT_S):
                self._home.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _now(self) -> Session:
        assert self._session is not None
        return self._session

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other threads and processes away inside, with the run where the store says that it is."""
        with self._mutex, nullcontext() if self._home is None else self._home.held(_WAIT_S):
            self._catch_up()
            yield

    def _catch_up(self) -> None:
        """Take the run on as far as it is told, by whichever process."""
        if self._session is not None:
            n_left = len(self._pending())
            self.n_waiting = len(self._proposals) - n_left
            if self._ended or n_left:
                return
        session, self._session = self._session, None
        if session is None:
            session = self._prepared.session(self._home)
        with session.at_work():
            # Where this fails (a meter here lacks something) the next call replays the run anew.
            steps = session.steps
            if steps is None:
                steps = session.begin()
                self._take(session, steps.ask())
            while self._batch is not None and not self._pending(session):
                session.answer(steps, session.problem.evaluations(self._batch))
                self._take(session, steps.ask())
            if steps.stop_reason is None:
                self._show(session.so_far(steps))
            else:
                self._show(session.end(steps, steps.stop_reason))
                self._ended = True
        self._session = session
        self.n_waiting = len(self._proposals) - len(self._pending())

    def _take(self, session: Session, batch: IntArray | None) -> None:
        """Take in what the algorithm asks for."""
        self._batch, self._proposals = batch, {}
        if batch is not None and session.steps is not None:
            rows = session.steps.new_rows(batch)
            self._proposals = dict(enumerate((batch[row] for row in rows), start=len(session.steps)))
            evaluator = session.problem.evaluator
            told = told_meters(evaluator, _asked(session.problem))
            keep_batch(
                evaluator.store,
                session.name,
                self._proposals,
                [evaluator.key(meter) for meter in told.values()],
            )

    def _pending(self, session: Session | None = None) -> dict[int, list[str]]:
        """Return the metrics that are still to be told, by proposal."""
        problem = (session or self._now).problem
        if not self._proposals:
            return {}
        genomes = np.array(list(self._proposals.values()))
        lacking = untold(problem.evaluator, genomes, _asked(problem))
        return {i: some for i, some in zip(self._proposals, lacking, strict=True) if some}

    def _number(self, given: Any, pending: Mapping[int, Any]) -> int:
        """Return a proposal's id, checked."""
        try:
            number = operator.index(given)
        except TypeError:
            number = -1
        if isinstance(given, bool | np.bool_) or number < 0:
            raise InputError(f"A proposal's id is a whole number from ask(); got {given!r}.")
        if number in pending:
            return number
        if number in self._proposals or number < len(self.table):
            raise InputError(f"Proposal {number} is told already; what was told stays.")
        left = ", ".join(map(str, list(pending)[:10])) + (", ..." if len(pending) > 10 else "")
        raise InputError(
            f"There is no proposal {number}; those to be told are {left}."
            if pending
            else f"There is no proposal {number}: the run has ended ({self.stop_reason})."
        )

    def _show(self, run: Run) -> None:
        """Become a run, as far as it is."""
        for name in _CACHED:
            self.__dict__.pop(name, None)
        super().__init__(
            *(run.name, run.space, run.formulation, run.table, run.record),
            *(run.folder, run.measured, run.outside),
        )


def open_run(
    problem: NASProblem,
    formulation: Formulation | None,
    algorithm: str | Algorithm,
    budget: int,
    seed: int,
    n_jobs: int,
    out: str | os.PathLike[str] | None,
    warm_start: npt.ArrayLike | pd.DataFrame | None,
    stagnation: int | None,
    timeout_s: float | None,
) -> OpenRun:
    """Open a run; see :meth:`moo_nas.Run.open`."""
    stops, runner = Stops(budget, stagnation=stagnation), Runner(n_jobs, timeout_s)
    prepared = Prepared.of(problem, formulation, algorithm, stops, seed, runner, warm_start)
    known: NASProblem = set_up(prepared.algorithm, prepared.problem, seed, prepared.warm_start).problem
    if not told_meters(known.evaluator, _asked(known)):
        raise InputError(
            f"Nothing that {known.name} is asked for is measured elsewhere: use search, or give it an "
            "External meter."
        )
    folder = None if out is None else Folder(out, prepared.definition, _WAIT_S)
    try:
        run = OpenRun(prepared, folder)
    except BaseException:
        runner.close()
        if folder is not None:
            folder.close()
        raise
    if folder is not None:
        folder.release()
    return run


def _asked(problem: NASProblem) -> tuple[str, ...]:
    """Return the metrics that a run measures or is told, needed or not."""
    return (*problem.metrics, *problem.optional_metrics)


def _checked(
    metrics: Mapping[str, Any], known: list[str], names: list[str], number: int
) -> dict[str, float | None]:
    """Return told values as numbers, of exactly the metrics that are to be told, of those there are."""
    if not isinstance(metrics, Mapping):
        raise InputError(f"Tell metrics by name, {{'{names[0]}': 1.0}}; got {metrics!r}.")
    for name in metrics:
        if name not in known:
            raise unknown(f"metric of proposal {number}", str(name), known)
    values: dict[str, float | None] = {}
    for name in names:
        if name not in metrics:
            raise InputError(
                f"Proposal {number} needs {', '.join(names)}; '{name}' is missing. Tell a failure if it "
                "could not be measured."
            )
        value = metrics[name]
        real = isinstance(value, Real) and not isinstance(value, bool)
        number_told = _float(value) if real else math.nan
        if not math.isfinite(number_told):
            raise InputError(
                f"'{name}' of proposal {number} must be a finite number; got {value!r}. Tell a failure if it "
                "could not be measured."
            )
        values[name] = number_told
    return values


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
