"""Formulations by name, from the words of a command line."""

from collections.abc import Mapping, Sequence

from moo_nas.errors import FormulationError
from moo_nas.formulations.constrained import Constrained, Method
from moo_nas.formulations.pareto import Pareto
from moo_nas.formulations.product import WeightedProduct
from moo_nas.formulations.scalarised import ReferencePoint, Tchebycheff, WeightedSum
from moo_nas.formulations.single import Single

Words = Sequence[str]
Limits = Mapping[str, float]


def single(objectives: Words | None, limits: Limits, default: Words) -> Single:
    """The best of one metric, nothing else."""
    if objectives is not None and len(objectives) != 1:
        raise FormulationError(f"'single' takes one objective; got {', '.join(objectives)}.")
    if limits:
        raise FormulationError("'single' takes no limits: use constrained.")
    return Single((objectives or default)[0])


def constrained(objectives: Words | None, limits: Limits, default: Words) -> Constrained:
    """The best of the first objective while limits are met; a metric without one gets the median."""
    return _constrained("constrained", "feasibility", objectives, limits, default)


def epsilon(objectives: Words | None, limits: Limits, default: Words) -> Constrained:
    """Epsilon-constraint: as constrained, but of equal scores the cheaper is better."""
    return _constrained("epsilon", "epsilon", objectives, limits, default)


def penalty(objectives: Words | None, limits: Limits, default: Words) -> Constrained:
    """The first objective less a quadratic penalty for what is beyond limits; no constraints."""
    return _constrained("penalty", "penalty", objectives, limits, default)


def weighted_sum(objectives: Words | None, limits: Limits, default: Words) -> WeightedSum:
    """The sum of all objectives, normalised and weighing alike, within limits if there are any."""
    return WeightedSum(dict.fromkeys(objectives or default, 1.0), limits=limits)


def tchebycheff(objectives: Words | None, limits: Limits, default: Words) -> Tchebycheff:
    """The largest distance from the ideal of all objectives, normalised, within limits if any."""
    return Tchebycheff(dict.fromkeys(objectives or default, 1.0), limits=limits)


def reference_point(objectives: Words | None, limits: Limits, default: Words) -> ReferencePoint:
    """What comes closest to a point, or exceeds it most; limits are its values, else the medians."""
    return ReferencePoint.at({**dict.fromkeys(objectives or default), **limits})


def product(objectives: Words | None, limits: Limits, default: Words) -> WeightedProduct:
    """The first objective times soft factors of costs; limits are their targets."""
    return WeightedProduct.soft((objectives or default)[0], _targets(objectives, limits))


def product_hard(objectives: Words | None, limits: Limits, default: Words) -> WeightedProduct:
    """The first objective times hard factors of costs; limits are their targets."""
    return WeightedProduct.hard((objectives or default)[0], _targets(objectives, limits))


def pareto(objectives: Words | None, limits: Limits, default: Words) -> Pareto:
    """The best trade-offs of all objectives, within limits if there are any."""
    return Pareto(*(objectives or default), limits=limits)


def _constrained(
    name: str, method: Method, objectives: Words | None, limits: Limits, default: Words
) -> Constrained:
    score, *costs = objectives or default
    if limits and objectives is None:
        costs = []
    if not (costs or limits):
        raise FormulationError(f"'{name}' needs a limit: --limit metric=value, or a second objective.")
    return Constrained(score, {**dict.fromkeys(costs), **limits}, method)


def _targets(objectives: Words | None, limits: Limits) -> dict[str, float | None] | None:
    costs: dict[str, float | None] = {**dict.fromkeys((objectives or ())[1:]), **limits}
    return costs or None
