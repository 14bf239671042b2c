"""A formulation from its settings: a run's folder can be read without the code that asked."""

from collections.abc import Mapping
from typing import Any

from moo_nas.errors import FormulationError
from moo_nas.formulations.base import Formulation
from moo_nas.formulations.constrained import Constrained, Quantile
from moo_nas.formulations.pareto import Pareto
from moo_nas.formulations.product import PositiveScale, WeightedProduct
from moo_nas.formulations.scalarised import ReferencePoint, Scalarised, Tchebycheff, WeightedSum
from moo_nas.formulations.single import Single

_SCALARISED: dict[str, type[Scalarised]] = {
    cls.name: cls for cls in (WeightedSum, Tchebycheff, ReferencePoint)
}


def formulation_of(settings: Mapping[str, Any]) -> Formulation:
    """Return the formulation that has these settings, fitted if they are.

    Raises:
        FormulationError: It is of a class that is not known here, or has other settings.

    Example:
        >>> formulation_of(Constrained("score", {"latency_ms": 5.0}).settings).limits
        {'latency_ms': 5.0}
    """
    told = dict(settings)
    name = told.pop("formulation", None)
    try:
        made = _made(name, told)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FormulationError(f"These are no settings of '{name}': {error}.") from error
    if made is None:
        known = [Pareto.name, Single.name, Constrained.name, WeightedProduct.name, *_SCALARISED]
        raise FormulationError(f"'{name}' cannot be made from its settings; {', '.join(known)} can.")
    return made


def _made(name: Any, told: dict[str, Any]) -> Formulation | None:
    if name == Pareto.name:
        return Pareto(*told["objectives"], limits=told["limits"])
    if name == Single.name:
        return Single(told["score"])
    if name == Constrained.name:
        limits = {
            metric: Quantile(limit["quantile"]) if isinstance(limit, Mapping) else limit
            for metric, limit in told.pop("limits").items()
        }
        return Constrained(limits=limits, **told)
    if name == WeightedProduct.name:
        scale = told.pop("scale")
        left_out = tuple(told.pop("left_out"))
        return WeightedProduct(
            scale=PositiveScale(**scale) if isinstance(scale, Mapping) else scale, left_out=left_out, **told
        )
    return _SCALARISED[name](**told) if name in _SCALARISED else None
