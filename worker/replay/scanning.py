"""Finds the records of a time by reading the logs: for brokers that cannot search by time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from worker.replay.plan import Partition
from worker.replay.reading import Reader, place


class Span(NamedTuple):
    """Offsets from `start` up to, and without, `end`."""

    start: int
    end: int


class Sought(NamedTuple):
    """Between which times, in milliseconds since 1970; `until_ms` None: up to the end."""

    since_ms: int
    until_ms: int | None


@dataclass(slots=True)
class Seen:
    """What was found in one log; `first_ms` is the time of its first record, None when it has none."""

    span: Span
    first_ms: int | None = None


def scan(
    config: Mapping[str, Any],
    logs: Mapping[Partition, Span],
    sought: Sought,
    tell: Callable[[str], None],
    *,
    seconds: float,
) -> dict[Partition, Seen]:
    """Of each log the offsets from the first record of the one time or later to the first of the other. Blocking.

    Raises BrokersUnavailable.
    """
    if not logs:
        return {}
    found = {partition: Seen(Span(log.end, log.end)) for partition, log in logs.items()}
    reader = Reader(config, seconds=seconds)
    read = 0
    for batch in reader.batches(logs):
        for message in batch:
            partition = place(message)
            if look(found[partition], message, logs[partition], sought):
                reader.enough(partition)
        read += len(batch)
        tell(f"this broker cannot search by time: looking at its records, {read:,} so far")
    return found


def look(seen: Seen, message: Message, log: Span, sought: Sought) -> bool:
    """Whether this record is the last that had to be looked at."""
    kind, ms = message.timestamp()
    if kind == TIMESTAMP_NOT_AVAILABLE:
        return False
    offset = int(message.offset() or 0)
    if seen.first_ms is None:
        seen.first_ms = ms
    if ms >= sought.since_ms and seen.span.start == log.end:
        seen.span = Span(offset, log.end)
    if sought.until_ms is not None and ms >= sought.until_ms and seen.span.end == log.end:
        seen.span = Span(seen.span.start, offset)
    return seen.span.start < log.end and (sought.until_ms is None or seen.span.end < log.end)
