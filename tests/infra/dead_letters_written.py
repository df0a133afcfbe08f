"""Dead letters as they stand in their topic, made as the worker makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from worker.dlq.letter import Letter, read
from worker.record import Headers, Record
from worker.stream import dead_letters
from worker.verdict import Death

BEGIN = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
TRACE: Headers = (("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),)
SOURCE = Record("orders", 1, 7, b"ada", b"{}", (("shop", b"x"),), 1_795_341_600_123)
REFUSED = Death("rejected", "Rokt answered 422", "", 422, "{}", 1, "confirm", "key-1")


def record(
    source: Record = SOURCE,
    death: Death = REFUSED,
    *,
    offset: int = 0,
    partition: int = 0,
    group: str = "ours",
    minutes: float = 0,
    redrives: int = 0,
    trace: Headers = TRACE,
) -> Record:
    """The record that the worker writes; `minutes` after the begin of all."""
    failed_at = BEGIN + timedelta(minutes=minutes)
    headers = dead_letters.headers(
        source, death, group=group, failed_at=failed_at, redrives=redrives, trace=trace, brief=False
    )
    topic = f"{source.topic}.dlq"
    return Record(topic, partition, offset, source.key, source.value, headers, source.timestamp_ms)


def letter(*args: Any, **more: Any) -> Letter:
    """The same, read again."""
    found = read(record(*args, **more))
    assert isinstance(found, Letter), found
    return found


def about(reason: Any, **more: Any) -> Death:
    """A death of this reason."""
    return Death(reason, "why", **more)
