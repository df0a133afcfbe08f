"""The answer as JSON: what a program may rely on. Pure. No price, no attribute of a customer, no address of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.carts import Order, Reservation
from worker.events import instant, rfc3339
from worker.explain.happenings import Happening
from worker.explain.story import Story
from worker.explain.waits import waits
from worker.ledger.entries import Entry
from worker.mapping import CallItem

LINK_FOR = "{trace_id}"


def document(
    story: Story, happenings: Sequence[Happening], link: str | None, topics: dict[str, Any] | None
) -> dict[str, Any]:
    """`link` is the tracing backend's pattern; `topics` says what was read of them, None when they were not asked."""
    return {
        "id": story.id,
        "kinds": list(story.kinds),
        "at": moment(story.now_ms),
        "searched": {"ledgerBackTo": moment(story.back_to_ms), "complete": story.complete, "topics": topics},
        "happenings": [_happening(each, link) for each in happenings],
        "calls": [_call(story, entry, link) for entry in story.calls],
        "reservations": [_reservation(story, each) for each in story.reservations.values()],
        "orders": [_order(story, order) for order in story.orders.values()],
        "waits": waits(story),
    }


def moment(ms: int | None) -> str | None:
    """Milliseconds since 1970 as RFC 3339 text; one that no calendar has is left out."""
    try:
        return None if ms is None else rfc3339(instant(ms))
    except ValueError:
        return None


def linked(link: str | None, trace_id: str | None) -> str | None:
    """The page of a trace in the tracing backend."""
    return link.replace(LINK_FOR, trace_id) if link and trace_id else None


def _happening(each: Happening, link: str | None) -> dict[str, Any]:
    topic, partition, offset = each.place or (None, None, None)
    return {
        "at": moment(each.at_ms),
        "what": each.what,
        "text": each.text,
        "idempotencyKey": each.key,
        "traceId": each.trace_id,
        "traceLink": linked(link, each.trace_id),
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "bad": each.bad,
    }


def _call(story: Story, entry: Entry, link: str | None) -> dict[str, Any]:
    origin = entry.origin
    return {
        "idempotencyKey": entry.sent_key,
        "earlierKeys": list(entry.sent_keys[:-1]),
        "named": entry.key in story.named,
        "operation": entry.operation,
        "cartId": entry.cart_id,
        "orderId": entry.order_id,
        "status": entry.status,
        "httpStatus": entry.http_status,
        "attempts": entry.attempts,
        "maybeSent": entry.maybe_sent,
        "begunAt": moment(entry.begun_at_ms),
        "settledAt": moment(entry.settled_at_ms),
        "outcomePublished": entry.published,
        "owner": entry.owner,
        "ownerLives": entry.owner in story.live,
        "inFlight": story.in_flight(entry),
        "deadLetterReason": entry.death.reason if entry.death is not None else None,
        "eventId": origin.event_id,
        "occurredAt": moment(origin.occurred_at_ms),
        "sourceTopic": origin.topic,
        "sourcePartition": origin.partition,
        "sourceOffset": origin.offset,
        "traceId": origin.trace_id,
        "traceLink": linked(link, origin.trace_id),
        "items": [
            {
                "cartItemId": item.cart_item_id,
                "itemReservationId": item.item_reservation_id,
                "itemConfirmationId": item.item_confirmation_id,
                "success": item.success,
            }
            for item in entry.items
        ],
    }


def _reservation(story: Story, each: Reservation) -> dict[str, Any]:
    return {
        "id": each.id,
        "state": each.state or None,
        "pending": each.pending,
        "pendingKey": each.key or None,
        "inFlight": each.pending is not None and each.owner in story.live,
    }


def _order(story: Story, order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "confirmsSettled": order.settled,
        "confirmsUnderWay": [
            {"idempotencyKey": key, "inFlight": begun.owner in story.live, "items": _items(begun.items)}
            for key, begun in order.under_way.items()
        ],
        "confirmed": _items(order.items),
        "calledOff": "whole" if order.whole else "items" if order.called_off else "nothing",
        "calledOffItems": _items(sorted(order.called_off, key=lambda item: (item.cart_item_id or "", repr(item)))),
    }


def _items(items: Sequence[CallItem]) -> list[dict[str, str | None]]:
    return [{"cartItemId": item.cart_item_id, "itemReservationId": item.item_reservation_id} for item in items]
