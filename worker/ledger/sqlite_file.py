"""The ledger's SQLite file: opened, brought up to this version, and its troubles in an operator's words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeVar

from worker.errors import LedgerUnavailable, WorkerError
from worker.ledger.schema_sqlite import VERSIONS

T = TypeVar("T")
Identity = tuple[int, int]
Synchronous = Literal["full", "normal"]

OPEN_AGAIN_SECONDS = 0.02
WAL_KEPT_BYTES = 64 * 1024 * 1024
CACHE_KIB = 16 * 1024
SETTINGS = "WORKER_LEDGER__URL"

EFFECTIVE = os.access in os.supports_effective_ids

# What they mean lies with the code that asked, not with the file: asking again would not help.
DEFECTS = (
    sqlite3.ProgrammingError,
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.NotSupportedError,
    sqlite3.InterfaceError,
)
# The connection is as good as before; after anything else it is made anew.
HARMLESS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL}


class LedgerFile:
    """One connection to the file, for one thread. `timeout_seconds` bounds the wait for another process's lock."""

    def __init__(self, path: Path, *, timeout_seconds: float, synchronous: Synchronous) -> None:
        self._path = path
        self._timeout_seconds = timeout_seconds
        self._synchronous = synchronous
        self._synchronized = synchronous
        self._connection: sqlite3.Connection | None = None
        self._identity: Identity | None = None
        self._logs: dict[Path, Identity | None] = {}
        self._astray = False

    def read(self, do: Callable[[sqlite3.Connection], T]) -> T:
        """What `do` reads; takes no lock that a writer would wait for. Raises LedgerUnavailable, WorkerError."""
        if self._astray:
            self._find_again()
        try:
            done = do(self._connected())
        except BaseException as error:
            self._undo(error)
            if isinstance(error, sqlite3.Error) and not isinstance(error, DEFECTS):
                raise self._unavailable(error) from error
            raise
        # Looked at afterwards, so that what was written to a file that had lost its name is not taken for kept.
        self._find_again()
        return done

    def write(self, do: Callable[[sqlite3.Connection], T], *, lasting: bool = True) -> T:
        """What `do` gives, once all it wrote is committed; nothing of it is when this raises, save a lost answer.

        What need not be `lasting` does not wait for the disk: a power cut may take it back.
        """

        def whole(connection: sqlite3.Connection) -> T:
            self._synchronize(connection, self._synchronous if lasting else "normal")
            connection.execute("BEGIN IMMEDIATE")
            done = do(connection)
            connection.execute("COMMIT")
            return done

        return self.read(whole)

    def close(self) -> None:
        """Gives the connection back; raises nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._opened()
            self._identity = _identity(self._path)
            self._logs = {log: _identity(log) for log in (Path(f"{self._path}-wal"), Path(f"{self._path}-shm"))}
        return self._connection

    def _find_again(self) -> None:
        """Raises LedgerUnavailable when the file is gone, or is another one: that one is opened next time.

        SQLite would take the log of the old file for the new one's, and mix the two. It is ours to remove if it still
        is the one that we have open.
        """
        found = _identity(self._path)
        if found == self._identity:
            self._astray = False
            return
        self._astray = found is None
        if found is not None:
            for log, identity in self._logs.items():
                if identity is not None and _identity(log) == identity:
                    log.unlink(missing_ok=True)
            self.close()
        raise self._unavailable(None)

    def _opened(self) -> sqlite3.Connection:
        if self._path.exists() and not os.access(self._path, os.W_OK, effective_ids=EFFECTIVE):
            # SQLite would open it for reading, and leave files beside it that nobody may write later on either.
            raise LedgerUnavailable(f"the ledger {self._path} cannot be written", self._let_write)
        until = time.monotonic() + self._timeout_seconds
        while True:
            # A file that was there and is gone is not made anew: it would be empty, and every call be made again.
            mode = "rwc" if self._identity is None else "rw"
            connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode={mode}", uri=True, timeout=self._timeout_seconds, isolation_level=None
            )
            try:
                self._prepare(connection)
            except BaseException as error:
                connection.close()
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                    raise
                # SQLite does not itself wait for others that turn a new file to WAL at the same time.
                time.sleep(OPEN_AGAIN_SECONDS)
            else:
                return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise LedgerUnavailable(
                f"the ledger {self._path} lies where SQLite cannot share a file between processes",
                f"keep it on a local disk, or name a PostgreSQL in {SETTINGS}",
            )
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        self._synchronized = self._synchronous
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if schema_version(self._path, connection) < len(VERSIONS):
            connection.execute("BEGIN IMMEDIATE")
            self._migrate(connection, schema_version(self._path, connection))
            connection.execute("COMMIT")

    def _synchronize(self, connection: sqlite3.Connection, how: Synchronous) -> None:
        if how != self._synchronized:
            connection.execute(f"PRAGMA synchronous = {how}")
            self._synchronized = how

    def _migrate(self, connection: sqlite3.Connection, version: int) -> None:
        if version == 0 and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise WorkerError(f"{self._path} is a database of something else: name another file in {SETTINGS}")
        for script in VERSIONS[version:]:
            for statement in script:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(VERSIONS)}")

    def _undo(self, error: BaseException) -> None:
        """Takes back what was begun; makes the connection anew next time, unless it surely is as good as before."""
        if self._connection is None:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()
        if isinstance(error, sqlite3.Error) and not isinstance(error, DEFECTS) and _code(error) not in HARMLESS:
            self.close()

    def _unavailable(self, error: sqlite3.Error | None) -> LedgerUnavailable:
        why, mend = self._explained(error)
        said = f": {error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})" if error is not None else ""
        return LedgerUnavailable(f"the ledger {self._path} {why}{said}", mend)

    @property
    def _let_write(self) -> str:
        files = f"{self._path}, its -wal and -shm and the folder {self._path.parent}"
        return f"let the worker's user read and write {files}"

    def _explained(self, error: sqlite3.Error | None) -> tuple[str, str]:
        code, folder = _code(error), self._path.parent
        if not folder.is_dir():
            return "has no folder", f"make the folder {folder}, or name another file in {SETTINGS}"
        if self._identity is not None and not self._path.exists():
            return "is gone", "put the file back; a restart of the worker begins an empty one, and repeats old calls"
        if error is None:
            return "was replaced by another file", "nothing, if it was meant; the worker goes on with the new file"
        match code:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return "is locked", "end the program that keeps it open for writing: a backup, a console, another tool"
            case sqlite3.SQLITE_FULL:
                return "has no room", f"make room on the disk of {folder}"
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
                return "cannot be written", self._let_write
            case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
                return "is damaged, or no SQLite database", f"restore it, or name another file in {SETTINGS}"
            case _:
                return "cannot be used", f"look after the disk of {folder}, and the system's log"


def schema_version(path: Path, connection: sqlite3.Connection) -> int:
    """The schema's, 0 when there is none. Raises WorkerError for one that is later than this worker."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(VERSIONS):
        raise WorkerError(
            f"the ledger {path} was written by a later version of this worker (schema {version}, this one "
            f"knows {len(VERSIONS)}): run that version or a later one, or name another file in {SETTINGS}"
        )
    return int(version)


def _code(error: BaseException | None) -> int:
    """SQLite's primary result code, -1 where there is none."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else -1


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
