"""What an arm runs against: a real Kafka, a registry, a PostgreSQL, and stubs of Rokt and of a collector."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from infra import postgres, real_kafka, registry
from infra.brokers import Broker
from infra.postgres import Postgres
from infra.registry import Registry
from infra.unavailable import UnavailableError


class Stub:
    """A process of its own, which answers after a fixed time (bench/stub.py)."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.pid = process.pid
        self._port = port

    def told(self) -> tuple[int, int]:
        """How many calls it has answered, and how many it had at once at most since it was asked before."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request("GET", "/")
        calls, most = connection.getresponse().read().split()
        connection.close()
        return int(calls), int(most)


@dataclass(frozen=True, slots=True)
class Servers:
    """`postgres` is None where there is none to be had, and why stands in `missing`."""

    broker: Broker
    registry: Registry
    postgres: Postgres | None
    collector: Stub
    missing: str = ""


@contextmanager
def stub(seconds: float) -> Iterator[Stub]:
    """A stub that takes so many seconds."""
    process = subprocess.Popen([sys.executable, "-m", "bench.stub", str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Stub(int(process.stdout.readline()), process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def servers(*, with_postgres: bool) -> Iterator[Servers]:
    """All of them, until the end. Raises UnavailableError where there is no real Kafka or no registry."""
    with ExitStack() as stack:
        broker, remove = real_kafka.find()
        stack.callback(remove)
        schemas, remove = registry.find()
        stack.callback(remove)
        database, missing = None, ""
        if with_postgres:
            try:
                database, remove = postgres.find()
                stack.callback(remove)
            except UnavailableError as error:
                missing = error.reason
        yield Servers(broker, schemas, database, stack.enter_context(stub(0.0)), missing)
