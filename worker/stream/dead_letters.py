"""A dead letter: the original record, byte for byte, and why it is here. Pure.

The original headers come first, ours behind them: where a name stands twice, Kafka's convention is that the last one
counts (`Headers.lastHeader`), so `traceparent` is that of the attempt that failed.
"""

from __future__ import annotations

from datetime import datetime

from worker.events import rfc3339
from worker.record import Headers, Record
from worker.telemetry import names
from worker.verdict import Death

MESSAGE_KEPT = 2048


def headers(
    record: Record, death: Death, *, group: str, failed_at: datetime, redrives: int, trace: Headers, brief: bool
) -> Headers:
    """Headers of a dead letter. Every `dlq.` header is there, empty where there is nothing to say.

    `brief` leaves out the answer's body and cuts the message, for a record at the topic's size limit.
    """
    told: tuple[tuple[str, str | int | None], ...] = (
        (names.DLQ_REASON, death.reason),
        (names.DLQ_MESSAGE, _cut(death.message, 120 if brief else MESSAGE_KEPT)),
        (names.DLQ_EXCEPTION, death.exception),
        (names.DLQ_HTTP_STATUS, death.http_status),
        (names.DLQ_HTTP_BODY, "" if brief else death.http_body),
        (names.DLQ_ATTEMPTS, death.attempts),
        (names.DLQ_OPERATION, death.operation),
        (names.DLQ_IDEMPOTENCY_KEY, death.key),
        (names.DLQ_SOURCE_TOPIC, record.topic),
        (names.DLQ_SOURCE_PARTITION, record.partition),
        (names.DLQ_SOURCE_OFFSET, record.offset),
        (names.DLQ_SOURCE_TIMESTAMP, record.timestamp_ms),
        (names.DLQ_GROUP, group),
        (names.DLQ_FAILED_AT, rfc3339(failed_at)),
        (names.DLQ_REDRIVES, redrives),
    )
    ours = tuple((name, b"" if value is None else str(value).encode()) for name, value in told)
    return record.headers + trace + ours


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
