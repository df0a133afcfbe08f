"""What a member takes over with a partition: how far the group is, and where it is begun if nothing is committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import OFFSET_END, OFFSET_STORED, KafkaException, TopicPartition
from structlog.typing import FilteringBoundLogger

from worker.handover import from_text
from worker.stream.assignment import Assignment
from worker.stream.client import Client, said
from worker.stream.config import Beginning
from worker.telemetry import names

Take = Callable[[Client, list[TopicPartition]], list[Assignment]]
"""Called from within `on_assign`: what was assigned, as it goes on; it may tell the client from where."""


def take_over(
    client: Client,
    partitions: list[TopicPartition],
    beginning: Beginning,
    *,
    ask_seconds: float,
    log: FilteringBoundLogger,
) -> list[Assignment]:
    """The partitions as they were left by their earlier owners; called from within `on_assign`."""
    if not partitions:
        return []
    assignments = [_assignment(p) for p in _committed(client, partitions, ask_seconds, log)]
    if beginning.at_the_end:
        (client.assign if beginning.eager else client.incremental_assign)(_begun_at_the_end(assignments))
    return assignments


def _committed(
    client: Client, partitions: list[TopicPartition], ask_seconds: float, log: FilteringBoundLogger
) -> list[TopicPartition]:
    """With what was committed of them; without, when the broker does not answer in time."""
    try:
        return client.committed(partitions, timeout=ask_seconds)
    except KafkaException as error:
        log.warning(names.LOG_COMMIT_UNKNOWN, why=said(error.args[0]), partitions=len(partitions))
        return [TopicPartition(p.topic, p.partition, OFFSET_STORED) for p in partitions]


def _assignment(p: TopicPartition) -> Assignment:
    return Assignment(
        p.topic,
        p.partition,
        from_text(p.offset, p.metadata),
        next_offset=p.offset if p.offset >= 0 else None,
        commit_known=p.error is None and p.offset != OFFSET_STORED,
    )


def _begun_at_the_end(assignments: Sequence[Assignment]) -> list[TopicPartition]:
    """Those without a commit; where the others go on, the client library finds out by itself."""
    return [
        TopicPartition(a.topic, a.partition, OFFSET_END if a.commit_known and a.next_offset is None else OFFSET_STORED)
        for a in assignments
    ]
