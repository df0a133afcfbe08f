"""The one face that both kinds of broker show to a scenario."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from infra import kafka_api

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
Kind: TypeAlias = Literal["embedded", "kafka"]

ACK_SECONDS: Final = 20.0
QUICK: Final[dict[str, Any]] = {
    "fetch.wait.max.ms": 20,
    "fetch.error.backoff.ms": 20,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 250,
    "topic.metadata.refresh.interval.ms": 2000,
}
# How long a group waits for a member that was killed; the mock cluster waits nearly as long for each rebalance.
SESSION: Final = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 500}
# As short as a Kafka allows that is not set up for tests.
GIVEN_SESSION: Final = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}


class Server(Protocol):
    """What stands behind a broker."""

    @property
    def bootstrap(self) -> str: ...
    def create_topics(self, names: tuple[str, ...], partitions: int) -> None: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...


class Position(NamedTuple):
    topic: str
    partition: int
    offset: int


class Progress(NamedTuple):
    """Where a group goes on in a partition, 0 when it never committed, and where the partition ends."""

    committed: int
    end: int


@dataclass(frozen=True, slots=True)
class Record:
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    def header(self, name: str) -> bytes | None:
        """The last header of that name."""
        return dict(self.headers).get(name)


@dataclass(frozen=True, eq=False)
class Broker:
    """A broker of either kind. Every wait ends, at the latest with a TimeoutError or a KafkaException."""

    kind: Kind
    version: str
    found: str
    server: Server
    restartable: bool = True
    _producer: Producer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        own = {"linger.ms": 0, "delivery.timeout.ms": int(ACK_SECONDS * 1000), "acks": "all"}
        object.__setattr__(self, "_producer", Producer(self._connection() | own))

    @property
    def bootstrap(self) -> str:
        return self.server.bootstrap

    @property
    def client_settings(self) -> dict[str, Any]:
        """Properties that make a client under test quick; it adds its own to them."""
        return QUICK | (SESSION if self.restartable else GIVEN_SESSION)

    def create_topics(self, *names: str, partitions: int = 4) -> None:
        self.server.create_topics(names, partitions)

    def produce(
        self,
        topic: str,
        value: bytes | str | None,
        key: bytes | str | None = None,
        headers: Sequence[tuple[str, str | bytes | None]] | None = None,
        partition: int | None = None,
        timestamp: int | None = None,
    ) -> Position:
        """Writes one record and returns where it stands once the broker has acknowledged it; `timestamp` in ms."""
        answers: list[KafkaError | Position] = []

        def answered(error: KafkaError | None, message: Message) -> None:
            answers.append(error or _position(message))

        where = -1 if partition is None else partition
        extra = None if headers is None else list(headers)
        self._producer.produce(topic, value, key, where, on_delivery=answered, timestamp=timestamp or 0, headers=extra)
        deadline = time.monotonic() + ACK_SECONDS + 2
        while not answers:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no acknowledgement from {topic}")
            self._producer.poll(0.1)
        if isinstance(answers[0], KafkaError):
            raise KafkaException(answers[0])
        return answers[0]

    def read(self, topic: str, want: int = 0, timeout: float = 10.0) -> list[Record]:
        """All records from the start, as soon as `want` are there, or those that came in time.

        More than `want` are returned when more are there: what was written twice is seen twice.
        """
        deadline = time.monotonic() + timeout
        consumer = self._consumer("tests")
        try:
            partitions = _partitions(consumer, topic, deadline, patient=want > 0)
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
            records = _read(consumer, set(partitions), want, deadline)
        finally:
            consumer.close()
        return sorted(records, key=lambda record: (record.timestamp, record.partition, record.offset))

    def committed(self, group: str, topic: str, timeout: float = 10.0) -> dict[int, Progress]:
        deadline = time.monotonic() + timeout
        consumer = self._consumer(group)
        try:
            partitions = _partitions(consumer, topic, deadline, patient=True)
            places = [TopicPartition(topic, partition) for partition in partitions]
            offsets = _patiently(deadline, lambda left: _offsets(consumer, places, left))
            ends = _patiently(deadline, lambda left: _ends(consumer, places, left))
        finally:
            consumer.close()
        return {partition: Progress(offsets[partition], ends[partition]) for partition in partitions}

    def kill(self) -> None:
        """As a crash does; what was acknowledged stays. Only where `restartable`."""
        self.server.kill()

    def restart(self) -> None:
        """Up again on the same port with the same data."""
        self.server.restart()

    def answers(self) -> bool:
        return kafka_api.answers(self.bootstrap)

    def __str__(self) -> str:
        return f"{self.kind}: {self.version} at {self.bootstrap} ({self.found})"

    def _connection(self) -> dict[str, Any]:
        return QUICK | {"bootstrap.servers": self.bootstrap, "log_level": 0}

    def _consumer(self, group: str) -> Consumer:
        own = {"group.id": group, "enable.auto.commit": False, "enable.partition.eof": True}
        return Consumer(self._connection() | own)


def fresh(name: str) -> str:
    """A name that no other test and no earlier run has."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def _partitions(consumer: Consumer, topic: str, deadline: float, *, patient: bool) -> list[int]:
    """Empty when there is no such topic, for the patient: not in time either."""
    while True:
        known = _patiently(deadline, lambda left: consumer.list_topics(topic, timeout=left)).topics[topic]
        if known.error is None and known.partitions:
            return sorted(known.partitions)
        if not patient or time.monotonic() > deadline:
            return []
        time.sleep(0.02)


def _read(consumer: Consumer, partitions: set[int], want: int, deadline: float) -> list[Record]:
    records: list[Record] = []
    at_end: set[int] = set()
    while (len(records) < want or at_end != partitions) and time.monotonic() < deadline:
        message = consumer.poll(0.05)
        if message is None:
            continue
        error = message.error()
        if error is None:
            records.append(_record(message))
            at_end.discard(records[-1].partition)
        elif error.code() == KafkaError._PARTITION_EOF:
            at_end.add(_position(message).partition)
    return records


def _patiently(deadline: float, ask: Callable[[float], T]) -> T:
    """Asks until it is answered: after a restart a broker refuses for a moment what it will soon know again."""
    while True:
        left = max(deadline - time.monotonic(), 0.1)
        try:
            return ask(left)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _offsets(consumer: Consumer, places: list[TopicPartition], timeout: float) -> dict[int, int]:
    answered = consumer.committed(places, timeout=timeout)
    for place in answered:
        if place.error is not None:
            raise KafkaException(place.error)
    return {place.partition: max(place.offset, 0) for place in answered}


def _ends(consumer: Consumer, places: list[TopicPartition], timeout: float) -> dict[int, int]:
    return {place.partition: consumer.get_watermark_offsets(place, timeout=timeout)[1] for place in places}


def _position(message: Message) -> Position:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    return Position(topic, partition, offset)


def _record(message: Message) -> Record:
    # Headers that were read are pairs of text and bytes, whatever the stubs allow for writing.
    headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return Record(*_position(message), message.timestamp()[1], message.key(), message.value(), tuple(headers))
