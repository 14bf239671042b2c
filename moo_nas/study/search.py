"""One search from its definition to the files of its folder."""

import copy
import inspect
import os
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pymoo.core.algorithm import Algorithm
from pymoo.core.termination import NoTermination

from moo_nas import registry
from moo_nas.arrays import IntArray, stable_hash
from moo_nas.errors import InputError, MooNasError, whole_number
from moo_nas.evaluation import Runner
from moo_nas.formulations import Formulation
from moo_nas.problem import NASProblem
from moo_nas.study.carbon import WORLD_GRID, check_grid
from moo_nas.study.folder import Folder
from moo_nas.study.run import Run
from moo_nas.study.session import Listener, Session, check_listener
from moo_nas.study.stops import Stops
from moo_nas.study.warm_start import warm_start_genomes

NAME = "search"  # what a folder's only run is called in its store

# What every pymoo algorithm has, whatever it is: no part of what it does.
_BOOKKEEPING = frozenset(vars(Algorithm()))


def search(
    problem: NASProblem,
    formulation: Formulation | None = None,
    algorithm: str | Algorithm = "nsga2",
    budget: int = 200,
    seed: int = 0,
    n_jobs: int = 1,
    out: str | os.PathLike[str] | None = None,
    progress: Listener | None = None,
    grid: float = WORLD_GRID,
    warm_start: npt.ArrayLike | pd.DataFrame | None = None,
    max_seconds: float | None = None,
    stagnation: int | None = None,
    timeout_s: float | None = None,
) -> Run:
    """Search a problem and return everything evaluated and the front among it.

    The result depends on problem, formulation, algorithm, budget and seed alone, not on how many
    processes measure, or how often the search was killed: called again with the same folder it
    goes on, and ends as if it had never stopped. What ends it first does: the budget, nothing left
    to evaluate, or, where they are given, stagnation and time. How far it gets in a time is the
    machine's; called again, such a run repeats what it did then.

    Args:
        problem: What is searched.
        formulation: What is asked for; by default what the problem has.
        algorithm: A registered name, or any pymoo algorithm not yet set up (it is copied).
        budget: How many distinct architectures are evaluated.
        seed: Of the algorithm's randomness; the problem has its own.
        n_jobs: How many processes measure; -1 uses every core.
        out: The folder for ``run.json``, ``evaluations.sqlite``, ``front.csv``, ``measured.csv``,
            ``front.png`` and ``report.html``; without it nothing is written.
        progress: Called whenever something was measured.
        grid: The carbon intensity of the machine's electricity in g CO2-equivalent a kWh, for the
            record of what the search itself took; by default the world's mean.
        warm_start: What to evaluate first, in order and within the budget: genomes ``(n, n_var)``, or
            a table with a column of choices a gene, such as the front of a run on another data set
            or device. Where only a table can be measured, each stands for its nearest row.
        max_seconds: For how long it may be at work, set-up and all sittings together; what lies
            between sittings does not count. Looked at between steps.
        stagnation: Over how many evaluations the hypervolume of the front has to grow by a
            thousandth.
        timeout_s: How long an architecture may take a meter; one that takes longer is a failure. Not of
            timings, which nothing may end; see :class:`~moo_nas.evaluation.Runner`.

    Raises:
        InputError: An impossible budget or other stop, time-out, seed, algorithm or formulation.
        StoreError: The folder cannot be used, or holds another run; it is left as it is.

    Example:
        >>> from problems.haenas import HaeNAS
        >>> from moo_nas import Pareto
        >>> run = search(HaeNAS(), Pareto("params", "macs"), budget=60)
        >>> run.stop_reason, len(run.evaluations)
        ('budget', 60)
    """
    check_grid(grid)
    check_listener(progress)
    stops, runner = Stops(budget, max_seconds, stagnation), Runner(n_jobs, timeout_s)
    prepared = Prepared.of(problem, formulation, algorithm, stops, seed, runner, warm_start)
    folder = None if out is None else Folder(out, prepared.definition)
    try:
        return prepared.session(folder, progress, grid).run()
    finally:
        runner.close()
        if folder is not None:
            folder.close()


@dataclass(frozen=True)
class Prepared:
    """All that a run depends on, checked before anything is written.

    Attributes:
        problem: What is searched, as it was asked for.
        algorithm: What searches, not set up.
        seed: Of its randomness.
        runner: What measures.
        warm_start: What is evaluated first.
        definition: What defines the run, as JSON.
    """

    problem: NASProblem
    algorithm: Algorithm
    seed: int
    runner: Runner
    warm_start: IntArray | None
    definition: dict[str, Any]

    @classmethod
    def of(
        cls,
        problem: NASProblem,
        formulation: Formulation | None,
        algorithm: str | Algorithm,
        stops: Stops,
        seed: int,
        runner: Runner,
        warm_start: npt.ArrayLike | pd.DataFrame | None = None,
    ) -> "Prepared":
        """Return what :func:`search` is to do.

        Raises:
            InputError: An impossible problem, seed, algorithm, formulation or warm start.
        """
        check_problem(problem)
        algorithm, description = prepare_algorithm(algorithm, seed)
        if formulation is not None and not isinstance(formulation, Formulation):
            raise InputError(
                f"A search is of one formulation, such as Pareto('score', 'latency_ms'); got {formulation!r}."
                " Names are for the command line, plans for compare()."
            )
        if formulation is not None:
            problem = problem.under(formulation)
        start = None if warm_start is None else warm_start_genomes(warm_start, problem.space)
        # Set up once on the problem as it stands, so that what does not fit is said before a file is touched.
        known = set_up(algorithm, problem, seed, start).problem
        definition = define(known, description, stops, seed, start, runner)
        return cls(problem, algorithm, seed, runner, start, definition)

    def session(
        self, folder: Folder | None, progress: Listener | None = None, grid: float = WORLD_GRID
    ) -> Session:
        """Return a session of the run in a folder; see :class:`Session`."""
        # Without a folder the problem's own store has what it measured before.
        store = self.problem.evaluator.store if folder is None else folder.store
        name = f"{NAME} {stable_hash(self.definition)}" if folder is None else NAME
        ready = set_up(self.algorithm, self.problem.at(store, self.runner), self.seed, self.warm_start)
        return Session(name, ready, self.definition, folder, progress, grid=grid)


def check_problem(given: Any) -> None:
    """Refuse what is no problem.

    Raises:
        InputError: It is none.
    """
    if not isinstance(given, NASProblem):
        raise InputError(
            f"A problem is a NASProblem, such as HaeNAS(); got {given!r}. Names are for the command line."
        )


def prepare_algorithm(algorithm: str | Algorithm, seed: int) -> tuple[Algorithm, dict[str, Any]]:
    """Return an algorithm and its description: a name and its parameters, as JSON."""
    whole_number("The seed must be a whole number", seed, 0)
    if isinstance(algorithm, str):
        algorithm = registry.load("algorithm", algorithm)()
    if not isinstance(algorithm, Algorithm):
        got = type(algorithm).__name__
        if isinstance(algorithm, type):
            got = f"the class {algorithm.__name__}: make one, {algorithm.__name__}()"
        raise InputError(f"An algorithm is a name or a pymoo Algorithm; got {got}.")
    if algorithm.problem is not None:
        raise InputError(
            f"This {type(algorithm).__name__} has been used on a problem already; pass a new one."
        )
    cls = type(algorithm)
    parameters = {
        name: _plain(getattr(algorithm, name))
        for name in inspect.signature(cls.__init__).parameters
        if name not in ("self", "kwargs", "args") and hasattr(algorithm, name)
    }
    # Operators and the like are told apart by all they hold, and not spelt out.
    rest = {name: value for name, value in vars(algorithm).items() if name not in _BOOKKEEPING}
    configuration = stable_hash(_plain(rest, depth=6))
    return algorithm, {"class": _name(cls), **parameters, "configuration": configuration}


def define(
    problem: NASProblem,
    algorithm: dict[str, Any],
    stops: Stops,
    seed: int,
    warm_start: IntArray | None = None,
    runner: Runner | None = None,
) -> dict[str, Any]:
    """Return all that a run's result depends on, as JSON."""
    return {
        "problem": {"name": problem.name, "failures": problem.failures, **problem.options},
        "formulation": problem.formulation.settings,
        "algorithm": algorithm,
        **stops.settings,
        "seed": int(seed),
        **({} if warm_start is None else {"warm_start": warm_start.tolist()}),
        **({} if runner is None else runner.settings),
        "measurement": problem.evaluator.settings(problem.metrics),
        "versions": {name: version(name) for name in ("moo_nas", "pymoo", "numpy")},
    }


def set_up(
    algorithm: Algorithm, problem: NASProblem, seed: int, warm_start: IntArray | None = None
) -> Algorithm:
    """Return a copy of an algorithm, ready to be asked; pymoo keeps state in the one it is given."""
    algorithm = copy.deepcopy(algorithm)
    start = {}
    if warm_start is not None:
        if "warm_start" not in inspect.signature(algorithm._setup).parameters:
            raise InputError(
                f"{type(algorithm).__name__} takes no warm start; those of moo_nas do. Choose one, or "
                "leave the warm start out."
            )
        start = {"warm_start": warm_start}
    try:
        algorithm.setup(problem, termination=NoTermination(), seed=seed, verbose=False, **start)
    except MooNasError:
        raise
    except Exception as error:
        hint = (
            " It takes no constraints: make the problem with failures='penalty' and without limits."
            if isinstance(error, AssertionError) and problem.n_ieq_constr
            else ""
        )
        name = type(algorithm).__name__
        raise InputError(
            f"{name} cannot be set up on {problem.name}: {str(error).rstrip('.') or 'it refuses'}.{hint}"
        ) from error
    return algorithm


def _plain(value: Any, depth: int = 1) -> Any:
    """Return a value as JSON; of an object, its class and, down to a depth, all it holds."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [_plain(item, depth) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, depth) for key, item in value.items()}
    if depth > 1 and hasattr(value, "__dict__") and not hasattr(value, "__qualname__"):
        return {"class": _name(type(value)), **_plain(vars(value), depth - 1)}
    return _name(value if hasattr(value, "__qualname__") else type(value))


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"
