"""The ledger's SQLite file as one who only reads opens it: nothing is written, made, locked for long, or left behind.

A worker may run meanwhile. Where none does there is no log beside the file, and SQLite would make one, which may then
belong to a user that is not the worker's: so the file is read as one that does not change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from worker.errors import LedgerUnavailable, WorkerError
from worker.ledger.notes import Searched, unpacked
from worker.ledger.schema_sqlite import VERSIONS
from worker.ledger.sqlite_file import SETTINGS, schema_version

T = TypeVar("T")


class ReadOnlyFile:
    """Opened for each reading anew; `timeout_seconds` bounds a wait for a lock."""

    def __init__(self, path: Path, *, timeout_seconds: float) -> None:
        self._path = path
        self._timeout_seconds = timeout_seconds

    def read(self, do: Callable[[sqlite3.Connection], T]) -> T:
        """What `do` reads. Raises LedgerUnavailable; WorkerError when there is no ledger of this version."""
        if not self._path.is_file():
            raise WorkerError(f"there is no ledger {self._path}: name the worker's in {SETTINGS}")
        try:
            connection = self._opened()
            try:
                self._check(connection)
                return do(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            said = f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
            raise LedgerUnavailable(
                f"the ledger {self._path} cannot be read: {said}",
                f"let this user read {self._path}, its -wal and -shm, or run this as the worker's user",
            ) from error

    def write(self, do: Callable[[sqlite3.Connection], T], *, lasting: bool = True) -> T:  # noqa: ARG002
        """Raises WorkerError."""
        raise WorkerError(f"the ledger {self._path} was opened to read only")

    def close(self) -> None:
        """Nothing stays open."""

    def _opened(self) -> sqlite3.Connection:
        unchanging = "" if Path(f"{self._path}-wal").exists() else "&immutable=1"
        address = f"{self._path.as_uri()}?mode=ro{unchanging}"
        return sqlite3.connect(address, uri=True, timeout=self._timeout_seconds, isolation_level=None)

    def _check(self, connection: sqlite3.Connection) -> None:
        version = schema_version(self._path, connection)
        if version == 0:
            raise WorkerError(f"{self._path} is no ledger: name the worker's in {SETTINGS}")
        if version < len(VERSIONS):
            raise WorkerError(
                f"the ledger {self._path} is of an earlier version (schema {version}, this one reads {len(VERSIONS)}): "
                "start the worker of this version once, or use the command of that one"
            )


def search(marks: Sequence[bytes], place: int | None, limit: int, connection: sqlite3.Connection) -> Searched:
    """See `Store.search`; a place is the row behind those that are left."""
    [(first, last)] = connection.execute(ENDS)
    if place is None:
        place = (last or 0) + 1
    begin = place - limit
    [(oldest_ms,)] = connection.execute(OLDEST, (begin, place))
    found = connection.execute(search_notes(len(marks)), (begin, place, *marks)).fetchall()
    keys = tuple(key for (noted,) in found for key in unpacked(noted))
    return Searched(keys, begin if first is not None and begin > first else None, oldest_ms)


ENDS: Final = "SELECT (SELECT min(rowid) FROM notes), (SELECT max(rowid) FROM notes)"
OLDEST: Final = "SELECT (SELECT changed_at_ms FROM notes WHERE rowid >= ? AND rowid < ? ORDER BY rowid LIMIT 1)"


def search_notes(marks: int) -> str:
    """The notes of a stretch that have one of so many marks in them, newest first."""
    any_mark = " OR ".join(["instr(marks, ?)"] * marks)
    return f"SELECT keys FROM notes WHERE rowid >= ? AND rowid < ? AND ({any_mark}) ORDER BY rowid DESC"  # noqa: S608
