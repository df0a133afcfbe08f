"""Rokt is down, slow or cuts the line: every event waits, none is given up, none takes effect twice."""

from __future__ import annotations

from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import Worker, until

CARTS = [f"cart-{n}" for n in range(20)]


def _publish(broker: Broker, worker: Worker) -> None:
    for cart in CARTS:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)


def _all_confirmed_once(rokt: Rokt) -> bool:
    found = rokt.reservations()
    return all(found.get(reservation(cart), {}).get("confirms") == 1 for cart in CARTS)


def test_events_wait_for_the_end_of_an_outage(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(outage=True)
    _publish(broker, worker)
    worker.start()
    assert until(lambda: len(rokt.calls()) >= 10)
    assert worker.lag() == len(CARTS)

    rokt.faults()
    outcomes = worker.read_outcomes(len(CARTS))
    assert worker.stop() == 0

    assert {outcome["status"] for outcome in outcomes} <= {"succeeded", "duplicate"}
    assert any(outcome["attempts"] > 1 for outcome in outcomes)
    assert _all_confirmed_once(rokt)
    assert broker.read(f"{worker.completed}.dlq", timeout=1) == []
    assert worker.lag() == 0


def test_an_answer_lost_after_applying_is_a_duplicate_and_a_success(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(reset_after=0.25, errors_after={"504": 0.25})
    _publish(broker, worker)
    worker.start()

    outcomes = worker.read_outcomes(len(CARTS))
    assert worker.stop() == 0

    assert {outcome["status"] for outcome in outcomes} == {"succeeded", "duplicate"}
    assert _all_confirmed_once(rokt)
    assert rokt.summary()["double_effects"] == 0
    assert broker.read(f"{worker.completed}.dlq", timeout=1) == []


def test_every_attempt_has_the_same_key(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(reset_before=0.2, errors={"503": 0.2, "429": 0.05, "500": 0.1})
    _publish(broker, worker)
    worker.start()

    outcomes = worker.read_outcomes(len(CARTS), timeout=120)  # every 429 costs a second, the circuit opens in between
    assert len(outcomes) == len(CARTS)
    assert any(outcome["attempts"] > 1 for outcome in outcomes)
    keys: dict[str, set[str]] = {}
    for call in rokt.calls("confirm"):
        keys.setdefault(call["cart_id"], set()).add(call["key"])
    assert all(len(of_cart) == 1 for of_cart in keys.values())
    assert len({key for of_cart in keys.values() for key in of_cart}) == len(CARTS)


def test_an_answer_that_does_not_come_in_time_is_asked_for_again(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(timeout_after=0.5, hang_seconds=30)
    _publish(broker, worker)
    worker.start(WORKER_ROKT__TIMEOUT_SECONDS="0.3")

    outcomes = worker.read_outcomes(len(CARTS))
    assert {outcome["status"] for outcome in outcomes} <= {"succeeded", "duplicate"}
    assert _all_confirmed_once(rokt)


def test_retry_after_holds_back_every_call(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(errors={"429": 1.0}, retry_after=2, only_carts="cart-0")
    broker.produce(worker.completed, encoded(completed("cart-0")), key="cart-0", partition=0)
    worker.start()
    assert until(lambda: len(rokt.calls()) == 1)
    first = rokt.calls()[0]["time"]
    for cart in CARTS[1:]:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart, partition=1)

    assert until(lambda: len(rokt.calls()) > 1)
    assert rokt.calls()[1]["time"] - first >= 1.9
