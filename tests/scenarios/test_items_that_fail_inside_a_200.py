"""Rokt takes a call and refuses some of its items: those are set aside, the rest has succeeded."""

from __future__ import annotations

from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import Worker


def test_the_failed_items_are_set_aside_and_the_rest_succeeds(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    event = completed("ada", items=3)
    event["items"][1]["cartItemId"] = "fail-1"
    value = encoded(event)
    broker.produce(worker.completed, value, key="ada")
    worker.start()

    [outcome] = worker.read_outcomes(1)
    [letter] = broker.read(f"{worker.completed}.dlq", 1, 10)
    assert worker.stop() == 0
    assert outcome["status"] == "partial"
    assert [item["success"] for item in outcome["items"]] == [True, False, True]
    assert letter.header("dlq.reason") == b"item-rejected"
    assert reservation("ada", 1).encode() in (letter.header("dlq.message") or b"")
    assert letter.value == value
    assert rokt.state_of(reservation("ada", 0)) == rokt.state_of(reservation("ada", 2)) == "confirmed"
    assert worker.lag() == 0


def test_a_call_of_which_every_item_fails_is_rejected(broker: Broker, worker: Worker) -> None:
    event = completed("ada")
    event["items"][0]["cartItemId"] = "fail-0"
    broker.produce(worker.completed, encoded(event), key="ada")
    worker.start()

    [outcome] = worker.read_outcomes(1)
    [letter] = broker.read(f"{worker.completed}.dlq", 1, 10)
    assert outcome["status"] == "rejected"
    assert letter.header("dlq.reason") == b"item-rejected"
