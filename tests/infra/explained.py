"""The JSON of `rokt-worker explain`, as a program may rely on it: nothing is missing, nothing else is there."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

Words = str | None
Operation = Literal["confirm", "cancel", "release"]


class Shape(Struct, forbid_unknown_fields=True, rename="camel"):
    """Every field is required."""


class Topics(Shape):
    names: list[str]
    since: datetime
    records: int
    troubles: list[str]


class Searched(Shape):
    ledger_back_to: datetime | None
    complete: bool
    topics: Topics | None


class Happening(Shape):
    at: datetime | None
    what: Literal["event", "call", "settled", "outcome", "dead-letter", "redrive", "discard"]
    text: str
    idempotency_key: Words
    trace_id: Words
    trace_link: Words
    topic: Words
    partition: int | None
    offset: int | None
    bad: bool


class Item(Shape):
    cart_item_id: Words
    item_reservation_id: Words


class Answered(Item):
    item_confirmation_id: Words
    success: bool


class Call(Shape):
    idempotency_key: str
    earlier_keys: list[str]
    named: bool
    operation: Operation
    cart_id: Words
    order_id: Words
    status: Literal["succeeded", "duplicate", "partial", "rejected", "superseded", "dead"] | None
    http_status: int | None
    attempts: int
    maybe_sent: bool
    begun_at: datetime
    settled_at: datetime | None
    outcome_published: bool
    owner: Words
    owner_lives: bool
    in_flight: bool
    dead_letter_reason: Words
    event_id: str
    occurred_at: datetime
    source_topic: str
    source_partition: int
    source_offset: int
    trace_id: Words
    trace_link: Words
    items: list[Answered]


class Reservation(Shape):
    id: str
    state: Literal["confirmed", "refused", "cancelled", "released"] | None
    pending: Operation | None
    pending_key: Words
    in_flight: bool


class UnderWay(Shape):
    idempotency_key: str
    in_flight: bool
    items: list[Item]


class Order(Shape):
    id: str
    confirms_settled: int
    confirms_under_way: list[UnderWay]
    confirmed: list[Item]
    called_off: Literal["whole", "items", "nothing"]
    called_off_items: list[Item]


class Explained(Shape):
    id: str
    kinds: list[Literal["cart", "order", "reservation", "event", "key", "trace"]]
    at: datetime
    searched: Searched
    happenings: list[Happening]
    calls: list[Call]
    reservations: list[Reservation]
    orders: list[Order]
    waits: list[str]


def checked(text: str) -> dict[str, Any]:
    """An answer as JSON objects. Raises msgspec.ValidationError where it has another shape."""
    msgspec.json.decode(text, type=Explained)
    found: dict[str, Any] = msgspec.json.decode(text)
    return found
