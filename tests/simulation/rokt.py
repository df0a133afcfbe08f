"""Rokt on virtual time: the sandbox's state machine behind the client's transport interface, and every request's story.

A request that was sent goes its own way: it is processed when it arrives, whether or not its sender still waits for the
answer, or is still there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import httpx
import msgspec

from simulation.processes import Process
from simulation.trace import Trace
from worker.rokt.access import Timeouts
from worker.rokt.exchange import Request, Response
from worker.sandbox.answers import respond
from worker.sandbox.app import PATHS, Sandbox, Settings
from worker.sandbox.faults import Fault, Faults, HangAfter, HangBefore, Pass, ResetAfter, ResetBefore, Status, decide
from worker.sandbox.messages import Cancel, Done, Message, Operation, Refused
from worker.sandbox.requests import Incoming, parse
from worker.sandbox.state import Rokt as State

ENDPOINTS = {path: operation for operation, paths in PATHS.items() for path in paths}


@dataclass(frozen=True, slots=True)
class Network:
    """The way to Rokt: seconds that a request, and an answer, takes at most, and how often nobody takes it."""

    slowest: float = 0.05
    refuses: float = 0.0


@dataclass(eq=False, slots=True)
class Sent:
    """One request: what it was, and what became of it. Moments are virtual seconds; None: it did not happen.

    `retry_after` (seconds) is what the answer that was heard asked for; `broke`: the connection failed instead.
    """

    number: int
    by: Process
    operation: str
    path: str
    key: str
    body: dict[str, Any]
    sent_at: float
    processed_at: float | None = None
    status: int | None = None
    applied: bool = False
    refused_items: frozenset[str] = frozenset()
    heard: int | None = None
    retry_after: int | None = None
    broke: bool = False
    over_at: float | None = None


@dataclass(slots=True)
class Weather:
    """What is in force at the moment; the world changes it. `poison` is one cart's own, whatever befalls the others.

    Calls of `declined` carts are judged, and rejected; an `illness` is one cart's too.
    """

    network: Network = field(default_factory=Network)
    faults: Faults = field(default_factory=Faults)
    poison: Faults = field(default_factory=Faults)
    declined: frozenset[str] = frozenset()
    illness: Faults | None = None


class Judge(State):
    """The sandbox's judgement, which is wrong about the `declined` carts, and for a while about some items."""

    def __init__(self, like: State, declined: Callable[[], frozenset[str]]) -> None:
        super().__init__(like._rules, like._clock, like._random)
        self._declined = declined

    def handle(self, message: Message) -> Done | Refused:
        """Applies one valid request, or refuses it."""
        cart = self.cart_of(message.item_reservation_id) if isinstance(message, Cancel) else ""
        if (getattr(message, "cart_id", "") or cart) in self._declined():
            return Refused(422, "Declined", "This cart is declined", {})
        return super().handle(message)

    def fails_items(self, marker: str) -> None:
        """Those with this in their id, inside the 200; empty: none."""
        self._rules = replace(self._rules, fail_items=marker)


class SimulatedRokt:
    """One Rokt for all processes. `now` gives epoch seconds; `weather` may be changed at any time.

    `sent` are the requests that were sent, `tried` those too that nobody took.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], float],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        trace: Trace,
        chance: Random,
        settings: Settings,
    ) -> None:
        self._loop = loop
        self._spawn = spawn
        self._trace = trace
        self._chance = chance
        self.weather = Weather(faults=settings.faults)
        self.sandbox = Sandbox(settings, now, asyncio.Event())
        self.sandbox.rokt = self.judge = Judge(self.sandbox.rokt, lambda: self.weather.declined)
        self.sent: list[Sent] = []
        self.tried: list[Sent] = []

    async def exchange(self, process: Process, request: Request) -> Response:
        """Sends a request. Raises httpx.TransportError, as worker.rokt.transport does."""
        process.step("connect to Rokt")
        sent = self._tried(process, request)
        try:
            if self._chance.random() < self.weather.network.refuses:
                await self._pass_time()
                raise httpx.ConnectError("no connection (ConnectionRefusedError)")
            request.connected = True
            return await self._exchange(sent, request)
        except httpx.TransportError:
            sent.broke = True
            raise
        finally:
            sent.over_at = self._loop.time()

    async def _exchange(self, sent: Sent, request: Request) -> Response:
        sent.number = len(self.sent) + 1
        self.sent.append(sent)
        told = {"number": sent.number, "operation": sent.operation, "key": sent.key, "body": sent.body}
        self._trace.note(sent.by.name, "sent", **told)
        answer: asyncio.Future[Response] = self._loop.create_future()
        self._spawn(self._serve(sent, request, answer))
        try:
            sent.by.step("sent to Rokt")
            response = await answer
            sent.by.step("answered by Rokt")
            sent.heard = response.status
            if (wait := response.header(b"retry-after")) is not None:
                sent.retry_after = int(wait)
            return response
        finally:
            answer.cancel()

    def _tried(self, process: Process, request: Request) -> Sent:
        path = request.target.path.decode()
        body: dict[str, Any] = msgspec.json.decode(request.body or b"{}")
        key = _headers(request).get("idempotency-key", "").strip('"')
        sent = Sent(0, process, str(ENDPOINTS.get(path)), path, key, body, sent_at=self._loop.time())
        self.tried.append(sent)
        return sent

    async def _serve(self, sent: Sent, request: Request, answer: asyncio.Future[Response]) -> None:
        await self._pass_time()
        operation = ENDPOINTS.get(sent.path)
        if operation is None:
            self._give(answer, Refused(404, "NotFound", "Not Found", {}))
            return
        incoming = Incoming(operation, _headers(request), parse(operation, request.body))
        fault = self._fault(operation, self.sandbox._cart(incoming.message))
        result: Done | Refused | None = None
        if not (isinstance(fault, ResetBefore | HangBefore) or (isinstance(fault, Status) and not fault.applied)):
            result = self.sandbox.process(incoming)
            self._processed(sent, operation, result)
        self._trace.note("rokt", "processed", number=sent.number, fault=fault.name, status=sent.status)
        await self._pass_time()
        await self._answer(answer, fault, result)

    def _fault(self, operation: Operation, cart: str) -> Fault:
        """A poisonous cart's own comes before what befalls all."""
        if (illness := self.weather.illness) is not None:
            own = decide(illness, operation, cart, self._chance, 0.0)
            if not isinstance(own, Pass):
                return own
        own = decide(self.weather.poison, operation, cart, self._chance, 0.0)
        return decide(self.weather.faults, operation, cart, self._chance, 0.0) if isinstance(own, Pass) else own

    def _processed(self, sent: Sent, operation: Operation, result: Done | Refused) -> None:
        sent.processed_at = self._loop.time()
        sent.status = result.status if isinstance(result, Refused) else 200
        sent.applied = isinstance(result, Done)
        if isinstance(result, Done) and result.body is not None and operation is not Operation.PLACEMENTS:
            items = result.body.get("items", [])
            sent.refused_items = frozenset(i["cartItemId"] for i in items if i.get("success") is False)

    async def _answer(
        self,
        answer: asyncio.Future[Response],
        fault: Fault,
        result: Done | Refused | None,
    ) -> None:
        match fault:
            case Pass():
                self._give(answer, result or Done(None))
            case Status(status, retry_after):
                headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
                self._give(answer, Refused(status, "Ordered", "This error was ordered from the sandbox", {}), headers)
            case ResetBefore() | ResetAfter() | HangBefore() | HangAfter():
                if isinstance(fault, HangBefore | HangAfter):
                    await asyncio.sleep(self.weather.faults.hang_seconds)
                if not answer.done():
                    answer.set_exception(httpx.ReadError("the connection broke"))

    def _give(
        self,
        answer: asyncio.Future[Response],
        result: Done | Refused,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not answer.done():
            told = respond(result, headers)
            answer.set_result(Response(told.status_code, told.raw_headers, bytes(told.body)))

    async def _pass_time(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, self.weather.network.slowest))


class Transport:
    """The way of one process to Rokt."""

    def __init__(self, rokt: SimulatedRokt, process: Process) -> None:
        self._rokt = rokt
        self._process = process

    async def exchange(self, request: Request, limits: Timeouts) -> Response:
        """See `worker.rokt.exchange.Transport`."""
        async with asyncio.timeout(limits.total):
            return await self._rokt.exchange(self._process, request)

    async def close(self) -> None:
        """See `worker.rokt.exchange.Transport`."""


def _headers(request: Request) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in request.all_headers}
