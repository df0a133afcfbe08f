"""Which offsets lie between two times, of brokers that search by time; what is missing is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, TopicPartition

from worker.errors import CannotReplay
from worker.replay.plan import Cut, Partition, Stretch, Wanted
from worker.replay.report import cut_short
from worker.replay.times import Found, find
from worker.topics.asking import Administrator, BrokersUnavailable, Overview

NOW = 1_000_000
EARLIEST, LATEST = -2, -1  # of the protocol's ListOffsets request


@dataclass(frozen=True)
class Answer:
    offset: int
    timestamp: int


class Brokers:
    """Logs by partition, each an offset it starts with and the times of its records."""

    seconds = 1.0

    def __init__(self, logs: Mapping[Partition, tuple[int, Iterable[int]]], error: int | None = None) -> None:
        self._logs = {partition: (start, list(times)) for partition, (start, times) in logs.items()}
        self._error = error
        self.admin = self

    def overview(self) -> Overview:
        names = {topic for topic, _ in self._logs}
        return Overview(1, False, {name: (sum(t == name for t, _ in self._logs), 1) for name in names})

    def list_offsets(self, asked: Mapping[TopicPartition, Any], request_timeout: float) -> dict[TopicPartition, Any]:
        answers: dict[TopicPartition, Any] = {}
        for place, spec in asked.items():
            future: Future[Answer] = Future()
            future.set_result(self._at((place.topic, place.partition), spec._value))
            answers[place] = future
        return answers

    def answer(self, asked: Future[Answer]) -> Answer | KafkaError:
        return asked.result() if self._error is None else KafkaError(self._error)

    def _at(self, partition: Partition, ms: int) -> Answer:
        start, times = self._logs[partition]
        if ms in (EARLIEST, LATEST):
            return Answer(start if ms == EARLIEST else start + len(times), -1)
        found = next((n for n, at in enumerate(times) if at >= ms), None)
        return Answer(-1, -1) if found is None else Answer(start + found, times[found])


def found(brokers: Brokers, wanted: Wanted, *topics: str) -> Found:
    return find(wanted, topics or ("t",), cast("Administrator", brokers), {}, NOW, lambda _: None)


TEN = range(100, 110)


@pytest.mark.parametrize(
    ("since", "until", "stretches"),
    [
        (1, None, [(0, 10)]),
        (103, 107, [(3, 7)]),
        (103, 200, [(3, 10)]),
        (109, None, [(9, 10)]),
        (110, None, []),
        (50, 100, []),
        (50, 101, [(0, 1)]),
    ],
)
def test_a_stretch_begins_with_one_time_and_ends_before_the_other(
    since: int, until: int | None, stretches: list[tuple[int, int]]
) -> None:
    brokers = Brokers({("t", 0): (0, TEN)})
    assert [(s.start, s.end) for s in found(brokers, Wanted(since, until)).stretches] == stretches


def test_a_time_to_come_ends_with_what_is_there_and_that_is_said() -> None:
    answer = found(Brokers({("t", 0): (0, TEN)}), Wanted(103, NOW + 1))
    assert answer.stretches == (Stretch("t", 0, 3, 10),)
    assert "still to come" in answer.remarks[0]


def test_partitions_are_those_that_were_asked_for() -> None:
    brokers = Brokers({("t", 0): (0, TEN), ("t", 1): (0, TEN), ("u", 0): (0, TEN)})

    def places(wanted: Wanted) -> list[Partition]:
        return [(s.topic, s.partition) for s in found(brokers, wanted, "t", "u").stretches]

    assert places(Wanted(1)) == [("t", 0), ("t", 1), ("u", 0)]
    assert places(Wanted(1, topics=frozenset({"t"}))) == [("t", 0), ("t", 1)]
    assert places(Wanted(1, partitions=frozenset({("t", 1)}))) == [("t", 1)]
    assert places(Wanted(1, partitions=frozenset({("", 0)}))) == [("t", 0), ("u", 0)]


def test_a_topic_that_is_not_there_and_one_without_records_are_told_apart() -> None:
    brokers = Brokers({("t", 0): (0, TEN), ("empty", 0): (0, []), ("old", 0): (0, TEN)})
    with pytest.raises(CannotReplay, match="no topic nowhere"):
        found(brokers, Wanted(1), "t", "nowhere")
    answer = found(brokers, Wanted(105, 106, topics=frozenset({"empty", "t"})))
    assert answer.remarks == ("empty has no records.",)
    assert found(brokers, Wanted(200), "old").remarks == ("old has no records of this time.",)


def test_a_partition_that_is_not_there_is_wrong_use() -> None:
    with pytest.raises(CannotReplay, match="t/7; t has only partition 0") as raised:
        found(Brokers({("t", 0): (0, TEN)}), Wanted(1, partitions=frozenset({("", 7)})))
    assert raised.value.wrong_use


def test_what_retention_has_cut_is_told_with_the_time_that_is_missing() -> None:
    cut = found(Brokers({("t", 0): (50, TEN)}), Wanted(40)).cuts
    assert cut == (Cut("t", 0, 50, 100),)
    assert "after --since" in cut_short(cut[0], 40)
    assert found(Brokers({("t", 0): (50, TEN)}), Wanted(100)).cuts == ()
    assert found(Brokers({("t", 0): (50, TEN)}), Wanted(104)).cuts == ()
    assert found(Brokers({("t", 0): (0, TEN)}), Wanted(40)).cuts == ()


def test_a_log_of_which_nothing_is_left_is_told() -> None:
    answer = found(Brokers({("t", 0): (50, [])}), Wanted(40))
    assert answer.cuts == (Cut("t", 0, 50, None),)
    assert "nothing is left" in cut_short(answer.cuts[0], 40)


def test_brokers_that_do_not_say_are_told_with_the_mend() -> None:
    brokers = Brokers({("t", 0): (0, TEN)}, error=KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(BrokersUnavailable) as raised:
        found(brokers, Wanted(1))
    assert "describe the topics" in raised.value.mend
