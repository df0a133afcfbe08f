"""The retention clock names in time what is going to be deleted, and what was deleted out of sight."""

from __future__ import annotations

from typing import cast

from infra.reading import Clocked, Keeper, Partitions
from worker.stream.client import Client
from worker.stream.cluster import Kept, Untold
from worker.stream.horizon import Log

HOUR_MS = 3_600_000


def test_records_that_are_deleted_while_their_partition_is_paused_are_said_at_once_and_once() -> None:
    clocked = Clocked(Partitions(commit=10, log=Log(0, 20)), Keeper(Log(15, 20), Kept(None)))
    clocked.pause()
    clocked.look()
    assert clocked.lost() == [(10, 15, 5)]
    clocked.look()
    clocked.keeper.log = Log(17, 20)
    clocked.look()
    clocked.client.log = Log(18, 20)
    clocked.held = frozenset()
    clocked.read(18)
    assert clocked.lost() == [(10, 15, 5), (15, 17, 2), (17, 18, 1)]
    assert clocked.losses.records == 8


def test_a_log_that_was_emptied_is_said_though_nothing_comes_from_it() -> None:
    clocked = Clocked(Partitions(commit=10), Keeper(Log(20, 20), Kept(None)))
    clocked.look()
    assert clocked.lost() == []
    clocked.look()
    assert clocked.lost() == [(10, 20, 10)]


def test_records_that_are_deleted_before_a_first_commit_are_said() -> None:
    clocked = Clocked(Partitions(), Keeper(Log(3, 20), Kept(None)))
    clocked.pause()
    clocked.look()
    clocked.keeper.log = Log(8, 20)
    clocked.look()
    assert clocked.lost() == [(3, 8, 5)]


def test_records_that_were_fetched_before_the_first_look_are_neither_lost_nor_a_rewound_log() -> None:
    clocked = Clocked(Partitions(log=Log(3, 20)), Keeper(Log(3, 20), Kept(None)))
    clocked.look()
    clocked.read(0, 1)
    assert clocked.lost() == []
    assert clocked.said("kafka.log_rewound") == []


def test_a_log_that_ends_before_the_commit_is_said_once_though_nothing_comes_from_it() -> None:
    clocked = Clocked(Partitions(commit=100), Keeper(Log(0, 0), Kept(None)))
    for _ in range(4):
        clocked.look()
    assert [(line["expected"], line["found"]) for line in clocked.said("kafka.log_rewound")] == [(100, 0)]


def test_a_blocking_record_is_named_before_it_is_deleted() -> None:
    clocked = Clocked(Partitions(commit=0), Keeper(Log(0, 20), Kept(HOUR_MS)))
    clocked.block(0, at_ms=0)
    clocked.now_ms = HOUR_MS - 600_000
    clocked.look()
    assert clocked.said("kafka.retention_near") == []
    clocked.look()
    (line,) = clocked.said("kafka.retention_near")
    assert (line["offset"], line["left_seconds"], line["deleted_from"]) == (0, 600.0, "1970-01-01T01:00:00.000Z")
    assert clocked.retention.left_seconds == 600.0
    clocked.now_ms = HOUR_MS - 60_000
    clocked.look()
    assert [call.method_name for call in clocked.logger.calls if call.args == ("kafka.retention_near",)] == [
        "warning",
        "error",
    ]


def test_a_record_in_hand_that_is_deleted_is_named_as_being_here_only() -> None:
    clocked = Clocked(Partitions(commit=0), Keeper(Log(0, 20), Kept(None)))
    clocked.block(0, at_ms=0)
    clocked.look()
    clocked.keeper.log = Log(1, 20)
    clocked.look()
    (line,) = clocked.said("kafka.in_hand_only")
    assert (line["offset"], line["start"]) == (0, 1)
    assert clocked.lost() == []
    assert clocked.retention.left_seconds == 0.0


def test_brokers_that_do_not_tell_are_named_once_and_no_alarm_is_given() -> None:
    clocked = Clocked(Partitions(commit=0), Keeper(Untold("not authorized"), Untold("not authorized")))
    clocked.block(0, at_ms=0)
    clocked.now_ms = 10 * HOUR_MS
    for _ in range(3):
        clocked.look()
    assert {line["what"] for line in clocked.said("kafka.retention_unknown")} == {
        "retention.ms",
        "where the log starts",
    }
    assert len(clocked.said("kafka.retention_unknown")) == 2
    assert clocked.retention.left_seconds is None


def test_a_retention_that_was_told_once_holds_while_the_brokers_do_not_answer() -> None:
    clocked = Clocked(Partitions(commit=0), Keeper(Log(0, 20), Kept(HOUR_MS)))
    clocked.block(0, at_ms=0)
    clocked.look()
    clocked.keeper.kept = Untold("no answer")
    clocked.now_ms = HOUR_MS // 2
    clocked.look()
    assert clocked.retention.left_seconds == HOUR_MS / 2 / 1000


def test_a_retention_that_is_changed_is_read_again() -> None:
    clocked = Clocked(Partitions(commit=0), Keeper(Log(0, 20), Kept(HOUR_MS)))
    clocked.block(0, at_ms=0)
    clocked.look()
    clocked.keeper.kept = Kept(2 * HOUR_MS)
    clocked.look()
    assert clocked.retention.left_seconds == HOUR_MS / 1000
    clocked.now_ms = HOUR_MS // 2
    clocked.look()
    assert clocked.retention.left_seconds == 1.5 * HOUR_MS / 1000


def test_where_a_log_ended_is_not_taken_for_where_the_next_one_of_its_name_does() -> None:
    clocked = Clocked(Partitions(commit=10), Keeper(Log(0, 20), Kept(None)))
    clocked.look()
    assert clocked.retention.log_ends.get(clocked.assignment) == 20
    clocked.consumption.begin(cast("Client", clocked.client))  # it has the partition anew
    assert clocked.retention.log_ends.get(clocked.assignment) is None
