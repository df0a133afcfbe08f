"""How Rokt is reached: where it is, who we are, how long an attempt and its parts may take. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Endpoint = Literal["confirm", "release", "cancel", "placements"]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `total` bounds an attempt as a whole, from asking for a connection to the last byte of the answer.

    `read` is each wait for bytes, `write` each 64 KiB, `pool` a free connection; None leaves it to `total`.
    """

    total: float
    connect: float
    write: float
    read: float | None = None
    pool: float | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Where Rokt is and who we are. `urls` are whole; `idempotency_key` is how its header is written."""

    urls: Mapping[Endpoint, str]
    api_key: str = field(repr=False)
    tag_id: str
    accept_language: str | None
    idempotency_key: Literal["bare", "quoted", "off"]
    timeouts: Timeouts
    max_response_bytes: int
    max_retry_after_seconds: float
