"""Takes out of an SQLite ledger what is older than the retention, in steps that hold its lock for a moment only.

A table is gone through in the order in which its rows came, from the oldest to the first stretch of which nothing is
old; then from the beginning again. So no step reads more than its share, and no time needs an index.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DAY_MS = 24 * 60 * 60 * 1000
NOW_MS: Final = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

_LIVE = "IN (SELECT owner FROM owners WHERE until_ms > :now)"
# What may go once it is old. A call that is settled and not published is kept for as long as it takes; so is what a
# worker that is alive has under way, since an outage of Rokt may outlast the retention, and a claim that is not over.
PASSED: Final = {
    "calls": f"CASE WHEN status IS NULL THEN ifnull(owner, '') NOT {_LIVE} ELSE published END",
    "reservations": f"ifnull(owner, '') NOT {_LIVE}",
    "orders": (
        "NOT EXISTS (SELECT 1 FROM json_each(ifnull(under_way, '{}')) "  # noqa: S608
        f"WHERE json_extract(value, '$.owner') {_LIVE})"
    ),
    "notes": "1",
    "transactions": "ifnull(until_ms, 0) <= :now",
}
CUTOFF: Final = {"notes": f":cutoff - {DAY_MS}"}  # a call may be settled a day after it was noted
EXPIRED: Final = "FROM owners WHERE until_ms <= :now"
Places = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Step:
    """Rows to delete by table, and the place in each table from which the next step goes on."""

    times: Mapping[str, int]
    doomed: Mapping[str, list[int]]
    expired: bool
    places: Places

    @property
    def empty(self) -> bool:
        """Whether there is nothing to delete."""
        return not (self.expired or any(self.doomed.values()))


def stretch(table: str) -> str:
    """The next rows of a table: each with whether it is old, and whether it may go."""
    return (
        f"SELECT rowid, {_old(table)}, {_old(table)} AND {PASSED[table]} "  # noqa: S608
        f"FROM {table} WHERE rowid > :after ORDER BY rowid LIMIT :limit"
    )


def removal(table: str) -> str:
    """Of these rows, those that still may go."""
    return (
        f"DELETE FROM {table} WHERE rowid IN (SELECT value FROM json_each(:rowids)) "  # noqa: S608
        f"AND {_old(table)} AND {PASSED[table]}"
    )


def _old(table: str) -> str:
    return f"changed_at_ms < {CUTOFF.get(table, ':cutoff')}"


def look(days: int, limit: int, places: Places, connection: sqlite3.Connection) -> Step:
    """What the next step deletes, at most `limit` rows of a table. Only reads."""
    (now,) = connection.execute(f"SELECT {NOW_MS}").fetchone()
    times = {"now": now, "cutoff": now - days * DAY_MS}
    doomed, after = {}, {}
    for table in PASSED:
        parameters = {**times, "after": places.get(table, 0), "limit": limit}
        found = connection.execute(stretch(table), parameters).fetchall()
        doomed[table] = [rowid for rowid, _, goes in found if goes]
        more = len(found) == limit and any(old for _, old, _ in found)
        after[table] = found[-1][0] if more else 0
    expired = connection.execute(f"SELECT 1 {EXPIRED} LIMIT 1", times).fetchone() is not None
    return Step(times, doomed, expired, after)


def delete(step: Step, connection: sqlite3.Connection) -> int:
    """The number of rows deleted."""
    deleted = connection.execute(f"DELETE {EXPIRED}", step.times).rowcount
    for table, rowids in step.doomed.items():
        if rowids:
            parameters = {**step.times, "rowids": json.dumps(rowids)}
            deleted += connection.execute(removal(table), parameters).rowcount
    return deleted
