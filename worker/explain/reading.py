"""Reads stretches of topics from outside of any group, and keeps the records that are asked for.

Blocking: for a thread of its own. The ends are fixed when it begins. A broker that cannot search by time is read from
the start of its logs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from worker.record import Record
from worker.stream.client import said
from worker.stream.messages import from_message

BATCH: Final = 2_000
POLL_SECONDS: Final = 0.2
STALLED_SECONDS: Final = 30.0
KEPT_AT_MOST: Final = 10_000
EARLIEST_MS: Final = 1
Partition = tuple[str, int]
Keep = Callable[[Record], bool]


@dataclass(slots=True)
class Stretch:
    """What was read: the records that were kept, how many were seen, and what of it all could not be read.

    `whole`: the brokers answered everything.
    """

    kept: list[Record] = field(default_factory=list)
    seen: int = 0
    troubles: list[str] = field(default_factory=list)
    whole: bool = True
    committed: dict[Partition, int] = field(default_factory=dict)


class Reader:
    """One consumer that is assigned by hand. `config` has a group id, in whose name nothing is committed."""

    def __init__(self, config: Mapping[str, Any], *, seconds: float, progress: Callable[[int, int], None]) -> None:
        fixed = {"enable.auto.commit": False, "enable.auto.offset.store": False, "enable.partition.eof": True}
        self._consumer = Consumer({**config, **fixed, "auto.offset.reset": "earliest"})
        self._seconds = seconds
        self._progress = progress
        self._stopped = Event()

    def stop(self) -> None:
        """Ends a `read` that goes on, soon; from another thread."""
        self._stopped.set()

    def read(
        self, topics: Collection[str], since_ms: int, places: Collection[tuple[str, int, int]], keep: Keep
    ) -> Stretch:
        """The records of these topics from a time on, and those of these places; `keep` says which to keep."""
        found = Stretch()
        try:
            self._read(topics, since_ms, places, keep, found)
        except KafkaException as error:
            found.troubles.append(f"the brokers cannot be asked: {said(error.args[0])}")
            found.whole = False
        finally:
            self._consumer.close()
        return found

    def _read(
        self,
        topics: Collection[str],
        since_ms: int,
        places: Collection[tuple[str, int, int]],
        keep: Keep,
        found: Stretch,
    ) -> None:
        there = self._partitions(topics, found)
        ends: dict[Partition, int] = {}
        begins: dict[Partition, int] = {}
        logs = {p: self._consumer.get_watermark_offsets(TopicPartition(*p), timeout=self._seconds) for p in there}
        filled = [p for p, (low, high) in logs.items() if high > low]
        searchable, since = self._at(filled, EARLIEST_MS), self._at(filled, since_ms)
        for partition in filled:
            low, high = logs[partition]
            begin = since[partition] if searchable[partition] >= 0 else low
            if 0 <= begin < high:
                begins[partition], ends[partition] = begin, high
        for topic, number, offset in places:
            low, high = logs.get((topic, number), (0, 0))
            if low <= offset < min(high, begins.get((topic, number), high)):
                self._stretch({(topic, number): offset}, {(topic, number): offset + 1}, keep, found)
        self._stretch(begins, ends, keep, found)
        self._committed(there, found)

    def _partitions(self, topics: Collection[str], found: Stretch) -> list[Partition]:
        known = self._consumer.list_topics(timeout=self._seconds).topics
        for topic in topics:
            if topic not in known:
                found.troubles.append(f"there is no topic {topic}")
        return [(topic, number) for topic in topics if topic in known for number in known[topic].partitions]

    def _at(self, partitions: Collection[Partition], ms: int) -> dict[Partition, int]:
        """The first offset of this time or later; negative where there is none, or the broker cannot tell."""
        if not partitions:
            return {}
        asked = [TopicPartition(*partition, ms) for partition in partitions]
        told = self._consumer.offsets_for_times(asked, timeout=self._seconds)
        return {(each.topic, each.partition): each.offset for each in told}

    def _stretch(
        self, begins: Mapping[Partition, int], ends: Mapping[Partition, int], keep: Keep, found: Stretch
    ) -> None:
        if not begins:
            return
        left = dict(ends)
        total, done = sum(ends[p] - begins[p] for p in begins), found.seen
        self._consumer.assign([TopicPartition(*partition, offset) for partition, offset in begins.items()])
        heard = time.monotonic()
        while left and not self._stopped.is_set():
            messages = self._consumer.consume(BATCH, POLL_SECONDS)
            for message in messages:
                _take(message, left, keep, found)
            if messages:
                heard = time.monotonic()
                self._progress(found.seen - done, total)
            elif time.monotonic() - heard > STALLED_SECONDS:
                found.troubles += [f"{topic}/{number} was not read to its end: no answer" for topic, number in left]
                found.whole = False
                break
            if len(found.kept) > KEPT_AT_MOST:
                found.troubles.append(f"more than {KEPT_AT_MOST:,} records name these ids: the rest was not read")
                break
        self._consumer.unassign()

    def _committed(self, partitions: Collection[Partition], found: Stretch) -> None:
        told = self._consumer.committed([TopicPartition(*p) for p in partitions], timeout=self._seconds)
        found.committed = {(p.topic, p.partition): p.offset for p in told if p.error is None and p.offset >= 0}


def _take(message: Message, left: dict[Partition, int], keep: Keep, found: Stretch) -> None:
    """One message; `left` are the partitions that are not at their end, with the offset behind it."""
    partition = (str(message.topic()), int(message.partition() or 0))
    error = message.error()
    if error is not None:
        if error.name() == "_PARTITION_EOF":
            left.pop(partition, None)
        return
    record = from_message(message)
    if partition in left and record.offset < left[partition]:
        found.seen += 1
        if keep(record):
            found.kept.append(record)
    if record.offset + 1 >= left.get(partition, 0):
        left.pop(partition, None)
