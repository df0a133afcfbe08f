"""A look at a ledger from outside, which changes nothing: no table is made, none brought up to another version."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from worker.errors import LedgerUnavailable
from worker.ledger import schema_postgres, schema_sqlite
from worker.ledger.aside import Aside
from worker.ledger.opening import SQLITE
from worker.ledger.postgres_connections import Connections
from worker.ledger.postgres_url import address

POSTGRES_LOOK: Final = """
    SELECT to_regclass('ledger_schema') IS NOT NULL AS made,
        coalesce(has_table_privilege(to_regclass('ledger_calls'), 'INSERT, UPDATE, DELETE'), false) AS may_write,
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_make,
        current_setting('transaction_read_only') = 'on' AS read_only,
        current_setting('synchronous_commit') <> 'off' AS lasting,
        extract(epoch FROM clock_timestamp())::float8 AS now
"""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A ledger as it is. `where` holds no password.

    `version` is its schema's, 0 where the tables are yet to be made; `known` the latest that this worker knows.
    `unwritable` says what stands in the way of writing, empty where nothing does. `lasting`: a commit outlives a crash
    of the database. `clock`: when its time was asked for, what it said, when that was heard, in seconds since 1970;
    None where its time is this machine's.
    """

    where: str
    version: int
    known: int
    unwritable: str = ""
    lasting: bool = True
    clock: tuple[float, float, float] | None = None


async def inspect(url: str, *, seconds: float, now: Callable[[], float]) -> Inspection:
    """Looks at the ledger of a URL. Raises LedgerUnavailable, and SettingsError for a URL that cannot be read."""
    if not url.startswith(SQLITE):
        return await _postgres(url, seconds, now)
    path = url.removeprefix(SQLITE)
    aside = Aside("ledger-look")
    try:
        return await aside.run(partial(_sqlite, path, seconds), seconds * 2)
    except TimeoutError:
        raise LedgerUnavailable(f"the ledger {path} did not answer", "look after the disk that it is on") from None
    finally:
        aside.end()


def _sqlite(name: str, seconds: float) -> Inspection:
    path = Path(name).absolute()
    known = len(schema_sqlite.VERSIONS)
    if not path.parent.is_dir():
        raise LedgerUnavailable(f"there is no folder {path.parent}", "make it, or set WORKER_LEDGER__URL")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return Inspection(str(path), 0, known, f"the folder {path.parent} cannot be written by this user")
    if not path.exists():
        return Inspection(str(path), 0, known)
    if not os.access(path, os.W_OK):
        return Inspection(str(path), 0, known, "the file cannot be written by this user")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=seconds)) as connection:
            connection.isolation_level = None
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0 and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                raise LedgerUnavailable(
                    f"{path} is a database of something else", "name another file in WORKER_LEDGER__URL"
                )
            return Inspection(str(path), int(version), known, _in_the_way(connection))
    except sqlite3.Error as error:
        raise LedgerUnavailable(
            f"the ledger {path} cannot be read ({error})", "restore it, or name another file in WORKER_LEDGER__URL"
        ) from None


def _in_the_way(connection: sqlite3.Connection) -> str:
    """What keeps us from writing: a write is begun, and taken back."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        return str(error)
    return ""


async def _postgres(url: str, seconds: float, now: Callable[[], float]) -> Inspection:
    where = address(url)
    connections = Connections(where, limit=1, seconds=seconds)

    async def look(connection: Any) -> Inspection:
        await connection.fetchval("SELECT 1")  # so that the next answer takes no longer than it has to
        asked = now()
        found = await connection.fetchrow(POSTGRES_LOOK)
        clock = (asked, found["now"], now())
        version = 0
        if found["made"]:
            version = int(await connection.fetchval("SELECT coalesce(max(version), 0) FROM ledger_schema"))
        return Inspection(
            where.shown, version, len(schema_postgres.VERSIONS), _denied(found, version), found["lasting"], clock
        )

    try:
        return await connections.use(look)
    finally:
        await connections.close()


def _denied(found: Any, version: int) -> str:
    if found["read_only"]:
        return "the database takes no writes"
    if version and not found["may_write"]:
        return "the user may not write to the ledger's tables"
    if not version and not found["may_make"]:
        return "the user may not make the ledger's tables"
    return ""
