"""Claims on transactions in an SQLite ledger. A row is one that was claimed, or entered: then it is nobody's."""

from __future__ import annotations

import sqlite3
from typing import Final

from worker.ledger.entering import Asked, Claimed, answers, first_asked, free, milliseconds
from worker.ledger.sqlite_sweep import NOW_MS

NOW: Final = f"SELECT {NOW_MS}"
UNTIL: Final = "SELECT id, until_ms FROM transactions WHERE id = ?"
CLAIM: Final = (
    "INSERT INTO transactions (id, owner, until_ms, changed_at_ms) VALUES (?, ?, ?, ?) ON CONFLICT (id) "
    "DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms, changed_at_ms = excluded.changed_at_ms"
)
ENTER: Final = (
    f"INSERT INTO transactions (id, changed_at_ms) VALUES (?, {NOW_MS}) ON CONFLICT (id) "  # noqa: S608
    "DO UPDATE SET owner = NULL, until_ms = NULL, changed_at_ms = excluded.changed_at_ms WHERE until_ms IS NOT NULL"
)
RELEASE: Final = "DELETE FROM transactions WHERE id = ? AND owner = ?"


def claim(asked: Asked, seconds: float, connection: sqlite3.Connection) -> list[Claimed]:
    """See `Store.claim`."""
    (now_ms,) = connection.execute(NOW).fetchone()
    firsts = first_asked(asked)
    until = dict(row for id_ in firsts for row in connection.execute(UNTIL, (id_,)))
    mine = free(firsts, until, now_ms)
    over_ms = now_ms + milliseconds(seconds)
    connection.executemany(CLAIM, [(id_, firsts[id_], over_ms, now_ms) for id_ in mine])
    return answers(asked, frozenset(mine), until, now_ms, seconds)


def enter(asked: Asked, connection: sqlite3.Connection) -> None:
    """See `Store.entered`."""
    connection.executemany(ENTER, [(id_,) for id_ in first_asked(asked)])


def release(asked: Asked, connection: sqlite3.Connection) -> None:
    """See `Store.release`."""
    connection.executemany(RELEASE, asked)
