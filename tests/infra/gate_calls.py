"""Calls that go through one gate as `worker/calling.py` sends them, to a Rokt that is a function."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from infra.virtual_loop import clock, now
from worker.gate.circuit import Closed, Notice, Opened, StillOpen
from worker.gate.gate import Gate
from worker.gate.quota import Quota
from worker.gate.traffic import Rules
from worker.gate.turn import Turn
from worker.keys import Operation
from worker.mapping import Call, CallItem
from worker.retry import Backoff
from worker.rokt.answers import Accepted, Answer, Conflict, Denied, Failed, Refused, Throttled
from worker.stopping import Stop
from worker.verdict import History, Settled, Standing, judge

T = TypeVar("T")

TAKEN = Accepted(200, ())
REFUSED = Refused(404, "")
CONFLICT = Conflict(409, "")
DENIED = Denied(401, "")
THROTTLED = Throttled(429, "", None)
BROKEN = Failed("server-error", "Rokt answered 503", True, 503)
UNREACHED = Failed("not-connected", "connection refused", False)

PROBE = Backoff(1.0, 5.0)
DENIED_PROBE = Backoff(1.0, 8.0)
RETRY = Backoff(0.1, 30.0)


def rules(*, concurrency: int = 64, attempts: int = 8, rejections: int = 50, probe: Backoff = PROBE) -> Rules:
    """The worker's own, unless said otherwise."""
    return Rules(concurrency, attempts, rejections, probe, DENIED_PROBE)


OURS = rules()


def held(seconds: float) -> Throttled:
    """429 with a Retry-After."""
    return Throttled(429, "", seconds)


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt that set out, at so many seconds."""

    at: float
    cart: str
    operation: Operation


Rokt = Callable[[Sent], Answer]


class Calls:
    """`sent` are all attempts, `settled` what became of each call, `notices` what the gate told, with its time."""

    def __init__(self, rokt: Rokt = lambda _: TAKEN, rules: Rules = OURS, quota: Quota | None = None) -> None:
        self.rokt = rokt
        self.sent: list[Sent] = []
        self.settled: dict[str, Settled] = {}
        self.told: list[tuple[float, Notice]] = []
        self.stop = Stop()
        self.under_way = 0
        self.most_under_way = 0
        self.gate = Gate(rules, clock=clock, notify=lambda one: self.told.append((now(), one)), quota=quota)

    async def attempt(
        self, turn: Turn, answer: Answer | None = None, *, takes: float = 0.0, finish: bool = False
    ) -> Standing:
        """One attempt with this answer, else with Rokt's."""
        async with self.gate.turn(turn, self.stop, finish=finish):
            sent = Sent(now(), turn.cart, turn.operation)
            self.sent.append(sent)
            self.under_way += 1
            self.most_under_way = max(self.under_way, self.most_under_way)
            try:
                await asyncio.sleep(takes)
                turn.answer = answer or self.rokt(sent)
            finally:
                self.under_way -= 1
        return turn.standing

    async def one(self, cart: str, answer: Answer | None = None, *, takes: float = 0.0) -> Standing:
        """One attempt to confirm this cart."""
        return await self.attempt(Turn("confirm", cart), answer, takes=takes)

    async def call(
        self,
        cart: str,
        operation: Operation = "confirm",
        *,
        takes: float = 0.01,
        wait: Callable[[], float] = lambda: 1.0,
    ) -> Settled:
        """Attempts until one settles the call; `wait` gives the part of the longest backoff that is waited."""
        turn, history = Turn(operation, cart), History()
        while True:
            standing = await self.attempt(turn, takes=takes)
            assert turn.answer is not None
            verdict = judge(to_call(cart, operation), turn.answer, history, standing)
            if isinstance(verdict, Settled):
                self.gate.settled(turn, rejected=verdict.death is not None and verdict.death.reason == "rejected")
                self.settled[cart] = verdict
                return verdict
            history = history.after(turn.answer)
            if not self.gate.shut_for(operation):
                await asyncio.sleep(RETRY.delay(history.attempts, wait))

    def names(self, *, since: float = -1.0) -> list[str]:
        """Whose attempts set out later than that, one after another."""
        return [sent.cart for sent in self.sent if sent.at > since]

    def times(self, *, since: float = -1.0) -> list[float]:
        """When the attempts set out that did so later than that."""
        return [sent.at for sent in self.sent if sent.at > since]

    @property
    def notices(self) -> list[Notice]:
        """What the gate told."""
        return [notice for _, notice in self.told]

    @property
    def openings(self) -> list[str]:
        """Which circuits opened, one after another."""
        return [notice.circuit for notice in self.notices if isinstance(notice, Opened)]

    @property
    def closings(self) -> list[str]:
        """Which circuits closed, one after another."""
        return [notice.circuit for notice in self.notices if isinstance(notice, Closed)]

    @property
    def probes(self) -> list[StillOpen]:
        """The canaries that were not taken."""
        return [notice for notice in self.notices if isinstance(notice, StillOpen)]

    @property
    def is_open(self) -> set[str]:
        """The circuits that are open."""
        return {circuit.circuit for circuit in self.gate.state.circuits}


def to_call(cart: str, operation: Operation) -> Call:
    """A call for a verdict."""
    return Call(operation, f"key-{cart}", b"{}", bytes(16), (CallItem("i", "r"),), cart, None, None, None)


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """All of them, side by side."""
    return await asyncio.gather(*calls)


def gaps(times: Iterable[float]) -> list[float]:
    """The seconds between each and the next."""
    return [later - earlier for earlier, later in pairwise(times)]
