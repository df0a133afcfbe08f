"""A stretch of topics again: what is settled stays so, what is missing is made up for, each record is counted once."""

from __future__ import annotations

from typing import Any

import pytest

from infra.brokers import Broker
from infra.events import abandoned, cancelled, completed, encoded
from infra.replay import Replay
from infra.rokt import Rokt
from infra.worker import Worker

CARTS = [f"cart-{n}" for n in range(20)]
ONE_BROKER = pytest.mark.parametrize("broker", ["embedded"], indirect=True)
"""For what has nothing to do with brokers."""


def test_what_is_settled_is_read_again_and_no_call_is_made(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    for cart in CARTS:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)
    broker.produce(worker.abandoned, encoded(abandoned("eve")), key="eve")
    broker.produce(worker.completed, None, key="a tombstone")
    worker.start()
    assert len(worker.read_outcomes(21)) == 21
    broker.produce(worker.cancelled, encoded(cancelled(CARTS[0])), key=CARTS[0])
    assert len(worker.read_outcomes(22)) == 22
    assert worker.all_committed()
    assert worker.stop() == 0
    calls = len(rokt.calls())

    replay = Replay(worker)
    broker.produce(worker.completed, encoded(completed("after it was planned")), key=CARTS[0])
    come = replay.run()
    assert come["finished"]
    assert come["counts"] == {"settled before": 22, "skipped": 1}
    assert (come["offsets"], come["calls"]) == (23, 0)
    assert len(rokt.calls()) == calls
    assert len(broker.read(worker.outcomes, timeout=1)) == 22
    assert worker.lag() == 1, "the live group is where it was"
    assert replay.run()["counts"] == come["counts"], "it is over, and stays so"


def test_what_the_ledger_does_not_know_is_made_up_for(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    for cart in CARTS:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)
    broker.produce(worker.completed, b"{", key="poison")

    come = Replay(worker).run()
    assert come["finished"]
    assert come["counts"] == {"dead-lettered": 1, "succeeded": 20}
    assert come["calls"] == len(rokt.calls()) == 20
    assert len(worker.read_outcomes(20)) == 20
    [letter] = broker.read(f"{worker.completed}.dlq", 1)
    assert letter.header("dlq.group") == worker.group.encode()

    assert worker.lag() == 21, "the live group has read nothing"
    worker.start()
    assert worker.all_committed()
    assert worker.stop() == 0
    assert len(rokt.calls()) == 20, "and finds all of it settled"


@ONE_BROKER
def test_only_the_carts_and_orders_that_were_asked_for(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    for cart in CARTS:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)
    broker.produce(worker.completed, b"{", key="poison")
    wanted: dict[str, Any] = {"carts": frozenset({CARTS[0]}), "orders": frozenset({f"order-{CARTS[1]}"})}

    come = Replay(worker, **wanted).run()
    assert come["counts"] == {"passed over": 19, "succeeded": 2}
    assert sorted(call["cart_id"] for call in rokt.calls()) == [CARTS[0], CARTS[1]]
    assert broker.read(f"{worker.completed}.dlq", timeout=1) == []
    assert Replay(worker, **wanted).run()["counts"] == {"passed over": 19, "settled before": 2}


@ONE_BROKER
def test_what_was_rejected_is_made_again_only_when_that_is_asked_for(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    rokt.faults(errors={"422": 1.0}, only_carts="mallory")
    for cart in ("mallory", *CARTS[:3]):
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)
    worker.start()
    assert len(worker.read_outcomes(4)) == 4
    assert worker.all_committed()
    assert worker.stop() == 0
    rokt.faults()

    assert Replay(worker).run()["counts"] == {"settled before": 4}
    assert len(rokt.calls()) == 4
    come = Replay(worker, again=True).run()
    assert come["counts"] == {"settled before": 3, "succeeded": 1}
    first, second = [call for call in rokt.calls() if call["cart_id"] == "mallory"]
    assert first["key"] != second["key"]
