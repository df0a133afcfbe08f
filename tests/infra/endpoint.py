"""The endpoint for Rokt's transactions under test: a process of its own, and one who calls it as Rokt does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from infra.brokers import Broker, fresh
from infra.commands import environment
from infra.ports import free_port
from infra.worker import STOP_SECONDS, tell, until

API_KEY = "canary-transactions-key-4f7a"
PATH = "/v1/transactions"


class Endpoint:
    """`rokt-worker transactions` against a broker; topic, port and ledger are its own, but several share them."""

    def __init__(self, broker: Broker, folder: Path, **settings: str) -> None:
        self.broker = broker
        self.folder = folder
        self.topic = fresh("rokt-transactions")
        self.port = free_port()
        self.settings = {
            "WORKER_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap,
            "WORKER_KAFKA__PROPERTIES": json.dumps(broker.client_settings),
            "WORKER_TOPICS__TRANSACTIONS": self.topic,
            "WORKER_TRANSACTIONS__HOST": "127.0.0.1",
            "WORKER_TRANSACTIONS__PORT": str(self.port),
            "WORKER_TRANSACTIONS__API_KEY": API_KEY,
            "WORKER_LEDGER__URL": f"sqlite:///{folder / 'ledger.db'}",
        } | settings
        self.processes: list[subprocess.Popen[bytes]] = []
        broker.create_topics(self.topic, partitions=2)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.folder / "endpoint.log"

    def start(self, *, waiting: bool = True, **settings: str) -> None:
        """One more process; ready when this returns, unless nobody waits for that."""
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker", "transactions"],
                env=environment(self.settings | settings),
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        self.processes.append(process)
        assert not waiting or until(self.is_ready, 30), self.output()

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=1, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def send(self, transaction: Any, method: str = "POST", **more: Any) -> httpx.Response:
        """As JSON, with the key, unless said otherwise."""
        headers = {"x-api-key": API_KEY} | more.pop("headers", {})
        if "content" not in more:
            more["json"] = transaction
        return httpx.request(method, self.url + PATH, headers=headers, timeout=40, trust_env=False, **more)

    def records(self, want: int = 0, timeout: float = 30.0) -> list[dict[str, Any]]:
        """What stands in the topic."""
        return [json.loads(record.value or b"") for record in self.broker.read(self.topic, want, timeout)]

    def stop(self) -> int:
        process = self.processes[-1]
        tell(process, 15)  # type: ignore[arg-type]
        return process.wait(STOP_SECONDS)

    def kill(self) -> None:
        self.processes[-1].kill()
        self.processes[-1].wait(STOP_SECONDS)

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait(STOP_SECONDS)

    def output(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in found if line.get("event") == event]
