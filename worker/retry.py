"""When to try again. Pure: time and chance are given.

Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter"): attempt n waits a uniform part of
initial * 2^(n-1), at most `max_seconds`. `Retry-After` is RFC 9110, section 10.2.3: seconds, or an HTTP date.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Chance = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds. `chance` gives numbers from 0 up to 1."""

    initial_seconds: float
    max_seconds: float

    def delay(self, attempts: int, chance: Chance) -> float:
        """How long to wait after so many attempts, at least one."""
        return chance() * self.ceiling(attempts)

    def ceiling(self, attempts: int) -> float:
        """The longest that the wait after so many attempts can be."""
        doublings = min(max(attempts - 1, 0), 62)
        return min(self.max_seconds, self.initial_seconds * float(2**doublings))


def retry_after(value: str | None, now: datetime, max_seconds: float) -> float | None:
    """Seconds to wait by a Retry-After header, at most `max_seconds`; None where it says nothing usable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text) if len(text) <= 15 else max_seconds
    else:
        try:
            date = parsedate_to_datetime(text)
            seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return min(seconds, max_seconds) if seconds > 0 else None
