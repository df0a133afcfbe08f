"""The thread that owns the consumer: it polls, hands records to the lanes, pauses, commits, and answers rebalances.

It never waits for work, so the group membership outlives any outage of Rokt. Only two things make it wait, both
bounded: a revoked partition's event in hand, and the drain at the end.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from structlog.typing import FilteringBoundLogger

from worker.errors import WorkerError
from worker.stream.lanes import Lane, close_all
from worker.stream.records import Record, from_message
from worker.telemetry import names

Place = tuple[str, int]

GRACE_SECONDS = 1.0
UNKNOWN_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)  # noqa: SLF001 - its public name


@dataclass(frozen=True, slots=True)
class Pace:
    """How the thread works, in records and seconds. `revoke_seconds` and `drain_seconds` bound its two waits."""

    batch: int
    poll_seconds: float
    commit_seconds: float
    revoke_seconds: float
    drain_seconds: float
    repeat_seconds: float


class ConsumerThread(threading.Thread):
    """Consumes `topics` until told to stop. `lane` makes a lane; `ended` is called on the loop when all is over."""

    def __init__(
        self,
        config: Mapping[str, Any],
        topics: Sequence[str],
        *,
        lane: Callable[[str, int], Lane],
        pace: Pace,
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[Exception | None], None],
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(name="kafka-consumer", daemon=True)
        self._config = {**config, "on_commit": self._committed}
        self._topics = list(topics)
        self._make_lane = lane
        self._pace = pace
        self._loop = loop
        self._ended = ended
        self._log = log
        self._lanes: dict[Place, Lane] = {}
        self._stopping = threading.Event()
        self._commit_at = 0.0
        self._said: dict[str, float] = {}

    def stop(self) -> None:
        """Asks it to drain, commit, leave the group and end. From any thread."""
        self._stopping.set()

    def run(self) -> None:
        """The thread's whole life."""
        failure: Exception | None = None
        try:
            self._consumer = Consumer(self._config)
            try:
                self._consumer.subscribe(
                    self._topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
                )
                while not self._stopping.is_set():
                    self._turn()
                self._drain()
            finally:
                self._consumer.close()
        except KafkaException as error:
            failure = WorkerError(_said(error.args[0]))
        except Exception as error:
            failure = error
        self._loop.call_soon_threadsafe(self._ended, failure)

    def _turn(self) -> None:
        records: dict[Place, list[Record]] = defaultdict(list)
        for message in self._consumer.consume(self._pace.batch, self._pace.poll_seconds):
            if (error := message.error()) is not None:
                self._trouble(error, message)
            else:
                record = from_message(message)
                records[record.topic, record.partition].append(record)
        if records:
            batches = [(self._lanes[place], batch) for place, batch in records.items() if place in self._lanes]
            self._loop.call_soon_threadsafe(_hand_over, batches)
        self._regulate()
        if monotonic() >= self._commit_at:
            self._commit_at = monotonic() + self._pace.commit_seconds
            self._commit(list(self._lanes.values()), asynchronous=True)

    def _regulate(self) -> None:
        """Pauses the partitions whose lanes are full, and resumes those that have room again."""
        full = [lane for lane in self._lanes.values() if not lane.paused and lane.is_full]
        free = [lane for lane in self._lanes.values() if lane.paused and lane.has_room]
        if full:
            self._consumer.pause([TopicPartition(lane.topic, lane.partition) for lane in full])
        if free:
            self._consumer.resume([TopicPartition(lane.topic, lane.partition) for lane in free])
        for lane in full + free:
            lane.paused = not lane.paused

    def _commit(self, lanes: Sequence[Lane], *, asynchronous: bool) -> None:
        due = [(lane, lane.settled) for lane in lanes if lane.settled is not None and lane.settled != lane.committed]
        if not due:
            return
        offsets = [TopicPartition(lane.topic, lane.partition, settled) for lane, settled in due if settled is not None]
        for lane, settled in due:
            lane.committed = settled
        try:
            if asynchronous:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            else:
                self._check(self._consumer.commit(offsets=offsets, asynchronous=False) or [])
        except KafkaException as error:
            self._uncommitted(offsets, error.args[0])

    def _check(self, answers: Sequence[TopicPartition]) -> None:
        for answer in answers:
            if answer.error is not None:
                self._uncommitted([answer], answer.error)

    def _committed(self, error: KafkaError | None, offsets: Sequence[TopicPartition]) -> None:
        """An asynchronous commit's answer; called from within consume()."""
        if error is not None:
            self._uncommitted(offsets, error)
        else:
            self._check(offsets)

    def _uncommitted(self, offsets: Sequence[TopicPartition], error: KafkaError) -> None:
        """A commit that failed is due again; the next turn makes it, if the partition is still ours."""
        for offset in offsets:
            if (lane := self._lanes.get((offset.topic, offset.partition))) is not None:
                lane.committed = None
        self._log.warning(names.LOG_COMMIT_FAILED, why=_said(error), partitions=len(offsets))

    def _assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for p in partitions:
            self._lanes[p.topic, p.partition] = self._make_lane(p.topic, p.partition)
        if partitions:
            self._log.info(names.LOG_ASSIGNED, partitions=_listed(partitions))

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Events in hand may finish within a budget; what is settled is committed; the rest is dropped."""
        lanes = [lane for p in partitions if (lane := self._lanes.get((p.topic, p.partition))) is not None]
        if lanes:
            closing = self._close(lanes, self._pace.revoke_seconds)
            self._wait(closing, self._pace.revoke_seconds + GRACE_SECONDS)
            self._commit(lanes, asynchronous=False)
            self._log.info(names.LOG_REVOKED, partitions=_listed(partitions))
        for lane in lanes:
            del self._lanes[lane.topic, lane.partition]

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """The partitions belong to another member already: nothing of them may be committed."""
        lanes = [lane for p in partitions if (lane := self._lanes.pop((p.topic, p.partition), None)) is not None]
        if lanes:
            self._close(lanes, 0.0)
            self._log.warning(names.LOG_LOST, partitions=_listed(partitions))

    def _drain(self) -> None:
        """Lets the events in hand finish, still answering the group, and commits them."""
        lanes = list(self._lanes.values())
        self._consumer.pause([TopicPartition(lane.topic, lane.partition) for lane in lanes])
        closing = self._close(lanes, self._pace.drain_seconds)
        end = monotonic() + self._pace.drain_seconds + GRACE_SECONDS
        while not closing.done() and monotonic() < end:
            self._consumer.consume(1, self._pace.poll_seconds)
        self._commit(list(self._lanes.values()), asynchronous=False)

    def _close(self, lanes: Sequence[Lane], seconds: float) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(close_all(lanes, seconds), self._loop)

    def _wait(self, closing: Future[None], seconds: float) -> None:
        try:
            closing.result(seconds)
        except FutureTimeoutError:
            closing.cancel()

    def _trouble(self, error: KafkaError, message: Message) -> None:
        if error.fatal():
            raise KafkaException(error)
        missing = error.code() in UNKNOWN_TOPIC
        event = names.LOG_TOPIC_MISSING if missing else names.LOG_CONSUME_ERROR
        what = f"{event} {message.topic()} {error.name()}"
        if monotonic() >= self._said.get(what, 0.0):
            self._said[what] = monotonic() + self._pace.repeat_seconds
            self._log.warning(event, topic=message.topic(), why=_said(error))


def _hand_over(batches: list[tuple[Lane, list[Record]]]) -> None:
    for lane, records in batches:
        lane.accept(records)


def _said(error: KafkaError) -> str:
    return f"{error.str()} ({error.name()})"


def _listed(partitions: Sequence[TopicPartition]) -> dict[str, list[int]]:
    listed: dict[str, list[int]] = defaultdict(list)
    for p in sorted(partitions, key=lambda p: (p.topic, p.partition)):
        listed[p.topic].append(p.partition)
    return dict(listed)
