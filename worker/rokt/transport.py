"""httpx's requests and responses over aiohttp's pool.

httpx's own pool is quadratic in its connections, and the ready-made adapter reports a connection that broke after the
request was sent as a connect time-out. Whether a request can have reached Rokt decides what a later 409 means, so here
the line is drawn exactly: `httpx.ConnectError`, `ConnectTimeout` and `PoolTimeout` were never sent; all else may have
been.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import aiohttp
import httpx
from aiohttp.connector import Connection

CONNECTED = "rokt_worker.connected"
WRITE_CHUNK = 64 * 1024
READ_CHUNK = 16 * 1024

_SENDING: ContextVar[dict[str, Any]] = ContextVar("extensions of the request that this task sends")


class AiohttpTransport(httpx.AsyncBaseTransport):
    """One bounded pool of keep-alive connections. Redirects are not followed, bodies not decompressed.

    A request should bring its own Accept, Accept-Encoding, Content-Type and User-Agent: aiohttp adds those it lacks.

    A request's extension `CONNECTED` is there once it has a connection: before, it cannot have been sent.

    Time-outs are httpx's four, in seconds, from `request.extensions["timeout"]`: pool (waiting for a connection of
    the pool), connect (DNS, TCP and TLS), write (each 64 KiB), read (each wait for bytes).
    """

    def __init__(self, *, max_connections: int, verify: ssl.SSLContext, keepalive_seconds: float) -> None:
        self._connections = asyncio.Semaphore(max_connections)
        connector = _Connector(limit=0, ssl=verify, keepalive_timeout=keepalive_seconds, ttl_dns_cache=10)
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request whose body is bytes. Raises httpx.TransportError, never aiohttp's."""
        limits: dict[str, float | None] = request.extensions.get("timeout", {})
        if self._connections.locked():
            await self._wait_for_connection(request, limits.get("pool"))
        else:
            await self._connections.acquire()
        try:
            answer = await self._send(request, limits)
        except BaseException:
            self._connections.release()
            raise
        stream: httpx.AsyncByteStream = _Body(answer, request, self._connections)
        if answer.content.is_eof() and answer.content.exception() is None:
            whole = answer.content.read_nowait(-1)  # it came with its headers, as most do
            await stream.aclose()
            stream = httpx.ByteStream(whole)
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=stream, request=request)

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._session.close()

    async def _wait_for_connection(self, request: httpx.Request, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._connections.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection of the pool was free in time", request=request) from None

    async def _send(self, request: httpx.Request, limits: dict[str, float | None]) -> aiohttp.ClientResponse:
        content, seconds = request.content, limits.get("write")
        try:
            if seconds is None or len(content) <= WRITE_CHUNK:  # it fits the socket's buffer: nothing to wait for
                return await self._post(request, limits, content or None)
            async with asyncio.timeout(None) as writing:
                return await self._post(request, limits, _pieces(content, writing, seconds))
        except TimeoutError as error:
            raise _timed_out(error, request) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _broken(error, request) from error

    async def _post(
        self, request: httpx.Request, limits: dict[str, float | None], data: bytes | AsyncIterator[bytes] | None
    ) -> aiohttp.ClientResponse:
        _SENDING.set(request.extensions)
        return await self._session.request(
            request.method,
            str(request.url),
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
            data=data,
            allow_redirects=False,
            timeout=_limits(limits.get("connect"), limits.get("read")),
        )


class _Connector(aiohttp.TCPConnector):
    """Notes in the request's extensions that it has a connection, new or kept."""

    async def connect(self, *asked: Any, **named: Any) -> Connection:
        connection = await super().connect(*asked, **named)
        _SENDING.get()[CONNECTED] = True
        return connection


class _Body(httpx.AsyncByteStream):
    """An answer's body; closing it gives the connection back."""

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request, connections: asyncio.Semaphore) -> None:
        self._answer = answer
        self._request = request
        self._connections: asyncio.Semaphore | None = connections

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_chunked(READ_CHUNK):
                yield chunk
        except TimeoutError as error:
            raise httpx.ReadTimeout("the answer stopped coming", request=self._request) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(error, self._request) from error

    async def aclose(self) -> None:
        if self._connections is None:
            return
        connections, self._connections = self._connections, None
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()
        connections.release()


@lru_cache(maxsize=16)
def _limits(connect: float | None, read: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(sock_connect=connect, sock_read=read)


async def _pieces(content: bytes, writing: asyncio.Timeout, seconds: float) -> AsyncIterator[bytes]:
    """A large body in pieces, each with its own time to go out."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(RuntimeError):  # answered before all of it was out: nobody waits for the writing
        for start in range(0, len(content), WRITE_CHUNK):
            writing.reschedule(loop.time() + seconds)
            yield content[start : start + WRITE_CHUNK]
        writing.reschedule(None)


def _timed_out(error: TimeoutError, request: httpx.Request) -> httpx.TimeoutException:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout("no connection in time", request=request)
    if isinstance(error, aiohttp.ServerTimeoutError):
        return httpx.ReadTimeout("no answer in time", request=request)
    return httpx.WriteTimeout("the request could not be written in time", request=request)


def _broken(error: Exception, request: httpx.Request) -> httpx.TransportError:
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
        return httpx.ConnectError("no connection", request=request)
    if isinstance(error, aiohttp.ClientResponseError):
        return httpx.RemoteProtocolError("the answer is not HTTP", request=request)
    return httpx.ReadError("the connection broke", request=request)
