"""How many requests a second are taken: a bucket that fills steadily, and holds those of one second. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable


class Rate:
    """`per_second` None: as many as come. `clock` is monotonic seconds."""

    def __init__(self, per_second: float | None, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._clock = clock
        self._room = max(1.0, per_second or 0.0)
        self._left = self._room
        self._at = clock()

    def wait(self) -> int:
        """Takes one if there is room; else the whole seconds after which there is, at least 1."""
        if self._per_second is None:
            return 0
        now = self._clock()
        self._left = min(self._room, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left >= 1.0:
            self._left -= 1.0
            return 0
        return max(1, math.ceil((1.0 - self._left) / self._per_second))
