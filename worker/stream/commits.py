"""What is committed, and when: now and then, at the end, and again when the broker refused it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from structlog.typing import FilteringBoundLogger

from worker.handover import to_text
from worker.stream.assignment import Assignment
from worker.stream.client import Client, said
from worker.telemetry import names

Partition = tuple[str, int]


class Commits:
    """Commits how far the `assigned` partitions are settled, with what is settled above as the commit's text.

    `clock` gives monotonic seconds, `now_ms` milliseconds since 1970. A commit is due every `seconds`, and sooner once
    so many `records` were passed. Used by the consumer's thread alone.
    """

    def __init__(
        self,
        assigned: Mapping[Partition, Assignment],
        *,
        seconds: float,
        records: int,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        log: FilteringBoundLogger,
    ) -> None:
        self._assigned = assigned
        self._seconds = seconds
        self._records = records
        self._clock = clock
        self._now_ms = now_ms
        self._log = log
        self._commit_at = 0.0
        self._passed = 0
        self._unanswered: Counter[Partition] = Counter()

    @property
    def all_made(self) -> bool:
        """Whether what is assigned is committed as far as it is settled, and no answer said otherwise."""
        return all(a.committed == a.to_commit for a in self._assigned.values())

    def when_due(self, client: Client) -> None:
        """Sends a commit if it is time; its answer comes to `answered`."""
        now = self._clock()
        assignments = list(self._assigned.values())
        passed = sum(a.passed for a in assignments)
        if now >= self._commit_at or passed - self._passed >= self._records:
            self._commit_at = now + self._seconds
            self._passed = passed
            self._commit(client, assignments, asynchronous=True)

    def at_once(self, client: Client, assignments: Sequence[Assignment]) -> None:
        """Commits these and waits for the answer; also what is under way, since that may yet be refused."""
        self._commit(client, assignments, asynchronous=False)

    def answered(self, error: KafkaError | None, offsets: Sequence[TopicPartition]) -> None:
        """An asynchronous commit's answer; called from within consume()."""
        self._unanswered.subtract((offset.topic, offset.partition) for offset in offsets)
        if error is not None:
            self._failed(offsets, error)
        else:
            self._check(offsets)

    def _commit(self, client: Client, assignments: Sequence[Assignment], *, asynchronous: bool) -> None:
        offsets: list[TopicPartition] = []
        for assignment in assignments:
            vouched_ms = assignment.vouched_ms
            due = assignment.to_commit
            under_way = not asynchronous and self._unanswered[assignment.topic, assignment.partition] > 0
            if due is not None and (due != assignment.committed or under_way):
                text = to_text(*due, at_ms=self._now_ms() if vouched_ms is None else vouched_ms)
                offsets.append(TopicPartition(assignment.topic, assignment.partition, due[0], text))
                assignment.committed = due
        if not offsets:
            return
        try:
            if asynchronous:
                client.commit(offsets=offsets, asynchronous=True)
                self._unanswered.update((offset.topic, offset.partition) for offset in offsets)
            else:
                self._check(client.commit(offsets=offsets, asynchronous=False) or [])
        except KafkaException as error:
            self._failed(offsets, error.args[0])

    def _check(self, answers: Sequence[TopicPartition]) -> None:
        for answer in answers:
            if answer.error is not None:
                self._failed([answer], answer.error)

    def _failed(self, offsets: Sequence[TopicPartition], error: KafkaError) -> None:
        """A commit that failed is due again; a later turn makes it, if the partition is still ours."""
        for offset in offsets:
            if (assignment := self._assigned.get((offset.topic, offset.partition))) is not None:
                assignment.committed = None
        self._log.warning(names.LOG_COMMIT_FAILED, why=said(error), partitions=len(offsets))
