"""The exact front, of problems that know it."""

import copy
from typing import Protocol, runtime_checkable

import pandas as pd

from moo_nas.errors import InputError
from moo_nas.evaluation import Evaluator
from moo_nas.formulations import Formulation
from moo_nas.problem import NASProblem


@runtime_checkable
class KnowsFront(Protocol):
    """A problem that can say what there is to be found."""

    def exact_front(self, formulation: Formulation | None = None) -> pd.DataFrame:
        """Return the exact front under a formulation: a row a network, with its metrics."""


def knows_front(problem: NASProblem, formulation: Formulation) -> bool:
    """Say whether a problem knows its front, and all metrics are tabulated or computed: none is measured."""
    if not isinstance(problem, KnowsFront):
        return False
    meters = problem.evaluator.meters(formulation.metrics)
    given = {metric.name for meter in meters for metric in meter.metrics}
    return set(formulation.metrics) <= given and all(meter.instant for meter in meters)


def exact_front(problem: NASProblem, formulation: Formulation) -> pd.DataFrame | None:
    """Return the exact front with the formulation's metrics and ``architecture``; None where it is not known.

    Only where the metrics are tabulated or computed: nothing is measured for it.
    """
    if not knows_front(problem, formulation):
        return None
    evaluator = problem.evaluator
    meters = evaluator.meters(formulation.metrics)
    # Without the formulas that every table has: of all networks of a table they take long.
    light = copy.copy(problem)
    light.evaluator = Evaluator(
        *(problem.space, meters, evaluator.seed, evaluator.store, evaluator.runner),
        n_reference=evaluator.n_reference,
        pool=evaluator.pool,
    )
    light.extra_metrics = light.optional_metrics = ()
    try:
        front: pd.DataFrame = light.exact_front(formulation)
    except InputError:
        # No network keeps the limits, or this formulation's front cannot be computed.
        return None
    if "architecture" in front:
        return front
    names = [gene.name for gene in problem.space.genes]
    genomes = [problem.space.genome_of(row) for row in front[names].to_numpy().tolist()]
    return front.assign(architecture=[str(problem.space.decode(genome)) for genome in genomes])
