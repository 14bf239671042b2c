"""Names used from outside Python: entry points that any installed package may add to."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from moo_nas.errors import InputError, unknown

Kind = Literal["problem", "algorithm", "formulation"]


def names(kind: Kind) -> list[str]:
    """Return what is registered under ``moo_nas.<kind>s``, sorted."""
    return sorted(_points(kind))


def load(kind: Kind, name: str) -> Any:
    """Return what a name stands for.

    Raises:
        InputError: The name is not registered (the message gives the closest), or its module
            cannot be imported.
    """
    points = _points(kind)
    if name not in points:
        raise unknown(kind, name, points)
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"The {kind} '{name}' ({points[name].value}) cannot be loaded: {error}.") from error


def _points(kind: Kind) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"moo_nas.{kind}s"):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise InputError(
                f"Two packages register the {kind} '{point.name}': {other.value} and {point.value}."
            )
    return found
