"""From carts to records: bytes, headers, when each is published, and what must become of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import msgspec

from worker.demo.fates import Fate, Kind, State
from worker.demo.story import Cart, Item, Role
from worker.events import rfc3339
from worker.sandbox.reservations import reservation_of

PAID_TOPIC: Final = "checkout-completed"
CANCELLED_TOPIC: Final = "order-cancelled"
ABANDONED_TOPIC: Final = "cart-abandoned"
SOURCES: Final = (PAID_TOPIC, CANCELLED_TOPIC, ABANDONED_TOPIC)

GARBLED: Final = (b'{"eventId": "e-17", "cartId": "cart-', b"\xff\xfe\x00\x01 not an event", b"checkout;17;EUR", b"")
ILL_FORMED: Final[tuple[dict[str, Any], ...]] = (
    {"cartId": None},
    {"items": "two"},
    {"occurredAt": "yesterday"},
    {"items": [{"cartItemId": "item-1", "quantity": "one"}]},
    {"items": [{"cartItemId": "item-1"}]},
)
CANCELLED_SHARE: Final = 0.16
REPEATED_SHARE: Final = 0.05
REPUBLISHED_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish, `due` seconds from the beginning, and not before record `after` has its outcomes."""

    number: int
    topic: str
    key: str
    value: bytes | None
    due: float
    fate: Fate
    trace_id: str
    span_id: str
    after: int | None = None

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """As a shop with tracing of its own would send them (W3C Trace Context)."""
        return [("traceparent", f"00-{self.trace_id}-{self.span_id}-01".encode()), ("source", b"shop")]


@dataclass(frozen=True, slots=True)
class Script:
    """All records by number, and how Rokt must end: reservations by id, and the orders it must know."""

    records: tuple[Record, ...]
    reservations: Mapping[str, State]
    orders: frozenset[str]


def compose(
    carts: tuple[Cart, ...], reserved: Mapping[tuple[str, str], str], begin: datetime, random: Random
) -> Script:
    """The script of these carts. `reserved` gives the reservation of (cart id, item id)."""
    writer = _Writer(reserved, begin, random)
    for cart in carts:
        writer.write(cart)
    return Script(tuple(writer.records), writer.reservations, frozenset(writer.orders))


@dataclass
class _Writer:
    reserved: Mapping[tuple[str, str], str]
    begin: datetime
    random: Random
    records: list[Record] = field(default_factory=list)
    reservations: dict[str, State] = field(default_factory=dict)
    orders: set[str] = field(default_factory=set)

    def write(self, cart: Cart) -> None:
        for item in cart.items:
            if item.reserved:
                self.reservations[self._reservation(cart, item)] = State.HELD
        match cart.role:
            case Role.PAID | Role.PLAIN | Role.ITEM_FAILS:
                self._paid(cart)
            case Role.ABANDONED | Role.EMPTY:
                self._abandoned(cart)
            case Role.NO_SESSION:
                event = self._checkout(cart)
                del event["roktSessionId"]
                self._add(PAID_TOPIC, cart, event, Fate(Kind.REFUSED, "refused"))
            case Role.NEVER_PAID:
                event = self._cancel(cart, cart.items)
                self._add(CANCELLED_TOPIC, cart, event, Fate(Kind.REFUSED, "refused", len(cart.items)))
            case Role.GARBLED:
                fate = Fate(Kind.GARBLED, "buried", 0, "undecodable")
                self._add(PAID_TOPIC, cart, self.random.choice(GARBLED), fate)
            case Role.ILL_FORMED:
                event = self._checkout(cart) | self.random.choice(ILL_FORMED)
                self._add(PAID_TOPIC, cart, event, Fate(Kind.ILL_FORMED, "buried", 0, "invalid"))
            case Role.TOMBSTONE:
                self._add(PAID_TOPIC, cart, None, Fate(Kind.TOMBSTONE, "skipped", 0))

    def _paid(self, cart: Cart) -> None:
        failing = [item for item in cart.items if item.fails]
        kind = Kind.ITEM_FAILS if failing else Kind.PAID if cart.items else Kind.PLAIN
        ending: Any = "done" if not failing else "partly" if len(failing) < len(cart.items) else "failed"
        event = self._checkout(cart)
        paid = self._add(PAID_TOPIC, cart, event, Fate(kind, ending))
        self.orders.add(cart.order_id)
        for item in cart.items:
            if not item.fails:
                self.reservations[self._reservation(cart, item)] = State.CONFIRMED
        if ending != "done":
            return
        self._publish_again(paid, event)
        if self.random.random() < CANCELLED_SHARE or self._first(Kind.CANCELLED if cart.items else Kind.UNNAMED):
            self._cancelled(cart, paid)

    def _cancelled(self, cart: Cart, paid: Record) -> None:
        """A shop cancels what it has seen confirmed."""
        whole = self.random.random() < 0.6
        items = cart.items if whole else cart.items[:1]
        fate = Fate(Kind.CANCELLED, "done", len(items))
        if not items:
            fate = Fate(Kind.UNNAMED, "buried", 0, "nothing-to-cancel")
        event = self._cancel(cart, items)
        late = self.random.uniform(0.3, 2.0)
        cancelled = self._add(CANCELLED_TOPIC, cart, event, fate, late=late, after=paid.number)
        for item in items:
            self.reservations[self._reservation(cart, item)] = State.CANCELLED
        if items:
            self._publish_again(cancelled, event)

    def _abandoned(self, cart: Cart) -> None:
        event = self._event(cart) | {
            "roktSessionId": cart.session_id,
            "items": [dict(self._ids(cart, item)) for item in cart.items],
        }
        if not any(item.reserved for item in cart.items):
            self._add(ABANDONED_TOPIC, cart, event, Fate(Kind.UNRESERVED, "skipped", 0))
            return
        released = self._add(ABANDONED_TOPIC, cart, event, Fate(Kind.ABANDONED, "done"))
        for item in cart.items:
            self.reservations[self._reservation(cart, item)] = State.RELEASED
        self._publish_again(released, event)

    def _publish_again(self, first: Record, event: Mapping[str, Any]) -> None:
        """As it is, after a time-out at the producer; or as a new event about the same thing, items turned round."""
        drawn = self.random.random()
        if drawn < REPEATED_SHARE or self._first(Kind.REPEATED):
            fate = replace(first.fate, kind=Kind.REPEATED, ending="again")
            value = first.value
        elif drawn < REPEATED_SHARE + REPUBLISHED_SHARE or self._first(Kind.REPUBLISHED):
            fate = replace(first.fate, kind=Kind.REPUBLISHED, ending="again")
            value = _json({**event, "eventId": self._id(), "items": event["items"][::-1]})
        else:
            return
        due = first.due + self.random.uniform(0.05, 3.0)
        after = first.number if first.after is not None else None
        again = replace(first, number=len(self.records), value=value, due=due, fate=fate, after=after)
        self.records.append(replace(again, trace_id=self._hex(128), span_id=self._hex(64)))

    def _first(self, kind: Kind) -> bool:
        return all(record.fate.kind is not kind for record in self.records)

    def _add(
        self,
        topic: str,
        cart: Cart,
        event: Mapping[str, Any] | bytes | None,
        fate: Fate,
        *,
        late: float = 0.0,
        after: int | None = None,
    ) -> Record:
        value = event if event is None or isinstance(event, bytes) else _json(event)
        record = Record(
            len(self.records), topic, cart.id, value, cart.due + late, fate, self._hex(128), self._hex(64), after
        )
        self.records.append(record)
        return record

    def _checkout(self, cart: Cart) -> dict[str, Any]:
        return self._event(cart) | {
            "orderId": cart.order_id,
            "roktSessionId": cart.session_id,
            "locale": self.random.choice(("en-US", "en-GB", "de-DE")),
            "items": [dict(self._checkout_item(cart, item)) for item in cart.items],
            "attributes": {"country": self.random.choice(("US", "GB", "DE"))},
        }

    def _checkout_item(self, cart: Cart, item: Item) -> Iterator[tuple[str, Any]]:
        yield from self._ids(cart, item)
        yield "quantity", item.quantity
        yield "unitPrice", str(item.unit_price)
        yield "totalPrice", str(item.unit_price * item.quantity)
        yield "currency", "USD"

    def _cancel(self, cart: Cart, items: tuple[Item, ...]) -> dict[str, Any]:
        named = [{"cartItemId": item.id, "itemReservationId": self._reservation(cart, item)} for item in items]
        return self._event(cart) | {"orderId": cart.order_id, "items": named}

    def _event(self, cart: Cart) -> dict[str, Any]:
        moment = rfc3339(self.begin + timedelta(seconds=cart.due))
        return {"eventId": self._id(), "occurredAt": moment, "cartId": cart.id}

    def _ids(self, cart: Cart, item: Item) -> Iterator[tuple[str, Any]]:
        yield "cartItemId", item.id
        if item.reserved:
            yield "itemReservationId", self._reservation(cart, item)

    def _reservation(self, cart: Cart, item: Item) -> str:
        return self.reserved[cart.id, item.id] if item.reserved else reservation_of(cart.id, item.id)

    def _id(self) -> str:
        return f"event-{self._hex(64)}"

    def _hex(self, bits: int) -> str:
        return f"{self.random.getrandbits(bits) | 1:0{bits // 4}x}"


def _json(event: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(event)
