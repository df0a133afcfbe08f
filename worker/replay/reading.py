"""Reads stretches of topics in batches, from outside of any group: nothing is joined, and nothing committed.

Blocking: for a thread of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from threading import Event
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from worker.replay.plan import Partition
from worker.stream.client import said
from worker.topics.asking import ELSEWHERE, MENDS, BrokersUnavailable

BATCH: Final = 2_000
POLL_SECONDS: Final = 0.1
FIXED: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "queued.max.messages.kbytes": 16_384,  # what is fetched ahead is memory
    "fetch.wait.max.ms": 100,
}


class Reader:
    """One consumer that is assigned by hand, for one `batches`. `config` is a consumer's, with a group id."""

    def __init__(self, config: Mapping[str, Any], *, seconds: float) -> None:
        """`seconds` without a word from the brokers are too long."""
        self._consumer = Consumer({**config, **FIXED})
        self._seconds = seconds
        self._stopped = Event()
        self._left: dict[Partition, int] = {}

    def stop(self) -> None:
        """Ends what goes on, soon; from another thread."""
        self._stopped.set()

    def enough(self, partition: Partition) -> None:
        """Nothing more is wanted of this one."""
        if self._left.pop(partition, None) is not None:
            self._consumer.incremental_unassign([TopicPartition(*partition)])

    def batches(self, spans: Mapping[Partition, tuple[int, int]]) -> Iterator[list[Message]]:
        """The records of the offsets from a start up to, and without, an end, in order within each partition.

        An empty batch: nothing came for a moment. Raises BrokersUnavailable, also when nothing comes for too long.
        """
        self._left = {partition: end for partition, (start, end) in spans.items() if start < end}
        begins = [TopicPartition(*partition, spans[partition][0]) for partition in self._left]
        heard = time.monotonic()
        try:
            self._consumer.incremental_assign(begins)
            while self._left and not self._stopped.is_set():
                messages = self._consumer.consume(BATCH, POLL_SECONDS)
                if messages:
                    heard = time.monotonic()
                elif time.monotonic() - heard > self._seconds:
                    raise BrokersUnavailable(f"nothing more could be read for {self._seconds:g} s", ELSEWHERE)
                yield self._taken(messages)
        except KafkaException as error:
            raise _unavailable(error.args[0]) from None
        finally:
            self._consumer.close()

    def _taken(self, messages: list[Message]) -> list[Message]:
        """Those within the stretches; of a partition that has come to its end no more is fetched."""
        taken: list[Message] = []
        left = self._left
        for message in messages:
            partition = place(message)
            end = left.get(partition)
            if end is None:
                continue
            error = message.error()
            if error is not None:
                self._heed(partition, error)
                continue
            offset = int(message.offset() or 0)
            if offset < end:
                taken.append(message)
            if offset >= end - 1:
                self.enough(partition)
        return taken

    def _heed(self, partition: Partition, error: KafkaError) -> None:
        """The log's end, where offsets without a record may follow the last one; else what cannot be waited out."""
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            self.enough(partition)
        elif not error.retriable():
            raise _unavailable(error)


def place(message: Message) -> Partition:
    """Whose it is."""
    return str(message.topic()), int(message.partition() or 0)


def _unavailable(error: KafkaError) -> BrokersUnavailable:
    return BrokersUnavailable(f"the topics cannot be read: {said(error)}", MENDS.get(error.name(), ELSEWHERE))
