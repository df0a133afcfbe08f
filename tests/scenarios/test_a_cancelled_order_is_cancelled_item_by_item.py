"""An order is called off: one call an item, after the order was confirmed."""

from __future__ import annotations

from infra.brokers import Broker
from infra.events import cancelled, completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import Worker


def test_a_cancelled_order_is_cancelled_item_by_item(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    broker.produce(worker.completed, encoded(completed("ada", items=3)), key="ada")
    worker.start()
    assert worker.read_outcomes(1)
    broker.produce(worker.cancelled, encoded(cancelled("ada", items=2)), key="ada")

    outcomes = worker.read_outcomes(3)
    assert worker.stop() == 0

    assert [rokt.state_of(reservation("ada", n)) for n in range(3)] == ["cancelled", "cancelled", "confirmed"]
    assert len({call["key"] for call in rokt.calls("cancel")}) == 2
    assert [outcome["operation"] for outcome in outcomes] == ["confirm", "cancel", "cancel"]
    assert {outcome["status"] for outcome in outcomes} == {"succeeded"}
    assert all(len(outcome["items"]) == 1 for outcome in outcomes[1:])
    assert worker.lag() == 0


def test_a_cancel_without_a_cart_is_keyed_by_its_order(broker: Broker, worker: Worker) -> None:
    broker.produce(worker.completed, encoded(completed("ada")), key="ada")
    worker.start()
    assert worker.read_outcomes(1)
    broker.produce(worker.cancelled, encoded(cancelled("ada", cartId=None)))

    records = broker.read(worker.outcomes, 2, 30)
    assert {record.key for record in records} == {b"ada", b"order-ada"}


def test_a_cancel_that_names_no_item_is_set_aside(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    broker.produce(worker.cancelled, encoded(cancelled("ada", items=0)), key="ada")
    worker.start()

    [letter] = broker.read(f"{worker.cancelled}.dlq", 1, 30)
    assert letter.header("dlq.reason") == b"nothing-to-cancel"
    assert rokt.calls() == []


def test_one_refused_item_does_not_stop_the_others(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    broker.produce(worker.completed, encoded(completed("ada", items=2)), key="ada")
    worker.start()
    assert worker.read_outcomes(1)
    event = cancelled("ada", items=2)
    event["items"].insert(0, {"itemReservationId": "never-confirmed"})
    broker.produce(worker.cancelled, encoded(event), key="ada")

    outcomes = worker.read_outcomes(4)
    [letter] = broker.read(f"{worker.cancelled}.dlq", 1, 10)
    assert [outcome["status"] for outcome in outcomes[1:]] == ["rejected", "succeeded", "succeeded"]
    assert (letter.header("dlq.reason"), letter.header("dlq.http.status")) == (b"rejected", b"422")
    assert [rokt.state_of(reservation("ada", n)) for n in range(2)] == ["cancelled", "cancelled"]
