"""The brokers, the topics and the group; one connection for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError

from worker.doctor.finding import Finding, green, red
from worker.doctor.judging.group import CHECK as GROUP
from worker.doctor.judging.group import Group, Member, judge_group
from worker.doctor.judging.topics import judge_topics
from worker.ledger.aside import Aside
from worker.settings import Settings
from worker.stream.client import said
from worker.topics.asking import ELSEWHERE, MENDS, Administrator, BrokersUnavailable, Overview
from worker.topics.judging import faults
from worker.topics.needed import Needed

T = TypeVar("T")

CHECK: Final = "brokers"
PASSING: Final = ("NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS")
"""Said while brokers agree on who keeps a group; a client is to ask again (Kafka protocol, "Error Codes")."""
TRIES: Final = 10
AGAIN_SECONDS: Final = 0.3
NO_GROUP: Final = ("GROUP_ID_NOT_FOUND", "_UNSUPPORTED_FEATURE")  # the latter: an embedded broker


async def ask_kafka(
    connect: Callable[[], Administrator], settings: Settings, needed: Sequence[Needed], seconds: float
) -> list[Finding]:
    """What there is to say of all three; `connect` and the questions wait for answers, on a thread of their own."""
    aside = Aside("doctor-kafka")
    try:
        return await aside.run(partial(_asked, connect, settings, needed), seconds)
    finally:
        aside.end()


def _asked(connect: Callable[[], Administrator], settings: Settings, needed: Sequence[Needed]) -> list[Finding]:
    brokers = connect()
    try:
        overview = brokers.overview()
    except BrokersUnavailable as error:
        return [red(CHECK, str(error), error.mend)]
    count = "1 answers" if overview.brokers == 1 else f"{overview.brokers} answer"
    findings = [green(CHECK, f"{settings.kafka.bootstrap_servers}: {count}")]
    found = brokers.found(overview, [topic.name for topic in needed])
    wrong = faults(needed, found, brokers=overview.brokers, ledger_days=settings.ledger.retention_days)
    return findings + judge_topics(needed, found, wrong) + _group(brokers, overview, settings, needed)


def _group(brokers: Administrator, overview: Overview, settings: Settings, needed: Sequence[Needed]) -> list[Finding]:
    name = settings.kafka.group_id
    sources = [topic.name for topic in needed if topic.role == "source"]
    group = _described(brokers, name)
    if isinstance(group, KafkaError):
        return [red(GROUP, f"{name}: {said(group)}", MENDS.get(group.name(), ELSEWHERE))]
    partitions = sum(overview.topics[source][0] for source in sources if source in overview.topics)
    return judge_group(group, name, sources, partitions)


def _described(brokers: Administrator, name: str) -> Group | KafkaError:
    described: Any = None
    for _ in range(TRIES):
        asked = brokers.admin.describe_consumer_groups([name], request_timeout=brokers.seconds)
        described = brokers.answer(asked[name])
        if not (isinstance(described, KafkaError) and described.name() in PASSING):
            break
        time.sleep(AGAIN_SECONDS)
    if isinstance(described, KafkaError):
        return Group(False, ()) if described.name() in NO_GROUP else described
    members = tuple(
        Member(member.host, frozenset((p.topic, p.partition) for p in member.assignment.topic_partitions))
        for member in described.members
    )
    return Group("REBALANCING" in described.state.name, members)
