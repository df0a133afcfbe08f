"""A customer paid: Rokt hears of it once, the shop gets the outcome, and the offset is committed."""

from __future__ import annotations

from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import Worker

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def test_a_completed_checkout_is_confirmed(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    event = completed("ada", items=2)
    place = broker.produce(worker.completed, encoded(event), key="ada", headers=[("traceparent", PARENT)])
    worker.start()

    [outcome] = worker.read_outcomes(1)
    [call] = rokt.calls("confirm")
    assert worker.stop() == 0

    assert [rokt.state_of(reservation("ada", n)) for n in range(2)] == ["confirmed", "confirmed"]
    assert call["traceparent"].split("-")[1] == TRACE
    assert outcome["idempotencyKey"] == call["key"]
    assert {name: outcome[name] for name in ("operation", "status", "cartId", "orderId", "httpStatus", "attempts")} == {
        "operation": "confirm",
        "status": "succeeded",
        "cartId": "ada",
        "orderId": "order-ada",
        "httpStatus": 200,
        "attempts": 1,
    }
    assert (outcome["sourceTopic"], outcome["sourcePartition"], outcome["sourceOffset"]) == place
    assert outcome["eventId"] == event["eventId"]
    assert outcome["traceId"] == TRACE
    assert all(item["success"] and item["itemConfirmationId"] for item in outcome["items"])
    assert worker.lag() == 0


def test_an_order_without_items_is_confirmed_too(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    broker.produce(worker.completed, encoded(completed("ada", items=0, roktSessionId=None)), key="ada")
    worker.start()

    [outcome] = worker.read_outcomes(1)
    assert (outcome["status"], outcome["items"]) == ("succeeded", [])
    assert len(rokt.calls("confirm")) == 1


def test_the_outcome_is_keyed_by_the_cart_and_carries_the_trace(broker: Broker, worker: Worker) -> None:
    broker.produce(worker.completed, encoded(completed("ada")), headers=[("traceparent", PARENT)])
    worker.start()

    [record] = broker.read(worker.outcomes, 1, 30)
    assert record.key == b"ada"
    assert (record.header("traceparent") or b"").decode().split("-")[1] == TRACE
