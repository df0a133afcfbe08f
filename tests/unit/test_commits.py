"""What is committed, and what is committed again: a commit counts as made when its answer says so."""

from __future__ import annotations

from typing import Literal, cast, overload

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from structlog.testing import CapturingLogger
from structlog.typing import FilteringBoundLogger

from worker.handover import Handover, from_text
from worker.record import Record
from worker.stream.assignment import NOTHING_HANDED_OVER, Assignment
from worker.stream.client import Client
from worker.stream.commits import Commits
from worker.work import Work

PLACE = ("orders", 0)
NOW_MS = 1_000


class Coordinator:
    """A client that keeps what is committed through it, and refuses what comes while it has an error."""

    def __init__(self) -> None:
        self.asynchronous: list[list[TopicPartition]] = []
        self.taken: list[int] = []
        self.text: str | None = None
        self.error: KafkaError | None = None

    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[True]) -> None: ...
    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[False]) -> list[TopicPartition]: ...
    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition] | None:
        if asynchronous:
            self.asynchronous.append(offsets)
            return None
        if self.error is not None:
            raise KafkaException(self.error)
        self.taken += [p.offset for p in offsets]
        self.text = offsets[-1].metadata
        return offsets


class Committing:
    """One assigned partition, and what becomes of its records."""

    def __init__(self, handover: Handover = NOTHING_HANDED_OVER) -> None:
        self.assignment = Assignment(*PLACE, handover)
        self.coordinator = Coordinator()
        self.client = cast("Client", self.coordinator)
        self.commits = Commits(
            {PLACE: self.assignment},
            seconds=1.0,
            records=100,
            clock=lambda: 10.0,
            now_ms=lambda: NOW_MS,
            log=cast("FilteringBoundLogger", CapturingLogger()),
        )

    def read(self, offset: int) -> Record:
        record = Record(*PLACE, offset, None, b"{}", (), timestamp_ms=100)
        self.assignment.fetch([record])
        self.assignment.read(record)
        return record

    def settle(self, offset: int) -> None:
        record = self.read(offset)
        self.assignment.in_hand[offset] = (Work(record, self.assignment.stop), 0.0)
        self.assignment.settled(record)

    def at_once(self) -> list[int]:
        self.commits.at_once(self.client, [self.assignment])
        return self.coordinator.taken


@pytest.fixture
def committing() -> Committing:
    """Its first record is settled."""
    committing = Committing()
    committing.settle(0)
    return committing


def test_what_is_settled_is_committed_once(committing: Committing) -> None:
    assert committing.at_once() == [1]
    assert committing.at_once() == [1]


def test_a_commit_that_is_still_under_way_is_made_again_before_a_partition_goes(committing: Committing) -> None:
    committing.commits.when_due(committing.client)
    assert len(committing.coordinator.asynchronous) == 1
    assert committing.at_once() == [1]


def test_a_commit_that_was_answered_is_not_made_again(committing: Committing) -> None:
    committing.commits.when_due(committing.client)
    committing.commits.answered(None, committing.coordinator.asynchronous[0])
    assert committing.at_once() == []
    assert committing.commits.all_made


def test_what_an_earlier_owner_settled_is_passed_on_until_it_is_read() -> None:
    known = Handover(base=1, at_ms=500, settled=frozenset({3}))
    committing = Committing(known)
    committing.settle(1)
    committing.at_once()
    assert from_text(2, committing.coordinator.text) == Handover(2, 500, frozenset({3}))
    committing.read(2)
    committing.read(3)
    committing.settle(4)
    committing.at_once()
    assert from_text(2, committing.coordinator.text) == Handover(2, NOW_MS, frozenset({3, 4}))


def test_a_commit_that_was_refused_is_due_again(committing: Committing) -> None:
    committing.commits.when_due(committing.client)
    committing.commits.answered(KafkaError(KafkaError.REBALANCE_IN_PROGRESS), committing.coordinator.asynchronous[0])
    assert not committing.commits.all_made
    committing.coordinator.error = KafkaError(KafkaError.REBALANCE_IN_PROGRESS)
    assert committing.at_once() == []
    committing.coordinator.error = None
    assert committing.at_once() == [1]


def test_the_mark_behind_the_last_record_is_committed_with_it(committing: Committing) -> None:
    committing.assignment.nothing_before(2)
    assert committing.at_once() == [2]
    committing.settle(2)
    assert committing.at_once() == [2, 3]


def test_a_mark_is_not_committed_before_the_records_ahead_of_it(committing: Committing) -> None:
    committing.read(1)
    committing.assignment.nothing_before(3)
    assert committing.at_once() == [1]


def test_what_an_earlier_owner_settled_is_still_passed_on_beside_a_mark() -> None:
    committing = Committing(Handover(base=1, at_ms=500, settled=frozenset({2, 9})))
    committing.settle(1)
    committing.assignment.nothing_before(5)
    assert committing.at_once() == [5]
    assert from_text(5, committing.coordinator.text) == Handover(5, 500, frozenset({9}))
