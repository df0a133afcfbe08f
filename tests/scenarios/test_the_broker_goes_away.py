"""The broker dies in the middle of things: the worker waits, goes on when it is back, and can always be stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import Worker, until

CARTS = [f"cart-{n}" for n in range(30)]


@pytest.fixture
def worker(kafka: Broker, rokt: Rokt, tmp_path: Path) -> Iterator[Worker]:
    """Only on real Kafka: the embedded broker dies with its process."""
    if not kafka.restartable:
        pytest.skip("a given broker is not ours to kill")
    process = Worker(kafka, rokt.url, tmp_path)
    process.create_topics()
    yield process
    process.end()
    assert "Traceback" not in process.output(), process.output()[-3000:]


def test_a_broker_that_dies_and_comes_back_loses_nothing(kafka: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(latency={"kind": "fixed", "seconds": 0.1})
    for cart in CARTS:
        kafka.produce(worker.completed, encoded(completed(cart)), key=cart)
    worker.start(WORKER_KAFKA__DELIVERY_SECONDS="2", WORKER_ROKT__MAX_CONCURRENCY="1")
    assert until(lambda: len(rokt.calls()) >= 5)
    kafka.kill()
    assert until(lambda: worker.lines("kafka.write_waiting"))
    kafka.restart()

    assert worker.all_committed()
    assert worker.stop() == 0
    found = rokt.reservations()
    assert [found[reservation(cart)]["confirms"] for cart in CARTS] == [1] * len(CARTS)
    assert {outcome["cartId"] for outcome in worker.read_outcomes(len(CARTS))} == set(CARTS)


def test_sigterm_while_the_broker_is_away_ends_it_in_time(kafka: Broker, worker: Worker, rokt: Rokt) -> None:
    for cart in CARTS:
        kafka.produce(worker.completed, encoded(completed(cart)), key=cart)
    rokt.faults(latency={"kind": "fixed", "seconds": 0.1})
    worker.start(WORKER_SHUTDOWN__DRAIN_SECONDS="2", WORKER_ROKT__MAX_CONCURRENCY="1")
    assert until(lambda: len(rokt.calls()) >= 5)
    kafka.kill()
    started = time.monotonic()

    assert worker.stop() == 0
    assert time.monotonic() - started < 2 + 5 + 5
