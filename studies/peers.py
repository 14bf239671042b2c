"""The optimisers that others use, on a table of objectives: what compare_algorithms.py holds ours against.

Each yields genomes ``(n_var,)`` one after the other and is sent the objectives of the one it asked
for; repeats are its own affair. None knows which genomes a table has: :class:`~cases.Case` answers
for the nearest new one that it has.
"""

import warnings
from collections.abc import Callable, Generator

import numpy as np
import optuna
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.problems.static import StaticProblem

from moo_nas.arrays import FloatArray, IntArray
from moo_nas.spaces import SearchSpace

Asking = Generator[IntArray, FloatArray, None]
Peer = Callable[[SearchSpace, int, int], Asking]  # of a space, a number of objectives and a seed


def pymoo_nsga2(pop_size: int) -> Peer:
    """Return pymoo's NSGA-II with the operators that its documentation has for integers."""

    def ask(space: SearchSpace, n_obj: int, seed: int) -> Asking:
        problem = Problem(
            n_var=space.n_var, n_obj=n_obj, xl=np.zeros(space.n_var), xu=space.n_choices - 1, vtype=int
        )
        algorithm = NSGA2(
            pop_size=pop_size,
            sampling=IntegerRandomSampling(),
            crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
            mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
            eliminate_duplicates=True,
        )
        algorithm.setup(problem, termination=NoTermination(), seed=seed, verbose=False)
        while True:
            asked: Population = algorithm.ask()
            if asked is None or len(asked) == 0:
                return  # it finds nothing that it does not have
            objectives = []
            for genome in asked.get("X").astype(np.int64):
                objectives.append((yield genome))  # noqa: PERF401  # a comprehension cannot yield
            answers = StaticProblem(problem, F=np.array(objectives))
            algorithm.evaluator.eval(answers, asked, skip_already_evaluated=False)
            algorithm.tell(infills=asked)

    return ask


def optuna_sampler(make: Callable[[int], optuna.samplers.BaseSampler]) -> Peer:
    """Return an Optuna sampler: categorical genes are categorical to it, ordinal ones integers."""

    def ask(space: SearchSpace, n_obj: int, seed: int) -> Asking:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(directions=["minimize"] * n_obj, sampler=make(seed))
        while True:
            trial = study.ask()
            genome = [
                trial.suggest_categorical(gene.name, list(range(n)))
                if gene.kind == "categorical"
                else trial.suggest_int(gene.name, 0, n - 1)
                for gene, n in zip(space.genes, space.n_choices.tolist(), strict=True)
            ]
            study.tell(trial, (yield np.array(genome, dtype=np.int64)).tolist())

    return ask


def regularised_evolution(pop_size: int = 50, sample_size: int = 10) -> Peer:
    """Return textbook aging evolution (Real et al. 2019) on weighted sums, the weights drawn for each child.

    One gene of the parent is redrawn. Objectives are scaled to the population's range.
    """

    def ask(space: SearchSpace, n_obj: int, seed: int) -> Asking:
        rng = np.random.default_rng(seed)
        population: list[tuple[IntArray, FloatArray]] = []
        while True:
            if len(population) < pop_size:
                genome = space.sample(1, rng)[0]
            else:
                drawn = [population[i] for i in rng.integers(0, pop_size, sample_size)]
                f = np.array([objectives for _, objectives in drawn])
                everyone = np.array([objectives for _, objectives in population])
                low, width = everyone.min(axis=0), np.ptp(everyone, axis=0)
                scaled = (f - low) / np.where(width > 0, width, 1.0)
                genome = drawn[int((scaled @ rng.dirichlet(np.ones(n_obj))).argmin())][0].copy()
                gene = rng.integers(space.n_var)
                genome[gene] = (genome[gene] + rng.integers(1, space.n_choices[gene])) % space.n_choices[gene]
            population = [*population, (genome, (yield genome))][-pop_size:]

    return ask


def random_search(space: SearchSpace, n_obj: int, seed: int) -> Asking:
    """Ask for random genomes."""
    rng = np.random.default_rng(seed)
    while True:
        yield space.sample(1, rng)[0]


PEERS: dict[str, Peer] = {
    "TPE (Optuna)": optuna_sampler(lambda seed: _tpe(seed)),
    "NSGA-II (Optuna)": optuna_sampler(lambda seed: optuna.samplers.NSGAIISampler(seed=seed)),
    "NSGA-II (pymoo, 100)": pymoo_nsga2(100),
    "NSGA-II (pymoo, 20)": pymoo_nsga2(20),
    "regularised evolution": regularised_evolution(),
    "random (peer)": random_search,
}


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # multivariate is one
        return optuna.samplers.TPESampler(multivariate=True, seed=seed)
