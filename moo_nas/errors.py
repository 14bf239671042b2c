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

from collections.abc import Iterable
from difflib import get_close_matches


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
