"""What a group wrote to an SQLite ledger a moment ago, so that the next one need not read it: of a call, its settling.

It holds while nobody else has written to the file since, which SQLite tells ("PRAGMA data_version"), and as long as all
that was written by this connection is committed. In one thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")

KEPT: Final = 4_096
"""Rows of a table, some megabytes in all; a call is settled long before so many others are begun."""

VERSION: Final = "PRAGMA data_version"


class Rows(dict[str, tuple[Any, int]]):
    """Those of one table by their ids: each with its place."""

    def keep(self, id_: str, value: object, place: int) -> None:
        """It stands there like that now."""
        self[id_] = value, place
        if len(self) > KEPT:
            del self[next(iter(self))]


class Recent:
    """Rows by table. Whatever is done to those tables goes through `sure`."""

    def __init__(self) -> None:
        self._tables: dict[str, Rows] = {}
        self._version: int | None = None
        self._connection: sqlite3.Connection | None = None

    def sure(self, do: Callable[[], T]) -> T:
        """Does what may write to them, in whole transactions; of what was not done nothing is remembered."""
        try:
            return do()
        except BaseException:
            self.forget()
            raise

    def look(self, connection: sqlite3.Connection) -> None:
        """In a transaction that writes: forgets everything if somebody else has written since."""
        [version] = connection.execute(VERSION).fetchone()
        if version != self._version or connection is not self._connection:
            self.forget()
            self._version, self._connection = version, connection

    def of(self, table: str) -> Rows:
        """Those of a table."""
        return self._tables.setdefault(table, Rows())

    def forget(self) -> None:
        """All of them."""
        for rows in self._tables.values():
            rows.clear()

    def drop(self, table: str, ids: Sequence[str]) -> None:
        """Those of these ids."""
        rows = self.of(table)
        for id_ in ids:
            rows.pop(id_, None)
