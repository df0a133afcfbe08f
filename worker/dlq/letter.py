"""A dead letter as it stands in its topic: why it is there, and the record that it was made of. Pure.

Its headers are those of the original, then the trace of the attempt that failed, then ours, `dlq.reason` the first of
them (worker/stream/dead_letters.py). Only that last block is cut away, so a letter of a letter is no longer than it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, get_args

from worker.events import milliseconds
from worker.keys import Operation
from worker.record import Headers, Record
from worker.telemetry import names
from worker.telemetry.names import Reason

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)
OURS: Final = "dlq."
_TRACEPARENT: Final = re.compile(rb"\A00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")


class Place(NamedTuple):
    """Where a record stands: `topic/partition/offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `original` is the record that was given up, as it was read: its own place, headers and time.

    `key` is the idempotency key that the call was last sent with; `failing` the trace context of the attempt that
    failed; `failed_at_ms` milliseconds since 1970.
    """

    place: Place
    reason: Reason
    message: str
    exception: str
    http_status: int | None
    http_body: str
    attempts: int
    operation: Operation | None
    key: str | None
    group: str
    failed_at_ms: int
    redrives: int
    original: Record
    failing: Headers
    trace_id: str | None

    @property
    def source(self) -> Place:
        """Where the original was read."""
        return Place(self.original.topic, self.original.partition, self.original.offset)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A record in a dead-letter topic that no worker wrote, or that is damaged: what is wrong with it."""

    place: Place
    wrong: str


class _Damaged(ValueError):
    """What is wrong with a header."""


def read(record: Record) -> Letter | Foreign:
    """What a record of a dead-letter topic is. Raises nothing, whatever is in it."""
    place = Place(record.topic, record.partition, record.offset)
    if record.unreadable:
        return Foreign(place, record.unreadable)
    begin = max((n for n, (name, _) in enumerate(record.headers) if name == names.DLQ_REASON), default=None)
    if begin is None:
        return Foreign(place, f"it has no header {names.DLQ_REASON}")
    told = {name: value or b"" for name, value in record.headers[begin:] if name.startswith(OURS)}
    before, failing = _apart(record.headers[:begin])
    try:
        return _letter(place, record, told, before, failing)
    except _Damaged as error:
        return Foreign(place, str(error))


def _letter(place: Place, record: Record, told: dict[str, bytes], before: Headers, failing: Headers) -> Letter:
    reason, operation = _text(told, names.DLQ_REASON), _text(told, names.DLQ_OPERATION)
    if reason not in REASONS:
        raise _Damaged(f"its {names.DLQ_REASON} is none that this version knows")
    if operation and operation not in OPERATIONS:
        raise _Damaged(f"its {names.DLQ_OPERATION} is none that this version knows")
    original = Record(
        _needed(told, names.DLQ_SOURCE_TOPIC),
        _count(told, names.DLQ_SOURCE_PARTITION, needed=True) or 0,
        _count(told, names.DLQ_SOURCE_OFFSET, needed=True) or 0,
        record.key,
        record.value,
        before,
        _count(told, names.DLQ_SOURCE_TIMESTAMP),
    )
    return Letter(
        place=place,
        reason=reason,
        message=_text(told, names.DLQ_MESSAGE),
        exception=_text(told, names.DLQ_EXCEPTION),
        http_status=_count(told, names.DLQ_HTTP_STATUS),
        http_body=_text(told, names.DLQ_HTTP_BODY),
        attempts=_count(told, names.DLQ_ATTEMPTS) or 0,
        operation=operation or None,
        key=_text(told, names.DLQ_IDEMPOTENCY_KEY) or None,
        group=_needed(told, names.DLQ_GROUP),
        failed_at_ms=_moment(told, names.DLQ_FAILED_AT),
        redrives=_count(told, names.DLQ_REDRIVES) or 0,
        original=original,
        failing=failing,
        trace_id=_trace_id(failing),
    )


def _apart(headers: Headers) -> tuple[Headers, Headers]:
    """The original's headers, and the trace behind them.

    Where an attempt had no trace, so had the original none that is well-formed; one that is not stays the original's.
    """
    length = 2 if headers and headers[-1][0] == "tracestate" else 1
    behind = headers[-length:]
    if behind and behind[0][0] == "traceparent" and _TRACEPARENT.match(behind[0][1] or b""):
        return headers[:-length], behind
    return headers, ()


def _trace_id(failing: Headers) -> str | None:
    match = _TRACEPARENT.match(failing[0][1] or b"") if failing else None
    return match[1].decode() if match else None


def _text(told: dict[str, bytes], name: str) -> str:
    try:
        return told.get(name, b"").decode()
    except UnicodeDecodeError:
        raise _Damaged(f"its {name} is not UTF-8") from None


def _needed(told: dict[str, bytes], name: str) -> str:
    if not (text := _text(told, name)):
        raise _Damaged(f"it has no {name}")
    return text


def _count(told: dict[str, bytes], name: str, *, needed: bool = False) -> int | None:
    text = _needed(told, name) if needed else _text(told, name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise _Damaged(f"its {name} is no whole number")
    return int(text)


def _moment(told: dict[str, bytes], name: str) -> int:
    text = _needed(told, name)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Damaged(f"its {name} is no time") from None
    if moment.tzinfo is None:
        raise _Damaged(f"its {name} is no time with an offset")
    return milliseconds(moment)
