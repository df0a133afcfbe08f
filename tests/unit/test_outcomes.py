"""The outcome record: what became of one call, in Avro with a registry and in JSON without."""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from worker.events import CartAbandoned, CheckoutCompleted, CompletedItem, Event, OrderCancelled
from worker.mapping import Call, CallItem
from worker.record import Record
from worker.rokt.answers import ItemAnswer
from worker.stream.outcomes import AvroOutcomes, JsonOutcomes, Outcome
from worker.verdict import Settled

NAMES = {
    "idempotencyKey", "operation", "status", "cartId", "orderId", "items", "httpStatus", "attempts", "traceId",
    "eventId", "sourceTopic", "sourcePartition", "sourceOffset", "occurredAt", "settledAt",
}  # fmt: skip
ITEM_NAMES = {"cartItemId", "itemReservationId", "itemConfirmationId", "itemConfirmationUrl", "success"}

AT = datetime(2026, 11, 22, 10, 0, 0, 123_000, UTC)
LATER = datetime(2026, 11, 22, 10, 0, 5, 456_000, UTC)
CANARY = "canary-7f3a"
EVENT = CheckoutCompleted(
    event_id="event-1",
    occurred_at=AT,
    cart_id="cart-1",
    order_id="order-1",
    rokt_session_id=CANARY,
    items=(CompletedItem("item-1", "reservation-1", unit_price=Decimal("987.6543")),),
    attributes={"email": CANARY},
)
CALL = Call(
    "confirm", "key-1", CANARY.encode(), (CallItem("item-1", "reservation-1"),), "cart-1", "order-1", CANARY, None
)
SETTLED = Settled(
    "partial",
    (
        ItemAnswer("item-1", "reservation-1", "confirmation-1", "https://rokt.example/1", True),
        ItemAnswer("item-2", None, None, None, False),
    ),
    200,
    3,
)
RECORD = Record("checkout-completed", 3, 2**40, b"key", b"value", (), 0)


def outcome(
    event: Event = EVENT, call: Call = CALL, settled: Settled = SETTLED, trace: str | None = "a" * 32
) -> Outcome:
    return Outcome(RECORD, event, call, settled, trace, LATER)


def as_json(of: Outcome, *, brief: bool = False) -> dict[str, Any]:
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


def as_avro(*outcomes: Outcome, brief: bool = False) -> list[dict[str, Any]]:
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


CANCEL = OrderCancelled(event_id="event-2", occurred_at=0, order_id="order-1", items=())
RELEASE = CartAbandoned(event_id="event-3", occurred_at=1795341600123, cart_id="cart-1", items=())


@pytest.mark.parametrize(
    ("event", "call"),
    [
        (CANCEL, Call("cancel", "key-2", b"", (CallItem(None, "r"),), None, "order-1", None, None)),
        (RELEASE, Call("release", "key-3", b"", (CallItem("i", "r"),), "cart-1", None, None, None)),
    ],
)
def test_a_cancel_without_a_cart_and_a_release_without_an_order_are_written_too(event: Event, call: Call) -> None:
    one = outcome(event, call, Settled("duplicate", (), None, 1), None)
    read = as_json(one)
    assert (read["cartId"], read["orderId"]) == (call.cart_id, call.order_id)
    assert (read["httpStatus"], read["traceId"]) == (None, None)
    (avro,) = as_avro(one)
    assert avro["cartId"] == call.cart_id


def test_a_time_in_milliseconds_is_written_as_the_same_moment() -> None:
    one = outcome(RELEASE, CALL)
    assert as_json(one)["occurredAt"] == "2026-11-22T10:00:00.123Z"
    assert as_avro(one)[0]["occurredAt"] == AT


@pytest.mark.parametrize("status", ["succeeded", "duplicate", "partial", "rejected", "superseded", "dead"])
def test_every_status_of_the_contract_can_be_written(status: Any) -> None:
    one = outcome(settled=Settled(status, (), None, 0))
    assert as_json(one)["status"] == status
    assert as_avro(one)[0]["status"] == status


def test_a_brief_outcome_leaves_out_the_items_only() -> None:
    whole, brief = as_json(outcome()), as_json(outcome(), brief=True)
    assert brief == whole | {"items": []}
    assert as_avro(outcome(), brief=True)[0]["items"] == []


def test_prices_attributes_and_the_session_are_in_no_outcome() -> None:
    for written in (json.dumps(as_json(outcome())), str(as_avro(outcome()))):
        assert CANARY not in written
        assert "987.6543" not in written
