"""Events at a steady rate below what the worker can do: how much time it adds to Rokt's own.

Each event has the time at which it was to be written, whether or not the shop was late; what it is settled at is when
the broker took its outcome.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.arms import Arm
from bench.running import PARTITIONS, PATIENCE_SECONDS, cpu, memory, running, shop, worker_of
from bench.servers import Servers, stub
from bench.shop import HOT_CART
from infra import kafka_api
from infra.worker import until

WARM: Final = 0.2
"""Share of the events that do not count: the limit of calls at once is still being found out."""
ORDER: Final = re.compile(rb"order-(\d{9})")


@dataclass(frozen=True, slots=True)
class Added:
    """Milliseconds beyond Rokt's own, from when an event was to be written to when it was settled; hot carts apart."""

    rate: float
    p50: float
    p99: float
    most: float
    cpu: float
    memory: float


def measure(arm: Arm, servers: Servers, rate: float, seconds: float, carts: str) -> Added:
    """Raises TimeoutError when it does not come to an end."""
    events = int(rate * seconds)
    with tempfile.TemporaryDirectory() as folder, stub(arm.milliseconds / 1000) as rokt:
        worker = worker_of(arm, servers, rokt, Path(folder))
        worker.create_topics(partitions=PARTITIONS)
        kafka_api.set_on_topic(servers.broker.bootstrap, worker.outcomes, "message.timestamp.type", "LogAppendTime")
        with running(worker, arm.processes):
            pids = [process.pid for process in worker.processes]
            if not until(lambda: worker.lines("kafka.assigned")):
                raise TimeoutError("the group did not form")
            before = cpu(pids)
            command = shop(servers, worker.completed, events, "--carts", carts, "--rate", str(rate))
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            if not worker.all_committed(PATIENCE_SECONDS):
                raise TimeoutError("not all events were settled")
            used = {kind: spent - before[kind] for kind, spent in cpu(pids).items()}
            most = memory(pids)
        records = servers.broker.read(worker.outcomes, events, 60.0)
    began = float(done.stdout)
    times = [
        (record.timestamp / 1000 - began - number / rate) * 1000 - arm.milliseconds
        for record in records
        if record.key != HOT_CART.encode() and (number := _number(record.value)) >= events * WARM
    ]
    return Added(rate, *_spread(sorted(times)), sum(used.values()) / events * 1e6, most)


def _number(value: bytes | None) -> int:
    found = ORDER.search(value or b"")
    assert found is not None
    return int(found[1])


def _spread(times: Sequence[float]) -> tuple[float, float, float]:
    return times[len(times) // 2], times[len(times) * 99 // 100], times[-1]
