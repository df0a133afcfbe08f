"""What is committed, and what is committed again: a commit counts as made when its answer says so."""

from __future__ import annotations

from typing import Literal, cast, overload

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from structlog.testing import CapturingLogger
from structlog.typing import FilteringBoundLogger

from worker.record import Record
from worker.stream.assignment import Assignment
from worker.stream.client import Client
from worker.stream.commits import Commits
from worker.work import Work

PLACE = ("orders", 0)


class Coordinator:
    """A client that keeps what is committed through it, and refuses what comes while it has an error."""

    def __init__(self) -> None:
        self.asynchronous: list[list[TopicPartition]] = []
        self.taken: list[int] = []
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
        return offsets


class Committing:
    """One assigned partition whose first record is settled."""

    def __init__(self) -> None:
        self.assignment = Assignment(*PLACE)
        self.coordinator = Coordinator()
        self.client = cast("Client", self.coordinator)
        self.commits = Commits(
            {PLACE: self.assignment},
            seconds=1.0,
            records=100,
            clock=lambda: 10.0,
            now_ms=lambda: 0,
            log=cast("FilteringBoundLogger", CapturingLogger()),
        )
        record = Record(*PLACE, 0, None, b"{}", (), None)
        self.assignment.fetch([record])
        self.assignment.read(record)
        self.assignment.in_hand[0] = (Work(record, self.assignment.stop), 0.0)
        self.assignment.settled(record)

    def at_once(self) -> list[int]:
        self.commits.at_once(self.client, [self.assignment])
        return self.coordinator.taken


@pytest.fixture
def committing() -> Committing:
    return Committing()


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


def test_a_commit_that_was_refused_is_due_again(committing: Committing) -> None:
    committing.commits.when_due(committing.client)
    committing.commits.answered(KafkaError(KafkaError.REBALANCE_IN_PROGRESS), committing.coordinator.asynchronous[0])
    assert not committing.commits.all_made
    committing.coordinator.error = KafkaError(KafkaError.REBALANCE_IN_PROGRESS)
    assert committing.at_once() == []
    committing.coordinator.error = None
    assert committing.at_once() == [1]
