"""Measured once, of the worker as shipped: its start, where its CPU goes, how fast it skips what is settled."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import stages
from bench.arms import Arm
from bench.running import PARTITIONS, PATIENCE_SECONDS, between, fill, running, wait_for, worker_of
from bench.servers import Servers, stub
from infra.brokers import fresh
from infra.worker import Worker

MANY: Final = 50_000
"""As few as a run has are passed in a second."""


@dataclass(frozen=True, slots=True)
class Alone:
    """Seconds from exec to the first call; settled events passed a second; µs an event by stage."""

    first_call_seconds: float
    again_rate: float
    stages: dict[str, float]


def measure(arm: Arm, servers: Servers, events: int, rivals: Path | None) -> Alone:
    """Raises TimeoutError when it does not come to an end."""
    events = max(events, MANY)
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
    """Events a second that a new group passes over, from the first tenth to the last; by what it has committed."""
    if not worker.all_committed(PATIENCE_SECONDS) or worker.stop() != 0:
        raise TimeoutError("not all events were settled")
    worker.group = worker.settings["WORKER_KAFKA__GROUP_ID"] = fresh("group")
    worker.start(WORKER_KAFKA__COMMIT_SECONDS="0.05")
    first, began = _once_below(worker, events * 9 // 10)
    last, ended = _once_below(worker, events // 10)
    return (first - last) / (ended - began)


def _once_below(worker: Worker, lag: int) -> tuple[int, float]:
    """The lag, once it is no more than this, and when that was (monotonic seconds)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        before = time.monotonic()
        if (left := worker.lag()) <= lag:
            return left, (before + time.monotonic()) / 2
    raise TimeoutError("the settled events were not passed")
