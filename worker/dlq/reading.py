"""Reads dead-letter topics from outside of any group, batch by batch: what was read is not kept.

The ends are fixed when it begins. `Log` blocks; `batches` has it do so on a thread of its own.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from structlog import get_logger

from worker.dlq.letter import Place
from worker.errors import WorkerError
from worker.ledger.aside import Aside
from worker.record import Record
from worker.settings import Settings
from worker.stream import config
from worker.stream.client import said
from worker.stream.messages import from_message

BATCH: Final = 1_000
DAY_MS: Final = 86_400_000
HELD_KIB: Final = 16 * 1024
POLL_SECONDS: Final = 0.2
ASK_SECONDS: Final = 10.0
STALLED_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 600.0
MEND: Final = "check WORKER_KAFKA__BOOTSTRAP_SERVERS and WORKER_KAFKA__PROPERTIES; rokt-worker doctor says more"
Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Extent:
    """What is there to be read: offsets in all, where each log starts, and the topics that are not there."""

    offsets: int
    starts: Mapping[Partition, int]
    missing: tuple[str, ...]


class Log:
    """One consumer that is assigned by hand. `given` has a group id, in whose name nothing is committed."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        fixed = {"enable.auto.commit": False, "enable.auto.offset.store": False, "enable.partition.eof": True}
        held = {"queued.max.messages.kbytes": HELD_KIB, "auto.offset.reset": "earliest", "max.poll.interval.ms": DAY_MS}
        self._consumer = Consumer({**given, **fixed, **held})
        self._stretches: list[dict[Partition, tuple[int, int]]] = []
        self._left: dict[Partition, int] = {}
        self._heard = time.monotonic()
        self._trouble = "no answer"

    def begin(self, topics: Collection[str], places: Collection[Place]) -> Extent:
        """All of these topics, or only these places of them, up to what is there now. Raises WorkerError."""
        try:
            return self._begin(topics, places)
        except KafkaException as error:
            raise WorkerError(f"the brokers cannot be asked: {said(error.args[0])}; mend: {MEND}") from None

    def next(self) -> list[Record]:
        """Some more, none when all was read. Raises WorkerError when no more comes."""
        found: list[Record] = []
        self._heard = time.monotonic()  # whoever asks may have taken his time
        while not found and (self._left or self._go_on()):
            try:
                messages = self._consumer.consume(BATCH, POLL_SECONDS)
            except KafkaException as failure:
                raise WorkerError(f"the brokers cannot be read: {said(failure.args[0])}; mend: {MEND}") from None
            for message in messages:
                partition = (str(message.topic()), int(message.partition() or 0))
                if (error := message.error()) is None:
                    self._heard = time.monotonic()
                    record = from_message(message)
                    if record.offset < self._left.get(partition, 0):
                        found.append(record)
                    self._passed(partition, record.offset + 1)
                elif error.name() == "_PARTITION_EOF":
                    self._left.pop(partition, None)
                else:
                    self._trouble = said(error)
            if time.monotonic() - self._heard > STALLED_SECONDS and self._left:
                topic, number = next(iter(self._left))
                raise WorkerError(f"{topic}/{number} cannot be read to its end: {self._trouble}; mend: {MEND}")
        return found

    def close(self) -> None:
        """Ends it."""
        self._consumer.close()

    def _begin(self, topics: Collection[str], places: Collection[Place]) -> Extent:
        known = self._consumer.list_topics(timeout=ASK_SECONDS).topics
        missing = tuple(sorted(topic for topic in topics if topic not in known or known[topic].error is not None))
        wanted = {(place.topic, place.partition) for place in places}
        there = [(topic, number) for topic in topics if topic not in missing for number in known[topic].partitions]
        logs = {
            partition: self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=ASK_SECONDS)
            for partition in there
            if not wanted or partition in wanted
        }
        if places:
            for topic, number, offset in sorted(places):
                low, high = logs.get((topic, number), (0, 0))
                if low <= offset < high:
                    self._stretches.append({(topic, number): (offset, offset + 1)})
        elif filled := {partition: (low, high) for partition, (low, high) in logs.items() if low < high}:
            self._stretches.append(filled)
        offsets = sum(end - begin for stretch in self._stretches for begin, end in stretch.values())
        return Extent(offsets, {partition: low for partition, (low, _) in logs.items()}, missing)

    def _go_on(self) -> bool:
        if not self._stretches:
            return False
        stretch = self._stretches.pop(0)
        self._left = {partition: end for partition, (_, end) in stretch.items()}
        self._heard = time.monotonic()
        self._consumer.assign([TopicPartition(*partition, begin) for partition, (begin, _) in stretch.items()])
        return True

    def _passed(self, partition: Partition, offset: int) -> None:
        if offset >= self._left.get(partition, offset + 1):
            del self._left[partition]


@dataclass(frozen=True, slots=True)
class Reading:
    """What is to be read, and it."""

    extent: Extent
    batches: AsyncIterator[list[Record]]


@asynccontextmanager
async def reading(settings: Settings, topics: Collection[str], places: Collection[Place]) -> AsyncIterator[Reading]:
    """Reads for as long as the context lasts. Raises WorkerError, here or between two batches."""
    aside = Aside("dead-letters")
    log = await aside.run(partial(Log, _client(settings)), LONGEST_SECONDS)
    try:
        extent = await aside.run(partial(log.begin, topics, places), LONGEST_SECONDS)
        yield Reading(extent, _batches(aside, log))
    finally:
        with suppress(TimeoutError):  # a person who asks to end waits for no broker
            await aside.run(log.close, CLOSE_SECONDS)
        aside.end()


async def _batches(aside: Aside, log: Log) -> AsyncIterator[list[Record]]:
    while batch := await aside.run(log.next, LONGEST_SECONDS):
        yield batch


def _client(settings: Settings) -> dict[str, Any]:
    """Raises SettingsError for properties that the client library refuses."""
    log = get_logger()
    config.check(
        config.quiet(config.consumer_config(settings.kafka, log, lambda _: None)),
        config.quiet(config.producer_config(settings.kafka, log, lambda _: None)),
    )
    return config.reading_config(settings.kafka, log)
