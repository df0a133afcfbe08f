"""The outcome record: what became of one call, in Avro with a registry and in JSON without."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from msgspec.structs import replace

from worker.ledger.entries import Entry, Origin
from worker.rokt.answers import ItemAnswer
from worker.stream.outcomes import AvroOutcomes, JsonOutcomes

NAMES = {
    "idempotencyKey", "operation", "status", "cartId", "orderId", "items", "httpStatus", "attempts", "traceId",
    "eventId", "sourceTopic", "sourcePartition", "sourceOffset", "occurredAt", "settledAt",
}  # fmt: skip
ITEM_NAMES = {"cartItemId", "itemReservationId", "itemConfirmationId", "itemConfirmationUrl", "success"}


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


AT = datetime(2026, 11, 22, 10, 0, 0, 123_000, UTC)
LATER = datetime(2026, 11, 22, 10, 0, 5, 456_000, UTC)
ITEMS = (
    ItemAnswer("item-1", "reservation-1", "confirmation-1", "https://rokt.example/1", True),
    ItemAnswer("item-2", None, None, None, False),
)
ENTRY = Entry(
    key="key-1",
    operation="confirm",
    cart_id="cart-1",
    order_id="order-1",
    fingerprint=b"f" * 16,
    origin=Origin("event-1", milliseconds(AT), "checkout-completed", 3, 2**40, "a" * 32),
    owner="worker-1",
    token=1,
    begun_at_ms=milliseconds(AT),
    attempts=3,
    status="partial",
    http_status=200,
    items=ITEMS,
    settled_at_ms=milliseconds(LATER),
)


def outcome(**changes: Any) -> Entry:
    return replace(ENTRY, **changes)


def as_json(of: Entry, *, brief: bool = False) -> dict[str, Any]:
    written = asyncio.run(JsonOutcomes().encode(of, brief=brief))
    read: dict[str, Any] = json.loads(written)
    return read


class Registrar:
    """Gives ids out of Confluent's registry in memory."""

    def __init__(self) -> None:
        self.client = SchemaRegistryClient.new_client({"url": "mock://outcomes"})
        self.asked: list[tuple[str, bool]] = []

    async def register(self, subject: str, schema: dict[str, Any], *, auto_register: bool) -> int:
        self.asked.append((subject, auto_register))
        return self.client.register_schema(subject, Schema(json.dumps(schema), "AVRO"))


def as_avro(*outcomes: Entry, brief: bool = False) -> list[dict[str, Any]]:
    """Read back with Confluent's own deserializer."""
    registrar = Registrar()
    writer = AvroOutcomes(registrar, "rokt-outcomes", auto_register=True)
    read = AvroDeserializer(registrar.client)
    context = SerializationContext("rokt-outcomes", MessageField.VALUE)

    async def main() -> list[bytes]:
        return [await writer.encode(one, brief=brief) for one in outcomes]

    found = [read(written, context) for written in asyncio.run(main())]
    assert registrar.asked == [("rokt-outcomes-value", True)]
    return [dict(one) for one in found if isinstance(one, dict)]


def test_every_field_of_the_contract_is_in_the_json_and_no_other() -> None:
    read = as_json(outcome())
    assert read.keys() == NAMES
    assert all(item.keys() == ITEM_NAMES for item in read["items"])


def test_the_json_says_what_became_of_the_call() -> None:
    assert as_json(outcome()) == {
        "idempotencyKey": "key-1",
        "operation": "confirm",
        "status": "partial",
        "cartId": "cart-1",
        "orderId": "order-1",
        "items": [
            {
                "cartItemId": "item-1",
                "itemReservationId": "reservation-1",
                "itemConfirmationId": "confirmation-1",
                "itemConfirmationUrl": "https://rokt.example/1",
                "success": True,
            },
            {
                "cartItemId": "item-2",
                "itemReservationId": None,
                "itemConfirmationId": None,
                "itemConfirmationUrl": None,
                "success": False,
            },
        ],
        "httpStatus": 200,
        "attempts": 3,
        "traceId": "a" * 32,
        "eventId": "event-1",
        "sourceTopic": "checkout-completed",
        "sourcePartition": 3,
        "sourceOffset": 2**40,
        "occurredAt": "2026-11-22T10:00:00.123Z",
        "settledAt": "2026-11-22T10:00:05.456Z",
    }


def test_avro_says_the_same_and_confluents_deserializer_reads_it() -> None:
    (read,) = as_avro(outcome())
    assert read == as_json(outcome()) | {"occurredAt": AT, "settledAt": LATER}


def test_an_id_for_the_schema_is_asked_for_once() -> None:
    assert len(as_avro(outcome(), outcome(), outcome())) == 3


@pytest.mark.parametrize(("operation", "cart", "order"), [("cancel", None, "order-1"), ("release", "cart-1", None)])
def test_a_cancel_without_a_cart_and_a_release_without_an_order_are_written_too(
    operation: Any, cart: str | None, order: str | None
) -> None:
    origin = replace(ENTRY.origin, trace_id=None)
    one = outcome(operation=operation, cart_id=cart, order_id=order, items=(), http_status=None, origin=origin)
    read = as_json(one)
    assert (read["cartId"], read["orderId"]) == (cart, order)
    assert (read["httpStatus"], read["traceId"]) == (None, None)
    (avro,) = as_avro(one)
    assert avro["cartId"] == cart


@pytest.mark.parametrize("status", ["succeeded", "duplicate", "partial", "rejected", "superseded", "dead"])
def test_every_status_of_the_contract_can_be_written(status: Any) -> None:
    one = outcome(status=status)
    assert as_json(one)["status"] == status
    assert as_avro(one)[0]["status"] == status


def test_a_brief_outcome_leaves_out_the_items_only() -> None:
    whole, brief = as_json(outcome()), as_json(outcome(), brief=True)
    assert brief == whole | {"items": []}
    assert as_avro(outcome(), brief=True)[0]["items"] == []


def test_many_outcomes_at_the_start_are_one_question_to_the_registry() -> None:
    class Slow(Registrar):
        async def register(self, subject: str, schema: dict[str, Any], *, auto_register: bool) -> int:
            number = await super().register(subject, schema, auto_register=auto_register)
            await asyncio.sleep(0)
            return number

    async def main() -> list[tuple[str, bool]]:
        registrar = Slow()
        outcomes = AvroOutcomes(registrar, "rokt-outcomes", auto_register=True)
        await asyncio.gather(*(outcomes.encode(ENTRY, brief=False) for _ in range(100)))
        return registrar.asked

    assert asyncio.run(main()) == [("rokt-outcomes-value", True)]
