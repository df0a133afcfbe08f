"""The last events that were settled, for the page for people (worker/page.py). Values."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Final, NamedTuple

KEPT: Final = 50


class Recent(NamedTuple):
    """An event that was settled `at` a moment (UTC), `seconds` after it was read. `said` is its status, or why not."""

    at: datetime
    topic: str
    fate: str
    said: str
    cart_id: str | None
    order_id: str | None
    attempts: int
    seconds: float
    trace_id: str | None


Recently = deque[Recent]


def recently() -> Recently:
    """Room for a few."""
    return deque(maxlen=KEPT)
