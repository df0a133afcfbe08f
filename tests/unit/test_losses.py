"""What was gone before it was read is said and counted; a hole in the offsets is not."""

from __future__ import annotations

import pytest
from confluent_kafka import OFFSET_END, OFFSET_STORED, KafkaError, Message

from infra.reading import PLACE, Partitions, Reading
from worker.errors import WorkerError
from worker.stream.config import Beginning
from worker.stream.horizon import Log


def test_records_that_were_deleted_while_the_worker_was_down_are_said_and_counted() -> None:
    reading = Reading(Partitions(commit=10, log=Log(15, 20)))
    reading.read(15, 16)
    assert reading.lost() == [(10, 15, 5)]
    assert reading.losses.records == 5
    (line,) = reading.said("kafka.records_lost")
    assert (line["topic"], line["partition"]) == PLACE
    assert "publish" in line["mend"]


def test_records_that_were_deleted_while_it_ran_are_said_too() -> None:
    reading = Reading(Partitions(commit=10, log=Log(0, 20)))
    reading.read(10, 11)
    reading.client.log = Log(20, 30)
    reading.read(20)
    assert reading.lost() == [(12, 20, 8)]


def test_holes_in_the_offsets_are_no_loss() -> None:
    reading = Reading(Partitions(commit=10, log=Log(0, 40)))
    reading.read(12, 15)
    reading.read(20)
    assert reading.lost() == []


def test_where_offsets_follow_on_each_other_nobody_is_asked() -> None:
    reading = Reading(Partitions(commit=10, log=Log(0, 40)))
    reading.read(10, 11)
    reading.read(12)
    assert reading.client.asked == []


def test_a_partition_without_a_commit_has_lost_nothing() -> None:
    reading = Reading(Partitions(log=Log(15, 20)))
    reading.read(15)
    assert reading.lost() == []


def test_a_log_that_ends_before_the_commit_is_said_and_read_from_where_it_starts() -> None:
    reading = Reading(Partitions(commit=100, log=Log(0, 5)))
    reading.read(0, 1)
    (line,) = reading.said("kafka.log_rewound")
    assert (line["expected"], line["found"]) == (100, 0)
    assert reading.assignment.last_fetched == 1
    assert reading.lost() == []


def test_a_log_that_is_rewound_under_a_running_worker_ends_it() -> None:
    reading = Reading(Partitions(commit=10, log=Log(0, 20)))
    reading.read(10, 11)
    with pytest.raises(WorkerError, match="rewound"):
        reading.read(0)


def test_a_commit_that_could_not_be_asked_for_is_asked_for_again_when_records_come() -> None:
    client = Partitions(commit=10, log=Log(15, 20))
    client.answers = False
    reading = Reading(client)
    client.answers = True
    reading.read(15)
    assert reading.lost() == [(10, 15, 5)]


def test_when_it_cannot_be_told_whether_records_were_lost_that_is_said() -> None:
    silent = Partitions(commit=10, log=Log(15, 20))
    silent.answers = False
    reading = Reading(silent)
    reading.read(15)
    assert len(reading.said("kafka.loss_unknown")) == 1

    unknown = Reading(Partitions(commit=10))
    unknown.read(15)
    assert unknown.client.asked == ["cached", "broker"]
    assert len(unknown.said("kafka.loss_unknown")) == 1


def test_latest_holds_for_a_partition_without_a_commit_and_for_no_other() -> None:
    at_the_end = Beginning(at_the_end=True)
    assert Reading(Partitions(), at_the_end).client.begun == [("incremental_assign", OFFSET_END)]
    assert Reading(Partitions(commit=10), at_the_end).client.begun == [("incremental_assign", OFFSET_STORED)]
    assert Reading(Partitions(), Beginning(at_the_end=True, eager=True)).client.begun == [("assign", OFFSET_END)]
    assert Reading(Partitions()).client.begun == []


def test_error_for_a_partition_without_a_commit_ends_the_worker() -> None:
    reading = Reading(Partitions())
    error = KafkaError(KafkaError._AUTO_OFFSET_RESET, "no previously committed offset")
    reading.client.coming = [Message(topic="orders", partition=0, error=error)]
    with pytest.raises(
        WorkerError, match=r"orders/0: no previously committed offset, and auto\.offset\.reset is error"
    ):
        reading.consumption.turn()


def test_what_was_deleted_up_to_the_end_of_the_log_is_said_when_that_is_reached() -> None:
    reading = Reading(Partitions(commit=10, log=Log(20, 20)))
    reading.ends(20)
    assert reading.lost() == [(10, 20, 10)]
    reading.read(20)
    assert reading.lost() == [(10, 20, 10)]


def test_what_was_deleted_up_to_the_end_is_passed_by_the_commit_so_that_the_next_owner_does_not_say_it_again() -> None:
    reading = Reading(Partitions(commit=10, log=Log(20, 20)))
    reading.ends(20)
    assert reading.client.commits == [20]


def test_a_commit_that_could_not_be_asked_for_is_asked_for_again_when_the_log_ends() -> None:
    client = Partitions(commit=10, log=Log(15, 15))
    client.answers = False
    reading = Reading(client)
    client.answers = True
    reading.ends(15)
    assert reading.lost() == [(10, 15, 5)]


def test_the_end_of_a_log_without_a_commit_is_nothing_to_ask_about_or_to_commit() -> None:
    reading = Reading(Partitions(log=Log(15, 15)))
    reading.ends(15)
    assert (reading.client.asked, reading.client.commits) == ([], [])


def test_a_transactions_mark_at_the_end_of_the_log_is_no_loss_and_nothing_that_waits() -> None:
    reading = Reading(Partitions(commit=10, log=Log(0, 12)))
    reading.read(10)
    assert reading.assignment.expected == 11
    reading.ends(12)
    assert reading.assignment.expected == 12
    assert reading.lost() == []


def test_an_end_that_was_passed_meanwhile_takes_nothing_back() -> None:
    reading = Reading(Partitions(commit=10, log=Log(0, 13)))
    reading.read(10, 11, 12)
    reading.ends(11)
    assert reading.assignment.expected == 13
