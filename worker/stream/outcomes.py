"""The outcome record: what became of one call. Avro with a registry, JSON without."""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from worker.decode.schemas import OUTCOME, load
from worker.events import instant, rfc3339
from worker.ledger.entries import Entry
from worker.rokt.answers import ItemAnswer
from worker.stream.avro_values import AvroValues, Registrar

MOMENTS: Final = ("occurredAt", "settledAt")


def fields(entry: Entry, *, brief: bool) -> dict[str, Any]:
    """The record's fields by name, moments in milliseconds since 1970.

    `brief` leaves out the items, for a record over the topic's size limit.
    """
    origin = entry.origin
    return {
        "idempotencyKey": entry.sent_key,
        "operation": entry.operation,
        "status": entry.status,
        "cartId": entry.cart_id,
        "orderId": entry.order_id,
        "items": [] if brief else [_item(item) for item in entry.items],
        "httpStatus": entry.http_status,
        "attempts": entry.attempts,
        "traceId": origin.trace_id,
        "eventId": origin.event_id,
        "sourceTopic": origin.topic,
        "sourcePartition": origin.partition,
        "sourceOffset": origin.offset,
        "occurredAt": origin.occurred_at_ms,
        "settledAt": entry.settled_at_ms or 0,
    }


def _item(item: ItemAnswer) -> dict[str, object]:
    return {
        "cartItemId": item.cart_item_id,
        "itemReservationId": item.item_reservation_id,
        "itemConfirmationId": item.item_confirmation_id,
        "itemConfirmationUrl": item.item_confirmation_url,
        "success": item.success,
    }


class OutcomeFormat(Protocol):
    """How outcomes are written. Raises RegistryUnavailable while a registry is needed and cannot be had."""

    async def encode(self, entry: Entry, *, brief: bool) -> bytes: ...


class JsonOutcomes:
    """JSON; times as RFC 3339 text."""

    async def encode(self, entry: Entry, *, brief: bool) -> bytes:
        """The value of the record."""
        values = fields(entry, brief=brief)
        return msgspec.json.encode(values | {name: rfc3339(instant(values[name])) for name in MOMENTS})


class AvroOutcomes:
    """Avro in the Confluent wire format."""

    def __init__(self, registry: Registrar, topic: str, *, auto_register: bool) -> None:
        self._values = AvroValues(registry, topic, load(OUTCOME), auto_register=auto_register)

    async def encode(self, entry: Entry, *, brief: bool) -> bytes:
        """The value of the record."""
        return await self._values.encode(fields(entry, brief=brief))
