"""Measured once, of the worker as shipped: its start, where its CPU goes, how fast it skips what is settled."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench import stages
from bench.arms import Arm
from bench.running import PARTITIONS, PATIENCE_SECONDS, between, fill, running, wait_for, worker_of
from bench.servers import Servers, stub
from infra.brokers import fresh
from infra.worker import Worker, until


@dataclass(frozen=True, slots=True)
class Alone:
    """Seconds from exec to the first call; settled events passed a second; µs an event by stage."""

    first_call_seconds: float
    again_rate: float
    stages: dict[str, float]


def measure(arm: Arm, servers: Servers, events: int, rivals: Path | None) -> Alone:
    """Raises TimeoutError when it does not come to an end."""
    with tempfile.TemporaryDirectory() as folder, stub(arm.milliseconds / 1000) as rokt:
        worker = worker_of(arm, servers, rokt, Path(folder))
        worker.create_topics(partitions=PARTITIONS)
        fill(servers, worker.completed, events)
        began = time.monotonic()
        with running(worker):
            wait_for(rokt, 1)
            first = time.monotonic() - began - arm.milliseconds / 1000
            pid = worker.processes[0].pid
            wait_for(rokt, events // 10)
            found: dict[str, float] = {}
            looking = threading.Thread(
                target=lambda: found.update(stages.shares(rivals, pid, Path(folder)) if rivals else {})
            )
            looking.start()
            run = between(rokt, [pid], events)
            looking.join()
            again = _read_again(worker, events)
    parts = {stage: share * (run.cpu - run.librdkafka) for stage, share in found.items()}
    return Alone(first, again, parts | ({"librdkafka": run.librdkafka} if parts else {}))


def _read_again(worker: Worker, events: int) -> float:
    """Events a second that a new group passes over, from when it has its partitions to when all is committed."""
    if not worker.all_committed(PATIENCE_SECONDS) or worker.stop() != 0:
        raise TimeoutError("not all events were settled")
    worker.group = worker.settings["WORKER_KAFKA__GROUP_ID"] = fresh("group")
    worker.start(WORKER_KAFKA__COMMIT_SECONDS="0.1")
    before = len(worker.lines("kafka.assigned"))
    if not until(lambda: len(worker.lines("kafka.assigned")) > before, PATIENCE_SECONDS):
        raise TimeoutError("the new group did not form")
    began = datetime.fromisoformat(worker.lines("kafka.assigned")[-1]["time"]).timestamp()
    if not worker.all_committed(PATIENCE_SECONDS):
        raise TimeoutError("not all settled events were passed")
    return events / (time.time() - began)
