"""Which records of the topics belong to a story, and what they say of it. Pure. No price, attribute or answer's body.

A record is looked into when its bytes name an id of the story; whether it belongs there, what is decoded says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from worker.decode.decoder import Decoded, InvalidEvent, Tombstone, Undecodable
from worker.events import CartAbandoned, Event, OrderCancelled, milliseconds
from worker.explain.happenings import ITEMS_TOLD, Happening
from worker.explain.story import Story
from worker.record import Record
from worker.telemetry import names

_TRACEPARENT: Final = re.compile(rb"\A[0-9a-f]{2}-([0-9a-f]{32})-")
Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The ids of a story, as records name them."""

    id: str
    carts: frozenset[str]
    orders: frozenset[str]
    events: frozenset[str]
    keys: frozenset[str]
    traces: frozenset[str]
    places: frozenset[Place]

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """What stands in the bytes of a record that names one of the ids, as UTF-8 or as JSON escapes it."""
        ids = {self.id, *self.carts, *self.orders, *self.events, *self.keys, *self.traces}
        forms = {form.encode() for id_ in ids for form in (id_, *_escaped(id_))}
        return re.compile(b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def wanted(story: Story) -> Wanted:
    """The ids to look for. One that the ledger does not know may be any of them."""
    one = frozenset((story.id,))
    origins = [entry.origin for entry in story.calls]
    return Wanted(
        id=story.id,
        carts=story.carts | one,
        orders=frozenset(story.orders) | {entry.order_id for entry in story.calls if entry.order_id} | one,
        events=frozenset(origin.event_id for origin in origins) | one,
        keys=frozenset(key for entry in story.calls for key in entry.sent_keys) | one,
        traces=frozenset(origin.trace_id for origin in origins if origin.trace_id) | one,
        places=frozenset((origin.topic, origin.partition, origin.offset) for origin in origins),
    )


def mentioned(pattern: re.Pattern[bytes], ids: Wanted, record: Record) -> bool:
    """Whether a record may belong to the story."""
    if place(record) in ids.places:
        return True
    parts = (record.value, record.key, *(value for _, value in record.headers))
    return any(part is not None and pattern.search(part) for part in parts)


def source(ids: Wanted, record: Record, decoded: Decoded) -> Happening | None:
    """A source event, if it belongs to the story; `at` is when it occurred."""
    told = _told(decoded)
    if place(record) not in ids.places and not _belongs(ids, record, decoded):
        return None
    at = _occurred(decoded)
    bad = isinstance(decoded, Undecodable | InvalidEvent)
    when = record.timestamp_ms if at is None else at
    return Happening(when, "event", told, trace_id=trace(record), place=place(record), bad=bad)


def letter(ids: Wanted, record: Record, decoded: Decoded) -> Happening | None:
    """A dead letter, if it belongs to the story; `at` is when its event was given up."""
    said = headers(record)
    key = said.get(names.DLQ_IDEMPOTENCY_KEY) or None
    from_place = (
        said.get(names.DLQ_SOURCE_TOPIC),
        said.get(names.DLQ_SOURCE_PARTITION),
        said.get(names.DLQ_SOURCE_OFFSET),
    )
    known = {(topic, str(partition), str(offset)) for topic, partition, offset in ids.places}
    if not (key in ids.keys or from_place in known or _belongs(ids, record, decoded)):
        return None
    operation = said.get(names.DLQ_OPERATION)
    about = [f"dead-lettered: {said.get(names.DLQ_REASON) or 'no reason'}"]
    if operation:
        about.append(operation)
    if status := said.get(names.DLQ_HTTP_STATUS):
        about.append(f"HTTP {status}")
    if (attempts := said.get(names.DLQ_ATTEMPTS)) not in (None, "", "0"):
        about.append("1 attempt" if attempts == "1" else f"{attempts} attempts")
    if (redrives := said.get(names.DLQ_REDRIVES)) not in (None, "", "0"):
        about.append("redriven once before" if redrives == "1" else f"redriven {redrives} times before")
    if message := said.get(names.DLQ_MESSAGE):
        about.append(message)
    text = ", ".join(about) + f"; {_told(decoded)}"
    at = _milliseconds(said.get(names.DLQ_FAILED_AT)) or record.timestamp_ms
    return Happening(at, "dead-letter", text, order=3, key=key, trace_id=trace(record), place=place(record), bad=True)


def outcome(ids: Wanted, record: Record, fields: Mapping[str, Any]) -> Happening | None:
    """An outcome, if it belongs to the story; `at` is when it was written."""
    key = fields.get("idempotencyKey")
    belongs = (
        key in ids.keys
        or fields.get("cartId") in ids.carts
        or fields.get("orderId") in ids.orders
        or fields.get("eventId") in ids.events
        or fields.get("traceId") in ids.traces
        or any(item.get("itemReservationId") == ids.id for item in fields.get("items") or ())
    )
    if not belongs:
        return None
    text = f"outcome written: {fields.get('operation')} {fields.get('status')}"
    trace_id = fields.get("traceId")
    return Happening(record.timestamp_ms, "outcome", text, order=4, key=key, trace_id=trace_id, place=place(record))


def place(record: Record) -> Place:
    """Where a record stands."""
    return record.topic, record.partition, record.offset


def headers(record: Record) -> dict[str, str]:
    """Our headers as text; of several with one name the last counts."""
    return {name: (value or b"").decode(errors="replace") for name, value in record.headers if name.startswith("dlq.")}


def trace(record: Record) -> str | None:
    """The trace that a record belongs to, as its last `traceparent` says."""
    found = [value for name, value in record.headers if name == "traceparent" and value]
    match = _TRACEPARENT.match(found[-1]) if found else None
    return match[1].decode() if match else None


def _belongs(ids: Wanted, record: Record, decoded: Decoded) -> bool:
    if trace(record) in ids.traces:
        return True
    match decoded:
        case Undecodable() | InvalidEvent() | Tombstone():  # what it is about, nobody can tell: it names the id
            text = (ids.id, *_escaped(ids.id))
            return any(form.encode() in (part or b"") for form in text for part in (record.value, record.key))
        case event:
            order = None if isinstance(event, CartAbandoned) else event.order_id
            return (
                event.event_id in ids.events
                or (bool(event.cart_id) and event.cart_id in ids.carts)
                or order in ids.orders
                or any(item.item_reservation_id == ids.id for item in event.items)
            )


def _told(decoded: Decoded) -> str:
    match decoded:
        case Tombstone():
            return "a tombstone, skipped"
        case Undecodable(message) | InvalidEvent(message):
            return f"an event that cannot be read: {message}"
        case event:
            return _event(event)


def _event(event: Event) -> str:
    ids = [f"cart {event.cart_id}"] if event.cart_id else []
    whole = isinstance(event, OrderCancelled) and not event.items
    count = "the whole order" if whole else f"{len(event.items)} items"
    if not isinstance(event, CartAbandoned):
        ids.append(f"order {event.order_id}")
    named = [item.item_reservation_id for item in event.items if item.item_reservation_id]
    more = f" and {len(named) - ITEMS_TOLD} more" if len(named) > ITEMS_TOLD else ""
    reservations = f", reservations {', '.join(named[:ITEMS_TOLD])}{more}" if named else ""
    return f"{type(event).__name__} {event.event_id} of {', '.join(ids)}, {count}{reservations}"


def _occurred(decoded: Decoded) -> int | None:
    return None if isinstance(decoded, Undecodable | InvalidEvent | Tombstone) else milliseconds(decoded.occurred_at)


def _escaped(id_: str) -> tuple[str, str]:
    """An id as JSON may have it, beside itself."""
    text = json.dumps(id_)[1:-1]
    return text, text.replace("/", "\\/")


def _milliseconds(text: str | None) -> int | None:
    try:
        return milliseconds(datetime.fromisoformat(text)) if text else None
    except (ValueError, TypeError):
        return None
