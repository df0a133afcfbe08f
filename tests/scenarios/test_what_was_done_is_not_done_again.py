"""A call that succeeded is never made again: not after a crash, not on a replay, not when the event comes again."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.brokers import Broker, fresh
from infra.events import abandoned, cancelled, completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import Worker, until


def test_a_republished_event_makes_no_call_and_no_second_outcome(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    event = completed("ada", items=2)
    broker.produce(worker.completed, encoded(event), key="ada", partition=0)
    worker.start()
    assert worker.read_outcomes(1)
    again = completed("ada", items=2)
    again["items"].reverse()
    broker.produce(worker.completed, encoded(again), key="ada", partition=1)

    assert worker.all_committed()
    assert worker.stop() == 0
    assert len(rokt.calls()) == 1
    assert len(broker.read(worker.outcomes, timeout=1)) == 1
    assert broker.read(f"{worker.completed}.dlq", timeout=1) == []


def test_topics_read_again_from_the_beginning_call_nothing_and_publish_nothing(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    for cart in ("ada", "bob"):
        broker.produce(worker.completed, encoded(completed(cart, items=2)), key=cart)
    broker.produce(worker.abandoned, encoded(abandoned("eve")), key="eve")
    broker.produce(worker.completed, encoded(completed("mallory", items=1, orderId="refused")), key="mallory")
    rokt.faults(errors={"422": 1.0}, only_carts="mallory")
    worker.start()
    assert len(worker.read_outcomes(4)) == 4
    broker.produce(worker.cancelled, encoded(cancelled("ada", items=1)), key="ada")
    assert len(worker.read_outcomes(5)) == 5
    assert worker.all_committed()
    assert worker.stop() == 0
    calls = len(rokt.calls())
    worker.group = worker.settings["WORKER_KAFKA__GROUP_ID"] = fresh("group")  # one that has read nothing yet

    rokt.faults()
    worker.start()
    assert worker.all_committed()
    assert worker.stop() == 0
    assert len(rokt.calls()) == calls
    assert len(broker.read(worker.outcomes, timeout=1)) == 5
    assert len(broker.read(f"{worker.completed}.dlq", timeout=1)) == 1


def test_what_a_crash_left_settled_and_unpublished_is_published_as_it_was_settled(
    kafka: Broker, rokt: Rokt, tmp_path: Path
) -> None:
    if not kafka.restartable:
        pytest.skip("a given broker is not ours to kill")
    worker = Worker(kafka, rokt.url, tmp_path, WORKER_RETRY__MAX_SECONDS="0.2")
    worker.create_topics()
    rokt.faults(latency={"kind": "fixed", "seconds": 2.0})
    kafka.produce(worker.completed, encoded(completed("ada")), key="ada")
    worker.start()
    try:
        assert until(lambda: rokt.summary()["requests"])
        kafka.kill()
        assert until(lambda: rokt.state_of(reservation("ada")) == "confirmed")
        assert until(lambda: worker.lines("kafka.brokers_down"))
        worker.kill()
        kafka.restart()
        rokt.faults()
        worker.start()
        [outcome] = worker.read_outcomes(1)
        assert worker.all_committed()
        assert worker.stop() == 0
        assert (outcome["status"], outcome["attempts"], len(rokt.calls())) == ("succeeded", 1, 1)
    finally:
        worker.end()


def test_the_same_key_with_another_body_is_said_loudly_and_not_called(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    broker.produce(worker.completed, encoded(completed("ada")), key="ada")
    worker.start()
    assert worker.read_outcomes(1)
    other = completed("ada")
    other["items"][0]["unitPrice"] = "29.99"
    broker.produce(worker.completed, encoded(other), key="ada")

    assert worker.all_committed()
    assert worker.stop() == 0
    assert len(rokt.calls()) == 1
    [line] = worker.lines("ledger.same_key_other_body")
    assert line["level"] == "error"
    assert line["idempotency_key"] == rokt.calls()[0]["key"]
