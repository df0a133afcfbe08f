"""Connections to PostgreSQL: opened when they are needed, kept, and given up at the first doubt; every wait bounded.

A pool of our own, because asyncpg's asks the server to forget the session's settings after every use, and hands a
connection out again while a statement on it is still being cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import asyncpg

from worker.errors import LedgerUnavailable
from worker.ledger.postgres_errors import FAILURES, READ_ONLY, sqlstate, together, unavailable
from worker.ledger.postgres_url import Address

T = TypeVar("T")

APPLICATION: Final = "rokt-worker"
CLOSE_SECONDS: Final = 2.0
HEALTHY: Final = ("22", "40", "42", "55")  # what a statement may fail with on a connection that is good for the next


class Connections:
    """At most `limit` connections. A statement, and a wait for a connection, may take `seconds`, a lock half of them.

    The server gives up first, so that what was given up here is not done behind our back for long.
    """

    def __init__(self, address: Address, *, limit: int, seconds: float) -> None:
        self._address = address
        self._urls = address.urls
        self._seconds = seconds
        self._limit = limit
        self._free = asyncio.Semaphore(limit)
        self._idle: list[Any] = []
        self._closed = False

    async def use(self, do: Callable[[Any], Awaitable[T]]) -> T:
        """Does something with a connection. Raises LedgerUnavailable, or PostgresError for what `do` may try again."""
        if self._closed:
            raise unavailable(asyncpg.InterfaceError("closed"), self._address.shown)
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError:
            raise unavailable(TimeoutError(), self._address.shown) from None
        try:
            connection = self._kept() or await self._new()
            try:
                done = await self._in_one_place(connection, do)
            except BaseException as error:
                self._doubt(connection, error)
                raise
            self._keep(connection)
            return done
        except FAILURES as error:
            raise unavailable(error, self._address.shown) from error
        finally:
            self._free.release()

    async def close(self) -> None:
        """Gives back every connection; one that does not answer is cut off."""
        self._closed = True
        idle, self._idle = self._idle, []
        closing = (connection.close(timeout=CLOSE_SECONDS) for connection in idle)
        await asyncio.gather(*closing, return_exceptions=True)

    async def _in_one_place(self, connection: Any, do: Callable[[Any], Awaitable[T]]) -> T:
        """A pooler may answer every statement, and its preparation, from another server, but not in a transaction."""
        if not self._address.pooler:
            return await do(connection)
        async with connection.transaction():
            settings = (f"SET LOCAL {name} = '{value}'" for name, value in self._settings().items())
            await connection.execute("; ".join(settings))
            return await do(connection)

    def _kept(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _keep(self, connection: Any) -> None:
        if self._closed or connection.is_closed():
            connection.terminate()
        else:
            self._idle.append(connection)

    def _doubt(self, connection: Any, error: BaseException) -> None:
        state = sqlstate(error)
        if state.startswith(HEALTHY):
            self._keep(connection)
            return
        connection.terminate()
        if state in READ_ONLY or not state:  # a failover, or a server that went away: the others are no better
            idle, self._idle = self._idle, []
            for other in idle:
                other.terminate()

    async def _new(self) -> Any:
        """Connects to the first host that takes writes; the one that did so last is tried first."""
        failures: list[LedgerUnavailable] = []
        for url in self._urls:
            try:
                connection = await asyncpg.connect(
                    url,
                    timeout=self._seconds,
                    command_timeout=self._seconds,
                    statement_cache_size=0 if self._address.pooler else 100,
                    server_settings=None if self._address.pooler else self._settings(),
                )
            except FAILURES as error:
                failures.append(unavailable(error, self._address.shown))
            else:
                self._urls = (url, *(other for other in self._address.urls if other != url))
                return connection
        raise together(failures)

    def _settings(self) -> dict[str, str]:
        """The session's. No plan may read all of a table, or all that is old: there may have been none yet."""
        return {
            "application_name": APPLICATION,
            "statement_timeout": _milliseconds(self._seconds * 0.8),
            "lock_timeout": _milliseconds(self._seconds * 0.5),
            "idle_in_transaction_session_timeout": _milliseconds(self._seconds * 2),
            "enable_seqscan": "off",
            "enable_bitmapscan": "off",
            "jit": "off",
        }


def _milliseconds(seconds: float) -> str:
    return str(max(1, int(seconds * 1000)))
