"""A member of a group that reads one partition, offset by offset, and the brokers that keep it; and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, cast

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, Message, TopicPartition
from structlog.testing import CapturingLogger
from structlog.typing import FilteringBoundLogger

from worker.record import Record
from worker.stream.assignment import Assignment
from worker.stream.client import Client
from worker.stream.cluster import Kept, Untold
from worker.stream.commits import Partition
from worker.stream.config import Beginning
from worker.stream.consumption import Closing, Consumption, Dispatch, Pace
from worker.stream.horizon import Log
from worker.stream.losses import Losses
from worker.stream.pauses import Limits
from worker.stream.retention import Retention
from worker.stream.takeover import Take
from worker.work import Work

PLACE = ("orders", 0)
PACE = Pace(500, 0.0, 1.0, 1_000, 5.0, 1.0, 1.0, 30.0)
AT_THE_START = Beginning()
Rebalanced = Callable[[object, list[TopicPartition]], None]


class Partitions:
    """A client with one partition, of which `records` come one by one; the group committed `commit`."""

    def __init__(self, commit: int = OFFSET_INVALID, log: Log | None = None) -> None:
        self.commit_offset = commit
        self.log = log
        self.answers = True
        self.coming: list[Message] = []
        self.asked: list[str] = []
        self.begun: list[tuple[str, int]] = []
        self.commits: list[int] = []

    def subscribe(self, _: list[str], /, on_assign: Rebalanced, on_revoke: Rebalanced, on_lost: Rebalanced) -> None:
        on_assign(self, [TopicPartition(*PLACE)])

    def consume(self, num_messages: int, timeout: float, /) -> list[Message]:
        coming, self.coming = self.coming, []
        return coming

    def pause(self, _: list[TopicPartition], /) -> None: ...
    def resume(self, _: list[TopicPartition], /) -> None: ...

    def committed(self, partitions: list[TopicPartition], /, timeout: float) -> list[TopicPartition]:
        if not self.answers:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [TopicPartition(*PLACE, self.commit_offset)]

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, cached: bool = False
    ) -> tuple[int, int]:
        self.asked.append("cached" if cached else "broker")
        if cached:
            return (self.log.start, self.log.end) if self.log is not None else (OFFSET_INVALID, OFFSET_INVALID)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        self.commits += [place.offset for place in offsets]

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.begun += [("assign", p.offset) for p in partitions]

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self.begun += [("incremental_assign", p.offset) for p in partitions]


class Nobody:
    def __init__(self) -> None:
        self.accepted: list[Record] = []

    def accept(self, batches: Sequence[tuple[Assignment, Sequence[Record]]]) -> None:
        self.accepted += [record for _, batch in batches for record in batch]

    def close(self, _: object, seconds: float) -> Closing:
        raise AssertionError(seconds)


class Reading:
    """A member that reads one partition, and what it says."""

    def __init__(self, client: Partitions, beginning: Beginning = AT_THE_START, take: Take | None = None) -> None:
        self.logger = CapturingLogger()
        log = cast("FilteringBoundLogger", self.logger)
        self.client = client
        self.losses = Losses(log, ask_seconds=5.0)
        self.held: frozenset[str] = frozenset()
        self.nobody = Nobody()
        self.consumption = Consumption(
            ["orders"],
            dispatch=cast("Dispatch", self.nobody),
            clock=lambda: 0.0,
            now_ms=lambda: 0,
            held=lambda _: self.held,
            limits=Limits(1_000, 1_000_000),
            pace=PACE,
            beginning=beginning,
            losses=self.losses,
            log=log,
            take=take,
        )
        self.consumption.begin(cast("Client", client))

    @property
    def assignment(self) -> Assignment:
        (assignment,) = self.consumption.assignments()
        return assignment

    def ends(self, offset: int) -> None:
        """The log is read to its end."""
        end = KafkaError(KafkaError._PARTITION_EOF)
        self.client.coming = [Message(topic="orders", partition=0, offset=offset, error=end)]
        self.consumption.turn()

    def read(self, *offsets: int) -> None:
        self.client.coming = [Message(topic="orders", partition=0, offset=o, timestamp=(1, 0)) for o in offsets]
        self.consumption.turn()

    def said(self, event: str) -> list[dict[str, Any]]:
        return [call.kwargs for call in self.logger.calls if call.args == (event,)]

    def lost(self) -> list[tuple[int, int, int]]:
        return [(line["from"], line["to"], line["records"]) for line in self.said("kafka.records_lost")]


class Keeper:
    """Brokers that say what they are told to."""

    def __init__(self, log: Log | Untold, kept: Kept | Untold) -> None:
        self.log = log
        self.kept = kept

    def logs(self, partitions: Collection[Partition]) -> dict[Partition, Log | Untold]:
        return dict.fromkeys(partitions, self.log)

    def retention(self, topics: Collection[str]) -> dict[str, Kept | Untold]:
        return dict.fromkeys(topics, self.kept)


class Clocked(Reading):
    """The same, with a clock that looks when it is told to, `now_ms` being what it is told."""

    def __init__(self, client: Partitions, keeper: Keeper) -> None:
        super().__init__(client)
        self.keeper = keeper
        self.now_ms = 0
        self.retention = Retention(
            keeper,
            self.consumption.assignments,
            self.losses,
            check_seconds=60.0,
            warn_share=0.25,
            from_start=True,
            clock=lambda: self.now_ms / 1000,
            now_ms=lambda: self.now_ms,
            log=cast("FilteringBoundLogger", self.logger),
        )

    def look(self) -> None:
        asyncio.run(self.retention.look())

    def pause(self) -> None:
        self.held = frozenset({"ledger"})
        self.consumption.turn()

    def block(self, offset: int, at_ms: int) -> None:
        record = Record(*PLACE, offset, None, b"{}", (), at_ms)
        self.assignment.fetch([record])
        self.assignment.read(record)
        self.assignment.unread.clear()
        self.assignment.in_hand[offset] = (Work(record, self.assignment.stop), 0.0)
