"""Hardware-aware neural architecture search as multi-objective optimisation on pymoo.

A *Study* makes *Runs*. In a Run an *Algorithm* proposes genomes of a *SearchSpace*, which decodes
them to *Architectures*; an *Evaluator* has *Meters* measure them; a *Formulation* turns the
measurements into what the Algorithm minimises.

Importing moo_nas never imports torch: a search on formulas and tables does without it.
"""

from moo_nas.formulations import (
    Constrained,
    Pareto,
    ReferencePoint,
    Single,
    Tchebycheff,
    WeightedProduct,
    WeightedSum,
)
from moo_nas.problem import NASProblem
from moo_nas.study import Run, compare, search

__all__ = [
    "Constrained",
    "NASProblem",
    "Pareto",
    "ReferencePoint",
    "Run",
    "Single",
    "Tchebycheff",
    "WeightedProduct",
    "WeightedSum",
    "compare",
    "search",
]
