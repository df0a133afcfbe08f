"""Workers with names of their own (KIP-345): one that restarts has its partitions again, and disturbs nobody else."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from infra import events
from infra.brokers import Broker
from infra.rokt import Rokt
from infra.worker import Worker, until

ON_KAFKA = [pytest.param("kafka", marks=pytest.mark.real_kafka)]
PARTITIONS = 6


def assigned(worker: Worker) -> list[dict[str, Any]]:
    return worker.lines("kafka.assigned")


@pytest.mark.parametrize("broker", ON_KAFKA, indirect=True)
def test_a_restart_of_one_moves_no_partition_of_the_other(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    worker.settings["WORKER_KAFKA__PROPERTIES"] = json.dumps(broker.client_settings | {"session.timeout.ms": 30_000})
    carts = (f"cart-{number}" for number in count())

    def settled() -> bool:
        cart = next(carts)
        broker.produce(worker.completed, json.dumps(events.completed(cart)))
        return until(lambda: rokt.state_of(events.reservation(cart, 0)) == "confirmed")

    worker.start(WORKER_KAFKA__INSTANCE_ID="worker-0")
    assert until(lambda: assigned(worker))
    worker.start(WORKER_KAFKA__INSTANCE_ID="worker-1")
    assert until(lambda: worker.lines("kafka.revoked") and len(assigned(worker)) >= 2)
    assert settled()
    before = len(worker.lines("kafka.revoked"))
    for _ in range(2):
        assert worker.stop() == 0
        worker.start(WORKER_KAFKA__INSTANCE_ID="worker-1")
        started = len(assigned(worker))
        assert until(lambda started=started: len(assigned(worker)) > started)  # type: ignore[misc]
        assert all(settled() for _ in range(8))
    stopped = len(worker.lines("worker.stopping"))
    assert len(assigned(worker)) == 2 + stopped
    assert len(worker.lines("kafka.revoked")) - before <= stopped  # of whoever stops, and of nobody else
