"""The tables of an SQLite ledger whose rows stand on pages: rows as values, read and written many at a time.

A row that was read is written again by its place in the table, which costs half of what looking up its key does; the
lock that a group holds makes sure that it still is there, and that what was not found is new.

Each statement gives the interpreter away, and gets it back only when the event loop lets go of it: so one has room for
more rows than there are, if need be, and what is read comes as one row of JSON.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, Generic, TypeVar

import msgspec

from worker.carts import Order, Reservation
from worker.ledger import rows
from worker.ledger.entries import Entry
from worker.ledger.sqlite_recent import Recent

R = TypeVar("R")
V = TypeVar("V")
Places = Mapping[str, int]

AT_ONCE: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Rows that a statement has room for. The largest has 6,400 values; SQLite takes 32,766."""


class Table(Generic[V]):
    """The first of the columns is the id. All SQL is made of this module's own words."""

    def __init__(
        self,
        name: str,
        columns: Sequence[str],
        as_row: Callable[[V], rows.Row],
        as_value: Callable[[Sequence[Any]], V],
    ) -> None:
        self._flags = [columns.index(column) for column in columns if column in rows.FLAGS]
        self._bytes = [columns.index(column) for column in columns if column in rows.BYTES]
        self._as_row = as_row
        self._as_value = as_value
        self.name = name
        self._written = (*columns, "changed_at_ms")
        shown = ", ".join(f"hex({column})" if column in rows.BYTES else column for column in columns)
        self.reading: Final = (
            f"SELECT json_group_array(json_array({shown}, rowid)) FROM {name} "  # noqa: S608
            f"WHERE {columns[0]} IN (SELECT value FROM json_each(?))"
        )
        self._adding = {count: self.adding(count) for count in AT_ONCE}
        self._changing = {count: self.changing(count) for count in AT_ONCE}

    def adding(self, count: int) -> str:
        """The statement that adds up to so many rows; those whose id is NULL are none."""
        return (
            f"INSERT INTO {self.name} ({', '.join(self._written)}) "  # noqa: S608
            f"SELECT * FROM (VALUES {self._values(count)}) WHERE column1 IS NOT NULL"
        )

    def changing(self, count: int) -> str:
        """The statement that changes up to so many rows; of each first the place, NULL for none, then its values."""
        changes = ", ".join(f"{column} = new.column{n}" for n, column in enumerate(self._written[1:], 2))
        return (
            f"UPDATE {self.name} SET {changes} FROM (VALUES {self._values(count)}) AS new "  # noqa: S608
            f"WHERE {self.name}.rowid = new.column1"
        )

    def read(
        self, connection: sqlite3.Connection, wanted: Sequence[str], recent: Recent | None = None
    ) -> tuple[dict[str, V], Places]:
        """The rows of these ids that there are, and their places; what is `recent` is not read."""
        values: dict[str, V] = {}
        places: dict[str, int] = {}
        unknown: list[str] = []
        known = recent.of(self.name) if recent is not None else {}
        for id_ in wanted:
            if id_ in known:
                values[id_], places[id_] = known[id_]
            else:
                unknown.append(id_)
        if not unknown:
            return values, places
        [(found,)] = connection.execute(self.reading, (ids(unknown),))
        for row in msgspec.json.decode(found):
            for place in self._bytes:
                row[place] = bytes.fromhex(row[place])
            places[row[0]] = row.pop()
            values[row[0]] = self._as_value(row)
        return values, places

    def write(
        self, connection: sqlite3.Connection, changed: Mapping[str, V], places: Places, now_ms: int, recent: Recent
    ) -> None:
        """Writes these rows, of which those with a place are there already."""
        new: list[tuple[str, list[Any]]] = []
        old: list[list[Any]] = []
        for id_, value in changed.items():
            row, place = [*self._as_row(value), now_ms], places.get(id_)
            for flag in self._flags:
                row[flag] = int(bool(row[flag]))  # of a bool the library would look for an adapter
            if place is None:
                new.append((id_, row))
            else:
                row[0] = place
                old.append(row)
                recent.of(self.name).keep(id_, value, place)
        for some in _batches(old):
            size, values = self._filled(some)
            connection.execute(self._changing[size], values)
        for added in _batches(new):
            size, values = self._filled([row for _, row in added])
            last = connection.execute(self._adding[size], values).lastrowid or 0
            for place, (id_, _) in enumerate(added, last - len(added) + 1):  # each stands behind the one before it
                recent.of(self.name).keep(id_, changed[id_], place)

    def _filled(self, some: Sequence[Sequence[Any]]) -> tuple[int, list[Any]]:
        """How many rows the statement has, and its values: those of these rows, and NULL for what is left."""
        size = AT_ONCE[bisect_left(AT_ONCE, len(some))]
        return size, [*chain.from_iterable(some)] + [None] * ((size - len(some)) * len(self._written))

    def _values(self, count: int) -> str:
        return ", ".join([f"({', '.join('?' * len(self._written))})"] * count)


def _batches(rows: Sequence[R]) -> Iterator[Sequence[R]]:
    """As many at once as a statement has room for."""
    for first in range(0, len(rows), AT_ONCE[-1]):
        yield rows[first : first + AT_ONCE[-1]]


CALLS: Final = Table[Entry]("calls", rows.CALLS, rows.to_call, rows.from_call)
RESERVATIONS: Final = Table[Reservation]("reservations", rows.RESERVATIONS, rows.to_reservation, rows.from_reservation)
ORDERS: Final = Table[Order]("orders", rows.ORDERS, rows.to_order, rows.from_order)
TABLES: Final[tuple[Table[Any], ...]] = (CALLS, RESERVATIONS, ORDERS)


def ids(some: Sequence[str]) -> str:
    """Ids as one parameter."""
    return msgspec.json.encode(some).decode()
