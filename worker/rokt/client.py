"""One attempt at one call: request, span, answer. Never raises for what Rokt or the network does.

Endpoints and headers: Rokt API, POST Confirm Cart Items, POST Release Cart Items, POST Cancel Confirmed Item, POST Any
Placements.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime

import httpx
import msgspec
from msgspec import Struct
from opentelemetry.trace import Span

from worker.keys import Operation
from worker.mapping import Call
from worker.retry import retry_after
from worker.rokt.access import Access, Endpoint
from worker.rokt.answers import Answer, Failed, read_answer
from worker.rokt.exchange import Headers, Request, Response, Transport, lines, target
from worker.rokt.failures import broken_body, no_answer
from worker.rokt.placements import Placements, PlacementsRequest, read_placements
from worker.telemetry import names
from worker.telemetry.tracing import Tracing, failed

TOO_LARGE = "the answer's body is too large"
KEY_HEADER = b"rokt-api-key"
KEY_LENGTH = 8
"""Shorter ones are no secret, and may be anything else in a text."""


class Exchange(Struct, frozen=True):
    """An HTTP answer that came. `unread` says why when `body` is not all of it."""

    status: int
    body: bytes
    unread: str | None
    retry_after: str | None


class RoktClient:
    """Makes attempts over a transport. `now` is the wall clock in UTC, read for `Retry-After` dates only."""

    def __init__(self, transport: Transport, access: Access, tracing: Tracing, now: Callable[[], datetime]) -> None:
        self._transport = transport
        self._tracing = tracing
        self._now = now
        self._targets = {endpoint: target(url) for endpoint, url in access.urls.items()}
        self._go_by(access)

    def use(self, api_key: str, tag_id: str) -> None:
        """Takes other credentials for every attempt that begins from now on; those under way keep theirs."""
        self._go_by(replace(self._access, api_key=api_key, tag_id=tag_id))

    def path(self, operation: Operation) -> str:
        """Where the calls of an operation go, without the server."""
        return self._targets[operation].path.decode("ascii")

    async def attempt(self, call: Call, resend_count: int, parent: Span) -> tuple[Answer, Span]:
        """One attempt at a call, in a span of its own, which is given back for whoever writes of it later."""
        marks = {names.ROKT_OPERATION: call.operation, names.ROKT_KEY: call.key}
        with self._tracing.attempt(parent, self._access.urls[call.operation], resend_count, marks) as span:
            request = self._request(call.operation, call.body, call.session_id, call.locale, call.key, span)
            came = await self._exchange(request)
            if isinstance(came, Failed):
                failed(span, came.error)
                return came, span
            _mark(span, came)
            return read_answer(came.status, came.body, call.items, self._hold(came), came.unread), span

    async def placements(
        self, request: PlacementsRequest, parent: Span, session_id: str | None = None, locale: str | None = None
    ) -> tuple[Placements, Span]:
        """Asks `Placements/any`, in a span: without side effect, so fit for trying credentials."""
        with self._tracing.attempt(parent, self._access.urls["placements"], 0, {}) as span:
            body = msgspec.json.encode(request)
            came = await self._exchange(self._request("placements", body, session_id, locale, None, span))
            if isinstance(came, Failed):
                failed(span, came.error)
                return Placements(came), span
            _mark(span, came)
            answer = read_answer(came.status, came.body, (), self._hold(came), came.unread)
            return read_placements(answer, came.body), span

    async def close(self) -> None:
        """Closes every connection."""
        await self._transport.close()

    def _go_by(self, access: Access) -> None:
        self._access = access
        self._fixed = {endpoint: lines(self._fixed_headers(endpoint)) for endpoint in access.urls}

    def _fixed_headers(self, endpoint: Endpoint) -> Headers:
        headers = [
            (b"host", self._targets[endpoint].authority),
            (KEY_HEADER, self._access.api_key.encode()),
            (b"content-type", b"application/json"),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", b"rokt-worker"),
        ]
        return headers if endpoint == "cancel" else [*headers, (b"rokt-tag-id", self._access.tag_id.encode())]

    def _request(
        self, endpoint: Endpoint, body: bytes, session_id: str | None, locale: str | None, key: str | None, span: Span
    ) -> Request:
        headers = [(b"content-length", b"%d" % len(body))]
        headers += [(name.encode(), value.encode()) for name, value in self._tracing.http_headers(span).items()]
        if session_id:
            headers.append((b"rokt-session-id", session_id.encode()))
        if language := (locale or self._access.accept_language):
            headers.append((b"accept-language", language.encode()))
        if key and self._access.idempotency_key != "off":
            written = key if self._access.idempotency_key == "bare" else f'"{key}"'
            headers.append((b"idempotency-key", written.encode()))
        return Request(self._targets[endpoint], self._fixed[endpoint], headers, body)

    def _hold(self, came: Exchange) -> float | None:
        return retry_after(came.retry_after, self._now(), self._access.max_retry_after_seconds)

    async def _exchange(self, request: Request) -> Exchange | Failed:
        limits = self._access.timeouts
        try:
            response = await self._transport.exchange(request, limits)
        except (TimeoutError, httpx.RequestError) as error:
            return no_answer(error, limits, connected=request.connected)
        body, unread = response.body, None
        if response.rest is not None or response.header(b"content-encoding") is not None:
            body, unread = await self._read(response)
        elif len(body) > self._access.max_response_bytes:
            unread = TOO_LARGE
        hold = response.header(b"retry-after") if response.status >= 400 else None
        return Exchange(response.status, body if response.status < 300 else _without_key(body, request), unread, hold)

    async def _read(self, response: Response) -> tuple[bytes, str | None]:
        """The body, decompressed, as far as it comes; and why it did not get to its end, if so."""
        content = bytearray()
        try:
            async for piece in _decompressed(response):
                content += piece
                if len(content) > self._access.max_response_bytes:
                    return bytes(content), TOO_LARGE
        except (TimeoutError, httpx.RequestError) as error:
            return bytes(content), broken_body(error, self._access.timeouts)
        finally:
            if response.rest is not None:
                response.rest.close()
        return bytes(content), None


class _Pieces(httpx.AsyncByteStream):
    """A body as httpx takes it, which knows how to decompress it."""

    def __init__(self, response: Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._response.body
        while self._response.rest is not None and (piece := await self._response.rest.more()):
            yield piece


def _decompressed(response: Response) -> AsyncIterator[bytes]:
    pieces = _Pieces(response)
    if response.header(b"content-encoding") is None:
        return aiter(pieces)
    return httpx.Response(response.status, headers=response.headers, stream=pieces).aiter_bytes()


def _without_key(body: bytes, request: Request) -> bytes:
    """A refusal is kept in dead letters; a gateway's may quote the headers that it was sent."""
    key = next(value for name, value in request.all_headers if name == KEY_HEADER)
    return body.replace(key, b"(not shown)") if len(key) >= KEY_LENGTH else body


def _mark(span: Span, came: Exchange) -> None:
    span.set_attribute(names.HTTP_STATUS, came.status)
    if came.status >= 400:
        failed(span, str(came.status))
