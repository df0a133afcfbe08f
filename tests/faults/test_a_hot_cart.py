"""Every record of every partition is of one cart: they are called one by one in order, and memory stays bounded."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Producer

from faults.load import LONG, Event, Fleet, Journal, memory
from infra.brokers import Broker
from infra.rokt import Rokt
from infra.worker import until

PARTITIONS = range(8)
EVENTS = 24_000 if LONG else 8_000
SETTLED = EVENTS if LONG else 800
VALUE_BYTES = 10_000
MAX_GAP_RECORDS = 50
GROWTH_MIB = 64

pytestmark = pytest.mark.timeout(900 if LONG else 120)


def test_a_hot_cart_keeps_its_order_within_bounded_memory(
    kafka: Broker, fleet: Fleet, journal: Journal, rokt: Rokt
) -> None:
    per_partition = EVENTS // len(PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 20, "log_level": 0})
    for number in range(EVENTS):
        value = Event("hot", number).value(attributes={"note": "n" * VALUE_BYTES})
        producer.produce(fleet.completed, value, partition=number // per_partition)
        producer.poll(0)
    assert producer.flush(60) == 0
    assert EVENTS * VALUE_BYTES / 2**20 > GROWTH_MIB

    fleet.start(WORKER_KAFKA__MAX_GAP_RECORDS=str(MAX_GAP_RECORDS), WORKER_KAFKA__BATCH_RECORDS="25")
    member = fleet.processes[-1]
    assert until(lambda: fleet.said("worker.started"))
    at_first, most = memory(member), 0.0
    deadline = time.monotonic() + (600 if LONG else 80)
    while len(journal) < SETTLED and time.monotonic() < deadline:
        most = max(most, memory(member))
        time.sleep(0.05)
    calls = journal.calls()
    print(f"{len(calls)} of {EVENTS} calls; {at_first:.0f} MiB at first, {most:.0f} MiB at most")
    assert len(calls) >= SETTLED
    assert most - at_first < GROWTH_MIB
    for partition in PARTITIONS:
        first = partition * per_partition
        wanted = [Event("hot", number).reservation for number in range(first, first + per_partition)]
        found = [call.reservation for call in calls if call.reservation in set(wanted)]
        assert found == wanted[: len(found)]
    assert {call.applied for call in calls} == {True}
    if LONG:
        assert fleet.all_committed()
    assert fleet.stop() == 0
