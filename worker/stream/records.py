"""A Kafka record as the rest of the worker sees it: a value, without a client behind it."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from worker.telemetry.tracing import Headers

RECORD_OVERHEAD_BYTES = 2_000


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it was read; `timestamp_ms` is milliseconds since 1970.

    `unreadable` says what of it could not even be copied, if so: a header's name that is not UTF-8 takes all headers.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int | None
    unreadable: str = ""

    @property
    def size(self) -> int:
        """About how many bytes of memory it holds while it is in hand, its event and its place in line included."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        return RECORD_OVERHEAD_BYTES + len(self.key or b"") + len(self.value or b"") + headers


def from_message(message: Message) -> Record:
    """A consumed message, known to be no error."""
    kind, timestamp = message.timestamp()
    headers, unreadable = _headers(message)
    return Record(
        topic=str(message.topic()),
        partition=int(message.partition() or 0),
        offset=int(message.offset() or 0),
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=headers,
        timestamp_ms=None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
        unreadable=unreadable,
    )


def _headers(message: Message) -> tuple[Headers, str]:
    try:
        return tuple((str(header[0]), _bytes(header[1])) for header in message.headers() or ()), ""
    except (SystemError, UnicodeError, ValueError):
        return (), "a header's name is not UTF-8; the headers cannot be read, nor copied"


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
