"""The worker under test: a process of its own, as its users run it, and what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from infra.brokers import Broker, fresh

API_KEY = "canary-api-key-8c1d"
TAG_ID = "253_439d21r21r21321"
STOP_SECONDS = 40.0


class Worker:
    """`rokt-worker run` against a broker and a Rokt; topics and group are this worker's own."""

    def __init__(self, broker: Broker, rokt_url: str, folder: Path, **settings: str) -> None:
        self.broker = broker
        self.group = fresh("group")
        self.completed = fresh("checkout-completed")
        self.cancelled = fresh("order-cancelled")
        self.abandoned = fresh("cart-abandoned")
        self.outcomes = fresh("rokt-outcomes")
        self.folder = folder
        self.settings = {
            "WORKER_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap,
            "WORKER_KAFKA__GROUP_ID": self.group,
            "WORKER_KAFKA__PROPERTIES": json.dumps(broker.client_settings),
            "WORKER_TOPICS__CHECKOUT_COMPLETED": self.completed,
            "WORKER_TOPICS__ORDER_CANCELLED": self.cancelled,
            "WORKER_TOPICS__CART_ABANDONED": self.abandoned,
            "WORKER_TOPICS__OUTCOMES": self.outcomes,
            "WORKER_ROKT__BASE_URL": rokt_url,
            "WORKER_ROKT__API_KEY": API_KEY,
            "WORKER_ROKT__TAG_ID": TAG_ID,
            "WORKER_LEDGER__URL": f"sqlite:///{folder / 'ledger.db'}",
            "WORKER_CANCEL__WAIT_SECONDS": "0.5",
            "WORKER_RETRY__INITIAL_SECONDS": "0.05",
            "WORKER_RETRY__MAX_SECONDS": "0.3",
            "WORKER_RETRY__DENIED_INITIAL_SECONDS": "0.2",
        } | settings
        self.command = [sys.executable, "-m", "worker", "run"]
        self.arguments: list[str] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def sources(self) -> tuple[str, str, str]:
        return self.completed, self.cancelled, self.abandoned

    def create_topics(self, *, partitions: int = 2) -> None:
        self.broker.create_topics(
            *self.sources, self.outcomes, *(f"{topic}.dlq" for topic in self.sources), partitions=partitions
        )

    def start(self, **settings: str) -> None:
        """One more process of the same group."""
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("WORKER_", "OTEL_"))}
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [*self.command, *self.arguments],
                env=environment | self.settings | settings,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        self.processes.append(process)

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """To the newest process."""
        tell(self.processes[-1], number)

    def wait(self, timeout: float = STOP_SECONDS) -> int:
        """The exit code of the newest process."""
        return self.processes[-1].wait(timeout)

    def stop(self) -> int:
        self.signal()
        return self.wait()

    def kill(self) -> None:
        self.processes[-1].kill()
        self.wait()

    def end(self) -> None:
        """Whatever still runs is killed: for a test's end."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait(STOP_SECONDS)

    @property
    def log_file(self) -> Path:
        return self.folder / "worker.log"

    def output(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """The log's lines, all or those of one event."""
        lines = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in lines if event in (None, line.get("event"))]

    def read_outcomes(self, want: int, timeout: float = 60.0) -> list[dict[str, Any]]:
        return [json.loads(r.value or b"") for r in self.broker.read(self.outcomes, want, timeout)]

    def lag(self) -> int:
        """How many records of the three topics are not committed."""
        return sum(p.end - p.committed for t in self.sources for p in self.broker.committed(self.group, t).values())

    def all_committed(self, seconds: float = 60.0) -> bool:
        """Whether every record of the three topics was committed in time."""

        def committed() -> bool:
            try:
                return self.lag() == 0
            except KafkaException:  # a broker that has just come back does not answer for the group yet
                return False

        return until(committed, seconds)


def until(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


def tell(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Sends a signal to a process that can answer it: before its interpreter is up none can."""
    assert until(lambda: _heeds(process.pid, number))
    process.send_signal(number)


def _heeds(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal; taken for granted where there is no /proc."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return True
    [caught] = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (number - 1) & 1)
