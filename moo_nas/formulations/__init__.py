"""What is asked of a search: one objective, limits, one fitness of several metrics, or a Pareto front."""

from moo_nas.formulations.base import Formulation
from moo_nas.formulations.constrained import Constrained, Quantile
from moo_nas.formulations.pareto import Pareto
from moo_nas.formulations.product import PositiveScale, WeightedProduct
from moo_nas.formulations.scalarised import ReferencePoint, Scalarised, Tchebycheff, WeightedSum
from moo_nas.formulations.single import Single
from moo_nas.formulations.spread import even_weights, spread

__all__ = [
    "Constrained",
    "Formulation",
    "Pareto",
    "PositiveScale",
    "Quantile",
    "ReferencePoint",
    "Scalarised",
    "Single",
    "Tchebycheff",
    "WeightedProduct",
    "WeightedSum",
    "even_weights",
    "spread",
]
