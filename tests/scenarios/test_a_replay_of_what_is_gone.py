"""What of a stretch cannot be read any more, or never could: deleted records, transactions' marks; with any client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from confluent_kafka import Producer

from infra import kafka_api
from infra.brokers import Broker, fresh
from infra.events import completed, encoded
from infra.replay import Replay
from infra.rokt import Rokt
from infra.worker import Worker

DELETED = 5


@pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.real_kafka)], indirect=True)
@pytest.mark.parametrize(
    "properties",
    [{"group.instance.id": "pod-1"}, {"group.protocol": "consumer"}, {"partition.assignment.strategy": "range"}],
    ids=["cooperative", "consumer protocol", "eager"],
)
def test_what_was_deleted_is_counted_as_lost_and_what_is_no_record_is_passed(
    broker: Broker, worker: Worker, rokt: Rokt, properties: dict[str, Any]
) -> None:
    for n in range(8):
        broker.produce(worker.completed, encoded(completed(f"cart-{n}")), partition=0)
        broker.produce(worker.abandoned, encoded(completed(f"all of {n} is gone")), partition=1)
    _in_a_transaction(broker, worker, "dropped", commit=False)
    _in_a_transaction(broker, worker, "kept", commit=True)
    client = {} if "group.protocol" in properties else broker.client_settings
    worker.settings["WORKER_KAFKA__PROPERTIES"] = json.dumps(client | properties)
    replay = Replay(worker)
    kafka_api.delete_records(broker.bootstrap, worker.completed, 0, before=DELETED)
    kafka_api.delete_records(broker.bootstrap, worker.abandoned, 1, before=8)

    come = replay.run()
    assert come["finished"]
    assert come["counts"] == {"lost": DELETED + 8, "succeeded": 8 - DELETED + 1}
    assert come["offsets"] == 8 + 8 + 4
    assert "kafka.records_lost" in replay.log()
    assert {call["cart_id"] for call in rokt.calls()} == {"kept", *(f"cart-{n}" for n in range(DELETED, 8))}


def _in_a_transaction(broker: Broker, worker: Worker, cart: str, *, commit: bool) -> None:
    """A record and the mark behind it, the partition's last offset."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": fresh("shop"), "log_level": 0})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(worker.completed, encoded(completed(cart)), partition=1)
    if commit:
        producer.commit_transaction(20)
    else:
        producer.flush(20)
        producer.abort_transaction(20)
