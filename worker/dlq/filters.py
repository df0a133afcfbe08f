"""Which dead letters are meant. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from worker.decode.decoder import Decoded, InvalidEvent, Tombstone, Undecodable
from worker.dlq.letter import Letter, Place
from worker.events import CartAbandoned, Event
from worker.keys import Operation
from worker.telemetry.names import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a letter has to be; nothing given means anything. `topics` are dead-letter topics; times in milliseconds."""

    topics: Collection[str] = ()
    reasons: Collection[Reason] = ()
    operations: Collection[Operation] = ()
    statuses: Collection[int] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    carts: Collection[str] = ()
    orders: Collection[str] = ()
    keys: Collection[str] = ()
    places: Collection[Place] = ()

    @property
    def narrow(self) -> bool:
        """Whether anything is asked for at all."""
        asked = (self.topics, self.reasons, self.operations, self.statuses, self.keys, self.places)
        return any(asked) or self.about_events or self.since_ms is not None or self.until_ms is not None

    @property
    def about_events(self) -> bool:
        """Whether the event in a letter has to be looked at."""
        return bool(self.carts or self.orders)

    def admit(self, letter: Letter) -> bool:
        """What the headers tell; `since_ms` <= failed at < `until_ms`."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.operations or letter.operation in self.operations)
            and (not self.statuses or letter.http_status in self.statuses)
            and (not self.keys or letter.key in self.keys)
            and (not self.places or letter.place in self.places)
            and (self.since_ms is None or letter.failed_at_ms >= self.since_ms)
            and (self.until_ms is None or letter.failed_at_ms < self.until_ms)
        )

    def admit_event(self, decoded: Decoded | None) -> bool:
        """What the event tells; one that cannot be read is nobody's."""
        event = event_of(decoded)
        if event is None:
            return not self.about_events
        return (not self.carts or cart_of(event) in self.carts) and (not self.orders or order_of(event) in self.orders)


def event_of(decoded: Decoded | None) -> Event | None:
    """The event, where there is one."""
    return None if isinstance(decoded, Tombstone | Undecodable | InvalidEvent | None) else decoded


def cart_of(event: Event | None) -> str | None:
    """Its cart, if it names one."""
    return None if event is None else event.cart_id or None


def order_of(event: Event | None) -> str | None:
    """Its order, if it has one."""
    return None if event is None or isinstance(event, CartAbandoned) else event.order_id
