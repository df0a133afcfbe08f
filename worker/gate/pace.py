"""How many calls a second Rokt takes, learned from its refusals (429). Pure: times are given, monotonic seconds.

Nothing is paced until a call is refused. Then calls go evenly spaced, and the rate is looked for:

- The first guess is what was taken in the second before the refusal. Of a bucket that may be a fifth of what is
  allowed, so from there the rate is raised by half as much again every second until it is refused.
- A rate that was refused and one that held have the limit between them. The pace stays between the two, longer the
  closer they are, and then tries a little more in growing steps, so that a limit that was lifted is found in a minute.
- What holds for a second may be the burst that a bucket allows. So a rate that is refused after a long while is lowered
  a little, one that is refused at once by a tenth, and what a plateau proved is believed rather than a short try.

After each refusal nothing goes for a second, `Retry-After` or not: windows are free again, buckets have filled, and a
refusal costs the same everywhere. Where nothing at all was taken since the last refusal, Rokt is shut: that says
nothing about the rate, which is kept, and one call a second is let through until one is taken. A guess that was not
tried before it was shut says nothing either: what was taken in that second may be all that there was to do.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf, sqrt

LOWEST = 1.0
"""Calls a second: it is never slower, and not faster while Rokt is shut."""
PAUSE_SECONDS = 1.0
SLACK_SECONDS = 0.025
"""How late a call may be and its successors still make up for it: what a stall of the process adds to a second."""

MARGIN = 0.96
"""Of what was taken in a second: the first rate that is tried."""
FIRST_STEP, STEEP = 0.02, 0.55
"""A try begins with the one and doubles up to the other; a search begins with the other."""
LOOK_SECONDS, LOOK_CALLS = 8.0, 20
"""A plateau between bounds that are far apart."""
STAY_SECONDS, STAY_CALLS, STAY_AT_MOST = 30.0, 100, 45.0
"""A plateau just beneath the limit: a refusal costs a second, and at 2 calls a second it is one call in a hundred."""
CLOSE, WIDE = 1.05, 1.25
"""How far a try got above what was proved: not worth another look; too far for what was proved to say anything."""
USED = 0.7
"""Of a rate; where less goes, the pace is not what limits."""


@dataclass(slots=True)
class Level:
    """A rate that is tried: it held when a call was taken that went `lasts` seconds after the first of its calls."""

    rate: float
    lasts: float
    plateau: bool
    since: float | None = None
    sent: int = 0


class Pace:
    """When the next call may go. The caller reports every call that goes and what came of it, in the order of time.

    A call that is refused over and over while others are taken should not be reported: it is about that call.
    """

    def __init__(self) -> None:
        self._level: Level | None = None
        self._next_at = 0.0
        self._cut_at = -inf
        self._sending_since = inf
        self._last_second: deque[float] = deque()
        self._first_guess: int | None = None
        self._some_taken = False
        self._shut = self._tried = False
        self._held = self._proven = 0.0
        self._step = STEEP

    @property
    def rate(self) -> float | None:
        """Calls a second; None while not paced."""
        return None if self._level is None else LOWEST if self._shut else self._level.rate

    def delay(self, now: float) -> float:
        """Seconds until the next call may go."""
        return 0.0 if self._level is None else max(0.0, self._next_at - now)

    def went(self, now: float) -> None:
        """A call goes."""
        level = self._level
        if level is None:
            return
        if level.since is None:
            level.since = now
            self._next_at = max(self._next_at, now)
            self._sending_since = min(self._sending_since, now)
        level.sent += 1
        self._next_at = max(self._next_at, now - SLACK_SECONDS) + 1 / (LOWEST if self._shut else level.rate)

    def taken(self, now: float, sent_at: float) -> None:
        """An answer other than 429 came to a call that went at `sent_at`."""
        self._last_second.append(now)
        self._forget(now)
        level = self._level
        if level is None:
            return
        if sent_at <= self._cut_at:
            if self._first_guess is not None:
                self._guess(self._first_guess + 1)
            return
        self._first_guess, self._some_taken = None, True
        if self._shut:
            self._open(level, now)
        elif level.since is not None and sent_at >= level.since + level.lasts:
            self._next_level(level, now - level.since)

    def throttled(self, now: float, sent_at: float) -> bool:
        """A 429 came. Whether that is news: the call went after the last such news."""
        if sent_at <= self._cut_at:
            return False
        self._forget(now)
        if self._level is None:
            self._guess(len(self._last_second))
        elif not self._some_taken:
            self._shut = True
        else:
            self._lower(self._level, len(self._last_second), max(0.0, now - self._sending_since))
        self._cut_at, self._next_at = now, now + PAUSE_SECONDS
        self._some_taken, self._sending_since = False, inf
        return True

    def _forget(self, now: float) -> None:
        while self._last_second and self._last_second[0] <= now - 1:
            self._last_second.popleft()

    def _guess(self, taken: int) -> None:
        """The search begins at what was taken in a second."""
        self._first_guess, self._held, self._proven, self._step = taken, MARGIN * taken, 0.0, STEEP
        self._tried = False
        self._level = self._try(self._held)

    def _open(self, level: Level, now: float) -> None:
        """Back to the rate from before it was shut; none, where that was never tried."""
        self._shut, self._next_at = False, now
        level.since, level.sent = None, 0
        if not self._tried:
            self._level = None

    def _next_level(self, level: Level, seconds: float) -> None:
        """It held: higher, if it was used; if not, even after a while, the pace is not what limits."""
        if level.sent < USED * level.rate * seconds:
            self._level = None if level.plateau else self._plateau(level.rate)
            return
        self._held, self._tried = level.rate, True
        if level.plateau:
            self._proven = level.rate
            self._step = max(FIRST_STEP, min(0.1, 0.2 / level.rate))
        self._level = self._try(level.rate * (1 + self._step))
        self._step = min(STEEP, 2 * self._step)

    def _lower(self, level: Level, taken: int, sending: float) -> None:
        """It was refused after so many seconds, with so many taken in the last one."""
        top = min(level.rate, taken + 1.0)
        between = sqrt(self._proven * self._held)
        less = top * min(0.98, max(0.9, sending / (sending + 0.5)))
        known = level.rate <= 1.001 * max(self._held, self._proven)
        if known and sending < 1 and top < 0.6 * level.rate:
            self._guess(taken)
        elif known or (level.plateau and sending > 3 and less > between):
            self._held = self._proven = less
            self._level = self._plateau(less, sure=less > 0.95 * level.rate)
        elif self._held < WIDE * self._proven:
            self._level = self._plateau(between, sure=self._held < CLOSE * self._proven)
            self._held = self._proven
        else:
            self._level = self._plateau(max(self._held, min(0.98 * top, self._held**0.4 * top**0.6)))
            self._proven = self._held

    def _try(self, rate: float) -> Level:
        rate = max(LOWEST, rate)
        return Level(rate, max(1.0, max(2, 1 / self._step) / rate), plateau=False)

    def _plateau(self, rate: float, *, sure: bool = False) -> Level:
        rate = max(LOWEST, rate)
        look = max(LOOK_SECONDS, LOOK_CALLS / rate)
        stay = max(STAY_SECONDS, min(STAY_AT_MOST, STAY_CALLS / rate))
        return Level(rate, stay if sure else look, plateau=True)
