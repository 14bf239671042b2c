"""Names used from outside Python: entry points that any installed package may add to."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from moo_nas.errors import InputError, unknown

Kind = Literal["problem", "algorithm", "formulation", "plan"]


def names(kind: Kind) -> list[str]:
    """Return what is registered under ``moo_nas.<kind>s``, sorted."""
    return sorted(_points(kind))


def load(kind: Kind, name: str) -> Any:
    """Return what a name stands for.

    Raises:
        InputError: The name is not registered (the message gives the closest), or what it stands for
            cannot be imported.
    """
    points = _points(kind)
    if name not in points:
        raise unknown(kind, name, points)
    try:
        return points[name].load()
    except Exception as error:  # whatever somebody else's module raises
        why = f"{type(error).__name__}: {error}"
        raise InputError(f"The {kind} '{name}' ({points[name].value}) cannot be loaded: {why}.") from error


def name_of(kind: Kind, qualified: object) -> str | None:
    """Return the name of a class, given as ``module.Class`` as records have it; None if it has none.

    Names whose modules cannot be imported are passed over.
    """
    for name in names(kind):
        try:
            cls = load(kind, name)
        except InputError:
            continue
        if qualified == f"{getattr(cls, '__module__', '')}.{getattr(cls, '__qualname__', '')}":
            return name
    return None


def make(kind: Kind, name: str, options: Mapping[str, str]) -> Any:
    """Return an instance of what a name stands for, made with options given as text.

    Raises:
        InputError: An unknown name or option, or a text that is not of the option's type; options of
            which the types are not known (:func:`options`).
    """
    cls = load(kind, name)
    known, given = _annotated(cls) if options else {}, {}
    for key, text in options.items():
        if key not in known:
            raise unknown(f"option of {name}", key, known)
        try:
            given[key] = known[key][0](text)
        except (ValueError, TypeError) as error:
            raise InputError(f"Option '{key}' of {name} cannot be '{text}': {error}.") from error
    return cls(**given)


def options(cls: Any) -> dict[str, str]:
    """Return the options that :func:`make` takes as text, with their defaults as text.

    Raises:
        InputError: Its annotations cannot be evaluated, so that the types of its options are not known.
    """
    return {key: default for key, (_, default) in _annotated(cls).items()}


def choices(cls: Any) -> dict[str, tuple[str, ...]]:
    """Return the words that options can be, of those that take only some words."""
    parameters = _parameters(cls)
    found = {key: _literals(parameters[key].annotation) for key in _annotated(cls)}
    return {key: words for key, words in found.items() if words}


def _literals(annotation: Any) -> tuple[str, ...]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return tuple(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return tuple(word for one in arguments for word in _literals(one))
    return ()


def _parameters(cls: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(cls, eval_str=True).parameters
    except Exception as error:  # such as a name that is imported for type checkers alone
        name = getattr(cls, "__qualname__", repr(cls))
        raise InputError(
            f"The options of {name} ({getattr(cls, '__module__', '?')}) are not known, as its annotations "
            f"cannot be evaluated: {error}. Import at run time what they name."
        ) from error


def _annotated(cls: Any) -> dict[str, tuple[Callable[[str], Any], str]]:
    """Return what makes each option from text, and its default; those for Python only are left out."""
    found = {}
    for key, parameter in _parameters(cls).items():
        convert = _converter(parameter.annotation) if parameter.kind is not parameter.VAR_KEYWORD else None
        # How many processes work is no option of what is searched.
        if convert is not None and key != "n_jobs":
            default = parameter.default
            text = ",".join(map(str, default)) if isinstance(default, tuple | list) else str(default)
            found[key] = (convert, text)
    return found


def _points(kind: Kind) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"moo_nas.{kind}s"):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise InputError(
                f"Two packages register the {kind} '{point.name}': {other.value}, {point.value}."
            )
    return found


def _converter(annotation: Any) -> Callable[[str], Any] | None:
    """Return what makes a value of an annotated type from text; None for types that text cannot tell."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        (first, *_) = (a for a in typing.get_args(annotation) if a is not types.NoneType)
        return _converter(first)
    if origin is not None and issubclass(origin if isinstance(origin, type) else object, Sequence):
        one = _converter(typing.get_args(annotation)[0])
        return None if one is None else lambda text: tuple(map(one, text.split(",")))
    if annotation is bool:
        return _truth
    if annotation in (int, float):
        return typing.cast(Callable[[str], Any], annotation)
    if annotation is str or origin is Literal:
        return str
    return None


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("it is true or false")
    return text.lower() == "true"
