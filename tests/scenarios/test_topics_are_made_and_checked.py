"""`rokt-worker topics`: what the worker needs, whether it is there, and making it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.brokers import Broker
from infra.commands import Said, rokt_worker
from infra.embedded import EmbeddedKafka
from infra.kafka_api import delete_topics, set_on_topic
from infra.ports import free_port
from infra.rokt import Rokt
from infra.worker import API_KEY, TAG_ID, Worker

YEAR_MS = 365 * 86_400_000


@pytest.fixture
def lonely(kafka: Broker, rokt: Rokt, tmp_path: Path) -> Iterator[Worker]:
    """A worker without topics."""
    worker = Worker(kafka, rokt.url, tmp_path)
    yield worker
    delete_topics(kafka.bootstrap, list(all_topics(worker)))


def all_topics(worker: Worker) -> tuple[str, ...]:
    return (*worker.sources, *(f"{topic}.dlq" for topic in worker.sources), worker.outcomes)


def topics(worker: Worker, *arguments: str, **settings: str) -> Said:
    return rokt_worker("topics", *arguments, settings=worker.settings | settings, folder=worker.folder)


def test_what_is_missing_is_named_made_and_then_right(lonely: Worker) -> None:
    missing = topics(lonely, "--check")
    assert missing.code == 1
    assert all(f"missing  {topic}" in missing.out for topic in all_topics(lonely))
    assert "rokt-worker topics --create" in missing.out

    made = topics(lonely, "--create", "--partitions", "2")
    assert made.code == 0
    assert sorted(made.out.split()) == sorted(("made " * 7).split() + list(all_topics(lonely)))

    assert topics(lonely, "--create", "--partitions", "2").out.count("was there") == 7
    assert topics(lonely, "--check", "--partitions", "2").code == 0


def test_a_dead_letter_topic_that_was_made_keeps_its_letters_for_a_year_by_their_events_time(lonely: Worker) -> None:
    topics(lonely, "--create")
    found = {topic["topic"]: topic for topic in topics(lonely, "--check", "--json").document}
    letters = found[f"{lonely.completed}.dlq"]
    assert letters["found"]["retention_ms"] == YEAR_MS
    assert letters["config"]["message.timestamp.type"] == "CreateTime"
    assert letters["faults"] == []


def test_several_may_make_them_at_once(lonely: Worker) -> None:
    with ThreadPoolExecutor(3) as at_once:
        all_said = [f.result() for f in [at_once.submit(topics, lonely, "--create", "--json") for _ in range(3)]]
    assert [said.code for said in all_said] == [0, 0, 0]
    made = [topic["topic"] for said in all_said for topic in said.document if topic["state"] == "made"]
    assert sorted(made) == sorted(all_topics(lonely))


def test_what_is_there_is_never_changed_only_told(kafka: Broker, lonely: Worker) -> None:
    lonely.create_topics(partitions=2)
    set_on_topic(kafka.bootstrap, f"{lonely.completed}.dlq", "retention.ms", "3600000")
    set_on_topic(kafka.bootstrap, lonely.cancelled, "cleanup.policy", "compact")
    assert topics(lonely, "--create").out.count("was there") == 7

    said = topics(lonely, "--check", "--json", "--partitions", "4")
    assert said.code == 1
    faults = {topic["topic"]: {fault["fault"] for fault in topic["faults"]} for topic in said.document}
    assert faults[f"{lonely.completed}.dlq"] >= {"retention", "partitions"}
    assert faults[lonely.cancelled] >= {"compacted", "partitions"}
    assert "retention" not in faults[lonely.completed]


def test_without_brokers_they_are_printed_and_nothing_else_is(tmp_path: Path) -> None:
    nowhere = {
        "WORKER_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "WORKER_ROKT__API_KEY": API_KEY,
        "WORKER_ROKT__TAG_ID": TAG_ID,
    }
    printed = rokt_worker("topics", settings=nowhere, folder=tmp_path)
    assert printed.code == 0
    assert printed.out.splitlines()[0].split() == ["TOPIC", "ROLE", "PARTITIONS", "REPLICATION", "RETENTION", "CLEANUP"]
    assert len(printed.out.splitlines()) == 8
    assert all(character.isascii() for character in printed.out)

    checked = rokt_worker("topics", "--check", "--json", settings=nowhere, folder=tmp_path)
    assert (checked.code, checked.out) == (1, "")
    assert "Connection refused" in checked.err
    assert "WORKER_KAFKA__BOOTSTRAP_SERVERS" in checked.err


def test_an_embedded_broker_that_makes_none_on_request_is_told_as_such(tmp_path: Path) -> None:
    server = EmbeddedKafka()
    settings = {
        "WORKER_KAFKA__BOOTSTRAP_SERVERS": server.bootstrap,
        "WORKER_ROKT__API_KEY": API_KEY,
        "WORKER_ROKT__TAG_ID": TAG_ID,
    }
    try:
        said = rokt_worker("topics", "--create", settings=settings, folder=tmp_path)
    finally:
        server.stop()
    assert said.code == 1
    assert said.out.count("makes no topics on request") == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--check", "--create"), "not both"),
        (("--partitions", "0"), "--partitions"),
        (("--env-file", "nowhere.env"), "nowhere.env"),
        ((), "WORKER_KAFKA__BOOTSTRAP_SERVERS"),
    ],
)
def test_wrong_use_is_exit_code_2_and_named(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = rokt_worker("topics", *arguments, settings={}, folder=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
