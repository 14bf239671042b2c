"""Names used from outside Python: entry points that any installed package may add to."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
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


def make(kind: Kind, name: str, options: Mapping[str, str]) -> Any:
    """Return an instance of what a name stands for, made with options given as text.

    Raises:
        InputError: An unknown name or option, or a text that is not of the option's type.
    """
    cls = load(kind, name)
    parameters = inspect.signature(cls, eval_str=True).parameters
    known = {key: p.annotation for key, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    given = {}
    for key, text in options.items():
        if key not in known:
            raise unknown(f"option of {name}", key, known)
        try:
            given[key] = _converter(known[key])(text)
        except (ValueError, TypeError) as error:
            raise InputError(f"Option '{key}' of {name} cannot be '{text}': {error}.") from error
    return cls(**given)


def _points(kind: Kind) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"moo_nas.{kind}s"):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise InputError(
                f"Two packages register the {kind} '{point.name}': {other.value}, {point.value}."
            )
    return found


def _converter(annotation: Any) -> Callable[[str], Any]:
    """Return what makes a value of an annotated type from text."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        (first, *_) = (a for a in typing.get_args(annotation) if a is not types.NoneType)
        return _converter(first)
    if origin is not None and issubclass(origin if isinstance(origin, type) else object, Sequence):
        return lambda text: tuple(text.split(","))
    if annotation in (int, float):
        return typing.cast(Callable[[str], Any], annotation)
    if annotation is str or origin is Literal:
        return str
    raise InputError(f"Options of type {annotation} can be given in Python only.")
