"""A pool of HTTP/1.1 connections of our own.

httpx's own pool is quadratic in its connections, and the client libraries that can stand beneath it cost several times
what an exchange needs; what goes wrong is said in httpx's words. Whether a request can have reached Rokt decides what a
later 409 means, so the line is drawn exactly: see `Transport.exchange`.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import httpx

from worker.rokt.access import Timeouts
from worker.rokt.addresses import Addresses
from worker.rokt.connection import Connection, within
from worker.rokt.exchange import Request, Response, lines

CLOSE_SECONDS: Final = 1.0

_Origin = tuple[str, str, int]


class HttpTransport:
    """One bounded pool of keep-alive connections; see `Transport`.

    A request is `connected` once it has a connection: before, it cannot have been sent. Of the limits, `pool` is the
    wait for a connection of the pool, `connect` DNS, TCP and TLS, `write` each 64 KiB, `read` each wait for bytes.
    """

    def __init__(self, *, max_connections: int, verify: ssl.SSLContext, keepalive_seconds: float) -> None:
        self._places = asyncio.Semaphore(max_connections)
        self._verify = verify
        self._keepalive_seconds = keepalive_seconds
        self._addresses = Addresses()
        self._idle: dict[_Origin, list[tuple[Connection, float]]] = {}
        self._looked_after: set[_Origin] = set()
        self._open: set[Connection] = set()
        self._none_open = asyncio.Event()

    async def exchange(self, request: Request, limits: Timeouts) -> Response:
        """See `Transport.exchange`."""
        until = asyncio.get_running_loop().time() + limits.total
        head = _head(request)
        if self._places.locked():
            async with within(limits.pool, until, httpx.PoolTimeout("no connection of the pool was free in time")):
                await self._places.acquire()
        else:
            await self._places.acquire()
        target = request.target
        origin = target.scheme, target.host, target.port
        try:
            connection = self._kept(origin) or await self._connect(origin, limits.connect, until)
        except BaseException:
            self._places.release()
            raise
        request.connected = True
        try:
            await connection.send(head, request.body, limits.write, until)
            status, headers = await connection.head(limits.read, until)
        except BaseException:
            self.over(origin, connection)
            raise
        if not connection.whole:
            return Response(status, headers, b"", _Rest(self, origin, connection, limits.read, until))
        body = connection.rest()  # it came with its headers, as most do
        self.over(origin, connection)
        return Response(status, headers, body)

    async def close(self) -> None:
        """Closes every connection."""
        for connection in self._open:
            connection.close()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._open:
                    self._none_open.clear()
                    await self._none_open.wait()
        except TimeoutError:
            for connection in self._open:
                connection.abort()

    def _kept(self, origin: _Origin) -> Connection | None:
        """The connection that was used last, of those that are still good."""
        idle = self._idle.get(origin)
        if not idle:
            return None
        oldest = asyncio.get_running_loop().time() - self._keepalive_seconds
        while idle:
            connection, since = idle.pop()
            if connection.reusable and since > oldest:
                return connection
            connection.close()
        return None

    async def _connect(self, origin: _Origin, seconds: float | None, until: float) -> Connection:
        scheme, host, port = origin
        verify = self._verify if scheme == "https" else None
        try:
            async with within(seconds, until, httpx.ConnectTimeout("no connection in time")):
                socket = await self._addresses.connect(host, port)
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self._lost), sock=socket, ssl=verify, server_hostname=host if verify else None
                )
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            raise httpx.ConnectError("no connection") from error
        if not connection.alive:
            raise httpx.ConnectError("no connection") from ConnectionResetError()
        self._open.add(connection)
        return connection

    def over(self, origin: _Origin, connection: Connection) -> None:
        """An exchange is over, whatever became of it."""
        self._places.release()
        if not connection.reusable:
            connection.abort()
            return
        connection.rests()
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle[origin] = []
        idle.append((connection, asyncio.get_running_loop().time()))
        if origin not in self._looked_after:
            self._look_later(origin)

    def _look_later(self, origin: _Origin) -> None:
        self._looked_after.add(origin)
        asyncio.get_running_loop().call_later(self._keepalive_seconds, self._close_old, origin)

    def _close_old(self, origin: _Origin) -> None:
        self._looked_after.discard(origin)
        idle = self._idle[origin]
        oldest = asyncio.get_running_loop().time() - self._keepalive_seconds
        for connection, since in idle:
            if since <= oldest or not connection.reusable:
                connection.close()
        idle[:] = [(connection, since) for connection, since in idle if since > oldest and connection.reusable]
        if idle:
            self._look_later(origin)

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._none_open.set()


class _Rest:
    """An answer's body that comes in pieces; closing it gives the connection back."""

    def __init__(
        self, pool: HttpTransport, origin: _Origin, connection: Connection, seconds: float | None, until: float
    ) -> None:
        self._pool: HttpTransport | None = pool
        self._origin = origin
        self._connection = connection
        self._seconds = seconds
        self._until = until

    async def more(self) -> bytes:
        return b"" if self._pool is None else await self._connection.more(self._seconds, self._until)

    def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.over(self._origin, self._connection)


def _head(request: Request) -> bytes:
    """The request's first line and headers (RFC 9112, section 3). Raises httpx.LocalProtocolError."""
    try:
        return b"POST %s HTTP/1.1\r\n%s%s\r\n" % (request.target.path, request.fixed, lines(request.headers))
    except ValueError as error:
        raise httpx.LocalProtocolError(str(error)) from None
