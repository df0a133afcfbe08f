"""The ledger in an SQLite file: for one worker, or for several on one machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from worker.errors import LedgerUnavailable
from worker.ledger.aside import Aside
from worker.ledger.entries import Published, Request, Touched, touched
from worker.ledger.page import Page, Reply
from worker.ledger.sqlite_file import LedgerFile, Synchronous
from worker.ledger.sqlite_sweep import NOW_MS, Places, delete, look
from worker.ledger.sqlite_tables import CALLS, ORDERS, RESERVATIONS, ids

T = TypeVar("T")

# What lines up behind each other (a group, the lease, pruning, a look-up) may each wait for another process's lock.
PATIENCE = 5


NOW: Final = f"SELECT {NOW_MS}"
LIVE: Final = "SELECT owner FROM owners WHERE until_ms > ?"
PUBLISHED: Final = (
    f"UPDATE calls SET published = 1, death = NULL, changed_at_ms = {NOW_MS} "  # noqa: S608
    "WHERE key IN (SELECT value FROM json_each(?)) AND status IS NOT NULL AND NOT published"
)
SETTLED: Final = (
    "SELECT key, fingerprint FROM calls "
    "WHERE key IN (SELECT value FROM json_each(?)) AND status IS NOT NULL AND published"
)
RENEW: Final = (
    f"INSERT INTO owners (owner, until_ms) VALUES (?, {NOW_MS} + ?) "  # noqa: S608
    "ON CONFLICT (owner) DO UPDATE SET until_ms = excluded.until_ms"
)
RETIRE: Final = "DELETE FROM owners WHERE owner = ?"


class SqliteStore:
    """A `Store` on one file. `timeout_seconds` bounds a wait for another process's lock.

    `synchronous`: with "full" a commit outlives a power cut; with "normal" only the end of the process, and what was
    done in the last moments before a power cut is done again.
    """

    def __init__(self, path: Path, *, timeout_seconds: float, synchronous: Synchronous = "full") -> None:
        self._path = path.absolute()
        self._file = LedgerFile(self._path, timeout_seconds=timeout_seconds, synchronous=synchronous)
        self._aside = Aside("ledger")
        self._places: Places = {}
        self._patience = PATIENCE * timeout_seconds

    @property
    def parallel(self) -> int:
        """SQLite has one writer at a time."""
        return 1

    async def open(self) -> None:
        """Makes the file if it is missing, but not its folder. See `Store.open`."""
        await self._read(_nothing)

    async def work(self, requests: Sequence[Request]) -> list[Reply]:
        """See `Store.work`."""
        return await self._write(partial(_work, tuple(requests)))

    async def settled(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `Store.settled`."""
        return await self._read(partial(_settled, ids(keys)))

    async def renew(self, owner: str, seconds: float) -> None:
        """See `Store.renew`."""
        await self._write(partial(_run, RENEW, (owner, int(seconds * 1000))))

    async def retire(self, owner: str) -> None:
        """See `Store.retire`."""
        await self._write(partial(_run, RETIRE, (owner,)))

    async def prune(self, days: int, limit: int) -> int:
        """See `Store.prune`. Asked again and again it goes through the whole table, oldest rows first."""
        step = await self._read(partial(look, days, limit, self._places))
        deleted = 0 if step.empty else await self._write(partial(delete, step))
        self._places = step.places
        return deleted

    async def close(self) -> None:
        """See `Store.close`."""
        with suppress(TimeoutError):
            await self._aside.run(self._file.close, self._patience)
        self._aside.end()

    async def _read(self, do: Callable[[sqlite3.Connection], T]) -> T:
        return await self._done(partial(self._file.read, do))

    async def _write(self, do: Callable[[sqlite3.Connection], T]) -> T:
        return await self._done(partial(self._file.write, do))

    async def _done(self, do: Callable[[], T]) -> T:
        try:
            return await self._aside.run(do, self._patience)
        except TimeoutError:
            raise LedgerUnavailable(
                f"the ledger {self._path} did not answer within {self._patience:g} s",
                f"look after the disk of {self._path.parent}, and what else uses it",
            ) from None


def _work(requests: Sequence[Request], connection: sqlite3.Connection) -> list[Reply]:
    """A group. What is published, and not asked for otherwise, is noted without being read: the page passes it over."""
    published = {request.key for request in requests if isinstance(request, Published)}
    if len(published) < len(requests):
        need = touched(request for request in requests if not isinstance(request, Published))
        replies = _work_on_page(requests, need, connection)
        published.difference_update(need.keys)
    else:
        replies = [None] * len(requests)
    if published:
        connection.execute(PUBLISHED, (ids(sorted(published)),))
    return replies


def _work_on_page(requests: Sequence[Request], need: Touched, connection: sqlite3.Connection) -> list[Reply]:
    (now_ms,) = connection.execute(NOW).fetchone()
    live = frozenset(owner for (owner,) in connection.execute(LIVE, (now_ms,)))
    calls, places_of_calls = CALLS.read(connection, need.keys)
    reservations, places_of_reservations = RESERVATIONS.read(connection, need.reservations)
    orders, places_of_orders = ORDERS.read(connection, need.orders)
    page = Page(now_ms, live, calls, reservations, orders)
    replies = [page.work(request) for request in requests]
    CALLS.write(connection, page.changed_entries, places_of_calls, now_ms)
    RESERVATIONS.write(connection, page.changed_reservations, places_of_reservations, now_ms)
    ORDERS.write(connection, page.changed_orders, places_of_orders, now_ms)
    return replies


def _settled(keys: str, connection: sqlite3.Connection) -> dict[str, bytes]:
    return dict(connection.execute(SETTLED, (keys,)).fetchall())


def _run(statement: str, values: tuple[str | int, ...], connection: sqlite3.Connection) -> None:
    connection.execute(statement, values)


def _nothing(_: sqlite3.Connection) -> None:
    pass
