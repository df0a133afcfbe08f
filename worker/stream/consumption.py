"""What the consumer's thread decides: it polls, hands records over, pauses, commits, and answers rebalances.

It never waits for work, so the group membership outlives any outage of Rokt. Only two things make it wait, both
bounded: a revoked partition's events in hand, and the drain at the end. Clock, client and event loop are given to it;
the thread itself is worker/stream/consumer.py.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from structlog.typing import FilteringBoundLogger

from worker.errors import WorkerError
from worker.record import Record
from worker.stream.assignment import Assignment
from worker.stream.client import Client, listed, said
from worker.stream.commits import Commits, Partition
from worker.stream.config import RESET, Beginning
from worker.stream.losses import Losses
from worker.stream.messages import from_message
from worker.stream.pauses import END, UNKNOWN, Limits, reasons
from worker.stream.takeover import Take, take_over
from worker.telemetry import names

GRACE_SECONDS = 1.0
LOOK_SECONDS = 0.5
LOOK_AT_ENDS_SECONDS = 1.0
UNKNOWN_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)  # noqa: SLF001 - its public name


class Closing(Protocol):
    """A dispatcher's closing under way, on the event loop; a `concurrent.futures.Future` is one."""

    def done(self) -> bool:
        """Whether it is over."""

    def result(self, timeout: float) -> None:
        """Waits so many seconds for its end. Raises TimeoutError when it is not over by then."""

    def cancel(self) -> bool:
        """Gives it up."""


class Dispatch(Protocol):
    """The dispatcher (worker/dispatch.py) as it is reached from outside its event loop."""

    def accept(self, batches: Sequence[tuple[Assignment, Sequence[Record]]]) -> None:
        """Hands records over; does not wait."""

    def close(self, assignments: Sequence[Assignment], seconds: float) -> Closing:
        """Begins to close these, within so many seconds."""


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


class Consumption:
    """The partitions that a member of the group has, turn by turn, from `begin` to `drain`."""

    def __init__(
        self,
        topics: Sequence[str],
        *,
        dispatch: Dispatch,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        held: Callable[[str], frozenset[str]],
        limits: Limits,
        pace: Pace,
        beginning: Beginning,
        losses: Losses,
        log: FilteringBoundLogger,
        take: Take | None = None,
    ) -> None:
        """`clock` gives monotonic seconds, `now_ms` milliseconds since 1970.

        `held` tells, at any moment, the reasons for which a topic is not to be read; `take` where partitions that are
        assigned go on, if not where the group is.
        """
        self._topics = list(topics)
        self._dispatch = dispatch
        self._clock = clock
        self._held = held
        self._limits = limits
        self._pace = pace
        self._take = take or partial(take_over, beginning=beginning, ask_seconds=pace.ask_seconds, log=log)
        self._losses = losses
        self._log = log
        self._client: Client
        self._assigned: dict[Partition, Assignment] = {}
        self._commits = Commits(
            self._assigned,
            seconds=pace.commit_seconds,
            records=pace.commit_records,
            clock=clock,
            now_ms=now_ms,
            log=log,
        )
        self.committed = self._commits.answered
        self._said: dict[str, float] = {}
        self._look_at = clock() + LOOK_AT_ENDS_SECONDS
        self.turned_at = clock()
        self.joined = False

    def assignments(self) -> list[Assignment]:
        """The partitions that are ours at this moment. From any thread."""
        return list(self._assigned.values())

    def begin(self, client: Client) -> None:
        """Joins the group; the answers to asynchronous commits are to come to `committed`."""
        self._client = client
        client.subscribe(self._topics, on_assign=self._on_assigned, on_revoke=self._on_revoked, on_lost=self._on_lost)

    def turn(self) -> None:
        """Reads once and does what is due. Raises KafkaException or WorkerError for what cannot be gone on with."""
        self.turned_at = self._clock()
        records: dict[Partition, list[Record]] = defaultdict(list)
        ends: list[Message] = []
        for message in self._client.consume(self._pace.batch, self._pace.poll_seconds):
            if (error := message.error()) is None:
                record = from_message(message)
                records[record.topic, record.partition].append(record)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                ends.append(message)
            else:
                self._trouble(error, message)
        fetched = [(self._assigned[p], self._fetched(p, batch)) for p, batch in records.items() if p in self._assigned]
        if batches := [(assignment, batch) for assignment, batch in fetched if batch]:
            self._dispatch.accept(batches)
        for message in ends:
            self._log_ended(message)
        self._regulate()
        self._look_at_ends()
        self._commits.when_due(self._client)

    def drain(self) -> None:
        """Lets the events in hand finish, still answering the group, and commits them."""
        assignments = self.assignments()
        with contextlib.suppress(KafkaException):  # in the middle of a rebalance; what is fetched is dropped anyway
            self._client.pause([TopicPartition(a.topic, a.partition) for a in assignments])
        closing = self._dispatch.close(assignments, self._pace.drain_seconds)
        end = self._clock() + self._pace.drain_seconds + GRACE_SECONDS
        while not closing.done() and self._clock() < end:
            self.turned_at = self._clock()
            self._client.consume(1, self._pace.poll_seconds)
        self._commits.at_once(self._client, self.assignments())
        while self._clock() < end and not self._commits.all_made:
            self._client.consume(1, self._pace.poll_seconds)  # a rebalance refused it: go along with that, then again
            self._commits.at_once(self._client, self.assignments())

    def _fetched(self, partition: Partition, batch: Sequence[Record]) -> Sequence[Record]:
        """What of a batch is to be handed over; what is missing before it is looked into.

        Raises WorkerError when the log was rewound under us.

        That is a topic made anew, or a log cut short by an unclean election. What is in hand then belongs to another
        log than what comes; a new start reads on from what was committed, or from the beginning.
        """
        assignment = self._assigned[partition]
        last = assignment.last_fetched
        for record in batch:
            if record.offset <= last:
                raise WorkerError(f"{record.topic}/{record.partition} was rewound: offset {record.offset} after {last}")
            last = record.offset
        if batch[0].offset != assignment.expected:
            self._losses.jumped(self._client, assignment, batch[0].offset)
        following = batch[-1].offset + 1
        if batch := assignment.up_to_its_end(batch):
            assignment.fetch(batch)
        assignment.reached(following)
        return batch

    def _log_ended(self, message: Message) -> None:
        """Nothing comes any more for now; behind the records of the same turn."""
        assignment = self._assigned.get((str(message.topic()), int(message.partition() or 0)))
        offset = int(message.offset() or 0)
        if assignment is None or assignment.over:
            return
        end = offset if assignment.end is None else assignment.end
        if offset < end:
            assignment.log_end = offset
            return
        if assignment.expected is None or assignment.expected < end:
            self._losses.jumped(self._client, assignment, end)
        assignment.nothing_before(end)
        assignment.reached(end)

    def _look_at_ends(self) -> None:
        """Now and then, where the logs end, as the last fetch told it: nobody is asked."""
        if self._clock() < self._look_at:
            return
        self._look_at = self._clock() + LOOK_AT_ENDS_SECONDS
        for (topic, partition), assignment in self._assigned.items():
            with contextlib.suppress(KafkaException):  # nothing was fetched of it yet
                known = self._client.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
                if known is not None and known[1] >= 0:
                    assignment.log_high = known[1]

    def _regulate(self) -> None:
        """Pauses the partitions that have a reason to be, and resumes those that have none left."""
        current = reasons(self.assignments(), self._limits, self._held)
        current.update({a: why | {END} for a, why in current.items() if a.over})
        pause = [a for a, why in current.items() if why and (not a.paused_for or a.paused_for == UNKNOWN)]
        resume = [a for a, why in current.items() if a.paused_for and not why]
        try:
            if pause:
                self._client.pause([TopicPartition(a.topic, a.partition) for a in pause])
            if resume:
                self._client.resume([TopicPartition(a.topic, a.partition) for a in resume])
        except KafkaException as error:  # in the middle of a rebalance; the next turn does it again
            self._log.debug(names.LOG_CLIENT, said=said(error.args[0]))
            return
        for assignment, why in current.items():
            if why != assignment.paused_for:
                if why or assignment.paused_for != UNKNOWN:
                    self._log.info(names.LOG_PAUSED, **assignment.place, reasons=sorted(why), gap=assignment.gap)
                assignment.paused_for = why

    def _on_assigned(self, _: object, partitions: list[TopicPartition]) -> None:
        for assignment in self._take(self._client, partitions):
            self._assigned[assignment.topic, assignment.partition] = assignment
        self.joined = True
        if partitions:
            self._log.info(names.LOG_ASSIGNED, partitions=listed(partitions))

    def _on_revoked(self, _: object, partitions: list[TopicPartition]) -> None:
        """Events in hand may finish within a budget; what is settled is committed; the rest is dropped."""
        leaving = [a for p in partitions if (a := self._assigned.get((p.topic, p.partition))) is not None]
        if leaving:
            closing = self._dispatch.close(leaving, self._pace.revoke_seconds)
            self._wait(closing, self._pace.revoke_seconds + GRACE_SECONDS)
            self._commits.at_once(self._client, leaving)
            self._log.info(names.LOG_REVOKED, partitions=listed(partitions))
        for assignment in leaving:
            del self._assigned[assignment.topic, assignment.partition]

    def _on_lost(self, _: object, partitions: list[TopicPartition]) -> None:
        """The partitions belong to another member already: nothing of them may be committed."""
        lost = [a for p in partitions if (a := self._assigned.pop((p.topic, p.partition), None)) is not None]
        if lost:
            self._dispatch.close(lost, 0.0)
            self._log.warning(names.LOG_LOST, partitions=listed(partitions))

    def _wait(self, closing: Closing, seconds: float) -> None:
        end = self._clock() + seconds
        while self._clock() < end:
            self.turned_at = self._clock()
            try:
                closing.result(LOOK_SECONDS)
                return
            except TimeoutError:
                continue
        closing.cancel()

    def _trouble(self, error: KafkaError, message: Message) -> None:
        if error.fatal():
            raise KafkaException(error)
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - its public name
            raise WorkerError(f"{message.topic()}/{message.partition()}: {error.str()}, and {RESET} is error")
        missing = error.code() in UNKNOWN_TOPIC
        event = names.LOG_TOPIC_MISSING if missing else names.LOG_CONSUME_ERROR
        what = f"{event} {message.topic()} {error.name()}"
        if self._clock() >= self._said.get(what, 0.0):
            self._said[what] = self._clock() + self._pace.repeat_seconds
            self._log.warning(event, topic=message.topic(), why=said(error))
