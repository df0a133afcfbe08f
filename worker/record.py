"""A Kafka record as the rest of the worker sees it: a value, without a client behind it. Pure."""

from __future__ import annotations

from msgspec import Struct

Headers = tuple[tuple[str, bytes | None], ...]

RECORD_OVERHEAD_BYTES = 2_000


class Record(Struct, frozen=True):
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
