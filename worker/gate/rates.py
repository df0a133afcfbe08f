"""How many calls may go: none while Rokt asked all to wait, as many as it was found to take, the fleet's share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from worker.gate.circuit import HeldBack, Notice, Paced
from worker.gate.pace import Pace
from worker.gate.quota import Slots
from worker.gate.turn import Turn
from worker.rokt.answers import Failed, Throttled

WEIGHT: Final = 0.1
MANY: Final = 0.25
"""Of the latest answers, each of which counts a tenth less than the next."""


class Rates:
    """What holds for every call of this process; `quota` for the whole fleet. Times are monotonic seconds."""

    def __init__(self, quota: Slots | None) -> None:
        self._quota = quota
        self._pace = Pace()
        self._held_until = 0.0
        self._taken_at = 0.0
        self._refused = 0.0

    @property
    def calls_per_second(self) -> float | None:
        """How many Rokt was found to take; None: nothing was found."""
        return self._pace.rate

    def held_back(self, now: float) -> float:
        """For how many seconds nothing goes, since Rokt asked for it."""
        return max(0.0, self._held_until - now)

    def wait(self, now: float, waiting: int) -> float | None:
        """Seconds until one of so many may go, 0 is now; None: when the quota says."""
        if (wait := max(self.held_back(now), self._pace.delay(now))) > 0 or self._quota is None:
            return wait
        return self._quota.delay(now, waiting)

    def goes(self, now: float) -> None:
        """One goes."""
        self._pace.went(now)
        if self._quota is not None:
            self._quota.take(now)

    def hear(self, turn: Turn, now: float) -> Sequence[Notice]:
        """What an answer says of how many calls Rokt takes. Sets `turn.news`."""
        turn.news = True
        match turn.answer:
            case Throttled(retry_after=seconds):
                self._refused += WEIGHT * (1 - self._refused)
                told = self._hold_back(seconds, now)
                if not self._is_its_own(turn, now) and (seconds is not None or self._is_excess):
                    turn.news = self._pace.throttled(now, turn.sent_at)
                    if turn.news:
                        told.append(Paced(self._pace.rate))
                return told
            case Failed(retry_after=seconds):
                return self._hold_back(seconds, now)
            case None:
                return ()
            case _:
                self._taken_at = now
                self._refused -= WEIGHT * self._refused
                self._pace.taken(now, turn.sent_at)
                return ()

    @property
    def _is_excess(self) -> bool:
        """Whether a 429 that says nothing more means that there are too many calls, and not just that one.

        It does where it is one of many, or calls are paced already: then they go a little slower than Rokt bears.
        """
        return self._pace.rate is not None or self._refused >= MANY

    def _is_its_own(self, turn: Turn, now: float) -> bool:
        """Whether a 429 is about this call alone: it is refused again, and others were taken meanwhile."""
        before, turn.throttled_at = turn.throttled_at, now
        return before is not None and before < self._taken_at

    def _hold_back(self, seconds: float | None, now: float) -> list[Notice]:
        """Retry-After (RFC 9110, section 10.2.3) is for every call."""
        if seconds is None or now + seconds <= self._held_until:
            return []
        told: list[Notice] = [HeldBack(seconds)] if now >= self._held_until else []
        self._held_until = now + seconds
        if self._quota is not None:
            self._quota.hold_back(seconds)
        return told
