"""The ledger's tables as both databases have them: columns, and the values of a row. Pure.

What is never searched for is kept as JSON text in one column. Times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
RESERVATIONS: Final = ("id", "state", "pending", "owner", "key")
ORDERS: Final = ("id", "settled", "under_way", "items", "whole", "called_off")


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


def from_call(row: Mapping[str, Any]) -> Entry:
    """A row of `calls` as an entry. Raises msgspec.ValidationError for a row that is none of ours."""
    return Entry(
        key=row["key"],
        operation=row["operation"],
        cart_id=row["cart_id"],
        order_id=row["order_id"],
        fingerprint=row["fingerprint"],
        origin=Origin(
            row["event_id"],
            row["occurred_at_ms"],
            row["source_topic"],
            row["source_partition"],
            row["source_offset"],
            row["trace_id"],
            row["span_id"],
        ),
        owner=row["owner"],
        token=row["token"],
        begun_at_ms=row["begun_at_ms"],
        maybe_sent=bool(row["maybe_sent"]),
        attempts=row["attempts"],
        status=row["status"],
        http_status=row["http_status"],
        items=msgspec.json.decode(row["items"], type=tuple[ItemAnswer, ...]) if row["items"] else (),
        death=msgspec.json.decode(row["death"], type=Death) if row["death"] else None,
        settled_at_ms=row["settled_at_ms"],
        published=bool(row["published"]),
        redo=row["redo"],
    )


def to_reservation(reservation: Reservation) -> Row:
    """A reservation as a row of `reservations`."""
    return reservation.id, reservation.state, reservation.pending, reservation.owner, reservation.key


def from_reservation(row: Mapping[str, Any]) -> Reservation:
    """A row of `reservations`."""
    return Reservation(row["id"], row["state"], row["pending"], row["owner"], row["key"])


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


def from_order(row: Mapping[str, Any]) -> Order:
    """A row of `orders`."""
    return Order(
        id=row["id"],
        settled=row["settled"],
        under_way=msgspec.json.decode(row["under_way"], type=dict[str, Begun]) if row["under_way"] else {},
        items=msgspec.json.decode(row["items"], type=tuple[CallItem, ...]) if row["items"] else (),
        whole=bool(row["whole"]),
        called_off=frozenset(msgspec.json.decode(row["called_off"], type=list[CallItem]) if row["called_off"] else ()),
    )


def _by_ids(item: CallItem) -> tuple[str, str]:
    return item.cart_item_id or "", item.item_reservation_id or ""


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
