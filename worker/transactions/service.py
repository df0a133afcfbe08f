"""One request after another: limits, credentials, reading, checking, recording, one answer, one line in the log.

No request can make it do more than its limits say, and whatever it holds, what is answered and said of it quotes none
of it. A defect is answered with 500 and nothing more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from opentelemetry.trace import Span
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from worker.record import Headers
from worker.settings import TransactionsSettings
from worker.surroundings import Surroundings
from worker.telemetry import names
from worker.telemetry.tracing import failed, trace_id
from worker.transactions.access import Access, NoToken
from worker.transactions.answers import Reply, denied, later, refused, too_large, too_long, too_many, wrong
from worker.transactions.bodies import read_body, read_query
from worker.transactions.checking import check
from worker.transactions.form import Form
from worker.transactions.media import FORM, JSON, encoding
from worker.transactions.rate import Rate
from worker.transactions.recorder import Recorder
from worker.transactions.transaction import Problem, Wrong

METHODS: Final = ("GET", "POST", "PUT")
TOKEN_BYTES: Final = 8_192
CARRIED: Final = ("traceparent", "tracestate", "baggage")
NO_STORE: Final = {"cache-control": "no-store"}


class Service:
    """Answers. `wall` is the wall clock in epoch seconds."""

    def __init__(
        self,
        settings: TransactionsSettings,
        form: Form,
        access: Access,
        recorder: Recorder,
        around: Surroundings,
        wall: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._form = form
        self._access = access
        self._recorder = recorder
        self._around = around
        self._wall = wall
        self._rate = Rate(settings.max_requests_per_second, around.clock)
        self._in_hand = 0

    async def transaction(self, request: Request) -> Response:
        """One transaction of Rokt's."""
        began, headers = self._around.clock(), _carried(request)
        self._in_hand += 1
        try:
            with self._around.tracing.serve(request.method, self._settings.path, headers) as span:
                reply = await self._safely(request, headers, span)
                _mark(span, reply)
        finally:
            self._in_hand -= 1
        self._tell(request.method, reply, span, self._around.clock() - began)
        return Response(reply.content, reply.status, {**NO_STORE, **reply.headers}, JSON)

    async def token(self, request: Request) -> Response:
        """A token for a client (RFC 6749, section 5)."""
        body = self._at_the_door(request) or _no_form(request) or await self._body(request, TOKEN_BYTES)
        if isinstance(body, Reply):
            return Response(body.content, body.status, {**NO_STORE, **body.headers}, JSON)
        token = self._access.token(dict(request.headers), body, self._wall())
        if isinstance(token, NoToken):
            asked = {"www-authenticate": self._access.challenge} if token.status == 401 else {}
            reply = Reply(token.status, token.error, {"error": token.error}, asked)
        else:
            told = {"access_token": token.text, "token_type": "Bearer", "expires_in": token.seconds}
            reply = Reply(200, "token", told)
        return Response(reply.content, reply.status, {**NO_STORE, **reply.headers}, JSON)

    async def _safely(self, request: Request, headers: Headers, span: Span) -> Reply:
        try:
            return await self._answered(request, headers, span)
        except ClientDisconnect:
            return refused(408, "gone", "the connection was closed before the body was whole")
        except asyncio.CancelledError:  # the process stops, and its time is over
            return later("stopping", "it is not known to be stored: the receiver is stopping", 1)
        except Exception:
            self._around.log.exception(names.LOG_DEFECT, what="a transaction")
            return refused(500, "defect", "this is a fault of the receiver")

    async def _answered(self, request: Request, headers: Headers, span: Span) -> Reply:
        if (turned_away := self._at_the_door(request)) is not None:
            return turned_away
        if not self._access.admits(dict(request.headers), self._wall()):
            return denied(self._access.challenge)
        if request.method == "GET":
            if len(request.scope["query_string"]) > self._settings.max_body_bytes:
                return too_long(self._settings.max_body_bytes)
            parameters = read_query(request.scope["query_string"])
        else:
            body = await self._body(request, self._settings.max_body_bytes)
            if isinstance(body, Reply):
                return body
            parameters = read_body(request.headers.get("content-type"), body)
        if isinstance(parameters, Wrong):
            return wrong(parameters)
        checked = check(parameters, self._form)
        if isinstance(checked, Wrong):
            return wrong(checked)
        return await self._recorder.record(checked, headers, span)

    def _at_the_door(self, request: Request) -> Reply | None:
        """Why a request is not looked at, if it is not."""
        if request.method == "HEAD":
            return refused(405, "method", "HEAD enters nothing", {"allow": ", ".join(METHODS)})
        if len(request.headers.raw) > self._settings.max_headers:
            return refused(431, "headers", f"more than {self._settings.max_headers} headers")
        if (wait := self._rate.wait()) > 0:
            return too_many(wait)
        if self._in_hand > self._settings.max_connections:
            return later("busy", "too many requests are under way", 1)
        return None

    async def _body(self, request: Request, most: int) -> bytes | Reply:
        """The body, if it is not too large and comes in time."""
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            return wrong(Wrong((Problem("", "encoding", "a compressed body is not read"),), 415))
        if int(request.headers.get("content-length", "0")) > most:
            return too_large(most)
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.read_seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        return too_large(most)
        except TimeoutError:
            told = f"the body was not whole within {self._settings.read_seconds:g} s"
            return refused(408, "slow", told, {"connection": "close"})
        return bytes(body)

    def _tell(self, method: str, reply: Reply, span: Span, seconds: float) -> None:
        """One line, with what was wrong by field; a field that the form does not name is not told."""
        self._around.meters.served.record((method, self._settings.path, str(reply.status)), seconds)
        self._around.meters.transactions.add((reply.result,))
        known = {field.name for field in self._form.fields}
        problems = [f"{p.code} {p.field}" if p.field in known else p.code for p in reply.problems]
        log = self._around.log
        level = log.error if reply.status == 500 else log.info if reply.status < 400 else log.warning
        told = {"problems": problems} if problems else {}
        level(
            names.LOG_TRANSACTION,
            result=reply.result,
            status=reply.status,
            method=method,
            seconds=round(seconds, 3),
            **told,
            trace_id=trace_id(span),
        )


def _no_form(request: Request) -> Reply | None:
    """Why a request for a token is not read, if it is not: it is always a form's (RFC 6749, section 4.4.2)."""
    if encoding(request.headers.get("content-type")) == "form":
        return None
    return refused(415, "media-type", f"this Content-Type is not read; read is {FORM}")


def _carried(request: Request) -> Headers:
    """What of a request's headers goes on into the record."""
    return tuple((name, value.encode("latin-1")) for name in CARRIED if (value := request.headers.get(name)))


def _mark(span: Span, reply: Reply) -> None:
    span.set_attribute(names.HTTP_STATUS, reply.status)
    span.set_attribute(names.ROKT_RESULT, reply.result)
    if reply.status >= 500:
        failed(span, str(reply.status))
