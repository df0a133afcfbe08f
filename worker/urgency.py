"""Who goes first when calls are scarce, and what of a shared limit is kept for whom. Pure.

A reservation that is not confirmed in time is a lost sale, a cancel is owed to a customer, a release is a courtesy. So
no backlog of one kind may take all the room, neither from the more urgent nor, while it waits for an endpoint that is
down, from the others whose endpoints work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, Generic, Literal, TypeVar

from worker.events import CartAbandoned, CheckoutCompleted, Event, EventType, OrderCancelled
from worker.keys import Operation

T = TypeVar("T")
Kind = Literal["no-call", "confirm", "cancel", "release"]

BY_URGENCY: Final[tuple[Kind, ...]] = ("no-call", "confirm", "cancel", "release")
KEPT: Final[Mapping[Kind, float]] = {"no-call": 0.0, "confirm": 1 / 4, "cancel": 1 / 4, "release": 1 / 8}


def kind_of(event: Event | None) -> Kind:
    """What an event asks for; what has no event (a tombstone, a record that cannot be read) needs no call."""
    match event:
        case None:
            return "no-call"
        case CheckoutCompleted():
            return "confirm"
        case OrderCancelled():
            return "cancel"
        case CartAbandoned():
            return "release"


def asked_by(configured: EventType | None) -> Operation | None:
    """The call that a topic's events ask for, by the type that it is configured for; None: it may be any."""
    match configured:
        case "CheckoutCompleted":
            return "confirm"
        case "OrderCancelled":
            return "cancel"
        case "CartAbandoned":
            return "release"
        case None:
            return None


def kind_in(configured: EventType | None) -> Kind:
    """What a topic holds, by the type that it is configured for; one with several may hold the most urgent."""
    return asked_by(configured) or "confirm"


def room(kind: Kind, taken: Mapping[Kind, int], limit: int) -> int:
    """How much of a limit a kind may have; `taken` is what each kind has that shares in it.

    Nobody's is what the others have, or what is kept for them. With all kinds: releases get at most half of a limit,
    releases and cancels three quarters, confirms five eighths.
    """
    others = sum(max(has, _kept(other, limit)) for other, has in taken.items() if other != kind)
    return max(limit - others, _kept(kind, limit))


def _kept(kind: Kind, limit: int) -> int:
    return int(limit * KEPT[kind])


class Ready(Generic[T]):
    """Those whose turn it is, the most urgent first; so many may be begun at one time as `limit` has room for."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._nobodys = limit - sum(_kept(kind, limit) for kind in BY_URGENCY)
        self._waiting: dict[Kind, deque[T]] = {kind: deque() for kind in BY_URGENCY}
        self._begun: dict[Kind, int] = dict.fromkeys(BY_URGENCY, 0)

    def add(self, work: T, kind: Kind) -> None:
        """Puts one behind those of its kind."""
        self._waiting[kind].append(work)

    def begin(self) -> T | None:
        """Takes the next one that there is room for, and counts it as begun until it is `over`."""
        for kind, waiting in self._waiting.items():
            if waiting and (self.begun < self._nobodys or self._begun[kind] < room(kind, self._begun, self._limit)):
                self._begun[kind] += 1
                return waiting.popleft()
        return None

    @property
    def begun(self) -> int:
        """How many are begun."""
        return sum(self._begun.values())

    def over(self, kind: Kind) -> None:
        """One that was begun is no more."""
        self._begun[kind] -= 1
