"""The sandbox as an ASGI application: the Rokt API's paths, and its own under /sandbox/."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import assert_never

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox.admin import admin_routes
from worker.sandbox.answers import Cut, client_gone, http_error, respond
from worker.sandbox.faults import (
    Fault,
    Faults,
    FaultsInForce,
    HangAfter,
    HangBefore,
    Pass,
    ResetAfter,
    ResetBefore,
    Status,
)
from worker.sandbox.journal import Call, IdempotencyKeys, Journal
from worker.sandbox.messages import Cancel, Done, Message, Operation, Refused, reservation_ids
from worker.sandbox.requests import (
    BODY_LIMIT,
    BodyTooLargeError,
    Credentials,
    Incoming,
    check_access,
    check_headers,
    parse,
    read_body,
)
from worker.sandbox.state import Rokt, Rules

# The 2021 pages and the later ones spell the same paths differently.
PATHS = {
    Operation.RESERVE: ("/v1/Cart/reserve", "/v1/cart/reserve"),
    Operation.CONFIRM: ("/v1/Cart/confirm", "/v1/cart/confirm"),
    Operation.RELEASE: ("/v1/Cart/release", "/v1/cart/release"),
    Operation.CANCEL: ("/v1/Confirmation/cancel", "/v1/confirmation/cancel"),
    Operation.PLACEMENTS: ("/v1/Placements/any", "/v1/placements/any"),
}
REMEMBERED = (200, 400, 422)


@dataclass(frozen=True, slots=True)
class Settings:
    """`key_ttl` in seconds; the same `seed` and the same calls give the same ids and the same faults."""

    credentials: Credentials = field(default_factory=Credentials)
    rules: Rules = field(default_factory=Rules)
    faults: Faults = field(default_factory=Faults)
    key_ttl: float = 3 * 3600.0
    seed: int | None = None


class Sandbox:
    """Takes one request through fault, checks, idempotency key and state, and records what came of it."""

    def __init__(self, settings: Settings, clock: Callable[[], float], closing: asyncio.Event) -> None:
        self._credentials = settings.credentials
        self._clock = clock
        self._closing = closing
        # Two sources, so that a fault more or less does not change the ids.
        self._luck = Random(settings.seed)  # noqa: S311
        ids = Random(None if settings.seed is None else settings.seed + 1)  # noqa: S311
        self.rokt = Rokt(settings.rules, clock, ids)
        self.keys = IdempotencyKeys(settings.key_ttl, clock)
        self.journal = Journal()
        self.faults = FaultsInForce(settings.faults, clock)
        self.conflicts = 0

    def clear(self) -> None:
        """Forgets every reservation, order, key and call; the faults stay in force."""
        self.rokt.clear()
        self.keys.clear()
        self.journal.clear()
        self.conflicts = 0

    async def answer(self, operation: Operation, request: Request) -> Response:
        """One request to the API. A call is processed at once, so that none sees another half done."""
        try:
            call = Incoming(operation, request.headers, parse(operation, await read_body(request)))
        except BodyTooLargeError:
            message = f"The body is longer than {BODY_LIMIT} bytes"
            call = Incoming(operation, request.headers, Refused(413, "PayloadTooLarge", message, {}))
        fault = self.faults.decide(operation, self._cart(call.message), self._luck)
        await self._wait(self.faults.faults.latency.draw(self._luck))
        match fault:
            case ResetBefore() | HangBefore() | Status(applied=False):
                result = None
            case _:
                result = self.process(call)
        self._record(call, fault, result)
        return self._deliver(fault, result)

    def process(self, call: Incoming) -> Done | Refused:
        """Checks and applies a call.

        A key is remembered once its call was answered 200, 400 or 422, whether or not the answer arrived; not after
        401, 403, 406, 413, 415 or an ordered error that came before the call was processed: those judged nothing.
        """
        if refused := check_access(call, self._credentials):
            return refused
        if call.key is not None and call.key in self.keys:
            self.conflicts += 1
            return Refused(409, "Conflict", "A request with this idempotency key was processed before", {})
        result = self._apply(call)
        if call.key is not None and (isinstance(result, Done) or result.status in REMEMBERED):
            self.keys.remember(call.key)
        return result

    def _apply(self, call: Incoming) -> Done | Refused:
        if isinstance(call.message, Refused):
            return call.message
        return check_headers(call, call.message) or self.rokt.handle(call.message)

    def _cart(self, message: Message | Refused) -> str:
        if isinstance(message, Cancel):
            return self.rokt.cart_of(message.item_reservation_id)
        cart_id = getattr(message, "cart_id", "")
        return cart_id if isinstance(cart_id, str) else ""

    def _record(self, call: Incoming, fault: Fault, result: Done | Refused | None) -> None:
        self.journal.record(
            Call(
                sequence=self.journal.requests + 1,
                time=self._clock(),
                operation=call.operation,
                cart_id=self._cart(call.message),
                reservation_ids=() if isinstance(call.message, Refused) else reservation_ids(call.message),
                key=call.key,
                status=_status(fault, result),
                applied=isinstance(result, Done),
                fault=fault.name,
                traceparent=call.headers.get("traceparent"),
            )
        )

    def _deliver(self, fault: Fault, result: Done | Refused | None) -> Response:
        match fault:
            case Pass():
                return respond(result or Done(None))
            case Status(status, retry_after):
                refused = Refused(status, "Ordered", "This error was ordered from the sandbox", {})
                return respond(refused, {} if retry_after is None else {"Retry-After": str(retry_after)})
            case ResetBefore() | ResetAfter():
                return Cut(0, self._closing)
            case HangBefore() | HangAfter():
                return Cut(self.faults.faults.hang_seconds, self._closing)
        assert_never(fault)

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)


def _status(fault: Fault, result: Done | Refused | None) -> int | None:
    if isinstance(fault, Status):
        return fault.status
    if not isinstance(fault, Pass):
        return None
    return result.status if isinstance(result, Refused) else 200


def create_app(
    settings: Settings, *, clock: Callable[[], float] = time.time, closing: asyncio.Event | None = None
) -> Starlette:
    """The application. `clock` gives epoch seconds; once `closing` is set, no call waits or hangs any more."""
    sandbox = Sandbox(settings, clock, closing or asyncio.Event())
    routes = [
        Route(path, _endpoint(sandbox, operation), methods=["POST"])
        for operation, paths in PATHS.items()
        for path in paths
    ]
    handlers = {HTTPException: http_error, ClientDisconnect: client_gone}
    return Starlette(routes=[*routes, *admin_routes(sandbox)], exception_handlers=handlers)


def _endpoint(sandbox: Sandbox, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    return partial(sandbox.answer, operation)
