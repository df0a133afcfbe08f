"""What topics the worker needs, and what is wrong with those that are there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from worker.topics.judging import Fault, Found, Kept, faults
from worker.topics.needed import DAY_MS, Needed, duration, needed

SOURCES = ["a", "b"]
LEDGER_DAYS = 30
TOPICS = needed(SOURCES, "out", ".dlq", ledger_days=LEDGER_DAYS, partitions=4, replication=3)


def kept(topic: Needed) -> Kept:
    return Kept(
        topic.retention_ms, "delete", log_append_time=False, max_message_bytes=topic.max_message_bytes or 1_048_588
    )


def cluster(**changed: Kept) -> dict[str, Found]:
    """All as it should be, but for the settings of some."""
    return {
        topic.name: Found(topic.partitions, 3, changed.get(topic.name.replace(".", "_"), kept(topic)))
        for topic in TOPICS
    }


def wrong(found: dict[str, Found], brokers: int = 3) -> list[Fault]:
    return faults(TOPICS, found, brokers=brokers, ledger_days=LEDGER_DAYS)


def named(found: dict[str, Found], brokers: int = 3) -> list[tuple[str, str, bool]]:
    return [(fault.topic, fault.kind, fault.grave) for fault in wrong(found, brokers)]


def test_each_source_has_a_dead_letter_topic_and_all_share_the_outcomes() -> None:
    assert [(t.name, t.role) for t in TOPICS] == [
        ("a", "source"),
        ("b", "source"),
        ("a.dlq", "dead letters"),
        ("b.dlq", "dead letters"),
        ("out", "outcomes"),
    ]


def test_a_topic_that_carries_several_events_is_needed_once() -> None:
    assert [t.name for t in needed(["a", "a"], "out", ".dlq", ledger_days=30)] == ["a", "a.dlq", "out"]


def test_dead_letters_keep_their_events_time_and_are_kept_for_a_year() -> None:
    letters = next(t for t in TOPICS if t.name == "a.dlq")
    assert letters.configs(3) == {
        "cleanup.policy": "delete",
        "max.message.bytes": "2097152",
        "message.timestamp.type": "CreateTime",
        "min.insync.replicas": "2",
        "retention.ms": str(365 * DAY_MS),
    }


def test_one_broker_is_asked_for_no_second_replica() -> None:
    assert "min.insync.replicas" not in TOPICS[0].configs(1)


@pytest.mark.parametrize("days", [1, 3, 7, 8, 365])
def test_sources_are_described_so_that_the_ledger_remembers_longer(days: int) -> None:
    topics = needed(["a"], "out", ".dlq", ledger_days=days)
    assert topics[0].retention_ms < days * DAY_MS


def test_nothing_is_wrong_with_topics_as_they_are_described() -> None:
    assert wrong(cluster()) == []


def test_where_there_are_fewer_brokers_fewer_replicas_are_right() -> None:
    found = {name: replace(topic, replication=1) for name, topic in cluster().items()}
    assert wrong(found, brokers=1) == []
    assert {kind for _, kind, _ in named(found, brokers=3)} == {"replication"}


@pytest.mark.parametrize("name", ["a", "a.dlq", "out"])
def test_a_missing_topic_is_grave_and_can_be_made(name: str) -> None:
    found = cluster()
    del found[name]
    (fault,) = wrong(found)
    assert (fault.topic, fault.kind, fault.grave) == (name, "missing", True)
    assert fault.mend == "rokt-worker topics --create"


def test_fewer_partitions_are_told() -> None:
    found = cluster()
    found["b"] = replace(found["b"], partitions=3)
    assert named(found) == [("b", "partitions", False)]


@pytest.mark.parametrize("name", ["a", "a.dlq", "out"])
def test_a_compacted_topic_is_grave(name: str) -> None:
    topic = next(t for t in TOPICS if t.name == name)
    found = cluster(**{name.replace(".", "_"): replace(kept(topic), cleanup="compact,delete")})
    assert named(found) == [(name, "compacted", True)]


def test_a_source_that_keeps_events_longer_than_the_ledger_remembers_is_told() -> None:
    longer = replace(kept(TOPICS[0]), retention_ms=LEDGER_DAYS * DAY_MS)
    assert named(cluster(a=longer, a_dlq=kept(TOPICS[2]))) == [("a", "ledger", True)]
    assert "at least 31" in wrong(cluster(a=longer))[0].mend


def test_a_source_that_keeps_events_for_ever_is_worth_a_look() -> None:
    for_ever = replace(kept(TOPICS[0]), retention_ms=None)
    assert named(cluster(a=for_ever)) == [("a", "ledger", False)]


def test_shorter_retention_is_told_of_every_role() -> None:
    hour = DAY_MS // 24
    found = cluster(a=replace(kept(TOPICS[0]), retention_ms=hour), out=replace(kept(TOPICS[4]), retention_ms=hour))
    assert named(found) == [("a", "retention", False), ("out", "retention", False)]


def test_dead_letters_that_are_kept_no_longer_than_their_events_are_grave() -> None:
    letters = kept(TOPICS[2])
    assert named(cluster(a_dlq=replace(letters, retention_ms=60 * DAY_MS))) == [("a.dlq", "retention", False)]
    (fault,) = wrong(cluster(a_dlq=replace(letters, retention_ms=7 * DAY_MS)))
    assert fault.grave
    assert "may be deleted at once" in fault.what


def test_dead_letters_with_the_time_of_their_writing_are_told() -> None:
    letters = replace(kept(TOPICS[2]), log_append_time=True)
    assert named(cluster(a_dlq=letters)) == [("a.dlq", "timestamps", False)]


def test_a_dead_letter_topic_has_room_for_the_largest_event_and_its_headers() -> None:
    small = replace(kept(TOPICS[2]), max_message_bytes=1_048_588)
    (fault,) = wrong(cluster(a_dlq=small))
    assert fault.kind == "size"
    assert "at least 1064972" in fault.mend


def test_settings_that_are_not_told_are_no_fault_of_the_rest() -> None:
    found = cluster()
    found["a"] = Found(4, 3, None, "not authorized")
    (fault,) = wrong(found)
    assert (fault.kind, fault.grave) == ("untold", False)
    assert "not authorized" in fault.what


def test_a_topic_that_we_may_not_see_is_not_called_missing() -> None:
    found = cluster()
    found["a"] = Found(0, 0, None, hidden=True)
    (fault,) = wrong(found)
    assert (fault.kind, fault.grave) == ("hidden", True)
    assert "Describe and Read" in fault.mend


@pytest.mark.parametrize(
    ("ms", "said"), [(None, "for ever"), (7 * DAY_MS, "7 d"), (3_600_000, "1 h"), (90_000, "1.5 min"), (5, "5 ms")]
)
def test_durations_are_said_in_words(ms: int | None, said: str) -> None:
    assert duration(ms) == said
