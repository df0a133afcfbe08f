"""The thread that owns the consumer: it polls, hands records over, pauses, commits, and answers rebalances.

It never waits for work, so the group membership outlives any outage of Rokt. Only two things make it wait, both
bounded: a revoked partition's events in hand, and the drain at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from structlog.typing import FilteringBoundLogger

from worker.errors import WorkerError
from worker.handover import from_text, to_text
from worker.record import Record
from worker.stream.assignment import Assignment
from worker.stream.brokers import Brokers
from worker.stream.messages import from_message
from worker.stream.pauses import UNKNOWN, Limits, reasons
from worker.telemetry import names

Partition = tuple[str, int]

GRACE_SECONDS = 1.0
LOOK_SECONDS = 0.5
UNKNOWN_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)  # noqa: SLF001 - its public name


class Dispatcher(Protocol):
    """Who takes records in hand. Both live on the event loop; see worker/dispatch.py."""

    def accept(self, batches: Sequence[tuple[Assignment, Sequence[Record]]]) -> None: ...

    async def close(self, assignments: Sequence[Assignment], seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How the thread works, in records and seconds. `ask_`, `revoke_` and `drain_seconds` bound its waits."""

    batch: int
    poll_seconds: float
    commit_seconds: float
    commit_records: int
    ask_seconds: float
    revoke_seconds: float
    drain_seconds: float
    repeat_seconds: float


class ConsumerThread(threading.Thread):
    """Consumes `topics` until told to stop. `ended` is called on the loop when all is over."""

    def __init__(
        self,
        config: Mapping[str, Any],
        topics: Sequence[str],
        *,
        dispatcher: Dispatcher,
        now_ms: Callable[[], int],
        held: Callable[[], frozenset[str]],
        brokers: Brokers,
        limits: Limits,
        pace: Pace,
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[Exception | None], None],
        log: FilteringBoundLogger,
    ) -> None:
        """`held` tells, at any moment, the reasons for which nothing at all is to be read."""
        super().__init__(name="kafka-consumer", daemon=True)
        self._config = {**config, "on_commit": self._committed}
        self._topics = list(topics)
        self._dispatcher = dispatcher
        self._now_ms = now_ms
        self._held = held
        self._brokers = brokers
        self._limits = limits
        self._pace = pace
        self._loop = loop
        self._ended = ended
        self._log = log
        self._assigned: dict[Partition, Assignment] = {}
        self._stopping = threading.Event()
        self._commit_at = 0.0
        self._passed = 0
        self._said: dict[str, float] = {}
        self.turned_at = monotonic()
        self.joined = False

    def stop(self) -> None:
        """Asks it to drain, commit, leave the group and end. From any thread."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def assignments(self) -> list[Assignment]:
        """The partitions that are ours at this moment. From any thread."""
        return list(self._assigned.values())

    def run(self) -> None:
        """The thread's whole life."""
        failure: Exception | None = None
        try:
            self._consumer = Consumer(self._config)
            try:
                self._consumer.subscribe(
                    self._topics, on_assign=self._on_assigned, on_revoke=self._on_revoked, on_lost=self._on_lost
                )
                while not self._stopping.is_set():
                    self._turn()
                self._drain()
            finally:
                self._consumer.close()
        except KafkaException as error:
            failure = WorkerError(_said(error.args[0]))
        except Exception as error:  # handed over whole: the loop logs it, and ends with exit code 1
            failure = error
        self._loop.call_soon_threadsafe(self._ended, failure)

    def _turn(self) -> None:
        self.turned_at = monotonic()
        records: dict[Partition, list[Record]] = defaultdict(list)
        for message in self._consumer.consume(self._pace.batch, self._pace.poll_seconds):
            if (error := message.error()) is not None:
                self._trouble(error, message)
            else:
                record = from_message(message)
                records[record.topic, record.partition].append(record)
        batches = [(self._fetched(p, batch), batch) for p, batch in records.items() if p in self._assigned]
        if batches:
            self._loop.call_soon_threadsafe(self._dispatcher.accept, batches)
        self._regulate()
        self._commit_when_due()
        self._brokers.look(self._consumer)

    def _fetched(self, partition: Partition, batch: Sequence[Record]) -> Assignment:
        """The assignment that a batch belongs to. Raises WorkerError when the log was rewound under us.

        That is a topic made anew, or a log cut short by an unclean election. What is in hand then belongs to another
        log than what comes; a new start reads on from what was committed, or from the beginning.
        """
        assignment = self._assigned[partition]
        last = assignment.last_fetched
        for record in batch:
            if record.offset <= last:
                raise WorkerError(f"{record.topic}/{record.partition} was rewound: offset {record.offset} after {last}")
            last = record.offset
        assignment.fetch(batch)
        return assignment

    def _regulate(self) -> None:
        """Pauses the partitions that have a reason to be, and resumes those that have none left."""
        current = reasons(list(self._assigned.values()), self._limits, self._held())
        pause = [a for a, why in current.items() if why and (not a.paused_for or a.paused_for == UNKNOWN)]
        resume = [a for a, why in current.items() if a.paused_for and not why]
        try:
            if pause:
                self._consumer.pause([TopicPartition(a.topic, a.partition) for a in pause])
            if resume:
                self._consumer.resume([TopicPartition(a.topic, a.partition) for a in resume])
        except KafkaException as error:  # in the middle of a rebalance; the next turn does it again
            self._log.debug(names.LOG_CLIENT, said=_said(error.args[0]))
            return
        for assignment, why in current.items():
            if why != assignment.paused_for:
                if why or assignment.paused_for != UNKNOWN:
                    self._log.info(names.LOG_PAUSED, **_where(assignment), reasons=sorted(why), gap=assignment.gap)
                assignment.paused_for = why

    def _commit_when_due(self) -> None:
        now = monotonic()
        assignments = list(self._assigned.values())
        passed = sum(a.passed for a in assignments)
        if now >= self._commit_at or passed - self._passed >= self._pace.commit_records:
            self._commit_at = now + self._pace.commit_seconds
            self._passed = passed
            self._commit(assignments, asynchronous=True)

    def _commit(self, assignments: Sequence[Assignment], *, asynchronous: bool) -> None:
        offsets: list[TopicPartition] = []
        for assignment in assignments:
            due = assignment.to_commit
            if due is not None and due != assignment.committed:
                text = to_text(*due, at_ms=self._now_ms())
                offsets.append(TopicPartition(assignment.topic, assignment.partition, due[0], text))
                assignment.committed = due
        if not offsets:
            return
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
        """A commit that failed is due again; a later turn makes it, if the partition is still ours."""
        for offset in offsets:
            if (assignment := self._assigned.get((offset.topic, offset.partition))) is not None:
                assignment.committed = None
        self._log.warning(names.LOG_COMMIT_FAILED, why=_said(error), partitions=len(offsets))

    def _on_assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for p in self._handed_over(partitions):
            self._assigned[p.topic, p.partition] = Assignment(p.topic, p.partition, from_text(p.offset, p.metadata))
        self.joined = True
        if partitions:
            self._log.info(names.LOG_ASSIGNED, partitions=_listed(partitions))

    def _handed_over(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """The partitions with what was committed of them; without, when the broker does not answer in time."""
        try:
            return self._consumer.committed(partitions, timeout=self._pace.ask_seconds) if partitions else []
        except KafkaException as error:
            self._log.warning(names.LOG_COMMIT_UNKNOWN, why=_said(error.args[0]), partitions=len(partitions))
            return partitions

    def _on_revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Events in hand may finish within a budget; what is settled is committed; the rest is dropped."""
        leaving = [a for p in partitions if (a := self._assigned.get((p.topic, p.partition))) is not None]
        if leaving:
            self._wait(self._close(leaving, self._pace.revoke_seconds), self._pace.revoke_seconds + GRACE_SECONDS)
            self._commit(leaving, asynchronous=False)
            self._log.info(names.LOG_REVOKED, partitions=_listed(partitions))
        for assignment in leaving:
            del self._assigned[assignment.topic, assignment.partition]

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """The partitions belong to another member already: nothing of them may be committed."""
        lost = [a for p in partitions if (a := self._assigned.pop((p.topic, p.partition), None)) is not None]
        if lost:
            self._close(lost, 0.0)
            self._log.warning(names.LOG_LOST, partitions=_listed(partitions))

    def _drain(self) -> None:
        """Lets the events in hand finish, still answering the group, and commits them."""
        assignments = list(self._assigned.values())
        with contextlib.suppress(KafkaException):  # in the middle of a rebalance; what is fetched is dropped anyway
            self._consumer.pause([TopicPartition(a.topic, a.partition) for a in assignments])
        closing = self._close(assignments, self._pace.drain_seconds)
        end = monotonic() + self._pace.drain_seconds + GRACE_SECONDS
        while not closing.done() and monotonic() < end:
            self.turned_at = monotonic()
            self._consumer.consume(1, self._pace.poll_seconds)
        self._commit(list(self._assigned.values()), asynchronous=False)
        while monotonic() < end and any(a.committed != a.to_commit for a in self._assigned.values()):
            self._consumer.consume(1, self._pace.poll_seconds)  # a rebalance refused it: go along with that, then again
            self._commit(list(self._assigned.values()), asynchronous=False)

    def _close(self, assignments: Sequence[Assignment], seconds: float) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(self._dispatcher.close(assignments, seconds), self._loop)

    def _wait(self, closing: Future[None], seconds: float) -> None:
        end = monotonic() + seconds
        while monotonic() < end:
            self.turned_at = monotonic()
            try:
                closing.result(LOOK_SECONDS)
                return
            except FutureTimeoutError:
                continue
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


def _said(error: KafkaError) -> str:
    return f"{error.str()} ({error.name()})"


def _where(assignment: Assignment) -> dict[str, str | int]:
    return {"topic": assignment.topic, "partition": assignment.partition}


def _listed(partitions: Sequence[TopicPartition]) -> dict[str, list[int]]:
    listed: dict[str, list[int]] = defaultdict(list)
    for p in sorted(partitions, key=lambda p: (p.topic, p.partition)):
        listed[p.topic].append(p.partition)
    return dict(listed)
