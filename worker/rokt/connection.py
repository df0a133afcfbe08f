"""One HTTP/1.1 connection: a request, its answer, then the next one (RFC 9112); answers are parsed by llhttp.

What is said of a connection that fails is httpx's: `ReadError`, it broke; `RemoteProtocolError`, what came is not HTTP;
`ReadTimeout` and `WriteTimeout`, which bound one wait; TimeoutError at the end of all (`until`, the loop's time). Each
time the request may have been sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from math import inf
from typing import Final, cast

import httptools
import httpx

HEAD_BYTES: Final = 64 * 1024
HELD_BYTES: Final = 256 * 1024
PIECE: Final = 64 * 1024


class Connection(asyncio.Protocol):
    """Carries one exchange at a time: `send`, `head`, then `more` until there is no more. `lost` hears of its end."""

    _transport: asyncio.Transport
    _failure: Exception | None
    _status: int
    _headers: list[tuple[bytes, bytes]]
    _body: bytearray
    _headed: bool
    _whole: bool
    _keep: bool

    def __init__(self, lost: Callable[[Connection], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._lost = lost
        self._writable = asyncio.Event()
        self._writable.set()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = self._due_at = inf
        self._late = ""
        self._parser = httptools.HttpResponseParser(self)
        self.alive = self._paused = self._busy = False
        self._begin()

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: the last one is out, its answer is read, and nothing else has come."""
        return self._whole and self._keep and self.alive and not (self._extra or self._unsent or self._paused)

    @property
    def whole(self) -> bool:
        """Whether all of the answer has come."""
        return self._whole

    async def send(self, head: bytes, body: bytes, seconds: float | None, until: float) -> None:
        """Writes a request, each 64 KiB of it within so many seconds; less of it where it is answered before."""
        self._begin()
        self._busy = True
        if len(body) <= PIECE:  # it fits the socket's buffer: nothing to wait for
            self._transport.write(head + body)
            return
        self._transport.write(head)
        self._unsent = True
        for start in range(0, len(body), PIECE):
            self._transport.write(body[start : start + PIECE])
            async with within(seconds, until, httpx.WriteTimeout("the request could not be written in time")):
                await self._writable.wait()
            if self._headed or self._failure is not None:
                return
        self._unsent = False

    async def head(self, seconds: float | None, until: float) -> tuple[int, list[tuple[bytes, bytes]]]:
        """The answer's status and headers; waits so many seconds for each piece of them."""
        while not self._headed:
            await self._news(seconds, until, "no answer in time")
        return self._status, self._headers

    async def more(self, seconds: float | None, until: float) -> bytes:
        """What has come of the body since; waits so many seconds for it. Nothing, once all was given."""
        while not self._body and not self._whole:
            await self._news(seconds, until, "the answer stopped coming")
        came = bytes(self._body)
        self._body.clear()
        if self._paused and self.alive:
            self._transport.resume_reading()
            self._paused = False
        return came

    def rest(self) -> bytes:
        """What has come of the body and was not given."""
        return bytes(self._body)

    def rests(self) -> None:
        """Nothing is expected of it until the next request."""
        self._busy = False

    def close(self) -> None:
        """Ends an idle connection, as the other side expects it."""
        if self.alive:
            self._transport.close()

    def abort(self) -> None:
        """Ends it at once, whatever is under way."""
        if self.alive:
            self._transport.abort()

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.alive = True

    def connection_lost(self, error: Exception | None) -> None:
        self._ended(error)
        self.alive = False
        if self._timer is not None:
            self._timer.cancel()
        self._writable.set()
        self._lost(self)

    def eof_received(self) -> None:
        self._ended(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            self._extra = True  # nobody asked for it
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError("the answer is not HTTP"), error)
        if not self._headed:
            self._unparsed_bytes += len(data)
        if max(self._unparsed_bytes, self._head_bytes) > HEAD_BYTES:
            self._headed = False
            self._fail(httpx.RemoteProtocolError("the answer is not HTTP: headers without end"))
        if len(self._body) > HELD_BYTES and not self._whole:
            self._transport.pause_reading()
            self._paused = True
        self._tell()

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._whole:
            self._extra = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # else a trailer
            self._headers.append((name, value))
            self._head_bytes += len(name) + len(value)

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._headed = self._status >= 200

    def on_body(self, data: bytes) -> None:
        if not self._extra:
            self._body += data

    def on_message_complete(self) -> None:
        if self._headed:
            self._whole = True
            self._keep = self._keep and self._parser.should_keep_alive()
        else:
            self._headers = []  # of an interim answer (RFC 9110, section 15.2); the real one is to come

    def _begin(self) -> None:
        self._failure = None
        self._headers = []
        self._body = bytearray()
        self._status = self._unparsed_bytes = self._head_bytes = 0
        self._headed = self._whole = self._extra = self._unsent = False
        self._keep = True

    async def _news(self, seconds: float | None, until: float, late: str) -> None:
        """Waits for what comes next; raises what ended it."""
        if self._failure is not None:
            raise self._failure
        waiter = self._waiter = self._loop.create_future()
        at = inf if seconds is None else self._loop.time() + seconds
        self._due_at, self._late = (at, late) if at < until else (until, "")
        if self._timer is None or self._due_at < self._rings_at:
            self._set_timer()
        try:
            await waiter
        finally:
            self._waiter = None

    def _set_timer(self) -> None:
        """One for many waits, since nearly all are over long before it rings: then it looks which wait there is."""
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = self._due_at
        self._timer = self._loop.call_at(self._rings_at, self._rings)

    def _rings(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._rings_at < self._due_at:
            self._set_timer()
        else:
            self._waiter.set_exception(httpx.ReadTimeout(self._late) if self._late else TimeoutError())

    def _ended(self, error: Exception | None) -> None:
        """No more is said: the end of an answer that has no other end (RFC 9112, section 6.3), else too early."""
        self._keep = False
        if self._busy and not self._whole:
            if error is None and self._headed and not self._is_framed():
                self._whole = True
            else:
                self._fail(httpx.ReadError("the connection broke"), error)
        self._tell()

    def _is_framed(self) -> bool:
        return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._headers)

    def _fail(self, failure: Exception, cause: Exception | None = None) -> None:
        if self._failure is None:
            failure.__cause__ = cause
            self._failure = failure
            self._keep = False

    def _tell(self) -> None:
        if self._waiter is not None:
            with contextlib.suppress(asyncio.InvalidStateError):
                self._waiter.set_result(None)


@contextlib.asynccontextmanager
async def within(seconds: float | None, until: float, late: httpx.TimeoutException) -> AsyncIterator[None]:
    """Raises `late` after so many seconds, or TimeoutError at `until`, whichever comes first."""
    at = inf if seconds is None else asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout_at(min(at, until)):
            yield
    except TimeoutError:
        if at < until:
            raise late from None
        raise
