"""How late the event loop is: what an answer waits for beside Rokt, since a timer that is due waits just as long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

EVERY_SECONDS: Final = 0.01
GRAIN_SECONDS: Final = 0.001
"""Timers are set in whole milliseconds."""
UNASKED: Final = 20
"""Timers that nobody asked about: no more are set, so that a worker with nothing to do sleeps."""


class Lateness:
    """Lives on the event loop; `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._total = 0.0
        self._unasked = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def __call__(self) -> float:
        """By how many seconds all timers together were late so far: of use is by how much that grew."""
        self._unasked = 0
        if self._timer is None:
            self._set()
        return self._total

    def _set(self) -> None:
        self._due = self._clock() + EVERY_SECONDS + GRAIN_SECONDS
        self._timer = asyncio.get_running_loop().call_later(EVERY_SECONDS, self._rings)

    def _rings(self) -> None:
        self._timer = None
        self._total += max(0.0, self._clock() - self._due)
        self._unasked += 1
        if self._unasked < UNASKED:
            self._set()
