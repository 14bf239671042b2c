"""One measurement at a time on a machine: two would measure each other."""

import errno
import json
import os
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moo_nas.errors import BusyError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

VARIABLE = "MOO_NAS_LOCKS"
_NAME = "moo_nas-measuring.lock"
_LONGEST = 1000  # bytes that a holder tells of itself
_held = threading.local()


@contextmanager
def measuring(what: str) -> Iterator[None]:
    """Measure inside, and let nobody else measure on this machine meanwhile.

    The lock is the operating system's on a file in :func:`lock_folder`: it ends with the process,
    however that ends. A measurement may be part of another in the same thread.

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
    path = lock_folder() / _NAME
    with _named(path):
        file = _opened(path)
    try:
        with _named(path):
            free = _locked(file)
        if not free:
            raise BusyError(
                f"{_holder(file)} on this machine, and two measurements at once would measure each other. "
                "Wait for it, or stop it."
            )
        _held.depth = 1
        try:
            _tell(file, {"pid": os.getpid(), "what": what, "since": time.strftime("%H:%M:%S")})
            yield
        finally:
            _held.depth = 0
            _tell(file, None)
    finally:
        os.close(file)  # and the lock goes with it


def lock_folder() -> Path:
    """Return where the lock of this machine is: the same folder for all its users.

    The one that the environment variable ``MOO_NAS_LOCKS`` names; else ``/var/lock`` where everybody
    may write there, else ``/tmp``: not the temporary folder, which each process can have its own of.
    (Windows has none that is shared, so there the lock is of one user.) Containers that do not share
    these folders need the variable.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    for folder in (Path("/var/lock"), Path("/tmp")):  # noqa: S108  (opened with care below)
        with suppress(OSError):
            if folder.stat().st_mode & stat.S_IWOTH:
                return folder
    return Path(tempfile.gettempdir())


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BusyError(
            f"The lock of measurements {path} cannot be used: {error.strerror or error}. Set {VARIABLE} to a "
            "folder that all who measure on this machine can write to."
        ) from error


def _opened(path: Path) -> int:
    """Return the lock's file, opened; anybody may have put another thing in its place.

    A link is not followed, neither symbolic nor hard, and nothing is cut off: what is written to was
    made to be a lock.
    """
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(AttributeError, OSError):
            os.fchmod(file, 0o666)  # for other users, whatever the umask
    except FileExistsError:
        # Without O_CREAT, which some systems refuse on a file of another user's.
        file = os.open(path, flags)
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
        os.close(file)
        raise OSError("it is no plain file, or a link to one")
    return file


def _locked(file: int) -> bool:
    """Take the lock; return whether it was free."""
    try:
        if sys.platform == "win32":
            os.lseek(file, _LONGEST, os.SEEK_SET)  # Windows locks bytes, and lets nobody read them
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise  # as of a network's folder that knows no locks
    return True


def _tell(file: int, about: dict[str, object] | None) -> None:
    # For the message alone: where it cannot be written the lock holds all the same.
    with suppress(OSError):
        os.lseek(file, 0, os.SEEK_SET)
        os.ftruncate(file, 0)
        os.write(file, b"" if about is None else json.dumps(about).encode())


def _holder(file: int) -> str:
    try:
        os.lseek(file, 0, os.SEEK_SET)
        told = json.loads(os.read(file, _LONGEST))
        return f"Process {int(told['pid'])} measures {_plain(told['what'])} since {_plain(told['since'])}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "Another process measures"


def _plain(text: object) -> str:
    # It goes to a terminal, and anybody can have written it.
    return "".join(c for c in str(text) if c.isprintable())[:100]
