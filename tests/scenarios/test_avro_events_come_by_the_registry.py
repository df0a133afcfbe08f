"""Avro as the partner writes it, by a real registry: their schema, in their order, with their additions."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.registry import Registry
from infra.rokt import Rokt
from infra.worker import Worker, until

SCHEMAS = Path(__file__).parents[2] / "schemas"

ORDER = {
    "eventId": "event-1",
    "occurredAt": 1763632800000,
    "cartId": "ada",
    "orderId": "order-ada",
    "roktSessionId": "session-1",
    "items": [
        {
            "cartItemId": "item-1",
            "itemReservationId": reservation("ada"),
            "quantity": 1,
            "unitPrice": Decimal("19.9900"),
            "totalPrice": Decimal("10.0000"),
            "currency": "USD",
        }
    ],
}


def _schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.avsc").read_text())
    return found


def _start(worker: Worker, registry: Registry) -> None:
    worker.start(WORKER_REGISTRY__URL=registry.url, WORKER_REGISTRY__TIMEOUT_SECONDS="2")


def _outcomes(worker: Worker, registry: Registry, want: int) -> list[dict[str, Any]]:
    records = worker.broker.read(worker.outcomes, want, 30)
    with SchemaRegistryClient({"url": registry.url}) as client:
        read = AvroDeserializer(client)
        context = SerializationContext(worker.outcomes, MessageField.VALUE)
        return [dict(read(record.value, context) or {}) for record in records]


def test_an_avro_checkout_is_confirmed_and_its_outcome_is_avro(
    broker: Broker, registry: Registry, worker: Worker, rokt: Rokt
) -> None:
    value = registry.encode(worker.completed, ORDER, json.dumps(_schema("checkout-completed")))
    broker.produce(worker.completed, value, key="ada")
    _start(worker, registry)

    [outcome] = _outcomes(worker, registry, 1)
    assert worker.stop() == 0
    assert outcome["status"] == "succeeded"
    assert outcome["cartId"] == "ada"
    assert outcome["occurredAt"].timestamp() == 1763632800
    assert outcome["items"][0]["itemConfirmationId"]
    assert rokt.state_of(reservation("ada")) == "confirmed"
    assert worker.lag() == 0


def _evolved() -> dict[str, Any]:
    """Fields added, dropped and put in another order; records under other names."""
    schema = copy.deepcopy(_schema("checkout-completed"))
    schema["namespace"] = "com.shop.orders"
    fields = [field for field in schema["fields"] if field["name"] not in ("payPalOrderId", "attributes", "locale")]
    fields.append({"name": "warehouse", "type": ["null", "string"], "default": None})
    items = next(field for field in fields if field["name"] == "items")
    items["type"]["items"]["name"] = "OrderLine"
    items["type"]["items"]["fields"].insert(0, {"name": "shelf", "type": "long", "default": 0})
    schema["fields"] = list(reversed(fields))
    return schema


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_schema_that_the_partner_evolved_is_read(
    broker: Broker, registry: Registry, worker: Worker, rokt: Rokt
) -> None:
    evolved = ORDER | {"warehouse": "north", "items": [{"shelf": 7, **ORDER["items"][0]}]}  # type: ignore[index]
    value = registry.encode(worker.completed, evolved, json.dumps(_evolved()), subject=f"{worker.completed}-evolved")
    broker.produce(worker.completed, value, key="ada")
    _start(worker, registry)

    [outcome] = _outcomes(worker, registry, 1)
    assert outcome["status"] == "succeeded"
    assert rokt.state_of(reservation("ada")) == "confirmed"


def test_one_topic_may_carry_all_three_events_in_both_formats(
    broker: Broker, registry: Registry, worker: Worker, rokt: Rokt
) -> None:
    topic = worker.completed
    worker.settings |= {"WORKER_TOPICS__ORDER_CANCELLED": topic, "WORKER_TOPICS__CART_ABANDONED": topic}
    left = {"eventId": "e", "occurredAt": 1763632800000, "cartId": "bob", "roktSessionId": "s"}
    item = {"cartItemId": "item-1", "itemReservationId": reservation("bob")}
    off = {"eventId": "e", "occurredAt": 1763632800000, "orderId": "order-ada"}
    for kind, event in (
        ("checkout-completed", ORDER),
        ("order-cancelled", off | {"items": [{"itemReservationId": reservation("ada")}]}),
        ("cart-abandoned", left | {"items": [item]}),
    ):
        value = registry.encode(topic, event, json.dumps(_schema(kind)), subject=f"{topic}-{kind}")
        broker.produce(topic, value, key="one", partition=0)
    broker.produce(topic, encoded(completed("eve")), key="one", partition=0)
    _start(worker, registry)

    outcomes = _outcomes(worker, registry, 4)
    assert sorted(o["operation"] for o in outcomes) == ["cancel", "confirm", "confirm", "release"]
    assert [o["operation"] for o in outcomes if o["orderId"] == "order-ada"] == ["confirm", "cancel"]
    assert rokt.state_of(reservation("ada")) == "cancelled"
    assert rokt.state_of(reservation("bob")) == "released"
    assert rokt.state_of(reservation("eve")) == "confirmed"


def test_an_id_that_the_registry_does_not_know_is_undecodable(
    broker: Broker, registry: Registry, worker: Worker
) -> None:
    broker.produce(worker.completed, b"\x00" + (1_999_999_999).to_bytes(4, "big") + b"body", key="x")
    _start(worker, registry)

    [letter] = broker.read(f"{worker.completed}.dlq", 1, 30)
    assert letter.header("dlq.reason") == b"undecodable"


def test_a_registry_that_is_down_is_not_the_records_fault(
    broker: Broker, registry: Registry, worker: Worker, rokt: Rokt
) -> None:
    if not registry.restartable:
        pytest.skip("a given registry is not ours to stop")
    value = registry.encode(worker.completed, ORDER, json.dumps(_schema("checkout-completed")))
    registry.kill()
    broker.produce(worker.completed, value, key="ada")
    _start(worker, registry)
    assert until(lambda: len(worker.lines("registry.waiting")) >= 3)
    assert worker.lag() == 1
    assert broker.read(f"{worker.completed}.dlq", timeout=1) == []

    registry.restart()
    [outcome] = _outcomes(worker, registry, 1)
    assert outcome["status"] == "succeeded"
    assert rokt.state_of(reservation("ada")) == "confirmed"
    assert worker.stop() == 0
    assert worker.lag() == 0
