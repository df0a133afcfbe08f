"""What the brokers say of themselves and of topics, and making those that are missing.

Each call waits for its answer, so none belongs on an event loop, nor on the thread that hears Ctrl-C.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from worker.errors import WorkerError
from worker.stream.client import said
from worker.topics.judging import Found, Kept
from worker.topics.needed import Needed

T = TypeVar("T")

STEP_SECONDS: Final = 0.25
GRACE_SECONDS: Final = 1.0
SOON: Final = {"api.version.request.timeout.ms": 3000, "socket.connection.setup.timeout.ms": 5000}
FOREVER: Final = -1
MOCK: Final = "mockCluster"  # librdkafka, rdkafka_mock.c: what every mock cluster's id begins with
WITHOUT_SETTINGS: Final = "this broker has no settings of topics: it is an embedded one (a mock cluster)"
SECURITY: Final = "what WORKER_KAFKA__PROPERTIES says of security"
MENDS: Final[dict[str, str]] = {
    "_AUTHENTICATION": "give the right sasl.mechanism, sasl.username and sasl.password in WORKER_KAFKA__PROPERTIES",
    "_RESOLVE": "look at the host names in WORKER_KAFKA__BOOTSTRAP_SERVERS",
    "_SSL": "look at ssl.ca.location, the certificate and security.protocol in WORKER_KAFKA__PROPERTIES",
    "CLUSTER_AUTHORIZATION_FAILED": "let the user of WORKER_KAFKA__PROPERTIES describe the cluster",
    "TOPIC_AUTHORIZATION_FAILED": "let the user of WORKER_KAFKA__PROPERTIES describe the topics",
    "GROUP_AUTHORIZATION_FAILED": "let the user of WORKER_KAFKA__PROPERTIES read the group WORKER_KAFKA__GROUP_ID",
}
ELSEWHERE: Final = f"look at WORKER_KAFKA__BOOTSTRAP_SERVERS, at what is between, and at {SECURITY}"


class BrokersUnavailable(WorkerError):
    """The brokers did not answer, or refused; `mend` says what an operator can do about it."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Overview:
    """The cluster. `mock`: librdkafka's own, which neither makes topics on request nor tells of their settings.

    `topics` are those that can be used, each with its partitions and how often it is kept.
    """

    brokers: int
    mock: bool
    topics: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a topic that was to be made. `error` None: it is there now; `already`: it was there before."""

    name: str
    already: bool = False
    error: str | None = None
    mend: str = ""


class Administrator:
    """The brokers, asked with the worker's own connection properties. `seconds` bounds each question."""

    def __init__(self, config: Mapping[str, Any], *, seconds: float) -> None:
        self._troubles: list[KafkaError] = []
        self._heard = _LastFailure()
        self.seconds = seconds
        mine: dict[str, Any] = {**SOON, **config, "error_cb": self._troubles.append, "logger": self._heard.logger}
        self.admin = AdminClient(mine)

    def overview(self) -> Overview:
        """Brokers, and every topic with its partitions and how often it is kept. Raises BrokersUnavailable."""
        until = time.monotonic() + self.seconds
        while True:
            try:
                found = self.admin.list_topics(timeout=STEP_SECONDS)
                break
            except KafkaException as error:
                self.admin.poll(0)
                if time.monotonic() > until or self._hopeless():
                    raise self._unavailable(error.args[0]) from None
        topics = {
            name: (len(topic.partitions), min((len(p.replicas) for p in topic.partitions.values()), default=0))
            for name, topic in found.topics.items()
            if topic.error is None
        }
        return Overview(len(found.brokers), str(found.cluster_id).startswith(MOCK), topics)

    def found(self, overview: Overview, names: Collection[str]) -> dict[str, Found]:
        """Those of the topics that are there, with their settings where they are told, and those that are hidden."""
        there = [name for name in names if name in overview.topics]
        if overview.mock:
            return {name: Found(*overview.topics[name], None, WITHOUT_SETTINGS) for name in there}
        return self._hidden([name for name in names if name not in overview.topics]) | self._told(overview, there)

    def _hidden(self, names: Collection[str]) -> dict[str, Found]:
        """Those that only seem to be missing, since a list of all leaves out what its reader may not see."""
        if not names:
            return {}
        asked = self.admin.describe_topics(TopicCollection(list(names)), request_timeout=self.seconds)
        answers = {name: self.answer(future) for name, future in asked.items()}
        return {
            name: Found(0, 0, None, hidden=True)
            for name, answer in answers.items()
            if isinstance(answer, KafkaError) and answer.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
        }

    def _told(self, overview: Overview, there: Collection[str]) -> dict[str, Found]:
        if not there:
            return {}
        resources = {name: ConfigResource(ResourceType.TOPIC, name) for name in there}
        asked = self.admin.describe_configs(list(resources.values()), request_timeout=self.seconds)
        found: dict[str, Found] = {}
        for name, resource in resources.items():
            settings = self.answer(asked[resource])
            if isinstance(settings, KafkaError):
                found[name] = Found(*overview.topics[name], None, said(settings))
            else:
                found[name] = Found(*overview.topics[name], _kept(settings))
        return found

    def make(self, topics: Sequence[Needed], overview: Overview) -> list[Made]:
        """Makes topics; one that another has made meanwhile is there as well. Never changes a topic."""
        if overview.mock:
            why, mend = (
                "this broker makes no topics on request: it is an embedded one (a mock cluster)",
                "nothing: first use makes them",
            )
            return [Made(topic.name, error=why, mend=mend) for topic in topics]
        asked = self.admin.create_topics(
            [_new(topic, min(topic.replication, overview.brokers)) for topic in topics],
            operation_timeout=self.seconds,
            request_timeout=self.seconds,
        )
        return [self._made(topic.name, asked[topic.name]) for topic in topics]

    def answer(self, asked: Future[T]) -> T | KafkaError:
        """What a question was answered, or why it was not."""
        until = time.monotonic() + self.seconds + GRACE_SECONDS
        while True:
            try:
                return asked.result(STEP_SECONDS)
            except KafkaException as error:
                refused: KafkaError = error.args[0]
                return refused
            except TimeoutError:
                if time.monotonic() > until:
                    return KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001 - its public name

    def _made(self, name: str, asked: Future[None]) -> Made:
        error = self.answer(asked)
        if error is None:
            return Made(name)
        if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return Made(name, already=True)
        return Made(name, error=said(error), mend=refused_to_make(error.name()))

    def _hopeless(self) -> bool:
        """Refused credentials and certificates are not waited out."""
        return any(error.name() in ("_AUTHENTICATION", "_SSL") for error in self._troubles)

    def _unavailable(self, error: KafkaError) -> BrokersUnavailable:
        """The last trouble of a connection says more than that no question was answered."""
        told = [t for t in self._troubles if t.code() != KafkaError._ALL_BROKERS_DOWN]  # noqa: SLF001
        best = next((t for t in reversed(told) if t.name() in MENDS), told[-1] if told else None)
        what = said(best) if best is not None else self._heard.text or said(error)
        plain = re.sub(r" \(after \d+ms in state \w+\)", "", what)
        return BrokersUnavailable(f"no broker answers: {plain}", MENDS.get(best.name() if best else "", ELSEWHERE))


class _LastFailure(logging.Handler):
    """Why the last connection failed, which the client library says in its log only where it may pass."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.logger = logging.Logger("librdkafka")  # noqa: LOG001 - this connection's own, not the process's
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the text without the thread that it came from."""
        text = record.getMessage()
        if text.startswith("FAIL "):
            self.text = text.rpartition("]: ")[2]


def refused_to_make(name: str) -> str:
    """The mend for an error of creating a topic, by Kafka's name of the error."""
    return {
        "INVALID_REPLICATION_FACTOR": "say --replication with a number of brokers that are up",
        "POLICY_VIOLATION": "make it with your cluster's own tools; rokt-worker topics --json says what it needs",
        "INVALID_CONFIG": "make it with your cluster's own tools; rokt-worker topics --json says what it needs",
        "INVALID_PARTITIONS": "say --partitions with a number that the cluster allows",
        "TOPIC_AUTHORIZATION_FAILED": "let the user of WORKER_KAFKA__PROPERTIES create topics, or have them made",
        "CLUSTER_AUTHORIZATION_FAILED": "let the user of WORKER_KAFKA__PROPERTIES create topics, or have them made",
    }.get(name, "look at the brokers' log, and run it again: what is there stays as it is")


def _new(topic: Needed, replication: int) -> NewTopic:
    return NewTopic(topic.name, topic.partitions, replication, config=topic.configs(replication))


def _kept(settings: Mapping[str, ConfigEntry]) -> Kept:
    values = {name: str(entry.value) for name, entry in settings.items()}
    cleanup = values.get("cleanup.policy", "delete")
    retention = int(values.get("retention.ms", FOREVER))
    size = values.get("max.message.bytes")
    return Kept(
        retention_ms=None if retention < 0 or "delete" not in cleanup else retention,
        cleanup=cleanup,
        log_append_time=values.get("message.timestamp.type") == "LogAppendTime",
        max_message_bytes=None if size is None else int(size),
    )
