"""What is wrong with the topics as they are. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from worker.topics.needed import DAY_MS, HEADERS_BYTES, Needed, duration

Kind = Literal[
    "missing", "hidden", "untold", "compacted", "partitions", "replication", "retention", "timestamps", "ledger", "size"
]
CREATE = "rokt-worker topics --create"


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as the brokers have it. `settings` is None where they do not tell, `why` says so then.

    `hidden`: it is there, or may be, and we may not know.
    """

    partitions: int
    replication: int
    settings: Kept | None
    why: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """How a topic keeps its records. `retention_ms` None: for ever, as far as time goes."""

    retention_ms: int | None
    cleanup: str
    log_append_time: bool
    max_message_bytes: int | None

    @property
    def compacted(self) -> bool:
        return "compact" in self.cleanup


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a topic, and its mend. `grave`: events or dead letters are lost, or stand still."""

    topic: str
    kind: Kind
    what: str
    mend: str
    grave: bool


Cluster = Mapping[str, Found]


def faults(topics: Sequence[Needed], found: Cluster, *, brokers: int, ledger_days: int) -> list[Fault]:
    """All that is wrong; topics that are not in `found` are missing. `brokers`: how many there are."""
    return [fault for topic in topics for fault in _of(topic, found, brokers, ledger_days)]


def _of(topic: Needed, cluster: Cluster, brokers: int, ledger_days: int) -> list[Fault]:
    found = cluster.get(topic.name)
    if found is None:
        return [_missing(topic)]
    if found.hidden:
        return [_hidden(topic)]
    wrong = _counted(topic, found, brokers)
    if found.settings is None:
        return [*wrong, _untold(topic, found.why)]
    kept = found.settings
    if kept.compacted:
        wrong.append(_compacted(topic, kept))
    if topic.role == "source":
        wrong += _source(topic, kept, ledger_days)
    elif topic.of is not None:
        wrong += _dead_letters(topic, kept, cluster.get(topic.of))
    elif kept.retention_ms is not None and kept.retention_ms < topic.retention_ms:
        wrong.append(_too_short(topic, kept.retention_ms, grave=False))
    return wrong


def _counted(topic: Needed, found: Found, brokers: int) -> list[Fault]:
    wrong: list[Fault] = []
    if found.partitions < topic.partitions:
        wrong.append(
            Fault(
                topic.name,
                "partitions",
                f"has {found.partitions} partitions, not {topic.partitions}",
                "add some with your Kafka's tools, or say --partitions if it is meant so",
                grave=False,
            )
        )
    if found.replication < min(topic.replication, brokers):
        wrong.append(
            Fault(
                topic.name,
                "replication",
                f"is kept {_times(found.replication)}, not {_times(min(topic.replication, brokers))}",
                "reassign its partitions to more brokers, or say --replication if it is meant so",
                grave=False,
            )
        )
    return wrong


def _source(topic: Needed, kept: Kept, ledger_days: int) -> list[Fault]:
    wrong: list[Fault] = []
    if kept.retention_ms is None or kept.retention_ms >= ledger_days * DAY_MS:
        days = None if kept.retention_ms is None else kept.retention_ms // DAY_MS + 1
        raised = "" if days is None else f"set WORKER_LEDGER__RETENTION_DAYS to at least {days}, or "
        wrong.append(
            Fault(
                topic.name,
                "ledger",
                f"keeps events {_for(kept.retention_ms)}, and the ledger forgets calls after {ledger_days} d: "
                "an older event that is read again makes its call again",
                f"{raised}lower the topic's retention.ms",
                grave=kept.retention_ms is not None,
            )
        )
    if kept.retention_ms is not None and kept.retention_ms < topic.retention_ms:
        wrong.append(_too_short(topic, kept.retention_ms, grave=False))
    return wrong


def _dead_letters(topic: Needed, kept: Kept, source: Found | None) -> list[Fault]:
    wrong: list[Fault] = []
    original = source.settings if source is not None else None
    if kept.retention_ms is not None and kept.retention_ms < topic.retention_ms:
        outlived = original is not None and not kept.log_append_time and _covers(original.retention_ms, kept)
        wrong.append(_too_short(topic, kept.retention_ms, grave=outlived))
    if kept.log_append_time:
        wrong.append(
            Fault(
                topic.name,
                "timestamps",
                "gives dead letters the time of their writing (message.timestamp.type=LogAppendTime): the original's "
                "stands in dlq.source.timestamp only",
                "set its message.timestamp.type to CreateTime, with a long retention.ms",
                grave=False,
            )
        )
    if original is not None and _too_small(kept, original):
        least = (original.max_message_bytes or 0) + HEADERS_BYTES
        wrong.append(
            Fault(
                topic.name,
                "size",
                f"takes records of {kept.max_message_bytes} bytes, its source of {original.max_message_bytes}: "
                "the largest do not fit with the headers of a dead letter",
                f"set its max.message.bytes to at least {least}",
                grave=False,
            )
        )
    return wrong


def _too_small(kept: Kept, original: Kept) -> bool:
    if kept.max_message_bytes is None or original.max_message_bytes is None:
        return False
    return kept.max_message_bytes < original.max_message_bytes + HEADERS_BYTES


def _covers(source_ms: int | None, kept: Kept) -> bool:
    """Whether a source keeps events so long that a dead letter may be as old as its topic keeps it."""
    return kept.retention_ms is not None and (source_ms is None or source_ms >= kept.retention_ms)


def _missing(topic: Needed) -> Fault:
    what = {
        "source": "does not exist: its events are not read",
        "dead letters": "does not exist: the first event that fails will hold up its partition",
        "outcomes": "does not exist: the first call will hold up its partition",
        "transactions": "does not exist: Rokt is told to send again",
    }[topic.role]
    return Fault(topic.name, "missing", what, CREATE, grave=True)


def _hidden(topic: Needed) -> Fault:
    may = "Describe and Read" if topic.role == "source" else "Describe and Write"
    return Fault(
        topic.name,
        "hidden",
        "may not be seen by the worker's user, whether it exists or not",
        f"allow {may} on it to the user of WORKER_KAFKA__PROPERTIES",
        grave=True,
    )


def _untold(topic: Needed, why: str) -> Fault:
    return Fault(
        topic.name,
        "untold",
        f"its retention is not told: {why}",
        "allow DescribeConfigs on it to the worker's user",
        grave=False,
    )


def _compacted(topic: Needed, kept: Kept) -> Fault:
    return Fault(
        topic.name,
        "compacted",
        f"is compacted (cleanup.policy={kept.cleanup}): of records with one key only the last is kept",
        "set its cleanup.policy to delete",
        grave=True,
    )


def _too_short(topic: Needed, retention_ms: int, *, grave: bool) -> Fault:
    what = f"keeps records {_for(retention_ms)}, not {duration(topic.retention_ms)}"
    if grave:
        what += "; a dead letter is as old as its event, and may be deleted at once"
    return Fault(topic.name, "retention", what, f"set its retention.ms to {topic.retention_ms}", grave=grave)


def _for(ms: int | None) -> str:
    return duration(ms) if ms is None else f"for {duration(ms)}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
