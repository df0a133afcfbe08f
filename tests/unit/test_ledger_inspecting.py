"""A look at a ledger's file changes nothing, and says what stands in the way."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from worker.errors import LedgerUnavailable
from worker.ledger.inspecting import Inspection, inspect
from worker.ledger.schema_sqlite import VERSIONS
from worker.ledger.sqlite import SqliteStore

KNOWN = len(VERSIONS)


def looked_at(path: Path, seconds: float = 0.05) -> Inspection:
    return asyncio.run(inspect(f"sqlite:///{path}", seconds=seconds, now=time.time))


def made(path: Path) -> Path:
    async def make() -> None:
        store = SqliteStore(path, timeout_seconds=5.0)
        await store.open()
        await store.close()

    asyncio.run(make())
    return path


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert looked_at(tmp_path / "ledger.db") == Inspection(str(tmp_path / "ledger.db"), 0, KNOWN)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_is_known_by_its_version(tmp_path: Path) -> None:
    path = made(tmp_path / "ledger.db")
    assert looked_at(path) == Inspection(str(path), KNOWN, KNOWN)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1000")
    assert looked_at(path).version == 1000


def test_a_ledger_of_an_earlier_version_stays_as_it_is(tmp_path: Path) -> None:
    path = made(tmp_path / "ledger.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    assert [looked_at(path).version for _ in range(2)] == [1, 1]


def test_a_ledger_that_another_program_holds_is_named(tmp_path: Path) -> None:
    path = made(tmp_path / "ledger.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "locked" in looked_at(path).unwritable


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="no folder"):
        looked_at(tmp_path / "nowhere" / "ledger.db")


def test_a_file_of_something_else_is_told(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE guests (name)")
    (tmp_path / "text.db").write_text("not a database, but a text that is long enough to be taken for one" * 100)
    with pytest.raises(LedgerUnavailable, match="something else"):
        looked_at(tmp_path / "other.db")
    with pytest.raises(LedgerUnavailable, match="not a database"):
        looked_at(tmp_path / "text.db")
