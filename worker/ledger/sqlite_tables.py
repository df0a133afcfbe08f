"""The tables of an SQLite ledger whose rows stand on pages: rows as values, read and written many at a time.

A row that was read is written again by its place in the table, which costs half of what looking up its key does; the
lock that a group holds makes sure that it still is there, and that what was not found is new.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from worker.carts import Order, Reservation
from worker.ledger import rows
from worker.ledger.entries import Entry

V = TypeVar("V")
Places = Mapping[str, int]


class Table(Generic[V]):
    """The first of the columns is the id. All SQL is made of this module's own words."""

    def __init__(
        self,
        name: str,
        columns: Sequence[str],
        as_row: Callable[[V], rows.Row],
        as_value: Callable[[Sequence[Any]], V],
    ) -> None:
        self._flags = [columns.index(name) for name in columns if name in rows.FLAGS]
        self._as_row = as_row
        self._as_value = as_value
        written = (*columns, "changed_at_ms")
        changes = ", ".join(f"{column} = ?" for column in written[1:])
        self.reading: Final = (
            f"SELECT {', '.join(columns)}, rowid FROM {name} "  # noqa: S608
            f"WHERE {columns[0]} IN (SELECT value FROM json_each(?))"
        )
        self.adding: Final = f"INSERT INTO {name} ({', '.join(written)}) VALUES ({', '.join('?' * len(written))})"  # noqa: S608
        self.changing: Final = f"UPDATE {name} SET {changes} WHERE rowid = ?"  # noqa: S608

    def read(self, connection: sqlite3.Connection, wanted: Sequence[str]) -> tuple[dict[str, V], Places]:
        """The rows of these ids that there are, and their places."""
        if not wanted:
            return {}, {}
        found = connection.execute(self.reading, (ids(wanted),)).fetchall()
        values = {row[0]: self._as_value(row[:-1]) for row in found}
        return values, {row[0]: row[-1] for row in found}

    def write(self, connection: sqlite3.Connection, changed: Mapping[str, V], places: Places, now_ms: int) -> None:
        """Writes these rows, of which those with a place are there already."""
        new: list[rows.Row] = []
        old: list[rows.Row] = []
        for id_, value in changed.items():
            row, place = [*self._as_row(value), now_ms], places.get(id_)
            for flag in self._flags:
                row[flag] = int(bool(row[flag]))  # of a bool the library would look for an adapter
            if place is None:
                new.append(row)
            else:
                old.append([*row[1:], place])
        if new:
            connection.executemany(self.adding, new)
        if old:
            connection.executemany(self.changing, old)


CALLS: Final = Table[Entry]("calls", rows.CALLS, rows.to_call, rows.from_call)
RESERVATIONS: Final = Table[Reservation]("reservations", rows.RESERVATIONS, rows.to_reservation, rows.from_reservation)
ORDERS: Final = Table[Order]("orders", rows.ORDERS, rows.to_order, rows.from_order)
TABLES: Final[tuple[Table[Any], ...]] = (CALLS, RESERVATIONS, ORDERS)


def ids(some: Sequence[str]) -> str:
    """Ids as one parameter."""
    return msgspec.json.encode(some).decode()
