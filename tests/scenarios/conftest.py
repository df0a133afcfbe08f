"""What every scenario has: a Rokt that keeps state, and a worker of its own on the broker in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.brokers import Broker
from infra.rokt import Rokt
from infra.worker import Worker

# As short as everything else here: probes come soon, and who fails for a second is not poison yet.
QUICK = {
    "WORKER_CIRCUIT__PROBE_INITIAL_SECONDS": "0.1",
    "WORKER_CIRCUIT__PROBE_MAX_SECONDS": "0.5",
    "WORKER_RETRY__MAX_ATTEMPTS": "1000",
}


@pytest.fixture
def rokt() -> Iterator[Rokt]:
    server = Rokt()
    yield server
    server.stop()


@pytest.fixture
def worker(broker: Broker, rokt: Rokt, tmp_path: Path) -> Iterator[Worker]:
    """Not started yet; its topics are there."""
    process = Worker(broker, rokt.url, tmp_path, **QUICK)
    process.create_topics()
    yield process
    process.end()
    assert "Traceback" not in process.output(), process.output()[-3000:]
    assert not process.lines("worker.defect")
