"""Everything moo_nas raises on purpose, in one tree.

::

    MooNasError
    ├── InputError (ValueError)     what the caller asked for is not possible: a name, a number, an option
    │   ├── SpaceError              a gene, genome, architecture or its text
    │   ├── FormulationError        a formulation that does not fit the problem or its metrics
    │   └── SourceError             what every measurement reads is gone or has changed: ends the run
    │       └── BusyError           the device cannot be measured now, or lacks the meter
    ├── MeterError (RuntimeError)   one architecture could not be measured: becomes a failure row
    └── StoreError (RuntimeError)   a run's folder or its store cannot be used as it is
        └── OtherRunError           the folder holds another run

Every message says what was expected, what came, of which thing, and what to do.
"""

import math
import operator
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Real
from typing import Any


class MooNasError(Exception):
    """The root: catch it to catch all that moo_nas raises on purpose."""


class InputError(MooNasError, ValueError):
    """What the caller asked for is not possible."""


class SpaceError(InputError):
    """A gene, genome, architecture or its text is not of the space."""


class FormulationError(InputError):
    """A formulation does not fit the problem or its metrics."""


class SourceError(InputError):
    """What every measurement reads is gone or has changed; the run ends, and goes on once it is mended."""


class BusyError(SourceError):
    """The device cannot be measured: somebody else is measuring, or it lacks the meter; ends the run."""


class MeterError(MooNasError, RuntimeError):
    """One architecture could not be measured."""


class StoreError(MooNasError, RuntimeError):
    """A run's folder or its store cannot be used as it is."""


class OtherRunError(StoreError):
    """The folder holds another run than the one asked for."""


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a name that is not known, with the closest one that is.

    Example:
        >>> str(unknown("algorithm", "nsga", ["aging", "nsga2"]))
        "Unknown algorithm 'nsga': did you mean 'nsga2'? Known: aging, nsga2."
    """
    known = sorted(known)
    close = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return InputError(f"Unknown {kind} '{name}': {hint}Known: {', '.join(known) or 'none'}.")


def whole_number(what: str, given: Any, least: int) -> int:
    """Return a number that was given, as Python's own.

    Args:
        what: What it is of, the beginning of the message: ``The seed must be a whole number``.
        given: What was given; numbers of numpy will do, truth values will not.
        least: How large it is at least.

    Raises:
        InputError: It is no whole number, or less.

    Example:
        >>> whole_number("The seed must be a whole number", 3, least=0)
        3
    """
    try:
        number = operator.index(given)
    except TypeError:
        number = least - 1
    if number < least or isinstance(given, bool):
        raise InputError(f"{what}, at least {least}; got {given!r}.")
    return number


def check_number(what: str, given: Any, least: float = 0.0, most: float = math.inf) -> None:
    """Check a number that was given.

    Args:
        what: What it is of, the beginning of the message: ``The share``.
        given: What was given.
        least: How large it is at least.
        most: And at most; it is finite in any case.

    Raises:
        InputError: It is no number, or outside of that.

    Example:
        >>> check_number("mutation_probability", 0.5, 0, 1)
    """
    number = math.nan if isinstance(given, bool) or not isinstance(given, Real) else float(given)
    if not least <= number <= most or math.isinf(number):
        bounds = f", at least {least:g}" if math.isinf(most) else f" in [{least:g}, {most:g}]"
        raise InputError(f"{what} must be a number{bounds}; got {given!r}.")


def positive_seconds(what: str, given: Any) -> float:
    """Return a number of seconds that was given, as Python's own.

    Raises:
        InputError: It is no number, or not positive and finite.

    Example:
        >>> positive_seconds("max_seconds", 60)
        60.0
    """
    seconds = float(given) if isinstance(given, Real) else math.nan
    if not 0 < seconds < math.inf:
        raise InputError(f"{what} must be a positive number of seconds; got {given!r}.")
    return seconds
