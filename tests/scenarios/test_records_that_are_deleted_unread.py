"""The topic's retention runs on while the worker is down or held up: it warns in time, and no gap is passed over."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition

from infra import kafka_api
from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.ports import free_port
from infra.rokt import Rokt
from infra.worker import Worker, until

ON_KAFKA = [pytest.param("kafka", marks=pytest.mark.real_kafka)]
LOOKING_OFTEN = {"WORKER_KAFKA__RETENTION_CHECK_SECONDS": "0.3"}
HOUR_MS = 3_600_000
BIG = b"k" * 200_000


def _publish(broker: Broker, worker: Worker, carts: range, at_ms: int | None = None) -> None:
    for n in carts:
        broker.produce(worker.completed, encoded(completed(f"cart-{n}")), partition=0, timestamp=at_ms)


def _confirmed(rokt: Rokt) -> set[str]:
    return {where for where, found in rokt.reservations().items() if found["state"] == "confirmed"}


def _reservations(carts: range) -> set[str]:
    return {reservation(f"cart-{n}") for n in carts}


def _settle_some(broker: Broker, worker: Worker, carts: range) -> None:
    """Another process has been there, and is down now."""
    _publish(broker, worker, carts)
    worker.start()
    assert worker.all_committed()
    assert worker.stop() == 0


def _losses(worker: Worker) -> list[tuple[str, int, int, int, int]]:
    lines = worker.lines("kafka.records_lost")
    return [(e["topic"], e["partition"], e["from"], e["to"], e["records"]) for e in lines]


def _commit(broker: Broker, worker: Worker, offset: int) -> None:
    """As a member of the group: the embedded broker takes commits of no other."""
    own = {"bootstrap.servers": broker.bootstrap, "group.id": worker.group, "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer(broker.client_settings | own)
    consumer.subscribe([worker.completed])
    try:
        assert until(lambda: consumer.consume(1, 0.1) or consumer.assignment())
        consumer.commit(offsets=[TopicPartition(worker.completed, 0, offset)], asynchronous=False)
    finally:
        consumer.close()


@pytest.mark.parametrize("broker", ON_KAFKA, indirect=True)
@pytest.mark.parametrize(
    "properties",
    [{}, {"group.protocol": "consumer"}, {"partition.assignment.strategy": "range"}, {"auto.offset.reset": "latest"}],
    ids=["cooperative", "consumer protocol", "eager", "latest"],
)
def test_what_was_deleted_while_the_worker_was_down_is_said_and_the_rest_is_done(
    broker: Broker, worker: Worker, rokt: Rokt, properties: dict[str, Any]
) -> None:
    client = {} if "group.protocol" in properties else broker.client_settings
    _settle_some(broker, worker, range(3))
    _publish(broker, worker, range(3, 10))
    kafka_api.delete_records(broker.bootstrap, worker.completed, 0, before=8)
    worker.start(WORKER_KAFKA__PROPERTIES=json.dumps(client | properties))

    assert worker.all_committed()
    assert worker.stop() == 0
    assert _losses(worker) == [(worker.completed, 0, 3, 8, 5)]
    assert "publish" in worker.lines("kafka.records_lost")[0]["mend"]
    assert worker.lines("kafka.records_lost")[0]["level"] == "error"
    assert _confirmed(rokt) == _reservations(range(3)) | _reservations(range(8, 10))


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_log_that_outgrew_its_size_while_the_worker_was_down_is_said(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    _settle_some(broker, worker, range(3))
    for _ in range(40):
        end = broker.produce(worker.completed, None, key=BIG, partition=0).offset + 1
    broker.produce(worker.completed, encoded(completed("cart-last")), partition=0)
    worker.start()

    assert until(lambda: reservation("cart-last") in _confirmed(rokt))
    assert worker.stop() == 0
    [(topic, partition, first, to, records)] = _losses(worker)
    assert (topic, partition, first) == (worker.completed, 0, 3)
    assert 3 < to < end
    assert records == to - first
    assert len([line for line in worker.lines("event.settled") if line["fate"] == "skipped"]) == end - to


@pytest.mark.parametrize("broker", ON_KAFKA, indirect=True)
def test_a_log_that_was_emptied_while_the_worker_was_down_is_said_though_nothing_comes(
    broker: Broker, worker: Worker
) -> None:
    _settle_some(broker, worker, range(3))
    _publish(broker, worker, range(3, 10))
    kafka_api.delete_records(broker.bootstrap, worker.completed, 0, before=-1)
    worker.start(**LOOKING_OFTEN)

    assert until(lambda: _losses(worker) == [(worker.completed, 0, 3, 10, 7)])
    assert worker.stop() == 0


@pytest.mark.parametrize("broker", ON_KAFKA, indirect=True)
def test_what_is_deleted_of_a_paused_partition_is_said_while_rokt_is_still_down(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    port = free_port()
    rokt.faults(outage=True)
    _publish(broker, worker, range(30))
    worker.start(
        WORKER_KAFKA__MAX_GAP_RECORDS="5",
        WORKER_KAFKA__BATCH_RECORDS="5",
        WORKER_HEALTH__HOST="127.0.0.1",
        WORKER_HEALTH__PORT=str(port),
        **LOOKING_OFTEN,
    )
    assert until(lambda: [line for line in worker.lines("kafka.paused") if "gap" in line["reasons"]])
    kafka_api.delete_records(broker.bootstrap, worker.completed, 0, before=20)
    assert until(lambda: _losses(worker))
    assert until(lambda: worker.lines("kafka.in_hand_only"))
    for path in ("livez", "readyz"):
        health = httpx.get(f"http://127.0.0.1:{port}/{path}", trust_env=False).json()
        assert health["records_lost"] == _losses(worker)[0][4]
        assert health["retention_left_seconds"] == 0.0

    rokt.faults()
    assert worker.all_committed()
    assert worker.stop() == 0
    [(_, _, first, to, records)] = _losses(worker)
    assert (to, records) == (20, 20 - first)
    assert _confirmed(rokt) == _reservations(range(first)) | _reservations(range(20, 30))


def test_a_log_that_ends_before_what_was_committed_is_said_and_nothing_is_done_twice(
    broker: Broker, worker: Worker, rokt: Rokt
) -> None:
    _settle_some(broker, worker, range(3))
    _commit(broker, worker, 1_000)
    _publish(broker, worker, range(3, 5))
    worker.start(**LOOKING_OFTEN)

    assert until(lambda: _confirmed(rokt) == _reservations(range(5)))
    assert until(lambda: broker.committed(worker.group, worker.completed)[0].committed == 5)
    assert worker.stop() == 0
    [line] = worker.lines("kafka.log_rewound")
    assert (line["topic"], line["partition"], line["expected"], line["level"]) == (worker.completed, 0, 1_000, "error")
    assert len(rokt.calls("confirm")) == 5
    assert _losses(worker) == []


@pytest.mark.parametrize("broker", ON_KAFKA, indirect=True)
@pytest.mark.parametrize(("share_left", "level"), [(0.2, "warning"), (0.05, "error")])
def test_an_old_record_that_holds_its_partition_up_is_named_before_it_is_deleted(
    broker: Broker, worker: Worker, rokt: Rokt, share_left: float, level: str
) -> None:
    port = free_port()
    kafka_api.set_on_topic(broker.bootstrap, worker.completed, "retention.ms", str(HOUR_MS))
    rokt.faults(outage=True)
    now_ms = int(time.time() * 1000)
    _publish(broker, worker, range(3), at_ms=now_ms - int(HOUR_MS * (1 - share_left)))
    worker.start(WORKER_HEALTH__HOST="127.0.0.1", WORKER_HEALTH__PORT=str(port), **LOOKING_OFTEN)

    assert until(lambda: worker.lines("kafka.retention_near"))
    line = worker.lines("kafka.retention_near")[0]
    assert (line["topic"], line["partition"], line["offset"], line["level"]) == (worker.completed, 0, 0, level)
    assert 0 < line["left_seconds"] <= share_left * HOUR_MS / 1000
    health = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
    assert health.status_code == 200
    assert 0 < health.json()["retention_left_seconds"] <= share_left * HOUR_MS / 1000
    assert health.json()["records_lost"] == 0


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_brokers_that_do_not_tell_the_retention_are_named_once(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    rokt.faults(outage=True)
    _publish(broker, worker, range(1))
    worker.start(**LOOKING_OFTEN)
    assert until(lambda: worker.lines("kafka.retention_unknown"))
    assert {line["level"] for line in worker.lines("kafka.retention_unknown")} == {"info"}
    rokt.faults()
    assert worker.all_committed()
    assert worker.stop() == 0
    topics = [line["topic"] for line in worker.lines("kafka.retention_unknown")]
    assert sorted(topics) == sorted(set(topics))
