"""A real schema registry with Confluent's API: a given one, else Apicurio Registry on this machine's Java."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from infra import maven
from infra.jvm import java, quick
from infra.once import start_or_remove
from infra.ports import free_port
from infra.process import ServerProcess
from infra.unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

GIVEN: Final = "WORKER_TEST_REGISTRY_URL"
POM: Final = Path(__file__).with_name("registry.pom.xml")
CONFLUENT_API: Final = "/apis/ccompat/v7"
START_SECONDS: Final = 60.0
GIVEN_SECONDS: Final = 5.0


class Server(Protocol):
    """What stands behind a registry."""

    def kill(self) -> None: ...
    def restart(self) -> None: ...


@dataclass(frozen=True)
class Registry:
    """`url` is the base of Confluent's API."""

    url: str
    version: str
    found: str
    server: Server | None = None

    @property
    def restartable(self) -> bool:
        return self.server is not None

    def encode(self, topic: str, value: dict[str, Any], schema: str, subject: str | None = None) -> bytes:
        """A record's value as confluent-kafka's own AvroSerializer writes it; registers the schema at need."""
        with SchemaRegistryClient({"url": self.url}) as client:
            settings: dict[str, Any] = {} if subject is None else {"subject.name.strategy": lambda *_: subject}
            written = AvroSerializer(client, schema, conf=settings)(
                value, SerializationContext(topic, MessageField.VALUE)
            )
        assert written is not None
        return bytes(written)

    def kill(self) -> None:
        """As a crash does. Only where `restartable`."""
        assert self.server is not None
        self.server.kill()

    def restart(self) -> None:
        """Up again at the same address; schemas and their ids are still there."""
        assert self.server is not None
        self.server.restart()

    def answers(self) -> bool:
        return _answers(self.url, 1.0)

    def __str__(self) -> str:
        return f"schema registry: {self.version} at {self.url} ({self.found})"


class ApicurioJvm:
    """Its schemas are in a file, so they outlive it."""

    def __init__(self) -> None:
        self.version: Final = f"Apicurio Registry {maven.pinned(POM, 'registry.version')}"
        command, home = java(), maven.resolve(POM)
        port = free_port()
        self.url: Final = f"http://127.0.0.1:{port}{CONFLUENT_API}"
        self._process = ServerProcess("registry", lambda: _answers(self.url, 1.0))
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": port,
            # Written at once, as it may be killed at any time.
            "quarkus.datasource.jdbc.url": f"jdbc:h2:file:{self._process.folder}/registry;WRITE_DELAY=0",
        }
        options = [f"-D{name}={value}" for name, value in settings.items()]
        runner = next(home.glob("*-runner.jar"))
        self._command = [command, *quick(self._process.folder), "-Xmx384m", *options, "-jar", str(runner)]

    def start(self) -> None:
        self._process.start(self._command, START_SECONDS)

    def kill(self) -> None:
        self._process.kill()

    def restart(self) -> None:
        self._process.stop()
        self.start()

    def remove(self) -> None:
        self._process.remove()


def find() -> tuple[Registry, Callable[[], None]]:
    """A real registry and how to give it back; else the reason why there is none."""
    given = os.environ.get(GIVEN)
    if given:
        if not _answers(given, GIVEN_SECONDS):
            raise UnavailableError(f"no real schema registry: {GIVEN}={given} does not answer")
        return Registry(given.rstrip("/"), "unknown version", GIVEN), _nothing
    try:
        server = ApicurioJvm()
        start_or_remove(server)
    except UnavailableError as error:
        raise UnavailableError(f"no real schema registry: {GIVEN} is not set; JVM: {error.reason}", error.log) from None
    return Registry(server.url, server.version, "JVM, archive by Maven", server), server.remove


def _answers(url: str, within: float) -> bool:
    try:
        return httpx.get(f"{url.rstrip('/')}/subjects", timeout=within, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _nothing() -> None:
    return None
