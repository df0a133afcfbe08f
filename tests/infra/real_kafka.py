"""The real Kafka of a test run: the first of a given one, Docker's and this machine's Java's."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from infra import kafka_api
from infra.brokers import Broker
from infra.kafka_docker import KafkaDocker
from infra.kafka_jvm import KafkaJvm
from infra.once import start_or_remove
from infra.unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

GIVEN: Final = "WORKER_TEST_BOOTSTRAP_SERVERS"
GIVEN_SECONDS: Final = 10.0
VERSION_SECONDS: Final = 5.0


@dataclass
class GivenKafka:
    """Somebody else's: only our own topics are ours."""

    bootstrap: str
    topics: list[str] = field(default_factory=list)

    def create_topics(self, names: tuple[str, ...], partitions: int) -> None:
        self.topics += names
        kafka_api.create_topics(self.bootstrap, names, partitions)

    def kill(self) -> None:
        raise UnavailableError("a given Kafka is not ours to kill")

    def restart(self) -> None:
        raise UnavailableError("a given Kafka is not ours to restart")

    def remove(self) -> None:
        if self.topics:
            kafka_api.delete_topics(self.bootstrap, self.topics)


def find() -> tuple[Broker, Callable[[], None]]:
    """A real broker and how to give it back; else the reasons why there is none."""
    given = os.environ.get(GIVEN)
    if given:
        return _given(given)
    failures: list[UnavailableError] = []
    for way, start in (("Docker", _docker), ("JVM", _jvm)):
        try:
            return start()
        except UnavailableError as error:
            failures.append(UnavailableError(f"{way}: {error.reason}", error.log))
        except Exception as error:  # the other way may still do
            failures.append(UnavailableError(f"{way}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"))
    reasons = "; ".join(failure.reason for failure in failures)
    logs = "\n".join(f"{failure.reason}\n{failure.log}" for failure in failures if failure.log)
    raise UnavailableError(f"no real Kafka: {GIVEN} is not set; {reasons}", logs)


def _given(bootstrap: str) -> tuple[Broker, Callable[[], None]]:
    if not kafka_api.answers(bootstrap, GIVEN_SECONDS):
        raise UnavailableError(f"no real Kafka: {GIVEN}={bootstrap} does not answer")
    server = GivenKafka(bootstrap)
    return Broker("kafka", _generation(bootstrap), GIVEN, server, restartable=False), server.remove


def _docker() -> tuple[Broker, Callable[[], None]]:
    return _started(KafkaDocker(), "Docker")


def _jvm() -> tuple[Broker, Callable[[], None]]:
    return _started(KafkaJvm(), "JVM, jars by Maven")


def _started(server: KafkaDocker | KafkaJvm, found: str) -> tuple[Broker, Callable[[], None]]:
    start_or_remove(server)
    # It answers a moment before it tells its version.
    deadline = time.monotonic() + VERSION_SECONDS
    while not server.version and time.monotonic() < deadline:
        time.sleep(0.05)
    version = server.version or _generation(server.bootstrap)
    return Broker("kafka", version, found, server), server.remove


def _generation(bootstrap: str) -> str:
    return "4.x" if kafka_api.is_version_4(bootstrap) else "older than 4.0"
