"""The command line: parse, call, print."""

import signal
import sys
from collections.abc import Iterable
from typing import Any

import typer

from moo_nas.cli import listing, measuring, results, runs
from moo_nas.cli.consoles import ERR
from moo_nas.cli.options import DONE, INTERRUPTED, WRONG_INPUT
from moo_nas.errors import MooNasError

__all__ = ["DONE", "INTERRUPTED", "WRONG_INPUT", "app", "main"]

# What keeps what it has measured; others begin anew.
_CONTINUED = ("search", "compare", "measure")
# By the kind of error that typer passes on.
_NUMBERS = {"int": "a whole number", "float": "a number"}

app = typer.Typer(
    help="Hardware-aware neural architecture search as multi-objective optimisation.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
measure = typer.Typer(help="Measurements for predictors: networks go out to other devices, tables come back.")
app.command()(runs.search)
app.command()(runs.compare)
app.command()(results.report)
app.command()(results.show)
app.command()(listing.proxies)
app.command("list")(listing.list_names)
app.add_typer(measure, name="measure")
measure.command("export")(measuring.export_)
measure.command("import")(measuring.import_)
measure.command("table")(measuring.table_)


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 wrong input, 130 interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = app(args=words, standalone_mode=False)
    except MooNasError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        # typer's errors of usage have no public class in common.
        if not hasattr(error, "format_message"):
            raise
        return _fail(_usage(error))
    if code == INTERRUPTED:
        goes_on = bool(words) and words[0] in _CONTINUED
        ERR.print(f"Interrupted: {'the same command continues' if goes_on else 'nothing is kept'}.")
    return code if isinstance(code, int) else DONE


def _usage(error: Any) -> str:
    """Return an error of usage; of what is no number in words of our own, with what was given."""
    told: str = error.format_message()
    cause = error.__cause__
    for found in cause.errors() if hasattr(cause, "errors") else ():
        expected = _NUMBERS.get(found["type"].partition("_")[0])
        if expected is not None:
            told = told.replace(found["msg"], f"it must be {expected}; got '{found['input']}'.")
    return told


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _fail(message: str) -> int:
    ERR.print(f"moo-nas: {' '.join(message.split())}", markup=False)
    return WRONG_INPUT
