"""What commands keep in an SQLite ledger: texts by room and number."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

KEPT: Final = "SELECT id, value FROM kept WHERE room = ? AND id >= ? AND id < ?"
KEEP: Final = "INSERT OR REPLACE INTO kept (room, id, value) VALUES (?, ?, ?)"
ONE: Final = "SELECT value FROM kept WHERE room = ? AND id = ?"
DROP: Final = "DELETE FROM kept WHERE room = ? AND id < ?"


def kept(room: str, first: int, last: int, connection: sqlite3.Connection) -> dict[int, str]:
    """See `Store.kept`."""
    return dict(connection.execute(KEPT, (room, first, last)).fetchall())


def keep(room: str, values: Mapping[int, str], connection: sqlite3.Connection) -> None:
    """See `Store.keep`."""
    connection.executemany(KEEP, [(room, number, value) for number, value in values.items()])


def swap(room: str, number: int, old: str | None, new: str, connection: sqlite3.Connection) -> bool:
    """See `Store.swap`."""
    row = connection.execute(ONE, (room, number)).fetchone()
    found = row[0] if row else None
    if found == old:
        connection.execute(KEEP, (room, number, new))
        return True
    return bool(found == new)


def drop(room: str, below: int, connection: sqlite3.Connection) -> None:
    """See `Store.drop`."""
    connection.execute(DROP, (room, below))
