"""One measurement at a time on a machine: two would measure each other."""

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from moo_nas.errors import BusyError

VARIABLE = "MOO_NAS_LOCKS"
_held = threading.local()


@contextmanager
def measuring(what: str) -> Iterator[None]:
    """Measure inside, and let nobody else measure on this machine meanwhile.

    The lock is the operating system's on a file in the temporary folder (or the one that
    ``MOO_NAS_LOCKS`` names): it ends with the process, however that ends. A measurement may be part
    of another in the same thread.

    Args:
        what: What is measured, for those who are refused.

    Raises:
        BusyError: Another process, or another thread of this one, is measuring.

    Example:
        >>> with measuring("two networks"):
        ...     pass
    """
    if getattr(_held, "depth", 0):
        yield
        return
    folder = Path(os.environ.get(VARIABLE) or tempfile.gettempdir())
    about = folder / "moo_nas-measuring.json"
    lock = FileLock(folder / "moo_nas-measuring.lock", mode=0o666, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            f"{_holder(about)} on this machine, and two measurements at once would measure each other. "
            "Wait for it, or stop it."
        ) from None
    except OSError as error:
        raise BusyError(
            f"The lock of measurements in {folder} cannot be used: {error}. Set {VARIABLE} to a folder "
            "that all who measure on this machine can write to."
        ) from error
    _held.depth = 1
    try:
        _tell(about, what)
        yield
    finally:
        _held.depth = 0
        with suppress(OSError):
            about.unlink(missing_ok=True)
        lock.release()


def _tell(about: Path, what: str) -> None:
    # For the message alone: where it cannot be written the lock holds all the same.
    with suppress(OSError):
        fresh = about.with_name(f"{about.name}.{os.getpid()}")
        fresh.write_text(json.dumps({"pid": os.getpid(), "what": what, "since": time.strftime("%H:%M:%S")}))
        fresh.replace(about)


def _holder(about: Path) -> str:
    try:
        told = json.loads(about.read_text(encoding="utf-8"))
        return f"Process {told['pid']} measures {told['what']} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "Another process measures"
