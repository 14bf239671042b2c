"""What is asked of a search: one objective, limits, a weighted product, or a Pareto front."""

from moo_nas.formulations.base import Formulation
from moo_nas.formulations.constrained import Constrained
from moo_nas.formulations.pareto import Pareto
from moo_nas.formulations.product import PositiveScale, WeightedProduct
from moo_nas.formulations.single import Single

__all__ = ["Constrained", "Formulation", "Pareto", "PositiveScale", "Single", "WeightedProduct"]
