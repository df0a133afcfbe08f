"""The outcome record: what became of one call. Avro with a registry, JSON without."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import fastavro
import msgspec

from worker.decode.schemas import OUTCOME, load
from worker.events import Event, instant, rfc3339
from worker.mapping import Call
from worker.record import Record
from worker.rokt.answers import ItemAnswer
from worker.verdict import Settled


@dataclass(frozen=True, slots=True)
class Outcome:
    """One settled call, ready to be written."""

    record: Record
    event: Event
    call: Call
    settled: Settled
    trace_id: str | None
    settled_at: datetime

    def fields(self, *, brief: bool) -> dict[str, Any]:
        """The record's fields by name; `brief` leaves out the items, for a record over the topic's size limit."""
        call, settled, record = self.call, self.settled, self.record
        return {
            "idempotencyKey": call.key,
            "operation": call.operation,
            "status": settled.status,
            "cartId": call.cart_id,
            "orderId": call.order_id,
            "items": [] if brief else [_item(item) for item in settled.items],
            "httpStatus": settled.http_status,
            "attempts": settled.attempts,
            "traceId": self.trace_id,
            "eventId": self.event.event_id,
            "sourceTopic": record.topic,
            "sourcePartition": record.partition,
            "sourceOffset": record.offset,
            "occurredAt": instant(self.event.occurred_at),
            "settledAt": self.settled_at,
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

    async def encode(self, outcome: Outcome, *, brief: bool) -> bytes: ...


class JsonOutcomes:
    """JSON; times as RFC 3339 text."""

    async def encode(self, outcome: Outcome, *, brief: bool) -> bytes:
        """The value of the record."""
        fields = outcome.fields(brief=brief)
        return msgspec.json.encode({k: rfc3339(v) if isinstance(v, datetime) else v for k, v in fields.items()})


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

    async def encode(self, outcome: Outcome, *, brief: bool) -> bytes:
        """The value of the record."""
        if self._frame is None:
            number = await self._registry.register(self._subject, self._schema, auto_register=self._auto_register)
            self._frame = b"\x00" + number.to_bytes(4, "big")
        body = io.BytesIO()
        body.write(self._frame)
        fastavro.schemaless_writer(body, self._parsed, outcome.fields(brief=brief))
        return body.getvalue()
