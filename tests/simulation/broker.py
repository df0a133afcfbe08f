"""The topics: logs that are appended to and read by offset. What is in here outlives every process."""

from __future__ import annotations

import bisect
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from simulation.trace import Trace
from worker.record import Headers, Record

Partition = tuple[str, int]


@dataclass(slots=True)
class Log:
    """One partition's records, in rising offsets, and where it ends."""

    records: list[Record] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    end: int = 0


class Broker:
    """Keeps every topic. `holes` is how probable it is that an offset is left out, as after a transaction's marker.

    `now_ms` gives milliseconds since 1970.
    """

    def __init__(self, *, now_ms: Callable[[], int], trace: Trace, chance: Random, holes: float = 0.0) -> None:
        self._now_ms = now_ms
        self._trace = trace
        self._chance = chance
        self._holes = holes
        self._logs: dict[Partition, Log] = {}
        self._partitions: dict[str, int] = {}
        self.written: list[Record] = []

    def create(self, topic: str, partitions: int) -> None:
        """A topic without records."""
        self._partitions[topic] = partitions
        for partition in range(partitions):
            self._logs[topic, partition] = Log()

    def partitions(self, topic: str) -> list[Partition]:
        """All of a topic's."""
        return [(topic, partition) for partition in range(self._partitions[topic])]

    def append(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
        partition: int | None = None,
    ) -> Record:
        """Writes one record. A key has one partition; what has none goes anywhere."""
        if partition is None:
            count = self._partitions[topic]
            partition = self._chance.randrange(count) if key is None else zlib.crc32(key) % count
        log = self._logs[topic, partition]
        if self._holes and self._chance.random() < self._holes:
            log.end += 1
        at = self._now_ms() if timestamp_ms is None else timestamp_ms
        record = Record(topic, partition, log.end, key, value, headers, at)
        log.records.append(record)
        log.offsets.append(log.end)
        log.end += 1
        self.written.append(record)
        self._trace.note("broker", "wrote", place=f"{topic}/{partition}@{record.offset}", key=key)
        return record

    def read(self, partition: Partition, offset: int, most: int) -> list[Record]:
        """The records from an offset on, at most so many."""
        log = self._logs[partition]
        first = bisect.bisect_left(log.offsets, offset)
        return log.records[first : first + most]

    def end(self, partition: Partition) -> int:
        """The offset that the next record gets, at least."""
        return self._logs[partition].end

    def last(self, partition: Partition) -> int:
        """The offset behind the last record: how far a group can come that reads them all."""
        offsets = self._logs[partition].offsets
        return offsets[-1] + 1 if offsets else 0

    def records(self, topic: str) -> list[Record]:
        """All of a topic's records, in the order in which they were written."""
        return [record for record in self.written if record.topic == topic]
