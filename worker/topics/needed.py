"""The one description of the worker's topics. Pure.

Names are settings, so the description lies here and not in a file beside them: deployments run
`rokt-worker topics --create`, or read `rokt-worker topics --json`.

A dead letter keeps the timestamp of its original, as the contract says, so `message.timestamp.type` stays CreateTime,
and a broker counts its age from the original's. Hence a year: an event that was a week old when it failed is still
kept for 51 weeks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["source", "dead letters", "outcomes", "transactions"]

DAY_MS: Final = 86_400_000
PARTITIONS: Final = 6
REPLICATION: Final = 3
SOURCE_DAYS: Final = 7
OUTCOME_DAYS: Final = 30
TRANSACTION_DAYS: Final = 30
DEAD_LETTER_DAYS: Final = 365
DEAD_LETTER_PARTITIONS: Final = 3
HEADERS_BYTES: Final = 16 * 1024  # what is written behind the original's headers, at most
DEAD_LETTER_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Needed:
    """What a topic is to be. `max_message_bytes` None: as the broker has it. `of` is a dead-letter topic's source."""

    name: str
    role: Role
    partitions: int
    replication: int
    retention_ms: int
    max_message_bytes: int | None = None
    of: str | None = None

    def configs(self, replication: int) -> dict[str, str]:
        """What is given to the broker when the topic is made with so many replicas."""
        given = {
            "cleanup.policy": "delete",
            "message.timestamp.type": "CreateTime",
            "retention.ms": str(self.retention_ms),
        }
        if self.max_message_bytes is not None:
            given["max.message.bytes"] = str(self.max_message_bytes)
        if replication >= REPLICATION:
            given["min.insync.replicas"] = str(REPLICATION - 1)
        return given


def needed(
    sources: Iterable[str],
    outcomes: str,
    suffix: str,
    *,
    ledger_days: int,
    transactions: str | None = None,
    partitions: int = PARTITIONS,
    replication: int = REPLICATION,
) -> tuple[Needed, ...]:
    """Every topic that is read or written, the sources first; `transactions` where Rokt's export is taken.

    The ledger has to remember an event for longer than its topic keeps it, so where it remembers for less than a week
    (`ledger_days`), the topics keep less.
    """
    read = tuple(dict.fromkeys(sources))
    kept = min(SOURCE_DAYS * DAY_MS, max(1, ledger_days * 24 - 1) * DAY_MS // 24)
    return (
        *(Needed(name, "source", partitions, replication, kept) for name in read),
        *(_dead_letters(name, suffix, partitions, replication) for name in read),
        Needed(outcomes, "outcomes", partitions, replication, OUTCOME_DAYS * DAY_MS),
        *(
            Needed(name, "transactions", partitions, replication, TRANSACTION_DAYS * DAY_MS)
            for name in (() if transactions is None else (transactions,))
        ),
    )


def in_role(topics: Sequence[Needed], role: Role) -> tuple[Needed, ...]:
    """Those of one role."""
    return tuple(topic for topic in topics if topic.role == role)


def duration(ms: int | None) -> str:
    """Milliseconds in words; None is for ever."""
    if ms is None:
        return "for ever"
    for unit, length in (("d", DAY_MS), ("h", DAY_MS // 24), ("min", 60_000), ("s", 1000)):
        if ms >= length:
            return f"{ms / length:.4g} {unit}"
    return f"{ms} ms"


def _dead_letters(source: str, suffix: str, partitions: int, replication: int) -> Needed:
    return Needed(
        source + suffix,
        "dead letters",
        min(partitions, DEAD_LETTER_PARTITIONS),
        replication,
        DEAD_LETTER_DAYS * DAY_MS,
        max_message_bytes=DEAD_LETTER_BYTES,
        of=source,
    )
