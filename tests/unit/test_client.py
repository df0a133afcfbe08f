"""One attempt over a real socket: what is sent, what each kind of answer and of no answer means, what is given back."""

import asyncio
import gzip
import ipaddress
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec.structs import replace as changed
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import INVALID_SPAN, StatusCode

from worker.mapping import Call, CallItem
from worker.rokt.access import Access, Endpoint, Timeouts
from worker.rokt.answers import Accepted, Answer, Conflict, Denied, Failed, Refused, Throttled
from worker.rokt.client import RoktClient
from worker.rokt.exchange import Request as Sent
from worker.rokt.exchange import Response, Target
from worker.rokt.placements import Placements, PlacementsRequest
from worker.rokt.said import Complaint, Said
from worker.rokt.transport import HttpTransport
from worker.telemetry.export import Provider
from worker.telemetry.tracing import Tracing, span_id, trace_id

CANARY = "canary-7f3a"
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ITEMS = (CallItem("item-1", "reservation-1"),)
CALL = Call(
    operation="confirm",
    key="370a9bfe-0b99-4436-8061-efa2d08c2a0a",
    body=b'{"cartId":"cart-1","orderId":"order-1","items":[]}',
    fingerprint=bytes(16),
    items=ITEMS,
    cart_id="cart-1",
    order_id="order-1",
    session_id="session-1",
    locale="en-US",
)
RELEASE = changed(CALL, operation="release", order_id=None)
CANCEL = changed(CALL, operation="cancel", session_id=None, body=b'{"itemReservationId":"reservation-1"}')
TIMEOUTS = Timeouts(total=5.0, connect=5.0, read=5.0, write=5.0, pool=5.0)
OK = b'{"cartId": "c", "items": [{"itemReservationId": "reservation-1", "success": true}]}'


@dataclass
class Request:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, f"{name} stands twice"
        return found[0] if found else None


class Wire:
    """One connection, from the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> Request:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        pairs = [line.split(":", 1) for line in lines]
        request = Request(method, path, [(name.lower(), value.strip()) for name, value in pairs], b"")
        request.body = await self.reader.readexactly(int(request.header("content-length") or 0))
        return request

    async def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        told = {"content-type": "application/json", "content-length": str(len(body))} | dict(headers or {})
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        await self.raw(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)

    async def raw(self, written: bytes) -> None:
        self.writer.write(written)
        await self.writer.drain()

    def reset(self) -> None:
        """Ends the connection with a RST."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


TRUSTED = ssl.create_default_context()

Behaviour = Callable[[Wire, Request], Awaitable[None]]


@dataclass
class Server:
    """A Rokt that does as it is told, once for every request; `seen` are the requests that came whole."""

    port: int = 0
    connections: int = 0
    behaviour: Behaviour | None = None
    before: Callable[[Wire], Awaitable[None]] | None = None
    seen: list[Request] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        wire = Wire(reader, writer)
        try:
            if self.before is not None:
                await self.before(wire)
            while True:
                request = await wire.request()
                self.seen.append(request)
                await (self.behaviour or succeed)(wire, request)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()


async def succeed(wire: Wire, _: Request) -> None:
    await wire.answer(200, OK)


def answering(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    async def behave(wire: Wire, _: Request) -> None:
        await wire.answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    return behave


def sending(raw: bytes, *, then: str = "close") -> Behaviour:
    async def behave(wire: Wire, _: Request) -> None:
        await wire.raw(raw)
        if then == "reset":
            await asyncio.sleep(0.01)
            wire.reset()
        elif then == "hang":
            await asyncio.sleep(3600)
        raise EOFError

    return behave


async def hang(wire: Wire, _: Request) -> None:
    await asyncio.sleep(3600)


async def drip(wire: Wire, _: Request) -> None:
    """An answer without end, a byte at a time."""
    await wire.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        await wire.raw(b" ")
        await asyncio.sleep(0.005)


@dataclass
class Rokt:
    """A client of ours, the server it talks to, and the spans that it made."""

    client: RoktClient
    server: Server
    exporter: InMemorySpanExporter

    async def attempt(self, call: Call = CALL, behaviour: Behaviour | None = None, count: int = 0) -> Answer:
        self.server.behaviour = behaviour
        answer, _ = await self.client.attempt(call, count, INVALID_SPAN)
        return answer

    async def failed(self, behaviour: Behaviour | None = None, call: Call = CALL) -> Failed:
        answer = await self.attempt(call, behaviour)
        assert isinstance(answer, Failed), answer
        return answer

    async def accepted(self, behaviour: Behaviour | None = None, call: Call = CALL) -> Accepted:
        answer = await self.attempt(call, behaviour)
        assert isinstance(answer, Accepted), answer
        return answer

    def span(self) -> ReadableSpan:
        return self.exporter.get_finished_spans()[-1]


@asynccontextmanager
async def rokt(
    *,
    max_connections: int = 8,
    server_tls: ssl.SSLContext | None = None,
    client_tls: ssl.SSLContext | None = None,
    scheme: str | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    before: Callable[[Wire], Awaitable[None]] | None = None,
    **access: Any,
) -> AsyncIterator[Rokt]:
    server = Server(before=before)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(server.serve(reader, writer))
        tasks.add(task)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=server_tls, limit=2**20)
    server.port = listening.sockets[0].getsockname()[1]
    base = f"{scheme or ('https' if server_tls else 'http')}://{host}:{port or server.port}"
    exporter = InMemorySpanExporter()
    provider = Provider(Resource({}), {}, records=True)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings: dict[str, Any] = {
        "urls": {
            "confirm": f"{base}/v1/Cart/confirm",
            "release": f"{base}/v1/Cart/release",
            "cancel": f"{base}/v1/Confirmation/cancel",
            "placements": f"{base}/v1/Placements/any",
        },
        "api_key": "key-1",
        "tag_id": "tag-1",
        "accept_language": None,
        "idempotency_key": "bare",
        "timeouts": TIMEOUTS,
        "max_response_bytes": 100_000,
        "max_retry_after_seconds": 300.0,
    }
    transport = HttpTransport(max_connections=max_connections, verify=client_tls or TRUSTED, keepalive_seconds=30)
    tracing = Tracing(provider.get_tracer("test"), group="g", link_producer=False)
    client = RoktClient(transport, Access(**settings | access), tracing, lambda: NOW)
    try:
        yield Rokt(client, server, exporter)
    finally:
        await client.close()
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.005)
        provider.shutdown()


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main()

    asyncio.run(bounded())


def sent(call: Call, **access: Any) -> Request:
    seen: list[Request] = []

    async def main() -> None:
        async with rokt(**access) as it:
            await it.accepted(call=call)
            seen.extend(it.server.seen)

    run(main)
    (request,) = seen
    return request


@pytest.mark.parametrize(
    ("call", "path"),
    [(CALL, "/v1/Cart/confirm"), (RELEASE, "/v1/Cart/release"), (CANCEL, "/v1/Confirmation/cancel")],
)
def test_each_operation_is_a_post_to_its_own_path_with_exactly_the_calls_bytes(call: Call, path: str) -> None:
    request = sent(call)
    assert (request.method, request.path, request.body) == ("POST", path, call.body)


@pytest.mark.parametrize("call", [CALL, RELEASE])
def test_confirm_and_release_carry_every_header_that_rokt_asks_for(call: Call) -> None:
    request = sent(call)
    assert request.header("rokt-api-key") == "key-1"
    assert request.header("rokt-tag-id") == "tag-1"
    assert request.header("rokt-session-id") == "session-1"
    assert request.header("content-type") == "application/json"
    assert request.header("accept") == "application/json"
    assert request.header("accept-language") == "en-US"
    assert request.header("idempotency-key") == call.key
    assert (request.header("traceparent") or "").startswith("00-")


def test_cancel_carries_the_headers_that_rokt_lists_for_it_and_no_session_or_tag() -> None:
    request = sent(CANCEL)
    assert request.header("rokt-api-key") == "key-1"
    assert request.header("rokt-tag-id") is None
    assert request.header("rokt-session-id") is None
    assert request.header("content-type") == "application/json"
    assert request.header("accept") == "application/json"
    assert request.header("accept-language") == "en-US"
    assert request.header("idempotency-key") == CANCEL.key
    assert request.header("traceparent")


def test_no_header_is_sent_that_is_not_ours_and_none_twice() -> None:
    ours = ["host", "rokt-api-key", "rokt-tag-id", "rokt-session-id", "content-type", "content-length", "accept"]
    ours += ["accept-encoding", "accept-language", "user-agent", "idempotency-key", "traceparent"]
    request = sent(CALL)
    assert sorted(name for name, _ in request.headers) == sorted(ours)
    assert (request.header("accept-encoding"), request.header("user-agent")) == ("identity", "rokt-worker")


def test_a_session_id_that_is_missing_is_not_invented() -> None:
    assert sent(changed(CALL, session_id=None)).header("rokt-session-id") is None


@pytest.mark.parametrize(
    ("locale", "setting", "language"),
    [("de-DE", "fr", "de-DE"), (None, "fr", "fr"), (None, None, None), ("de-DE", None, "de-DE")],
)
def test_the_language_is_the_events_else_the_settings_else_none(
    locale: str | None, setting: str | None, language: str | None
) -> None:
    assert sent(changed(CALL, locale=locale), accept_language=setting).header("accept-language") == language


@pytest.mark.parametrize(("way", "header"), [("bare", CALL.key), ("quoted", f'"{CALL.key}"'), ("off", None)])
def test_the_idempotency_key_is_sent_bare_or_quoted_or_not_at_all(way: str, header: str | None) -> None:
    assert sent(CALL, idempotency_key=way).header("idempotency-key") == header


@pytest.mark.parametrize("size", [0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 200_000, 3_000_000])
def test_a_body_of_any_size_arrives_whole_with_its_length_and_not_chunked(size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    request = sent(changed(CALL, body=body))
    assert request.body == body
    assert request.header("content-length") == str(size)
    assert request.header("transfer-encoding") is None
    assert request.header("expect") is None


def test_every_attempt_has_the_same_bytes_and_key_and_a_span_of_its_own() -> None:
    async def main() -> None:
        async with rokt() as it:
            for count in range(3):
                await it.attempt(CALL, answering(503), count)
            assert {(one.body, one.header("idempotency-key")) for one in it.server.seen} == {(CALL.body, CALL.key)}
            spans = it.exporter.get_finished_spans()
            assert [span.name for span in spans] == ["POST /v1/Cart/confirm"] * 3
            assert [(span.attributes or {})["http.request.resend_count"] for span in spans] == [0, 1, 2]
            told = [f"{span.context.span_id:016x}" for span in spans if span.context]
            assert [(one.header("traceparent") or "").split("-")[2] for one in it.server.seen] == told

    run(main)


def test_every_class_of_answer_is_told_apart_over_the_wire() -> None:
    async def main() -> None:
        async with rokt() as it:
            for status in (200, 201, 204):
                assert isinstance(await it.attempt(CALL, answering(status)), Accepted)
            assert await it.attempt(CALL, answering(422, b"no")) == Refused(422, "no")
            assert await it.attempt(CALL, answering(409, b"again")) == Conflict(409, "again")
            assert await it.attempt(CALL, answering(401)) == Denied(401, "")
            assert await it.attempt(CALL, answering(429, b"", retry_after="7")) == Throttled(429, "", 7.0)
            assert await it.attempt(CALL, answering(408)) == Throttled(408, "", None)
            unavailable = await it.failed(answering(503, b"down", retry_after="9"))
            assert (unavailable.status, unavailable.body, unavailable.retry_after) == (503, "down", 9.0)
            assert unavailable.maybe_applied

    run(main)


@pytest.mark.parametrize(
    ("header", "held"),
    [("Sun, 22 Nov 2026 10:01:00 GMT", 60.0), ("99999999", 300.0), ("-5", None), ("soon", None), ("", None)],
)
def test_retry_after_is_seconds_or_a_date_and_bounded(header: str, held: float | None) -> None:
    async def main() -> None:
        async with rokt() as it:
            assert await it.attempt(CALL, answering(429, b"", retry_after=header)) == Throttled(429, "", held)

    run(main)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_but_a_refusal(status: int) -> None:
    async def main() -> None:
        async with rokt() as it:
            elsewhere = f"http://127.0.0.1:{it.server.port}/elsewhere"
            assert isinstance(await it.attempt(CALL, answering(status, b"", location=elsewhere)), Refused)
            assert [one.path for one in it.server.seen] == ["/v1/Cart/confirm"]

    run(main)


def test_a_cookie_is_not_sent_back() -> None:
    async def main() -> None:
        async with rokt() as it:
            await it.attempt(CALL, answering(200, b"", set_cookie="a=b"))
            await it.attempt(CALL)
            assert it.server.seen[-1].header("cookie") is None

    run(main)


# --- Time-outs, each by itself


def test_a_connection_that_does_not_come_about_in_time_was_not_sent() -> None:
    """TCP is accepted, and TLS never answers."""

    async def silent(wire: Wire) -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        limits = replace(TIMEOUTS, connect=0.05)
        async with rokt(scheme="https", before=silent, timeouts=limits) as it:
            failed = await it.failed()
            assert (failed.failure, failed.maybe_applied) == ("not-connected", False)
            assert (failed.error, failed.detail) == ("ConnectTimeout", "no connection in 0.05 s")

    run(main)


def test_an_answer_that_does_not_begin_in_time_leaves_the_outcome_unknown() -> None:
    async def main() -> None:
        async with rokt(timeouts=replace(TIMEOUTS, read=0.05)) as it:
            failed = await it.failed(hang)
            assert (failed.failure, failed.maybe_applied) == ("no-answer", True)
            assert (failed.error, failed.detail) == ("ReadTimeout", "no answer in 0.05 s")
            assert len(it.server.seen) == 1

    run(main)


def test_a_request_that_cannot_be_written_in_time_leaves_the_outcome_unknown() -> None:
    async def deaf(wire: Wire) -> None:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(3600)

    async def main() -> None:
        async with rokt(before=deaf, timeouts=replace(TIMEOUTS, write=0.05)) as it:
            failed = await it.failed(call=changed(CALL, body=b"x" * 64 * 2**20))
            assert (failed.failure, failed.maybe_applied) == ("no-answer", True)
            assert (failed.error, failed.detail) == ("WriteTimeout", "the request could not be written in 0.05 s")

    run(main)


def test_a_call_that_gets_no_connection_of_the_pool_in_time_was_not_sent() -> None:
    async def main() -> None:
        async with rokt(max_connections=1, timeouts=replace(TIMEOUTS, pool=0.05)) as it:
            it.server.behaviour = hang
            first = asyncio.ensure_future(it.client.attempt(CALL, 0, INVALID_SPAN))
            await asyncio.sleep(0.02)
            failed = await it.failed(hang)
            assert (failed.failure, failed.maybe_applied) == ("not-connected", False)
            assert (failed.error, failed.detail) == ("PoolTimeout", "no connection of the pool was free in 0.05 s")
            assert len(it.server.seen) == 1
            first.cancel()
            await asyncio.wait({first})

    run(main)


def test_the_whole_attempt_is_bounded_too() -> None:
    async def main() -> None:
        async with rokt(timeouts=replace(TIMEOUTS, total=0.05)) as it:
            failed = await it.failed(hang)
            assert (failed.failure, failed.maybe_applied) == ("no-answer", True)
            assert (failed.error, failed.detail) == ("TimeoutError", "no answer in 0.05 s")

    run(main)


@pytest.mark.parametrize("pool", [0.05, 1.0])
def test_an_attempt_whose_time_ran_out_in_the_queue_for_a_connection_was_not_sent(pool: float) -> None:
    """By default the limit of the whole attempt is the limit of the wait for the pool."""

    async def main() -> None:
        async with rokt(max_connections=1, timeouts=replace(TIMEOUTS, total=0.05, pool=pool)) as it:
            patient = replace(it.client._access, timeouts=TIMEOUTS)
            other = RoktClient(it.client._transport, patient, it.client._tracing, lambda: NOW)
            it.server.behaviour = hang
            first = asyncio.ensure_future(other.attempt(CALL, 0, INVALID_SPAN))
            await asyncio.sleep(0.02)
            failed = await it.failed(hang)
            assert len(it.server.seen) == 1
            first.cancel()
            await asyncio.wait({first})
            assert not failed.maybe_applied

    run(main)


def test_an_attempt_whose_time_ran_out_before_there_was_a_connection_was_not_sent() -> None:
    async def silent(wire: Wire) -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        async with rokt(scheme="https", before=silent, timeouts=replace(TIMEOUTS, total=0.05)) as it:
            failed = await it.failed()
            assert not failed.maybe_applied
            assert failed.detail == "no connection in 0.05 s"

    run(main)


# --- No answer


def test_a_refused_connection_was_not_sent() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

        async def main() -> None:
            async with rokt(port=port) as it:
                failed = await it.failed()
                assert (failed.failure, failed.maybe_applied) == ("not-connected", False)
                assert (failed.error, failed.detail) == ("ConnectError", "connection refused")

        run(main)


def test_a_name_that_cannot_be_resolved_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def main() -> None:
        async with rokt(host="rokt.invalid") as it:
            monkeypatch.setattr(socket, "getaddrinfo", gone)
            failed = await it.failed()
            assert (failed.failure, failed.maybe_applied) == ("not-connected", False)
            assert (failed.error, failed.detail) == ("ConnectError", "the name cannot be resolved")

    run(main)


def test_a_connection_that_breaks_in_the_handshake_was_not_sent() -> None:
    async def abrupt(wire: Wire) -> None:
        await wire.reader.read(1)
        wire.reset()
        raise EOFError

    async def main() -> None:
        async with rokt(scheme="https", before=abrupt) as it:
            failed = await it.failed()
            assert (failed.failure, failed.maybe_applied) == ("not-connected", False)
            assert failed.detail == "the connection broke while it was made"

    run(main)


def test_a_server_that_speaks_no_tls_was_not_sent_anything() -> None:
    async def plain(wire: Wire) -> None:
        await wire.reader.read(1)
        await wire.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def main() -> None:
        async with rokt(scheme="https", before=plain) as it:
            failed = await it.failed()
            assert (failed.failure, failed.maybe_applied) == ("not-connected", False)
            assert failed.detail.startswith("TLS: no agreement (")

    run(main)


async def reset(wire: Wire, _: Request) -> None:
    wire.reset()
    raise EOFError


NO_ANSWERS = {
    "reset after the request": reset,
    "closed after the request": sending(b""),
    "half a status line": sending(b"HTTP/1.1 2"),
    "a status line without an end of the headers": sending(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "reset within the headers": sending(b"HTTP/1.1 200 OK\r\n", then="reset"),
    "no HTTP": sending(b"hello\r\n\r\n"),
    "headers without end": sending(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000 + b"\r\n\r\n"),
    "bytes out of the air": sending(b"\x15\x03\x01\x00\x02\x02\x16"),
}


BROKE, NO_HTTP = "the connection broke before the answer", "the answer is not HTTP"
NOT_HTTP = {"no HTTP", "headers without end", "bytes out of the air"}


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [(behaviour, NO_HTTP if name in NOT_HTTP else BROKE) for name, behaviour in NO_ANSWERS.items()],
    ids=NO_ANSWERS.keys(),
)
def test_a_connection_that_breaks_after_the_request_leaves_the_outcome_unknown(
    behaviour: Behaviour, words: str
) -> None:
    async def main() -> None:
        async with rokt() as it:
            failed = await it.failed(behaviour)
            assert (failed.failure, failed.maybe_applied) == ("no-answer", True)
            assert failed.detail == words
            assert len(it.server.seen) == 1

    run(main)


def test_a_request_on_a_kept_connection_that_breaks_is_not_sent_again_behind_our_back() -> None:
    async def main() -> None:
        async with rokt() as it:
            await it.accepted(succeed)
            failed = await it.failed(reset)
            assert failed.maybe_applied
            assert len(it.server.seen) == 2
            assert it.server.connections == 1

    run(main)


def test_a_kept_connection_that_the_server_closed_meanwhile_is_not_used() -> None:
    async def close_behind(wire: Wire, request: Request) -> None:
        await succeed(wire, request)
        raise EOFError

    async def main() -> None:
        async with rokt() as it:
            await it.accepted(close_behind)
            await asyncio.sleep(0.01)
            await it.accepted(succeed)
            assert it.server.connections == 2

    run(main)


# --- Answers that are not whole


@pytest.mark.parametrize("then", ["close", "reset", "hang"])
@pytest.mark.parametrize("body", [b"content-length: 1000\r\n\r\n{", b"transfer-encoding: chunked\r\n\r\n5\r\n{"])
def test_a_body_cut_off_after_a_2xx_is_a_success_with_what_is_missing_told(then: str, body: bytes) -> None:
    async def main() -> None:
        async with rokt(timeouts=replace(TIMEOUTS, read=0.05)) as it:
            accepted = await it.accepted(sending(b"HTTP/1.1 200 OK\r\n" + body, then=then))
            assert accepted.unread == (
                "the answer's body stopped coming for 0.05 s" if then == "hang" else "the answer's body broke off"
            )
            assert [item.success for item in accepted.items] == [True]

    run(main)


def test_a_body_without_end_after_a_2xx_is_a_success_within_the_time_of_an_attempt() -> None:
    async def main() -> None:
        async with rokt(timeouts=replace(TIMEOUTS, total=0.05)) as it:
            assert (await it.accepted(drip)).unread == "the answer's body was not whole in 0.05 s"

    run(main)


@pytest.mark.parametrize("status", [400, 409, 401, 429, 503])
def test_a_body_cut_off_after_another_status_does_not_change_what_the_status_means(status: int) -> None:
    async def main() -> None:
        async with rokt() as it:
            raw = f"HTTP/1.1 {status} X\r\ncontent-length: 1000\r\n\r\n{{".encode()
            answer = await it.attempt(CALL, sending(raw))
            kinds: dict[int, type[Any]] = {400: Refused, 409: Conflict, 401: Denied, 429: Throttled, 503: Failed}
            assert isinstance(answer, kinds[status])
            assert answer.status == status

    run(main)


@pytest.mark.parametrize("length", [100_001, 5_000_000])
def test_a_body_over_the_limit_after_a_2xx_is_a_success_that_is_not_read(length: int) -> None:
    async def main() -> None:
        async with rokt() as it:
            accepted = await it.accepted(answering(200, b" " * length))
            assert accepted.unread

    run(main)


def test_of_a_refusal_with_a_body_over_the_limit_the_beginning_is_kept() -> None:
    async def main() -> None:
        async with rokt() as it:
            answer = await it.attempt(CALL, answering(422, b"why" + b" " * 200_000))
            assert isinstance(answer, Refused)
            assert answer.body.startswith("why")
            assert len(answer.body) <= 2048

    run(main)


def test_an_answer_that_rokt_compressed_unasked_is_read() -> None:
    said = b'{"items": [{"itemReservationId": "reservation-1", "success": false}]}'

    async def main() -> None:
        async with rokt() as it:
            accepted = await it.accepted(answering(200, gzip.compress(said), content_encoding="gzip"))
            assert [item.success for item in accepted.items] == [False]
            refused = await it.attempt(CALL, answering(422, gzip.compress(b"no"), content_encoding="gzip"))
            assert refused == Refused(422, "no")

    run(main)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "nonsense"])
def test_an_answer_whose_compression_cannot_be_undone_is_a_success_that_is_not_read(encoding: str) -> None:
    async def main() -> None:
        async with rokt() as it:
            accepted = await it.accepted(answering(200, b"\x01\x02 not compressed", content_encoding=encoding))
            assert accepted.unread

    run(main)


def test_a_small_answer_that_unfolds_without_end_is_not_read() -> None:
    async def main() -> None:
        async with rokt() as it:
            bomb = gzip.compress(b" " * 20_000_000)
            assert (await it.accepted(answering(200, bomb, content_encoding="gzip"))).unread

    run(main)


def test_an_answer_that_comes_before_the_request_is_out_is_read() -> None:
    async def early(wire: Wire) -> None:
        await wire.reader.readuntil(b"\r\n\r\n")
        await wire.answer(413, b"too large", {"connection": "close"})
        await asyncio.sleep(0.05)
        raise EOFError

    async def main() -> None:
        async with rokt(before=early) as it:
            answer = await it.attempt(changed(CALL, body=b"x" * 2**20))
            assert isinstance(answer, Refused)
            assert answer.status == 413

    run(main)


# --- The pool


UNPLEASANT: dict[str, Behaviour] = {
    **NO_ANSWERS,
    "hang": hang,
    "drip": drip,
    "cut body": sending(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
    "large body": answering(200, b" " * 1_000_000),
    "garbled gzip": answering(200, b"x", content_encoding="gzip"),
    "no content": answering(204),
    "503": answering(503, b"down"),
    "redirect": answering(302, b"", location="/"),
    "close": answering(200, OK, connection="close"),
}


@pytest.mark.parametrize("behaviour", UNPLEASANT.values(), ids=UNPLEASANT.keys())
def test_a_connection_is_given_back_whatever_became_of_it(behaviour: Behaviour) -> None:
    async def main() -> None:
        limits = Timeouts(total=0.5, connect=5, read=0.25, write=5, pool=0.4)
        async with rokt(max_connections=1, timeouts=limits) as it:
            for _ in range(2):
                await it.attempt(CALL, behaviour)
            await it.accepted(succeed)

    run(main)


def test_a_connection_is_given_back_by_an_attempt_that_is_cancelled() -> None:
    async def main() -> None:
        async with rokt(max_connections=1, timeouts=replace(TIMEOUTS, pool=0.05)) as it:
            for behaviour in (hang, drip):
                it.server.behaviour = behaviour
                attempt = asyncio.ensure_future(it.client.attempt(CALL, 0, INVALID_SPAN))
                await asyncio.sleep(0.02)
                attempt.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await attempt
                await it.accepted(succeed)

    run(main)


def test_a_connection_is_given_back_where_there_was_none() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

        async def main() -> None:
            async with rokt(max_connections=1, port=port, timeouts=replace(TIMEOUTS, pool=0.05)) as it:
                for _ in range(3):
                    assert "Pool" not in (await it.failed()).error

        run(main)


def test_connections_are_kept_and_never_more_than_allowed() -> None:
    async def main() -> None:
        async with rokt(max_connections=3) as it:
            for _ in range(3):
                await asyncio.gather(*[it.accepted(succeed) for _ in range(10)])
            assert it.server.connections <= 3
            assert len(it.server.seen) == 30

    run(main)


@pytest.mark.parametrize(
    "end", ["content-length: 4\r\n\r\nwhy.", "transfer-encoding: chunked\r\n\r\n4\r\nwhy.\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("pieces", [1, 2, 200])
def test_an_answer_is_read_and_its_connection_kept_in_however_many_pieces_it_comes(end: str, pieces: int) -> None:
    raw = f"HTTP/1.1 422 X\r\n{end}".encode()

    async def behave(wire: Wire, _: Request) -> None:
        size = -(-len(raw) // pieces)
        for start in range(0, len(raw), size):
            await wire.raw(raw[start : start + size])
            await asyncio.sleep(0.001)

    async def main() -> None:
        async with rokt(max_connections=1, timeouts=replace(TIMEOUTS, pool=0.05)) as it:
            for _ in range(3):
                assert await it.attempt(CALL, behave) == Refused(422, "why.")
            assert it.server.connections == 1

    run(main)


# --- The seam


@dataclass
class Canned:
    """A way to Rokt that is not ours."""

    answer: Response
    seen: list[tuple[Sent, Timeouts]] = field(default_factory=list)

    async def exchange(self, request: Sent, limits: Timeouts) -> Response:
        self.seen.append((request, limits))
        return self.answer

    async def close(self) -> None:
        pass


def attempt_over(transport: Canned, call: Call = CALL) -> Answer:
    """An attempt over a transport of which the interface is all that is known."""
    urls: dict[Endpoint, str] = {"confirm": "https://rokt.example/v1/Cart/confirm"}
    access = Access(urls, "key-1", "tag-1", None, "bare", TIMEOUTS, 100_000, 300.0)
    provider = Provider(Resource({}), {}, records=True)
    client = RoktClient(
        transport, access, Tracing(provider.get_tracer("t"), group="g", link_producer=False), lambda: NOW
    )
    answer, _ = asyncio.run(client.attempt(call, 0, INVALID_SPAN))
    provider.shutdown()
    return answer


def test_a_request_is_whole_for_any_transport() -> None:
    transport = Canned(Response(200, [], OK))
    assert isinstance(attempt_over(transport), Accepted)
    [(request, limits)] = transport.seen
    assert request.target == Target("https", "rokt.example", 443, b"/v1/Cart/confirm", b"rokt.example")
    assert request.body == CALL.body
    headers = dict(request.all_headers)
    assert headers[b"host"] == b"rokt.example"
    assert headers[b"content-length"] == str(len(CALL.body)).encode()
    assert headers[b"idempotency-key"] == CALL.key.encode()
    assert len(request.all_headers) == len(headers)
    assert limits == TIMEOUTS


def test_an_answer_of_any_transport_is_read() -> None:
    packed = Response(422, [(b"Content-Encoding", b"gzip")], gzip.compress(b"no"))
    later = Response(503, [(b"Retry-After", b"9")], b"down")
    assert attempt_over(Canned(packed)) == Refused(422, "no")
    assert attempt_over(Canned(later)) == Failed("server-error", "Rokt answered 503", True, 503, "down", 9.0)


# --- TLS


@dataclass(frozen=True)
class SelfSigned:
    """A certificate of nobody's, for 127.0.0.1, and the server's side of it."""

    path: Path
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> SelfSigned:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return SelfSigned(folder / "certificate.pem", server)


def test_a_certificate_that_nobody_vouches_for_is_refused_and_nothing_is_sent(self_signed: SelfSigned) -> None:
    async def main() -> None:
        async with rokt(server_tls=self_signed.server) as it:
            failed = await it.failed()
            assert (failed.failure, failed.maybe_applied) == ("not-connected", False)
            assert failed.detail == "TLS: the certificate is not valid for it (self-signed certificate)"
            assert it.server.seen == []

    run(main)


def test_a_certificate_of_another_host_is_refused_and_nothing_is_sent(self_signed: SelfSigned) -> None:
    async def main() -> None:
        trusting = ssl.create_default_context(cafile=self_signed.path)
        async with rokt(server_tls=self_signed.server, client_tls=trusting, host="localhost") as it:
            failed = await it.failed()
            assert (failed.failure, failed.maybe_applied) == ("not-connected", False)
            assert failed.detail.startswith("TLS: the certificate is not valid for it (Hostname mismatch")
            assert it.server.seen == []

    run(main)


def test_a_certificate_that_the_setting_vouches_for_is_taken(self_signed: SelfSigned) -> None:
    async def main() -> None:
        trusting = ssl.create_default_context(cafile=self_signed.path)
        async with rokt(server_tls=self_signed.server, client_tls=trusting) as it:
            await it.accepted()
            assert len(it.server.seen) == 1

    run(main)


# --- Spans and secrets


def test_an_attempts_span_has_the_status_and_is_an_error_from_400_on() -> None:
    async def main() -> None:
        async with rokt() as it:
            for status, error in ((200, None), (302, None), (404, "404"), (503, "503")):
                await it.attempt(CALL, answering(status))
                attributes = dict(it.span().attributes or {})
                assert attributes["http.response.status_code"] == status
                assert attributes.get("error.type") == error
                assert (it.span().status.status_code is StatusCode.ERROR) == (error is not None)
                assert attributes["rokt.operation"] == "confirm"
                assert attributes["rokt.idempotency_key"] == CALL.key

    run(main)


def test_an_attempt_without_an_answer_has_an_error_span_without_a_status() -> None:
    async def main() -> None:
        async with rokt() as it:
            await it.failed(reset)
            attributes = dict(it.span().attributes or {})
            assert "http.response.status_code" not in attributes
            assert attributes["error.type"] == "ReadError"
            assert it.span().status.status_code is StatusCode.ERROR

    run(main)


def test_no_credential_session_price_or_attribute_is_in_a_span_or_in_what_an_attempt_says() -> None:
    secret = changed(
        CALL,
        body=json.dumps({"attributes": {"email": CANARY}, "items": [{"unitPrice": 987.6543}]}).encode(),
        session_id=CANARY,
    )

    async def main() -> None:
        async with rokt(api_key=CANARY, timeouts=replace(TIMEOUTS, read=0.05)) as it:
            behaviours = [
                succeed,
                answering(422, b"{}"),
                reset,
                hang,
                sending(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
            ]
            for behaviour in behaviours:
                told = repr(await it.attempt(secret, behaviour)) + it.span().to_json()
                assert CANARY not in told
                assert "987.65" not in told

    run(main)


def test_no_credential_is_in_the_text_of_the_clients_own_parts() -> None:
    async def main() -> None:
        async with rokt(api_key=CANARY) as it:
            assert CANARY not in repr(it.client)
            assert CANARY not in repr(it.client._access)

    run(main)


@pytest.mark.parametrize("status", [302, 401, 409, 422, 429, 500])
def test_a_refusal_that_quotes_the_api_key_is_kept_without_it(status: int) -> None:
    async def quote(wire: Wire, request: Request) -> None:
        await wire.answer(status, f"these came: {request.headers}".encode())

    async def main() -> None:
        async with rokt(api_key=CANARY) as it:
            answer = await it.attempt(CALL, quote)
            assert not isinstance(answer, Accepted)
            assert "('rokt-api-key', '(not shown)')" in answer.body
            assert CANARY not in answer.body

    run(main)


# --- Other credentials


def test_every_later_attempt_has_the_credentials_that_were_given_last_and_one_under_way_keeps_its_own() -> None:
    async def main() -> None:
        async with rokt() as it:

            async def change_meanwhile(wire: Wire, _: Request) -> None:
                it.client.use("key-2", "tag-2")
                await wire.answer(503)

            await it.failed(change_meanwhile)
            for call in (CALL, RELEASE, CANCEL):
                await it.attempt(call)
            keys = [request.header("rokt-api-key") for request in it.server.seen]
            assert keys == ["key-1", "key-2", "key-2", "key-2"]
            assert [request.header("rokt-tag-id") for request in it.server.seen] == ["tag-1", "tag-2", "tag-2", None]
            first, second, *_ = it.server.seen
            assert [n for n, _ in first.headers] == [n for n, _ in second.headers]

    run(main)


# --- Placements/any


QUESTION = PlacementsRequest("cart-1", "checkout.upsell")


def asked(
    behaviour: Behaviour, request: PlacementsRequest = QUESTION, *headers: str | None, **access: Any
) -> tuple[Placements, Request]:
    found: list[tuple[Placements, Request]] = []

    async def main() -> None:
        async with rokt(**access) as it:
            it.server.behaviour = behaviour
            came, span = await it.client.placements(request, INVALID_SPAN, *headers)
            (seen,) = it.server.seen
            assert (seen.header("traceparent") or "").split("-")[1:3] == [trace_id(span), span_id(span)]
            assert (it.span().name, it.span().parent) == ("POST /v1/Placements/any", None)
            found.append((came, seen))

    run(main)
    return found[0]


YES = answering(200, b'{"result": true}')


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (QUESTION, b'{"cartId":"cart-1","pageIdentifier":"checkout.upsell"}'),
        (
            PlacementsRequest("cart-1", "p", "https://shop.example/upsell", {"country": "US", "name": "Zo\u00eb"}),
            '{"cartId":"cart-1","pageIdentifier":"p","url":"https://shop.example/upsell",'
            '"attributes":{"country":"US","name":"Zo\u00eb"}}'.encode(),
        ),
    ],
    ids=["what is absent is left out", "everything"],
)
def test_placements_any_is_a_post_of_exactly_what_the_reference_has(request_: PlacementsRequest, body: bytes) -> None:
    came, request = asked(YES, request_)
    assert came == Placements(Accepted(200, ()), True)
    assert (request.method, request.path, request.body) == ("POST", "/v1/Placements/any", body)


def test_placements_any_carries_the_headers_that_rokt_lists_for_it() -> None:
    _, request = asked(YES, QUESTION, "session-1", "en-US")
    assert dict(request.headers) == {
        "host": request.header("host"),
        "rokt-api-key": "key-1",
        "rokt-tag-id": "tag-1",
        "rokt-session-id": "session-1",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
        "accept": "application/json",
        "accept-encoding": "identity",
        "accept-language": "en-US",
        "user-agent": "rokt-worker",
        "traceparent": request.header("traceparent"),
    }


@pytest.mark.parametrize(("setting", "language"), [(None, None), ("fr", "fr")])
def test_placements_any_without_session_and_locale_has_the_settings_language_or_none(
    setting: str | None, language: str | None
) -> None:
    _, request = asked(YES, accept_language=setting)
    assert (request.header("rokt-session-id"), request.header("accept-language")) == (None, language)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "there is no result in it"),
        (b"{}", "there is no result in it"),
        (b'{"result": "yes"}', "there is no result in it"),
        (b"[]", "the answer's body is not the JSON expected (TypeError)"),
        (b"<html>", "the answer's body is not the JSON expected (DecodeError)"),
    ],
)
def test_placements_any_with_a_body_that_cannot_be_read_has_no_result(body: bytes, why: str) -> None:
    came, _ = asked(answering(200, body))
    assert came == Placements(Accepted(200, (), why), None)


def test_placements_any_whose_answer_breaks_off_has_no_result() -> None:
    came, _ = asked(sending(b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"result": tr'))
    assert came == Placements(Accepted(200, (), "the answer's body broke off"), None)


def test_placements_any_reads_rokts_form_of_an_error_however_long_it_is() -> None:
    value = {"cart": "x" * 10_000}
    form = {"description": "No", "errors": [{"value": value, "code": "Bad", "message": "A page"}]}
    came, _ = asked(answering(422, json.dumps(form).encode()))
    assert isinstance(came.answer, Refused)
    assert came.said == Said("No", (Complaint("Bad", "A page"),))


def test_placements_any_tells_refused_credentials_and_a_missing_server_apart() -> None:
    assert asked(answering(401))[0] == Placements(Denied(401, ""))
    came, _ = asked(reset)
    assert isinstance(came.answer, Failed)
    assert (came.result, came.said) == (None, None)
