"""Carts run side by side, each one's events in order; a failing one holds up nobody else."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from infra.brokers import Broker
from infra.events import abandoned, cancelled, completed, encoded, reservation
from infra.ports import free_port
from infra.rokt import Rokt
from infra.worker import Worker, until

SLOW = {"kind": "fixed", "seconds": 0.3}


def test_a_failing_cart_holds_up_nobody_else(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(errors={"503": 1.0}, only_carts="bad")
    carts = [f"cart-{n}" for n in range(50)]
    broker.produce(worker.completed, encoded(completed("bad")), key="one", partition=0)
    for cart in carts:
        broker.produce(worker.completed, encoded(completed(cart)), key="one", partition=0)
    worker.start()

    outcomes = worker.read_outcomes(len(carts))
    assert {outcome["cartId"] for outcome in outcomes} == set(carts)
    assert broker.committed(worker.group, worker.completed)[0].committed == 0

    rokt.faults()
    assert worker.all_committed()
    assert worker.stop() == 0
    assert rokt.state_of(reservation("bad")) == "confirmed"


def test_calls_of_one_partition_run_side_by_side_up_to_the_limit(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(latency=SLOW)
    for n in range(40):
        broker.produce(worker.completed, encoded(completed(f"cart-{n}")), key="one", partition=0)
    worker.start(WORKER_ROKT__MAX_CONCURRENCY="10")

    assert len(worker.read_outcomes(40)) == 40
    begun = sorted(call["time"] for call in rokt.calls())
    # Calls in their first 0.3 s at one moment, by when the sandbox answered them: ten at once, never eleven.
    rounds = [begun[n] - begun[n - 10] for n in range(10, 40)]
    assert min(rounds) >= 0.25


def test_the_events_of_one_cart_stay_in_order_through_failures(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(errors={"503": 0.5}, latency={"kind": "uniform", "seconds": 0.02, "spread": 0.02})
    orders = [f"order-{n}" for n in range(20)]
    for n, order in enumerate(orders):
        event = completed("hot", orderId=order)
        event["items"][0]["itemReservationId"] = f"reservation-{n}"
        broker.produce(worker.completed, encoded(event), partition=n % 2)
        if n % 2 == 0:
            time.sleep(0.01)
    worker.start()

    outcomes = worker.read_outcomes(len(orders), 60)
    for partition in range(2):
        settled = [outcome["orderId"] for outcome in outcomes if outcome["sourcePartition"] == partition]
        assert settled == [order for n, order in enumerate(orders) if n % 2 == partition]


def test_a_cancel_without_a_cart_waits_for_the_checkout_of_its_order(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    topic = worker.completed
    worker.settings["WORKER_TOPICS__ORDER_CANCELLED"] = topic
    rokt.faults(errors={"503": 0.7})
    for n in range(10):
        broker.produce(topic, encoded(completed(f"cart-{n}")), partition=0)
        broker.produce(topic, encoded(cancelled(f"cart-{n}", cartId=None)), partition=0)
    worker.start()

    outcomes = worker.read_outcomes(20, 60)
    assert {outcome["status"] for outcome in outcomes} == {"succeeded"}
    assert all(rokt.state_of(reservation(f"cart-{n}")) == "cancelled" for n in range(10))


def test_a_release_behind_a_failing_confirm_of_its_cart_waits(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    topic = worker.completed
    worker.settings["WORKER_TOPICS__CART_ABANDONED"] = topic
    rokt.faults(errors={"503": 1.0}, only=["confirm"])
    broker.produce(topic, encoded(completed("ada")), partition=0)
    other = abandoned("ada") | {"items": [{"cartItemId": "left", "itemReservationId": "left"}]}
    broker.produce(topic, encoded(other), partition=0)
    broker.produce(topic, encoded(abandoned("bob")), partition=0)
    worker.start()

    assert until(lambda: rokt.state_of(reservation("bob")) == "released")
    assert rokt.state_of("left") is None
    rokt.faults()
    assert until(lambda: rokt.state_of("left") == "released")


def test_a_partition_too_far_ahead_is_paused_and_the_others_are_read(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    rokt.faults(errors={"503": 1.0}, only_carts="bad")
    broker.produce(worker.completed, encoded(completed("bad")), partition=0)
    for n in range(60):
        broker.produce(worker.completed, encoded(completed(f"ahead-{n}")), partition=0)
    worker.start(WORKER_KAFKA__MAX_GAP_RECORDS="20", WORKER_KAFKA__BATCH_RECORDS="10")
    assert until(lambda: [line for line in worker.lines("kafka.paused") if line["reasons"] == ["gap"]])
    broker.produce(worker.completed, encoded(completed("free")), partition=1)

    assert until(lambda: rokt.state_of(reservation("free")) == "confirmed")
    assert len(rokt.reservations()) < 60
    rokt.faults()
    assert worker.all_committed()
    assert worker.stop() == 0


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_stalled_partition_is_named_with_what_it_waits_for(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    port = free_port()
    rokt.faults(errors={"503": 1.0}, only_carts="bad")
    place = broker.produce(worker.completed, encoded(completed("bad")))
    worker.start(WORKER_KAFKA__STALL_SECONDS="0.5", WORKER_HEALTH__HOST="127.0.0.1", WORKER_HEALTH__PORT=str(port))

    assert until(lambda: worker.lines("kafka.stalled"))
    [stall, *_] = worker.lines("kafka.stalled")
    assert (stall["topic"], stall["partition"], stall["offset"]) == place
    assert stall["cart_id"] == "bad"
    assert "503" in stall["waits_for"] or "Rokt" in stall["waits_for"]
    answer = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
    assert answer.status_code == 200
    assert answer.json()["stalls"][0]["cart_id"] == "bad"
    assert httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).status_code == 200


@pytest.mark.parametrize("broker", ["kafka"], indirect=True)
@pytest.mark.real_kafka
@pytest.mark.parametrize(
    "properties",
    [
        {"group.protocol": "consumer"},
        {"group.instance.id": "worker-1", "session.timeout.ms": 6000},
        {"partition.assignment.strategy": "range", "session.timeout.ms": 6000},
    ],
    ids=["KIP-848", "static member", "eager"],
)
def test_every_group_protocol_loses_nothing_when_a_member_goes(
    broker: Broker, worker: Worker, rokt: Rokt, properties: dict[str, object]
) -> None:
    rokt.faults(latency={"kind": "fixed", "seconds": 0.05})
    for n in range(60):
        broker.produce(worker.completed, encoded(completed(f"cart-{n}")), key=str(n))
    first = json.dumps(properties | {"fetch.wait.max.ms": 20})
    second = json.dumps({n: "worker-2" if n == "group.instance.id" else v for n, v in properties.items()})
    worker.start(WORKER_KAFKA__PROPERTIES=first, WORKER_ROKT__MAX_CONCURRENCY="2")
    assert until(lambda: len(rokt.calls()) >= 5)
    worker.start(WORKER_KAFKA__PROPERTIES=second, WORKER_ROKT__MAX_CONCURRENCY="2")
    assert until(lambda: len(worker.lines("kafka.assigned")) >= 2)
    worker.kill()

    assert worker.all_committed()
    found = rokt.reservations()
    assert [found[reservation(f"cart-{n}")]["confirms"] for n in range(60)] == [1] * 60


def test_a_paused_partition_that_comes_back_after_a_rebalance_is_read_again(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    rokt.faults(errors={"503": 1.0}, only_carts="bad")
    for partition in range(2):
        broker.produce(worker.completed, encoded(completed(f"bad-{partition}")), partition=partition)
        for n in range(40):
            broker.produce(worker.completed, encoded(completed(f"{partition}-{n}")), partition=partition)
    few = {"WORKER_KAFKA__MAX_GAP_RECORDS": "10", "WORKER_KAFKA__BATCH_RECORDS": "5"}
    worker.start(**few, WORKER_SHUTDOWN__DRAIN_SECONDS="1")
    assert until(lambda: len([line for line in worker.lines("kafka.paused") if line["reasons"]]) >= 2)
    worker.start(**few, WORKER_SHUTDOWN__DRAIN_SECONDS="1")
    assert until(lambda: worker.lines("kafka.revoked"))
    assert worker.stop() == 0

    rokt.faults()
    assert worker.all_committed()
