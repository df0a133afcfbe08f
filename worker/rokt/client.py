"""One attempt at one call: request, span, answer. Never raises for what Rokt or the network does.

Endpoints and headers: Rokt API, POST Confirm Cart Items, POST Release Cart Items, POST Cancel Confirmed Item, POST Any
Placements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
from worker.rokt.failures import broken_body, no_answer
from worker.rokt.placements import Placements, PlacementsRequest, read_placements
from worker.rokt.transport import CONNECTED
from worker.telemetry import names
from worker.telemetry.tracing import Tracing, failed

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

    def __init__(
        self, transport: httpx.AsyncBaseTransport, access: Access, tracing: Tracing, now: Callable[[], datetime]
    ) -> None:
        self._transport = transport
        self._tracing = tracing
        self._now = now
        limits = access.timeouts
        self._limits = {
            "timeout": {
                "connect": limits.connect,
                "read": limits.read,
                "write": limits.write,
                "pool": limits.pool,
            }
        }
        self._urls = {endpoint: httpx.URL(url) for endpoint, url in access.urls.items()}
        self._go_by(access)

    def use(self, api_key: str, tag_id: str) -> None:
        """Takes other credentials for every attempt that begins from now on; those under way keep theirs."""
        self._go_by(replace(self._access, api_key=api_key, tag_id=tag_id))

    def path(self, operation: Operation) -> str:
        """Where the calls of an operation go, without the server."""
        return self._urls[operation].path

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
        await self._transport.aclose()

    def _go_by(self, access: Access) -> None:
        self._access = access
        self._constant = {endpoint: self._constant_headers(endpoint) for endpoint in access.urls}

    def _constant_headers(self, endpoint: Endpoint) -> list[tuple[str, str]]:
        headers = [
            ("host", self._urls[endpoint].netloc.decode("ascii")),
            ("rokt-api-key", self._access.api_key),
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("accept-encoding", "identity"),
            ("user-agent", "rokt-worker"),
        ]
        return headers if endpoint == "cancel" else [*headers, ("rokt-tag-id", self._access.tag_id)]

    def _request(
        self, endpoint: Endpoint, body: bytes, session_id: str | None, locale: str | None, key: str | None, span: Span
    ) -> httpx.Request:
        """A request that is whole: with `stream` httpx adds no headers to it, which costs more than all the rest."""
        headers = [*self._constant[endpoint], ("content-length", str(len(body)))]
        headers += self._tracing.http_headers(span).items()
        if session_id:
            headers.append(("rokt-session-id", session_id))
        if language := (locale or self._access.accept_language):
            headers.append(("accept-language", language))
        if key and self._access.idempotency_key != "off":
            headers.append(("idempotency-key", key if self._access.idempotency_key == "bare" else f'"{key}"'))
        stream = httpx.ByteStream(body)
        request = httpx.Request("POST", self._urls[endpoint], headers=headers, stream=stream, extensions=self._limits)
        request.read()
        return request

    def _hold(self, came: Exchange) -> float | None:
        return retry_after(came.retry_after, self._now(), self._access.max_retry_after_seconds)

    async def _exchange(self, request: httpx.Request) -> Exchange | Failed:
        response: httpx.Response | None = None
        content = bytearray()
        unread: str | None = None
        try:
            async with asyncio.timeout(self._access.timeouts.total):
                response = await self._transport.handle_async_request(request)
                unread = await self._read(response, content)
        except (TimeoutError, httpx.RequestError) as error:
            if response is None:
                return no_answer(error, self._access.timeouts, connected=CONNECTED in request.extensions)
            unread = broken_body(error, self._access.timeouts)
        finally:
            if response is not None:
                await response.aclose()
        status, body = response.status_code, bytes(content)
        hold = response.headers.get("retry-after") if status >= 400 else None
        return Exchange(status, body if status < 300 else _without_key(body, request), unread, hold)

    async def _read(self, response: httpx.Response, content: bytearray) -> str | None:
        """Reads the body, decompressed; says why when it did not get to its end."""
        raw = not response.is_stream_consumed and "content-encoding" not in response.headers
        async for chunk in response.aiter_raw() if raw else response.aiter_bytes():
            content += chunk
            if len(content) > self._access.max_response_bytes:
                return "the answer's body is too large"
        return None


def _without_key(body: bytes, request: httpx.Request) -> bytes:
    """A refusal is kept in dead letters; a gateway's may quote the headers that it was sent."""
    key = request.headers["rokt-api-key"].encode()
    return body.replace(key, b"(not shown)") if len(key) >= KEY_LENGTH else body


def _mark(span: Span, came: Exchange) -> None:
    span.set_attribute(names.HTTP_STATUS, came.status)
    if came.status >= 400:
        failed(span, str(came.status))
