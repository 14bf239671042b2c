"""What is measured is kept: one SQLite file, each result committed as it arrives."""

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moo_nas.errors import StoreError

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x6D6F6F6E  # "moon": tells our files from other SQLite files
_SCHEMA = """
CREATE TABLE setup (name TEXT PRIMARY KEY, value TEXT NOT NULL, seconds REAL NOT NULL);
CREATE TABLE meters (key TEXT PRIMARY KEY, description TEXT NOT NULL);
CREATE TABLE measurements (
    meter TEXT NOT NULL, genome TEXT NOT NULL, metric TEXT NOT NULL, value REAL, reason TEXT,
    PRIMARY KEY (meter, genome, metric)
) WITHOUT ROWID;
CREATE TABLE runs (
    run TEXT PRIMARY KEY, definition TEXT NOT NULL,
    wall_seconds REAL NOT NULL DEFAULT 0, cpu_seconds REAL NOT NULL DEFAULT 0
);
CREATE TABLE evaluations (
    run TEXT NOT NULL, position INTEGER NOT NULL, genome TEXT NOT NULL, metrics TEXT NOT NULL,
    status TEXT NOT NULL, reason TEXT,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one genome; ``reason`` says why there is no value."""

    genome: str
    metric: str
    value: float | None
    reason: str | None = None


class Store:
    """Measurements, set-up and evaluations of one or more runs.

    Written by one process at a time; readers are welcome meanwhile (WAL). Each write is one
    transaction: after a kill at any moment the file holds all that was written, whole.

    Args:
        path: The file; made if there is none. ``None`` keeps everything in memory.
        read_only: Is it only read? Then there must be such a file, and it is left as it is.

    Raises:
        StoreError: The file is no store, is damaged, read-only, or of a newer moo_nas. It is left
            as it is.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, read_only: bool = False) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.RLock()
        if self.path is None:
            self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._db.executescript(_SCHEMA)
            return
        with self._guard():
            if read_only:
                self._db = self._connect(self._check())
                return
            if self.path.exists():
                self._check()
                self._check_writable()
            else:
                self._create()
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # --- set-up -----------------------------------------------------------------------------------

    def recall(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what is kept under a name; make and keep it first if nothing is."""
        with self._guard():
            row = self._db.execute("SELECT value FROM setup WHERE name = ?", (name,)).fetchone()
        if row is None:
            started = time.perf_counter()
            value = json.dumps(make(), sort_keys=True)
            with self._write() as db:
                # Another process may have been first: what is there stays, and is what all go by.
                db.execute(
                    "INSERT OR IGNORE INTO setup VALUES (?, ?, ?)",
                    (name, value, time.perf_counter() - started),
                )
                row = db.execute("SELECT value FROM setup WHERE name = ?", (name,)).fetchone()
        kept: dict[str, Any] = json.loads(row[0])
        return kept

    def setup(self) -> dict[str, tuple[dict[str, Any], float]]:
        """Return all that is kept by name, with the seconds that it took to make."""
        with self._guard():
            rows = self._db.execute("SELECT name, value, seconds FROM setup ORDER BY rowid").fetchall()
        return {name: (json.loads(value), seconds) for name, value, seconds in rows}

    # --- measurements -----------------------------------------------------------------------------

    def describe(self, meter: str, description: dict[str, Any]) -> None:
        """Keep what a meter's key stands for, for whoever reads the file."""
        with self._write() as db:
            db.execute(
                "INSERT OR IGNORE INTO meters VALUES (?, ?)", (meter, json.dumps(description, sort_keys=True))
            )

    def measurements(self, meter: str, genomes: Sequence[str]) -> dict[str, dict[str, Measurement]]:
        """Return what a meter has measured of these genomes, by genome and metric."""
        found: dict[str, dict[str, Measurement]] = {}
        with self._guard():
            for start in range(0, len(genomes), 500):
                some = genomes[start : start + 500]
                marks = ",".join("?" * len(some))
                for genome, metric, value, reason in self._db.execute(
                    "SELECT genome, metric, value, reason FROM measurements "
                    f"WHERE meter = ? AND genome IN ({marks})",
                    (meter, *some),
                ):
                    found.setdefault(genome, {})[metric] = Measurement(genome, metric, value, reason)
        return found

    def add(self, meter: str, measurements: Iterable[Measurement]) -> None:
        """Keep measurements of a meter, in one transaction; what is there stays."""
        self.add_all({meter: measurements})

    def add_all(self, measurements: Mapping[str, Iterable[Measurement]]) -> None:
        """Keep measurements by meter, in one transaction; what is there stays."""
        rows = [
            (meter, m.genome, m.metric, m.value, m.reason)
            for meter, some in measurements.items()
            for m in some
        ]
        with self._write() as db:
            db.executemany("INSERT OR IGNORE INTO measurements VALUES (?, ?, ?, ?, ?)", rows)

    # --- runs -------------------------------------------------------------------------------------

    def definition(self, run: str) -> dict[str, Any] | None:
        """Return what defines a run, or None if there is no such run."""
        with self._guard():
            row = self._db.execute("SELECT definition FROM runs WHERE run = ?", (run,)).fetchone()
        if row is None:
            return None
        definition: dict[str, Any] = json.loads(row[0])
        return definition

    def begin(self, run: str, definition: dict[str, Any]) -> None:
        """Enter a new run with what defines it."""
        with self._write() as db:
            db.execute(
                "INSERT INTO runs (run, definition) VALUES (?, ?)",
                (run, json.dumps(definition, sort_keys=True)),
            )

    def spend(self, run: str, wall_seconds: float, cpu_seconds: float) -> None:
        """Add time to what a run has taken."""
        with self._write() as db:
            db.execute(
                "UPDATE runs SET wall_seconds = wall_seconds + ?, cpu_seconds = cpu_seconds + ? "
                "WHERE run = ?",
                (wall_seconds, cpu_seconds, run),
            )

    def spent(self, run: str) -> tuple[float, float]:
        """Return the wall and CPU seconds a run has taken, over all its sessions."""
        with self._guard():
            row = self._db.execute(
                "SELECT wall_seconds, cpu_seconds FROM runs WHERE run = ?", (run,)
            ).fetchone()
        return row or (0.0, 0.0)

    def n_logged(self, run: str) -> int:
        """Return how many of a run's evaluations are kept."""
        with self._guard():
            (n,) = self._db.execute("SELECT count(*) FROM evaluations WHERE run = ?", (run,)).fetchone()
        return int(n)

    def runs(self) -> list[str]:
        """Return the names of all runs that were begun."""
        with self._guard():
            return [name for (name,) in self._db.execute("SELECT run FROM runs ORDER BY rowid")]

    def logged(self, run: str) -> list[tuple[str, dict[str, float | None], str, str | None]]:
        """Return a run's evaluations in ask order: genome, metrics, status, reason."""
        with self._guard():
            rows = self._db.execute(
                "SELECT genome, metrics, status, reason FROM evaluations WHERE run = ? ORDER BY position",
                (run,),
            ).fetchall()
        return [(genome, json.loads(metrics), status, reason) for genome, metrics, status, reason in rows]

    def log(
        self, run: str, start: int, rows: Sequence[tuple[str, dict[str, float | None], str, str | None]]
    ) -> None:
        """Keep a run's evaluations from a position on: genome, metrics, status, reason.

        Raises:
            StoreError: The run is being replayed and something else was kept at a position: what
                the run depends on has changed.
        """
        entries = [
            (run, start + i, genome, json.dumps(metrics), status, reason)
            for i, (genome, metrics, status, reason) in enumerate(rows)
        ]
        with self._guard():
            kept = self._db.execute(
                "SELECT * FROM evaluations WHERE run = ? AND position BETWEEN ? AND ? ORDER BY position",
                (run, start, start + len(rows) - 1),
            ).fetchall()
        for old, new in zip(kept, entries, strict=False):
            if tuple(old) != new:
                was, now = next((a, b) for a, b in zip(old, new, strict=True) if a != b)
                raise StoreError(
                    f"{self._name} does not repeat: evaluation {new[1]} was {was} and is now {now}. Continue "
                    "the run with the code and on the machine it began with, or start in another folder."
                )
        if len(kept) < len(entries):
            with self._write() as db:
                db.executemany("INSERT INTO evaluations VALUES (?, ?, ?, ?, ?, ?)", entries[len(kept) :])

    # --- the file ---------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return str(self.path or "the store in memory")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self._name} cannot be used: {error}.") from error

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._guard():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _create(self) -> None:
        # Made aside and moved into place, so that a kill never leaves half a file under the name.
        assert self.path is not None
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        fresh.unlink(missing_ok=True)
        db = sqlite3.connect(fresh)
        try:
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            db.commit()
            db.close()
            with contextlib.suppress(FileExistsError):  # another process was first: that one it is
                os.link(fresh, self.path)
        finally:
            db.close()
            fresh.unlink(missing_ok=True)

    def _connect(self, how: str) -> sqlite3.Connection:
        """Open the file for reading only."""
        assert self.path is not None
        uri = f"{self.path.absolute().as_uri()}?{how}"
        return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30, check_same_thread=False)

    def _check_writable(self) -> None:
        # Root may write anything; a file that nobody is meant to write is still not ours to change.
        assert self.path is not None
        if not self.path.stat().st_mode & 0o222 or not os.access(self.path, os.W_OK):
            raise StoreError(f"{self.path} is read-only. Make it writable, or choose another folder.")

    def _check(self) -> str:
        """Refuse what is not a whole store of ours, and return how it can be read without a change."""
        assert self.path is not None
        if not self.path.is_file():
            raise StoreError(f"{self.path} is not a file; a store is one SQLite file.")
        with self.path.open("rb") as file:
            header = file.read(100)
        if len(header) < 100 or header[:16] != b"SQLite format 3\0":
            raise StoreError(
                f"{self.path} is truncated or not a store ({self.path.stat().st_size} bytes). Move it away "
                "to start anew."
            )
        version, application = (int.from_bytes(header[i : i + 4], "big") for i in (60, 68))
        if application != _APPLICATION_ID:
            raise StoreError(f"{self.path} is a SQLite file of another program. Choose another folder.")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has schema {version}; this moo_nas knows up to {SCHEMA_VERSION}: update it."
            )
        pages, page_size = (int.from_bytes(header[i:j], "big") for i, j in ((28, 32), (16, 18)))
        whole = pages * (page_size if page_size > 1 else 65536)
        killed = self.path.with_name(self.path.name + "-wal").exists()
        if not killed and self.path.stat().st_size != whole:
            size = self.path.stat().st_size
            raise StoreError(
                f"{self.path} is damaged: truncated to {size} of {whole} bytes. Move it away to start anew."
            )
        # Reading only, as even closing a damaged file that is open for writing would change it; and
        # where a kill left no log behind, without one, which would stay beside the file.
        how = "mode=ro" if killed else "immutable=1"
        db = self._connect(how)
        try:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            verdict = str(error)
        finally:
            db.close()
        if verdict != "ok":
            raise StoreError(f"{self.path} is damaged ({verdict}). Move it away to start anew.")
        return how
