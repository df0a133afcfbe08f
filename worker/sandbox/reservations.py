"""Reservations and orders as the sandbox keeps them: frozen values, replaced at every step."""

import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

HISTORY_KEPT = 20
PREFIX = "rokt_item_reservation_id."


class State(StrEnum):
    HELD = "held"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done, or refused, to a reservation; `time` in epoch seconds, `state` after it."""

    time: float
    operation: str
    success: bool
    state: State


@dataclass(frozen=True, slots=True)
class Reservation:
    """`confirms`, `cancels`, `releases` count what took effect; `refusals` what did not."""

    id: str
    cart_id: str
    cart_item_id: str
    state: State = State.HELD
    order_id: str | None = None
    expires_at: float | None = None
    confirms: int = 0
    cancels: int = 0
    releases: int = 0
    refusals: int = 0
    history: tuple[Step, ...] = ()
    history_dropped: int = 0

    def with_step(self, time: float, operation: str, *, success: bool) -> Self:
        """The same with one more step in its history, of which the last `HISTORY_KEPT` stay."""
        step = Step(time, operation, success, self.state)
        return replace(
            self,
            refusals=self.refusals + (not success),
            history=(*self.history, step)[-HISTORY_KEPT:],
            history_dropped=self.history_dropped + (len(self.history) == HISTORY_KEPT),
        )


@dataclass(frozen=True, slots=True)
class Order:
    cart_id: str
    confirms: int = 0
    empty_confirms: int = 0


def reservation_of(cart_id: str, cart_item_id: str) -> str:
    """The reservation id of an item that is confirmed by quantity alone: the same for the same cart and item."""
    return f"{PREFIX}{uuid.uuid5(uuid.NAMESPACE_OID, f'{len(cart_id)}:{cart_id}{cart_item_id}')}"
