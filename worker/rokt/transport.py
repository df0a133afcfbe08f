"""httpx's requests and responses over a pool of connections of our own.

httpx's own pool is quadratic in its connections, and the client libraries that can stand beneath it cost several times
what an exchange needs. Whether a request can have reached Rokt decides what a later 409 means, so the line is drawn
exactly: `httpx.ConnectError`, `ConnectTimeout`, `PoolTimeout` and `LocalProtocolError` were never sent; all else may
have been.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

import httpx

from worker.rokt.addresses import Addresses
from worker.rokt.connection import Connection

CONNECTED: Final = "rokt_worker.connected"
CLOSE_SECONDS: Final = 1.0


class HttpTransport(httpx.AsyncBaseTransport):
    """One bounded pool of keep-alive connections. Redirects are not followed, bodies not decompressed, nothing added.

    A request's extension `CONNECTED` is there once it has a connection: before, it cannot have been sent.

    Time-outs are httpx's four, in seconds, from `request.extensions["timeout"]`: pool (waiting for a connection of
    the pool), connect (DNS, TCP and TLS), write (each 64 KiB), read (each wait for bytes).
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

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request whose body is bytes. Raises httpx.TransportError."""
        limits: dict[str, float | None] = request.extensions.get("timeout", {})
        head = _head(request)
        if self._places.locked():
            await self._wait_for_place(limits.get("pool"))
        else:
            await self._places.acquire()
        try:
            origin = _origin(request.url)
            connection = self._kept(origin) or await self._connect(origin, limits.get("connect"))
        except BaseException:
            self._places.release()
            raise
        request.extensions[CONNECTED] = True
        try:
            await connection.send(head, request.content, limits.get("write"))
            status, headers = await connection.head(limits.get("read"))
        except BaseException:
            self._over(origin, connection)
            raise
        if not connection.whole:
            stream: httpx.AsyncByteStream = _Body(
                connection, limits.get("read"), partial(self._over, origin, connection)
            )
            return httpx.Response(status, headers=headers, stream=stream, request=request)
        whole = httpx.ByteStream(connection.rest())  # it came with its headers, as most do
        self._over(origin, connection)
        return httpx.Response(status, headers=headers, stream=whole, request=request)

    async def aclose(self) -> None:
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

    async def _wait_for_place(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection of the pool was free in time") from None

    def _kept(self, origin: _Origin) -> Connection | None:
        """The connection that was used last, of those that are still good."""
        idle = self._idle.get(origin, [])
        oldest = asyncio.get_running_loop().time() - self._keepalive_seconds
        while idle:
            connection, since = idle.pop()
            if connection.reusable and since > oldest:
                return connection
            connection.close()
        return None

    async def _connect(self, origin: _Origin, seconds: float | None) -> Connection:
        scheme, host, port = origin
        verify = self._verify if scheme == "https" else None
        try:
            async with asyncio.timeout(seconds):
                socket = await self._addresses.connect(host, port)
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self._lost), sock=socket, ssl=verify, server_hostname=host if verify else None
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except (OSError, ValueError) as error:
            raise httpx.ConnectError("no connection") from error
        if not connection.alive:
            raise httpx.ConnectError("no connection") from ConnectionResetError()
        self._open.add(connection)
        return connection

    def _over(self, origin: _Origin, connection: Connection) -> None:
        """An exchange is over, whatever became of it."""
        self._places.release()
        if not connection.reusable:
            connection.abort()
            return
        connection.rests()
        self._idle.setdefault(origin, []).append((connection, asyncio.get_running_loop().time()))
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


_Origin = tuple[str, str, int]


class _Body(httpx.AsyncByteStream):
    """An answer's body that comes in pieces; closing it gives the connection back."""

    def __init__(self, connection: Connection, seconds: float | None, over: Callable[[], None]) -> None:
        self._connection = connection
        self._seconds = seconds
        self._over: Callable[[], None] | None = over

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._over is not None and (piece := await self._connection.more(self._seconds)):
            yield piece

    async def aclose(self) -> None:
        if self._over is not None:
            over, self._over = self._over, None
            over()


def _origin(url: httpx.URL) -> _Origin:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _head(request: httpx.Request) -> bytes:
    """The request's first line and headers (RFC 9112, section 3). Raises httpx.LocalProtocolError."""
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % pair for pair in request.headers.raw]
    head = b"\r\n".join(lines)
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1 or b"\0" in head:
        raise httpx.LocalProtocolError("a header with a line break or a NUL cannot be sent", request=request)
    return head + b"\r\n\r\n"
