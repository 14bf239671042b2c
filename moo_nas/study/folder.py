"""A run's folder: one run, one writer, files that are there whole or not at all."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from moo_nas.errors import InputError, OtherRunError, StoreError
from moo_nas.evaluation import Store
from moo_nas.files import write_whole

STORE = "evaluations.sqlite"
_OURS = (
    *("run.json", "front.csv", "measured.csv", "front.png", "front.svg", "report.html"),
    *("comparison.csv", "comparison.png", "comparison.svg", "runs"),
)


class Files:
    """A folder's files, each there whole or not at all.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def read(self, name: str) -> str | None:
        """Return what a file holds, or None if there is no such file."""
        path = self.path / name
        return path.read_text(encoding="utf-8") if path.exists() else None

    def write(self, name: str, content: str | bytes) -> Path:
        """Put a file in place, whole; the one before stays if that fails.

        Raises:
            StoreError: It could not be written.
        """
        target = self.path / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            return write_whole(target, content)
        except (OSError, InputError) as error:
            cause = error.__cause__ or error
            raise StoreError(
                f"{target} could not be written: {cause}. Free space, then run again."
            ) from error


class Folder(Files):
    """A folder that holds one run (or one comparison), opened for writing.

    Args:
        path: The folder; made if there is none.
        definition: What defines the run, as JSON. A folder that holds another is left untouched.
        wait_s: How long to wait for another process that writes there, in seconds.

    Raises:
        OtherRunError: The folder holds another run; the message names the first difference.
        StoreError: It cannot be used: a damaged or read-only store, or another process writes there.
    """

    def __init__(
        self, path: str | os.PathLike[str], definition: Mapping[str, Any], wait_s: float = 0.0
    ) -> None:
        super().__init__(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            there = [name for name in _OURS if (self.path / name).exists()]
            if there and not (self.path / STORE).exists():
                raise StoreError(
                    f"{self.path} holds {there[0]} but no {STORE}, so its run cannot be continued. Choose "
                    "another folder, or move these files away."
                )
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written to: {error}.") from error
        self._lock = FileLock(self.path / ".lock")
        self._acquire(wait_s)
        try:
            self.store = Store(self.path / STORE)
            given = json.loads(json.dumps(definition))
            kept = self.store.recall("definition", lambda: given)
            found = difference(kept, given)
            kinds = ["a comparison" if "comparison" in one else "a run" for one in (kept, given)]
            if kinds[0] != kinds[1]:
                self.store.close()
                raise OtherRunError(f"{self.path} holds {kinds[0]}, not {kinds[1]}. Choose another folder.")
            if found:
                self.store.close()
                raise OtherRunError(f"{self.path} holds another run: {found}. Choose another folder.")
        except BaseException:
            self._lock.release()
            raise

    @contextmanager
    def held(self, wait_s: float) -> Iterator[None]:
        """Keep other processes from writing inside, after waiting for one that does."""
        self._acquire(wait_s)
        try:
            yield
        finally:
            self._lock.release()

    def release(self) -> None:
        """Let other processes write, until it is :meth:`held`."""
        self._lock.release()

    def close(self) -> None:
        """Let go of the store and the folder."""
        self.store.close()
        self._lock.release()

    def _acquire(self, wait_s: float) -> None:
        _acquire(self._lock, self.path, wait_s)


@contextmanager
def locked(path: Path) -> Iterator[Files]:
    """Keep other processes from writing to a folder that is there while its files are written inside.

    Raises:
        StoreError: Another process writes there, or it cannot be written to.
    """
    lock = FileLock(path / ".lock")
    _acquire(lock, path, 0.0)
    try:
        yield Files(path)
    finally:
        lock.release()


def _acquire(lock: FileLock, path: Path, wait_s: float) -> None:
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise StoreError(f"Another process is writing to {path}. Wait for it, or stop it.") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be written to: {error}.") from error


def difference(kept: Any, given: Any, where: str = "") -> str | None:
    """Return the first difference between two JSON values, one there and one here, in words."""
    if isinstance(kept, dict) and isinstance(given, dict):
        for key in sorted({*kept, *given}):
            path = f"{where}.{key}" if where else key
            if key not in kept or key not in given:
                return f"{path} is only {'there' if key in kept else 'here'}"
            found = difference(kept[key], given[key], path)
            if found:
                return found
        return None
    if isinstance(kept, list) and isinstance(given, list) and len(kept) == len(given):
        pairs = zip(kept, given, strict=True)
        return next(filter(None, (difference(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(pairs))), None)
    return None if kept == given else f"{where} is {_short(kept)} there, {_short(given)} here"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
