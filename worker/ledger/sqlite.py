"""The ledger in an SQLite file: for one worker, or for several on one machine."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from worker.errors import LedgerUnavailable
from worker.ledger import sqlite_entering, sqlite_kept
from worker.ledger.aside import Aside
from worker.ledger.budgets import Budget, Reserved, reserved
from worker.ledger.entering import Claimed
from worker.ledger.entries import Before, Request, Touched, apart
from worker.ledger.notes import Searched, mark, packed
from worker.ledger.page import Page, Reply
from worker.ledger.sqlite_file import LedgerFile, Synchronous
from worker.ledger.sqlite_reading import ReadOnlyFile, search
from worker.ledger.sqlite_recent import Recent
from worker.ledger.sqlite_sweep import NOW_MS, Places, delete, look
from worker.ledger.sqlite_tables import CALLS, ORDERS, RESERVATIONS, ids

T = TypeVar("T")

# What lines up behind each other (a group, the lease, pruning, a look-up) may each wait for another process's lock.
PATIENCE = 5


LIVE: Final = (
    "SELECT now, (SELECT json_group_array(owner) FROM owners WHERE until_ms > now) "  # noqa: S608
    f"FROM (SELECT {NOW_MS} AS now)"
)
PUBLISHED: Final = (
    f"UPDATE calls SET published = 1, death = NULL, changed_at_ms = {NOW_MS} "  # noqa: S608
    "WHERE key IN (SELECT value FROM json_each(?)) AND status IS NOT NULL AND NOT published"
)
SETTLED: Final = (
    "SELECT key, fingerprint, status FROM calls "
    "WHERE key IN (SELECT value FROM json_each(?)) AND status IS NOT NULL AND published"
)
RENEW: Final = (
    f"INSERT INTO owners (owner, until_ms) VALUES (?, {NOW_MS} + ?) "  # noqa: S608
    "ON CONFLICT (owner) DO UPDATE SET until_ms = excluded.until_ms"
)
RETIRE: Final = "DELETE FROM owners WHERE owner = ?"
NOTE: Final = "INSERT INTO notes (marks, keys, changed_at_ms) VALUES (?, ?, ?)"
BUDGET: Final = "SELECT next_us, at_us FROM budgets WHERE name = ?"
KEEP_BUDGET: Final = "INSERT OR REPLACE INTO budgets (name, next_us, at_us) VALUES (?, ?, ?)"


class SqliteStore:
    """A `Store` on one file. `timeout_seconds` bounds a wait for another process's lock.

    `synchronous`: with "full" a commit outlives a power cut; with "normal" only the end of the process, and what was
    done in the last moments before a power cut is done again.
    """

    def __init__(self, path: Path, *, timeout_seconds: float, synchronous: Synchronous = "full") -> None:
        self._path = path.absolute()
        self._file: LedgerFile | ReadOnlyFile = LedgerFile(
            self._path, timeout_seconds=timeout_seconds, synchronous=synchronous
        )
        self._aside = Aside("ledger")
        self._recent = Recent()
        self._places: Places = {}
        self._timeout_seconds = timeout_seconds
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
        return await self._write(partial(_work, tuple(requests), self._recent))

    async def settled(self, keys: Sequence[str]) -> dict[str, Before]:
        """See `Store.settled`."""
        return await self._read(partial(_settled, ids(keys)))

    async def renew(self, owner: str, seconds: float) -> None:
        """See `Store.renew`."""
        await self._write(partial(_run, RENEW, (owner, int(seconds * 1000))))

    async def retire(self, owner: str) -> None:
        """See `Store.retire`."""
        await self._write(partial(_run, RETIRE, (owner,)))

    async def reserve(
        self, name: str, count: int, interval_us: int, lead_us: int, max_ahead_us: int, *, spare: bool = False
    ) -> Reserved:
        """See `Store.reserve`. The time is this machine's."""
        do = partial(_reserve, name, (count, interval_us, lead_us, max_ahead_us), spare)
        return await self._write(do, lasting=False)

    async def kept(self, room: str, first: int, last: int) -> dict[int, str]:
        """See `Store.kept`."""
        return await self._read(partial(sqlite_kept.kept, room, first, last))

    async def keep(self, room: str, values: Mapping[int, str]) -> None:
        """See `Store.keep`."""
        await self._write(partial(sqlite_kept.keep, room, dict(values)))

    async def swap(self, room: str, number: int, old: str | None, new: str) -> bool:
        """See `Store.swap`."""
        return await self._write(partial(sqlite_kept.swap, room, number, old, new))

    async def drop(self, room: str, below: int) -> None:
        """See `Store.drop`."""
        await self._write(partial(sqlite_kept.drop, room, below))

    async def claim(self, asked: Sequence[tuple[bytes, str]], seconds: float) -> list[Claimed]:
        """See `Store.claim`. A power cut that takes a claim back takes its owner, too."""
        return await self._write(partial(sqlite_entering.claim, tuple(asked), seconds), lasting=False)

    async def entered(self, asked: Sequence[tuple[bytes, str]]) -> None:
        """See `Store.entered`."""
        await self._write(partial(sqlite_entering.enter, tuple(asked)))

    async def release(self, asked: Sequence[tuple[bytes, str]]) -> None:
        """See `Store.release`."""
        await self._write(partial(sqlite_entering.release, tuple(asked)), lasting=False)

    async def prune(self, days: int, limit: int) -> int:
        """See `Store.prune`. Asked again and again it goes through the whole table, oldest rows first."""
        step = await self._read(partial(look, days, limit, self._places))
        deleted = 0 if step.empty else await self._write(partial(_forgetting, self._recent, partial(delete, step)))
        self._places = step.places
        return deleted

    async def attach(self) -> None:
        """See `Store.attach`. What is to be written afterwards is refused."""
        self._file = ReadOnlyFile(self._path, timeout_seconds=self._timeout_seconds)
        await self._read(_nothing)

    async def look(self, touched: Touched) -> Page:
        """See `Store.look`."""
        return await self._read(partial(_at_one_moment, partial(_look, touched)))

    async def search(self, ids: Sequence[str], place: int | None, limit: int) -> Searched:
        """See `Store.search`."""
        return await self._read(partial(_at_one_moment, partial(search, [mark(id_) for id_ in ids], place, limit)))

    async def close(self) -> None:
        """See `Store.close`."""
        with suppress(TimeoutError):
            await self._aside.run(self._file.close, self._patience)
        self._aside.end()

    async def _read(self, do: Callable[[sqlite3.Connection], T]) -> T:
        return await self._done(partial(self._file.read, do))

    async def _write(self, do: Callable[[sqlite3.Connection], T], *, lasting: bool = True) -> T:
        return await self._done(partial(self._recent.sure, partial(self._file.write, do, lasting=lasting)))

    async def _done(self, do: Callable[[], T]) -> T:
        try:
            return await self._aside.run(do, self._patience)
        except TimeoutError:
            raise LedgerUnavailable(
                f"the ledger {self._path} did not answer within {self._patience:g} s",
                f"look after the disk of {self._path.parent}, and what else uses it",
            ) from None


def _work(requests: Sequence[Request], recent: Recent, connection: sqlite3.Connection) -> list[Reply]:
    """A group. What is published, and not asked for otherwise, is noted without being read: the page passes it over."""
    recent.look(connection)
    published, need = apart(requests)
    replies: list[Reply] = [None] * len(requests)
    if need is not None:
        replies = _work_on_page(requests, need, recent, connection)
    if published:
        connection.execute(PUBLISHED, (ids(published),))
        recent.drop(CALLS.name, published)
    return replies


def _look(need: Touched, connection: sqlite3.Connection) -> Page:
    now_ms, live = _now(connection)
    calls, _ = CALLS.read(connection, need.keys)
    reservations, _ = RESERVATIONS.read(connection, need.reservations)
    orders, _ = ORDERS.read(connection, need.orders)
    return Page(now_ms, live, calls, reservations, orders)


def _now(connection: sqlite3.Connection) -> tuple[int, frozenset[str]]:
    """The time, and who is alive at it."""
    now_ms, owners = connection.execute(LIVE).fetchone()
    return now_ms, frozenset(json.loads(owners))


def _at_one_moment(do: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    """What is read by several statements, as if by one."""
    connection.execute("BEGIN")
    done = do(connection)
    connection.execute("COMMIT")
    return done


def _work_on_page(
    requests: Sequence[Request], need: Touched, recent: Recent, connection: sqlite3.Connection
) -> list[Reply]:
    now_ms, live = _now(connection)
    calls, places_of_calls = CALLS.read(connection, need.keys, recent)
    reservations, places_of_reservations = RESERVATIONS.read(connection, need.reservations, recent)
    orders, places_of_orders = ORDERS.read(connection, need.orders, recent)
    page = Page(now_ms, live, calls, reservations, orders)
    replies = [page.work(request) for request in requests]
    CALLS.write(connection, page.changed_entries, places_of_calls, now_ms, recent)
    RESERVATIONS.write(connection, page.changed_reservations, places_of_reservations, now_ms, recent)
    ORDERS.write(connection, page.changed_orders, places_of_orders, now_ms, recent)
    if page.noted:
        connection.execute(NOTE, (*packed(page.noted), now_ms))
    return replies


def _forgetting(recent: Recent, do: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    recent.forget()
    return do(connection)


def _settled(keys: str, connection: sqlite3.Connection) -> dict[str, Before]:
    return {key: Before(*how) for key, *how in connection.execute(SETTLED, (keys,))}


def _reserve(name: str, terms: tuple[int, int, int, int], spare: bool, connection: sqlite3.Connection) -> Reserved:
    row = connection.execute(BUDGET, (name,)).fetchone()
    now_us = time.time_ns() // 1000
    answer, budget = reserved(Budget(*row) if row else None, *terms, now_us, spare=spare)
    connection.execute(KEEP_BUDGET, (name, budget.next_us, budget.at_us))
    return answer


def _run(statement: str, values: tuple[str | int, ...], connection: sqlite3.Connection) -> None:
    connection.execute(statement, values)


def _nothing(_: sqlite3.Connection) -> None:
    pass
