"""What the books are made of: read from the broker and from Rokt's stand-in, never from the worker's log. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from worker.demo.script import Record
from worker.record import Record as SourceRecord
from worker.telemetry import names

Position = tuple[str, int, int]
Headers = tuple[tuple[str, bytes | None], ...]
NO_ANSWER: Final = "cut"


@dataclass(frozen=True, slots=True)
class Published:
    """A record of the script and where the broker put it."""

    record: Record
    position: Position
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One record of `rokt-outcomes`; `position` is that of the event."""

    position: Position
    key: str
    operation: str
    status: str
    http_status: int | None
    attempts: int
    trace_id: str | None
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """One record of a dead-letter topic; `position` is that of the event, `topic` where the letter lies."""

    position: Position
    topic: str
    reason: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int | None
    headers: Headers
    failed_at: datetime

    @property
    def trace_id(self) -> str | None:
        """The shop's trace."""
        return next((_trace_of((held or b"").decode()) for name, held in self.headers if name == "traceparent"), None)


@dataclass(frozen=True, slots=True)
class RoktCall:
    """One request that reached Rokt; `status` is None when it sent no answer, `applied` when it was done."""

    operation: str
    key: str | None
    status: int | None
    applied: bool
    trace_id: str

    @property
    def answer(self) -> str:
        """How it was answered, for a table."""
        return NO_ANSWER if self.status is None else str(self.status)


@dataclass(frozen=True, slots=True)
class Reservation:
    """A reservation at Rokt, and how often something took effect on it."""

    state: str
    confirms: int
    cancels: int
    releases: int


@dataclass(frozen=True, slots=True)
class Crash:
    """The moment at which the worker was killed, `after` so many seconds, and how much of each there was by then.

    `in_hand` are the records that were published and of which no commit said that they are settled.
    """

    after: float
    calls: int
    outcomes: int
    letters: int
    in_hand: frozenset[Position]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything at the end. `ends` and `committed` by (topic, partition); `twice` counts what must not happen.

    `outcomes`, `letters` and `calls` are in the order in which they came.
    """

    published: tuple[Published, ...]
    outcomes: tuple[Outcome, ...]
    letters: tuple[Letter, ...]
    calls: tuple[RoktCall, ...]
    ends: Mapping[tuple[str, int], int]
    committed: Mapping[tuple[str, int], int]
    reservations: Mapping[str, Reservation]
    orders: Mapping[str, int]
    twice: Mapping[str, int]
    crash: Crash | None = None


class _OutcomeRecord(msgspec.Struct, rename="camel"):
    idempotency_key: str
    operation: str
    status: str
    http_status: int | None
    attempts: int
    trace_id: str | None
    source_topic: str
    source_partition: int
    source_offset: int
    settled_at: datetime


def read_outcome(value: bytes) -> Outcome:
    """An outcome from its record's value."""
    read = msgspec.json.decode(value, type=_OutcomeRecord)
    return Outcome(
        position=(read.source_topic, read.source_partition, read.source_offset),
        key=read.idempotency_key,
        operation=read.operation,
        status=read.status,
        http_status=read.http_status,
        attempts=read.attempts,
        trace_id=read.trace_id,
        settled_at=read.settled_at,
    )


def read_letter(record: SourceRecord) -> Letter:
    """A dead letter from its record."""
    told = {name: (held or b"").decode() for name, held in record.headers if name.startswith("dlq.")}
    return Letter(
        position=(
            told[names.DLQ_SOURCE_TOPIC],
            int(told[names.DLQ_SOURCE_PARTITION]),
            int(told[names.DLQ_SOURCE_OFFSET]),
        ),
        topic=record.topic,
        reason=told[names.DLQ_REASON],
        key=record.key,
        value=record.value,
        timestamp_ms=record.timestamp_ms,
        headers=record.headers,
        failed_at=datetime.fromisoformat(told[names.DLQ_FAILED_AT]),
    )


def read_call(fields: Mapping[str, Any]) -> RoktCall:
    """A call from the stand-in's journal."""
    return RoktCall(
        operation=fields["operation"],
        key=fields["key"],
        status=fields["status"],
        applied=fields["applied"],
        trace_id=_trace_of(fields["traceparent"] or ""),
    )


def read_reservations(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Reservation]:
    """Reservations from the stand-in's state."""
    return {
        id_: Reservation(held["state"], held["confirms"], held["cancels"], held["releases"])
        for id_, held in fields.items()
    }


def _trace_of(traceparent: str) -> str:
    parts = traceparent.split("-")
    return parts[1] if len(parts) == 4 else ""
