"""What every fault has: real Kafka, a Rokt that keeps state and its journal, and workers that come and go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.load import Fleet, Journal
from infra.brokers import Broker
from infra.rokt import Rokt

PARTITIONS = 8


@pytest.fixture
def rokt() -> Iterator[Rokt]:
    server = Rokt()
    yield server
    server.stop()


@pytest.fixture
def journal(rokt: Rokt) -> Iterator[Journal]:
    collected = Journal(rokt.url)
    yield collected
    collected.close()


@pytest.fixture
def fleet(kafka: Broker, rokt: Rokt, tmp_path: Path) -> Iterator[Fleet]:
    """None started yet; the topics are there."""
    settings = {
        "WORKER_SHUTDOWN__DRAIN_SECONDS": "10",
        "WORKER_ROKT__TIMEOUT_SECONDS": "3",
        "WORKER_LEDGER__LEASE_SECONDS": "4.5",
    }
    workers = Fleet(kafka, rokt.url, tmp_path, **settings)
    workers.create_topics(partitions=PARTITIONS)
    yield workers
    workers.end()
    assert "Traceback" not in workers.output(), workers.output()[-3000:]
