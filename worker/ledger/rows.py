"""The ledger's tables as both databases have them: columns, and the values of a row. Pure.

What is never searched for is kept as JSON text in one column. Times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from worker.carts import Begun, Order, Reservation
from worker.ledger.entries import Entry, Origin
from worker.mapping import CallItem
from worker.rokt.answers import ItemAnswer
from worker.verdict import Death

Value = str | int | bytes | bool | None
Row = Sequence[Value]

CALLS: Final = (
    "key", "operation", "cart_id", "order_id", "fingerprint", "event_id", "occurred_at_ms", "source_topic",
    "source_partition", "source_offset", "trace_id", "owner", "token", "begun_at_ms", "maybe_sent", "attempts",
    "status", "http_status", "items", "death", "settled_at_ms", "published", "redo", "span_id",
)  # fmt: skip
FLAGS: Final = ("maybe_sent", "published", "whole")
"""The columns whose values are true or false."""
BYTES: Final = ("fingerprint",)
"""The column whose values are not text."""
RESERVATIONS: Final = ("id", "state", "pending", "owner", "key")
ORDERS: Final = ("id", "settled", "under_way", "items", "whole", "called_off")


_ENCODER: Final = msgspec.json.Encoder()
_ANSWERS: Final = msgspec.json.Decoder(tuple[ItemAnswer, ...])
_DEATH: Final = msgspec.json.Decoder(Death)
_BEGUN: Final = msgspec.json.Decoder(dict[str, Begun])
_ITEMS: Final = msgspec.json.Decoder(tuple[CallItem, ...])


def to_call(entry: Entry) -> Row:
    """An entry as a row of `calls`."""
    origin = entry.origin
    return (
        entry.key,
        entry.operation,
        entry.cart_id,
        entry.order_id,
        entry.fingerprint,
        origin.event_id,
        origin.occurred_at_ms,
        origin.topic,
        origin.partition,
        origin.offset,
        origin.trace_id,
        entry.owner,
        entry.token,
        entry.begun_at_ms,
        entry.maybe_sent,
        entry.attempts,
        entry.status,
        entry.http_status,
        _text(entry.items) if entry.items else None,
        _text(entry.death) if entry.death is not None else None,
        entry.settled_at_ms,
        entry.published,
        entry.redo,
        origin.span_id,
    )


def from_call(row: Sequence[Any]) -> Entry:
    """A row of `calls` as an entry. Raises msgspec.ValidationError for a row that is none of ours."""
    (key, operation, cart_id, order_id, fingerprint, event_id, occurred_at_ms, topic, partition, offset, trace_id,
     owner, token, begun_at_ms, maybe_sent, attempts, status, http_status, items, death, settled_at_ms, published, redo,
     span_id) = row  # fmt: skip
    return Entry(
        key=key,
        operation=operation,
        cart_id=cart_id,
        order_id=order_id,
        fingerprint=fingerprint,
        origin=Origin(event_id, occurred_at_ms, topic, partition, offset, trace_id, span_id),
        owner=owner,
        token=token,
        begun_at_ms=begun_at_ms,
        maybe_sent=bool(maybe_sent),
        attempts=attempts,
        status=status,
        http_status=http_status,
        items=_ANSWERS.decode(items) if items else (),
        death=_DEATH.decode(death) if death else None,
        settled_at_ms=settled_at_ms,
        published=bool(published),
        redo=redo,
    )


def to_reservation(reservation: Reservation) -> Row:
    """A reservation as a row of `reservations`."""
    return reservation.id, reservation.state, reservation.pending, reservation.owner, reservation.key


def from_reservation(row: Sequence[Any]) -> Reservation:
    """A row of `reservations`."""
    return Reservation(*row)


def to_order(order: Order) -> Row:
    """An order as a row of `orders`."""
    return (
        order.id,
        order.settled,
        _text(order.under_way) if order.under_way else None,
        _text(order.items) if order.items else None,
        order.whole,
        _text(sorted(order.called_off, key=_by_ids)) if order.called_off else None,
    )


def from_order(row: Sequence[Any]) -> Order:
    """A row of `orders`."""
    id_, settled, under_way, items, whole, called_off = row
    return Order(
        id=id_,
        settled=settled,
        under_way=_BEGUN.decode(under_way) if under_way else {},
        items=_ITEMS.decode(items) if items else (),
        whole=bool(whole),
        called_off=frozenset(_ITEMS.decode(called_off) if called_off else ()),
    )


def _by_ids(item: CallItem) -> tuple[str, str]:
    return item.cart_item_id or "", item.item_reservation_id or ""


def _text(value: object) -> str:
    return _ENCODER.encode(value).decode()
