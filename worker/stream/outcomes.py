"""The outcome record: what became of one call. Avro with a registry, JSON without."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any, Protocol

import fastavro
import msgspec

from worker.decode.schemas import OUTCOME, load
from worker.events import instant, rfc3339
from worker.ledger.entries import Entry
from worker.rokt.answers import ItemAnswer


def fields(entry: Entry, *, brief: bool) -> dict[str, Any]:
    """The record's fields by name; `brief` leaves out the items, for a record over the topic's size limit."""
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
        "occurredAt": instant(origin.occurred_at_ms),
        "settledAt": instant(entry.settled_at_ms or 0),
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
        values = fields(entry, brief=brief).items()
        return msgspec.json.encode({k: rfc3339(v) if isinstance(v, datetime) else v for k, v in values})


class Registrar(Protocol):
    """Who gives a schema of ours its id."""

    async def register(self, subject: str, schema: dict[str, Any], *, auto_register: bool) -> int: ...


class AvroOutcomes:
    """Avro in the Confluent wire format, under the subject `<topic>-value`; the id is asked for once."""

    def __init__(self, registry: Registrar, topic: str, *, auto_register: bool) -> None:
        self._registry = registry
        self._subject = f"{topic}-value"
        self._auto_register = auto_register
        self._schema = load(OUTCOME)
        self._parsed = fastavro.parse_schema(load(OUTCOME))
        self._frame: bytes | None = None

    async def encode(self, entry: Entry, *, brief: bool) -> bytes:
        """The value of the record."""
        if self._frame is None:
            number = await self._registry.register(self._subject, self._schema, auto_register=self._auto_register)
            self._frame = b"\x00" + number.to_bytes(4, "big")
        body = io.BytesIO()
        body.write(self._frame)
        fastavro.schemaless_writer(body, self._parsed, fields(entry, brief=brief))
        return body.getvalue()
