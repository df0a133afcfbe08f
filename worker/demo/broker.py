"""The broker inside this process (librdkafka's mock cluster), what is published to it, and what is read from it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from worker.demo.evidence import Letter, Outcome, Published, read_letter, read_outcome
from worker.demo.script import SOURCES, Record
from worker.handover import Handover, from_text
from worker.stream.messages import from_message
from worker.telemetry import names

OUTCOMES: Final = "rokt-outcomes"
SUFFIX: Final = ".dlq"
LETTERS: Final = tuple(topic + SUFFIX for topic in SOURCES)
GROUP: Final = "rokt-worker-demo"
SECONDS: Final = 10.0
Place = tuple[str, int]


class Broker:
    """A broker that lives as long as this object; its topics are there from the start."""

    def __init__(self) -> None:
        self._producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "linger.ms": 1, **_quiet()})
        self.address: Final = str(next(iter(self._producer.list_topics(timeout=SECONDS).brokers.values()))).split("/")[
            0
        ]
        self.partitions: Final[dict[str, int]] = {topic: self._touch(topic) for topic in (*SOURCES, OUTCOMES, *LETTERS)}
        self.published: Final[list[Published]] = []

    def publish(self, record: Record, now: float) -> None:
        """Sends a record with the time `now` (epoch seconds); it stands in `published` once it is acknowledged."""
        timestamp = int(now * 1000)

        def acknowledged(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise KafkaException(error)
            position = (message.topic() or "", message.partition() or 0, message.offset() or 0)
            self.published.append(Published(record, position, timestamp))

        self._producer.produce(
            record.topic,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            timestamp=timestamp,
            on_delivery=acknowledged,
        )

    def serve(self) -> None:
        """Takes acknowledgements that have come."""
        self._producer.poll(0)

    def flush(self) -> None:
        """Waits until everything is acknowledged."""
        self._producer.flush(SECONDS)

    def _touch(self, topic: str) -> int:
        """Has the cluster make a topic; how many partitions it has."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = self._producer.list_topics(topic, timeout=SECONDS).topics[topic]
            if found.error is None and found.partitions:
                return len(found.partitions)
            time.sleep(0.02)
        raise TimeoutError(f"The embedded broker did not make the topic {topic}")


class Watch:
    """Reads outcomes and dead letters as they come, and how far the worker has committed."""

    def __init__(self, broker: Broker) -> None:
        self._sources = [TopicPartition(t, p) for t in SOURCES for p in range(broker.partitions[t])]
        self._results = [TopicPartition(t, p, 0) for t in (OUTCOMES, *LETTERS) for p in range(broker.partitions[t])]
        common = {"bootstrap.servers": broker.address, "enable.auto.commit": False, **_quiet()}
        self._group = Consumer({**common, "group.id": GROUP})
        self._reader = Consumer({**common, "group.id": f"{GROUP}-books", "fetch.wait.max.ms": 20})
        self._reader.assign(self._results)
        self._read: dict[Place, int] = {}
        self.outcomes: Final[list[Outcome]] = []
        self.letters: Final[list[Letter]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._reader.close()
        self._group.close()

    def read(self, seconds: float, heard: Callable[[Outcome | Letter], None] = lambda _: None) -> None:
        """Reads for at most so long; `heard` gets each new outcome and dead letter."""
        for message in self._reader.consume(500, seconds):
            if message.error() is not None:
                continue
            found = from_message(message)
            self._read[found.topic, found.partition] = found.offset + 1
            if found.topic == OUTCOMES:
                self.outcomes.append(read_outcome(found.value or b""))
                heard(self.outcomes[-1])
            else:
                self.letters.append(read_letter(found))
                heard(self.letters[-1])

    def read_to_the_end(self, heard: Callable[[Outcome | Letter], None] = lambda _: None) -> bool:
        """Reads what is left of all results; whether all of it could be read."""
        ends = {(p.topic, p.partition): self._end(self._reader, p) for p in self._results}
        deadline = time.monotonic() + SECONDS
        while any(self._read.get(place, 0) < end for place, end in ends.items()):
            if time.monotonic() > deadline:
                return False
            self.read(0.05, heard)
        return True

    def ends(self) -> dict[Place, int]:
        """How many records each partition of the sources holds."""
        return {(p.topic, p.partition): self._end(self._group, p) for p in self._sources}

    def committed(self) -> dict[Place, int]:
        """What the worker's group has committed."""
        return {place: handover.base for place, handover in self.handed_over().items()}

    def handed_over(self) -> dict[Place, Handover]:
        """The same, with what the commits say to be settled beyond them."""
        answers = self._group.committed(self._sources, timeout=SECONDS)
        return {(p.topic, p.partition): _handover(max(0, p.offset), p.metadata) for p in answers}

    def _end(self, client: Consumer, partition: TopicPartition) -> int:
        return int(client.get_watermark_offsets(partition, timeout=SECONDS)[1])


def _handover(base: int, text: str | None) -> Handover:
    return replace(from_text(base, text), base=base)


def _quiet() -> dict[str, object]:
    """The library's own lines go nowhere: what matters of them comes as errors and answers too."""
    logger = logging.Logger(names.LOG_CLIENT)  # noqa: LOG001 - not the process's
    logger.addHandler(logging.NullHandler())
    return {"logger": logger, "error_cb": lambda _: None}
