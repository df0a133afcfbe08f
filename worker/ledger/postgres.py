"""The ledger in PostgreSQL, for any number of workers on any number of machines.

What a group did is written by one statement or not at all, so a lost connection leaves nothing half done; whether it
was done, the next try sees. A database that acknowledges a commit before it is safe (`synchronous_commit` off, or a
failover to a standby that lags behind) may forget what was settled, and the worker would call again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from worker.errors import LedgerUnavailable, WorkerError
from worker.ledger import postgres_entering as entering
from worker.ledger import postgres_sql as sql
from worker.ledger.budgets import Reserved
from worker.ledger.entering import Claimed
from worker.ledger.entries import Before, Published, Request, Touched, apart
from worker.ledger.notes import Searched, mark, unpacked
from worker.ledger.page import Page, Reply
from worker.ledger.postgres_connections import Connections
from worker.ledger.postgres_errors import AGAIN, sqlstate
from worker.ledger.postgres_url import address
from worker.ledger.schema_postgres import VERSIONS

T = TypeVar("T")

DAY_MS: Final = 86_400_000
LATEST: Final = 2**63 - 1
AGAIN_SECONDS: Final = 0.002
BESIDES: Final = 2  # connections for what goes on beside groups: slots are not to wait for old rows to be taken out
MIGRATING: Final = 5_264_791_035  # a number that nobody else locks by


class PostgresStore:
    """A ledger by its URL (see `address`). `parallel` groups are worked on at one time, each within `seconds`.

    The time is the database's, never this machine's.
    """

    def __init__(self, url: str, *, parallel: int = 4, seconds: float = 10.0) -> None:
        self._address = address(url)
        self._parallel = parallel
        self._seconds = seconds
        self._connections = Connections(self._address, limit=parallel + BESIDES, seconds=seconds)

    @property
    def parallel(self) -> int:
        return self._parallel

    async def open(self) -> None:
        """Connects, and brings the schema up to this version; a user without the right to do so may come after."""
        await self._connections.use(_migrate)

    async def work(self, requests: Sequence[Request]) -> list[Reply]:
        """Works on a group, again when another worker was first. See Store."""
        published, needed = apart(requests)

        async def once(connection: Any) -> list[Reply]:
            if needed is None:
                await connection.execute(sql.PUBLISH, published)
                return [None] * len(requests)
            return await _work(connection, requests, needed, published)

        return await self._unhindered(once)

    async def settled(self, keys: Sequence[str]) -> dict[str, Before]:
        """See `Store.settled`."""
        rows = await self._connections.use(lambda connection: connection.fetch(sql.SETTLED, keys))
        return {row[0]: Before(row[1], row[2]) for row in rows}

    async def renew(self, owner: str, seconds: float) -> None:
        """The owner works, and will for so many seconds more."""
        await self._connections.use(lambda connection: connection.execute(sql.RENEW, owner, round(seconds * 1000)))

    async def retire(self, owner: str) -> None:
        """The owner works no more."""
        await self._connections.use(lambda connection: connection.execute(sql.RETIRE, owner))

    async def reserve(
        self, name: str, count: int, interval_us: int, lead_us: int, max_ahead_us: int, *, spare: bool = False
    ) -> Reserved:
        """See `Store.reserve`."""
        terms = (name, count, interval_us, lead_us, max_ahead_us)
        statement = sql.RESERVE_SPARE if spare else sql.RESERVE
        row = await self._unhindered(lambda connection: connection.fetchrow(statement, *terms))
        return Reserved(row["start_us"], row["now_us"]) if row else Reserved(0, 0, given=False)

    async def kept(self, room: str, first: int, last: int) -> dict[int, str]:
        """See `Store.kept`."""
        rows = await self._connections.use(lambda connection: connection.fetch(sql.KEPT, room, first, last))
        return {row[0]: row[1] for row in rows}

    async def keep(self, room: str, values: Mapping[int, str]) -> None:
        """See `Store.keep`."""
        columns = [*zip(*sorted(values.items()), strict=True)] or [(), ()]
        await self._connections.use(lambda connection: connection.execute(sql.KEEP, room, *columns))

    async def swap(self, room: str, number: int, old: str | None, new: str) -> bool:
        """See `Store.swap`."""
        statement, given = (sql.KEEP_NEW, ()) if old is None else (sql.KEEP_FOR, (old,))

        async def once(connection: Any) -> bool:
            await connection.execute(statement, room, number, new, *given)
            return bool(await connection.fetchval(sql.KEPT_ONE, room, number) == new)

        return await self._connections.use(once)

    async def drop(self, room: str, below: int) -> None:
        """See `Store.drop`."""
        await self._connections.use(lambda connection: connection.execute(sql.DROP, room, below))

    async def claim(self, asked: Sequence[tuple[bytes, str]], seconds: float) -> list[Claimed]:
        """See `Store.claim`."""
        return await self._unhindered(partial(entering.claim, tuple(asked), seconds))

    async def entered(self, asked: Sequence[tuple[bytes, str]]) -> None:
        """See `Store.entered`."""
        await self._unhindered(partial(entering.enter, tuple(asked)))

    async def release(self, asked: Sequence[tuple[bytes, str]]) -> None:
        """See `Store.release`."""
        await self._unhindered(partial(entering.release, tuple(asked)))

    async def prune(self, days: int, limit: int) -> int:
        """Deletes what is older, a step of each table; what another worker has in hand is left for later."""

        async def step(connection: Any) -> int:
            done = [await connection.execute(statement, days * DAY_MS, limit) for statement in sql.PRUNE]
            return sum(int(tag.split()[-1]) for tag in done)

        return await self._connections.use(step)

    async def attach(self) -> None:
        """See `Store.attach`."""
        await self._connections.use(_check)

    async def look(self, touched: Touched) -> Page:
        """See `Store.look`."""
        row = await self._connections.use(lambda connection: connection.fetchrow(sql.READ, *sql.asked(touched)))
        return sql.page(row)[0]

    async def search(self, ids: Sequence[str], place: int | None, limit: int) -> Searched:
        """See `Store.search`; a place is a time, of which every note is read."""
        before = LATEST if place is None else place
        marks = [mark(id_) for id_ in ids]
        row = await self._connections.use(lambda connection: connection.fetchrow(sql.SEARCH, before, limit, marks))
        keys = tuple(key for noted in row["found"] for key in unpacked(noted))
        return Searched(keys, row["oldest_ms"] if row["count"] >= limit else None, row["oldest_ms"])

    async def close(self) -> None:
        """Gives back every connection; raises nothing."""
        await self._connections.close()

    async def _unhindered(self, do: Callable[[Any], Awaitable[T]]) -> T:
        """Does it, again when another worker was first."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._seconds
        again = 0
        while True:
            try:
                return await self._connections.use(do)
            except LedgerUnavailable as error:
                again += 1
                if sqlstate(error.__cause__ or error) not in AGAIN or clock() > until:
                    raise
                await asyncio.sleep(AGAIN_SECONDS * again)


async def _work(connection: Any, requests: Sequence[Request], needed: Touched, published: Sequence[str]) -> list[Reply]:
    page, versions = sql.page(await connection.fetchrow(sql.READ, *sql.asked(needed)))
    apart = frozenset(published)
    replies = [None if isinstance(r, Published) and r.key in apart else page.work(r) for r in requests]
    changes = sql.changes(page, versions, published)
    if changes is not None:
        statement, arguments = changes
        await connection.execute(statement, *arguments)
    return replies


async def _migrate(connection: Any) -> None:
    if await _version(connection) < len(VERSIONS):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATING)
            await connection.execute("CREATE TABLE IF NOT EXISTS ledger_schema (version integer NOT NULL)")
            for version, text in enumerate(
                VERSIONS[await _version(connection) :], start=1 + await _version(connection)
            ):
                await connection.execute(text)
                await connection.execute("INSERT INTO ledger_schema (version) VALUES ($1)", version)


async def _check(connection: Any) -> None:
    version = await _version(connection)
    if version == 0:
        raise WorkerError("there is no ledger in this database: name the worker's in WORKER_LEDGER__URL")
    if version < len(VERSIONS):
        raise WorkerError(
            f"the ledger is of an earlier version (schema {version}, this one reads {len(VERSIONS)}): "
            "start the worker of this version once, or use the command of that one"
        )


async def _version(connection: Any) -> int:
    """The schema's, 0 when there is none. Raises WorkerError for one that is later than this worker."""
    if await connection.fetchval("SELECT to_regclass('ledger_schema')") is None:
        return 0
    version = int(await connection.fetchval("SELECT coalesce(max(version), 0) FROM ledger_schema"))
    if version > len(VERSIONS):
        raise WorkerError(
            f"the ledger was written by a later version of this worker (schema {version}, this one knows those up to "
            f"{len(VERSIONS)}): run that version, or a later one"
        )
    return version
