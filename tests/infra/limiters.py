"""Servers that allow so many calls a second, and a gate with an endless backlog in front of them, in virtual time."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf
from typing import Protocol

from worker.gate.pace import Pace


class Limiter(Protocol):
    """Whether a call that arrives at a time, in seconds, is taken; asked in the order of time."""

    def takes(self, at: float) -> bool: ...


class FixedWindow:
    """So many in every second of the clock."""

    def __init__(self, calls: float) -> None:
        self._calls = calls
        self._second = -1
        self._used = 0

    def takes(self, at: float) -> bool:
        if floor(at) != self._second:
            self._second, self._used = floor(at), 0
        if self._used >= self._calls:
            return False
        self._used += 1
        return True


class SlidingWindow:
    """So many in any second."""

    def __init__(self, calls: float) -> None:
        self._calls = calls
        self._last: deque[float] = deque()

    def takes(self, at: float) -> bool:
        while self._last and self._last[0] <= at - 1:
            self._last.popleft()
        if len(self._last) >= self._calls:
            return False
        self._last.append(at)
        return True


class TokenBucket:
    """So many a second; what was not used is kept up to `burst` calls, at least one."""

    def __init__(self, calls: float, burst: float) -> None:
        self._calls = calls
        self._burst = self._tokens = max(1.0, burst)
        self._at = 0.0

    def takes(self, at: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (at - self._at) * self._calls)
        self._at = at
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True


class Everything:
    """No limit."""

    def takes(self, at: float) -> bool:
        return True


class Nothing:
    """429 to every call."""

    def takes(self, at: float) -> bool:
        return False


class InTurn:
    """One limiter after another, each from its time on."""

    def __init__(self, *plan: tuple[float, Limiter]) -> None:
        self._plan = deque(plan)

    def takes(self, at: float) -> bool:
        while len(self._plan) > 1 and self._plan[1][0] <= at:
            self._plan.popleft()
        return self._plan[0][1].takes(at)


@dataclass(frozen=True, slots=True)
class Calls:
    """When calls went, and when those that were taken did; the pace at the end."""

    sent_at: Sequence[float]
    taken_at: Sequence[float]
    rate: float | None

    def between(self, begin: float, end: float) -> tuple[int, int]:
        """How many went, and how many of those were taken."""
        sent, taken = (bisect_left(times, end) - bisect_left(times, begin) for times in (self.sent_at, self.taken_at))
        return sent, taken

    def taken_per_second(self, begin: float, end: float) -> float:
        return self.between(begin, end)[1] / (end - begin)

    def refused_share(self, begin: float, end: float) -> float:
        sent, taken = self.between(begin, end)
        return 1 - taken / sent

    def reached(self, per_second: float, after: float, *, for_seconds: float = 5.0) -> float:
        """Seconds from `after` until so many a second were taken for that long; infinite if that never came."""
        last = self.sent_at[-1] - for_seconds
        waits = (step / 2 for step in range(int(2 * max(0.0, last - after))))
        good = (w for w in waits if self.taken_per_second(after + w, after + w + for_seconds) >= per_second)
        return next(good, inf)


def flood(
    limiter: Limiter,
    *,
    latency: float,
    seconds: float,
    retry_after: float = 0.0,
    begin: float = 0.0,
    concurrency: int = 64,
) -> Calls:
    """As many calls as the pace lets go, `begin` and `seconds` on the limiter's clock.

    A call arrives after half of its latency. A refusal holds back every call for `retry_after` seconds.
    """
    pace = Pace()
    sent_at: list[float] = []
    taken_at: list[float] = []
    under_way: deque[tuple[float, float, bool]] = deque()
    now, held_until = begin, 0.0
    while now < begin + seconds:
        goes_at = max(now + pace.delay(now), held_until) if len(under_way) < concurrency else inf
        if under_way and under_way[0][0] <= goes_at:
            now, sent, taken = under_way.popleft()
            if taken:
                pace.taken(now, sent)
            else:
                pace.throttled(now, sent)
                held_until = now + retry_after
        elif goes_at > now:
            now = goes_at
        else:
            pace.went(now)
            taken = limiter.takes(now + latency / 2)
            sent_at.append(now - begin)
            if taken:
                taken_at.append(now - begin)
            under_way.append((now + latency, now, taken))
    return Calls(sent_at, taken_at, pace.rate)
