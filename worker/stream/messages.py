"""From the client library's messages to records."""

from __future__ import annotations

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from worker.record import Headers, Record


def from_message(message: Message) -> Record:
    """A consumed message, known to be no error."""
    kind, timestamp = message.timestamp()
    found, unreadable = headers(message)
    return Record(
        topic=str(message.topic()),
        partition=int(message.partition() or 0),
        offset=int(message.offset() or 0),
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=found,
        timestamp_ms=None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
        unreadable=unreadable,
    )


def headers(message: Message) -> tuple[Headers, str]:
    """A message's headers; else none, and why they cannot be read."""
    try:
        return tuple((str(header[0]), _bytes(header[1])) for header in message.headers() or ()), ""
    except (SystemError, UnicodeError, ValueError):
        return (), "a header's name is not UTF-8; the headers cannot be read, nor copied"


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
