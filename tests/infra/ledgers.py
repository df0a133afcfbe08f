"""The kinds of ledger that the one contract is tried on. A kind that cannot be had is skipped, with the reason."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

import pytest

from infra.memory_ledger import MemoryStore, Shelf
from infra.unavailable import UnavailableError
from worker.ledger.sqlite import SqliteStore
from worker.ledger.store import Store

TIMES = {
    "calls": ("begun_at_ms", "settled_at_ms", "changed_at_ms"),
    "reservations": ("changed_at_ms",),
    "orders": ("changed_at_ms",),
    "owners": ("until_ms",),
    "budgets": ("next_us", "at_us"),
    "notes": ("changed_at_ms",),
    "transactions": ("until_ms", "changed_at_ms"),
}


def older(columns: Sequence[str], seconds: float) -> str:
    """Times so much earlier, each in the unit that its name ends on."""
    per_second = {"ms": 1_000, "us": 1_000_000}
    return ", ".join(f"{column} = {column} - {int(seconds * per_second[column[-2:]])}" for column in columns)


class Database(Protocol):
    """An empty database of one kind. Its methods are called while no store is at work on it."""

    def store(self) -> Store:
        """One more store on this database, not yet opened. Whoever asks for it closes it."""

    def age(self, seconds: float) -> None:
        """Makes everything that stands in it so much older, leases too; less than 0 sets its clock back."""

    def outgrow(self) -> None:
        """Makes its schema a later one than this worker knows. It has been opened before."""

    def go_back(self) -> None:
        """Makes its schema the first one. It has been opened before."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`begin` makes a database that is empty; it raises UnavailableError when there is none to be had."""

    name: str
    begin: Callable[[pytest.FixtureRequest, Path], Database]

    def __str__(self) -> str:
        return self.name


class Memory:
    """Dicts, on a clock that stands still unless it is put forward."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._now_ms = 1_800_000_000_000
        self.shelf = Shelf(lambda: self._now_ms)

    def store(self) -> Store:
        return MemoryStore(self.shelf)

    def age(self, seconds: float) -> None:
        self._now_ms += int(seconds * 1000)

    def outgrow(self) -> None:
        self.shelf.version += 1

    def go_back(self) -> None:
        self.shelf.version = 1


class Sqlite:
    """A file in a folder of the test's own."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self.path = folder / "ledger.db"

    def store(self) -> Store:
        return SqliteStore(self.path, timeout_seconds=5.0, synchronous="normal")

    def age(self, seconds: float) -> None:
        for table, columns in TIMES.items():
            self.sql(f"UPDATE {table} SET {older(columns, seconds)}")

    def outgrow(self) -> None:
        self.sql("PRAGMA user_version = 1000")

    def go_back(self) -> None:
        for table in ("transactions", "kept", "notes", "budgets"):
            self.sql(f"DROP TABLE {table}")
        for column in ("redo", "span_id"):
            self.sql(f"ALTER TABLE calls DROP COLUMN {column}")
        self.sql("PRAGMA user_version = 1")

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()


def postgres(request: pytest.FixtureRequest, folder: Path) -> Database:
    """A database of its own on the tests' server, by `begin` of infra/postgres_ledger.py."""
    if find_spec("infra.postgres_ledger") is None:
        raise UnavailableError("PostgreSQL: the tests cannot start one yet")
    begin = import_module("infra.postgres_ledger").begin
    return cast("Database", begin(request, folder))


KINDS = (Kind("memory", Memory), Kind("sqlite", Sqlite), Kind("postgres", postgres))


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Store]:
    """One more store on a database, opened and in the end closed."""
    store = database.store()
    try:
        await store.open()
        yield store
    finally:
        await store.close()
