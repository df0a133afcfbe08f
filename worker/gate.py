"""When a call may go: so many at once, not while Rokt holds callers back, not while it refuses the credentials.

`Retry-After` holds back every call of this process. A 401 or 403 closes the gate: nothing is given up, and one call at
a growing interval is let through to try, another one each time, until one is not refused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from worker.errors import Abandoned
from worker.retry import Backoff
from worker.stopping import Stop

Clock = Callable[[], float]
Credentials = Literal["taken", "refused", "unknown"]

LOOK_AGAIN_SECONDS = 0.25


@dataclass(slots=True, eq=False)
class Turn:
    """One call's standing at the gate, over all of its attempts; numbers count the attempts that were admitted.

    `refused_at` is how many had been when its refusal was heard: what set out later has a higher number.
    """

    number: int = 0
    refused_at: int | None = None
    credentials: Credentials = "unknown"


@dataclass(frozen=True, slots=True)
class Refused:
    """The credentials are refused; the next call is let through after so many seconds."""

    tries: int
    next_try_seconds: float


@dataclass(frozen=True, slots=True)
class AcceptedAgain:
    """The credentials work again."""


Notice = Refused | AcceptedAgain


class Gate:
    """Lives on the event loop. `clock` is monotonic seconds; `notify` hears of refused and accepted credentials.

    `probe` gives the intervals between the calls let through meanwhile; there is one caller, so no jitter.
    """

    def __init__(self, clock: Clock, probe: Backoff, notify: Callable[[Notice], None], max_concurrency: int) -> None:
        self._clock = clock
        self._free = asyncio.Semaphore(max_concurrency)
        self._probe = probe
        self._notify = notify
        self._held_until = 0.0
        self._admitted = 0
        self._last_taken = 0
        self._tries = 0
        self._next_try_at = 0.0
        self._trying: Turn | None = None
        self._waiting: deque[Turn] = deque()

    @property
    def refused(self) -> bool:
        """Whether the credentials are refused at present."""
        return self._tries > 0

    @property
    def stops_reading(self) -> bool:
        """Whether no more events are wanted: the credentials are refused, and a call will try them again.

        Where the time for it has come and no call is there, since all went to another member, only a new event can
        tell that they work again.
        """
        somebody = self._trying is not None or bool(self._waiting)
        return self.refused and (somebody or self._clock() < self._next_try_at)

    def hold_back(self, seconds: float) -> None:
        """Nothing goes for so many seconds."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    @asynccontextmanager
    async def turn(self, turn: Turn, stop: Stop, *, finish: bool) -> AsyncIterator[None]:
        """Waits until this call may make an attempt, and hears at its end what became of the credentials.

        Raises Abandoned as `Stop.sleep` does.
        """
        async with self._free:
            if stop.asked and not finish:
                raise Abandoned("stopped before its call was made")
            if self._wait_of(turn) > 0:
                await self._wait(turn, stop, finish)
            self._admitted += 1
            turn.number = self._admitted
            turn.credentials = "unknown"
            if self.refused:
                self._trying = turn
            try:
                yield
            finally:
                self._heard(turn)

    def about_this_call(self, turn: Turn) -> bool:
        """Whether a refusal is about this call alone: refused before, and since then another, later call was taken."""
        return turn.refused_at is not None and turn.refused_at < self._last_taken < turn.number

    def _heard(self, turn: Turn) -> None:
        was_trying = self._trying is turn
        if was_trying:
            self._trying = None
            self._next_try_at = self._clock() + self._probe.ceiling(self._tries)
        if turn.credentials == "taken":
            self._last_taken = max(self._last_taken, turn.number)
            if was_trying:
                self._tries = 0
                self._notify(AcceptedAgain())
        elif turn.credentials == "refused" and not self.about_this_call(turn):
            turn.refused_at = self._admitted
            if was_trying or not self.refused:
                self._close()

    def _close(self) -> None:
        self._tries += 1
        wait = self._probe.ceiling(self._tries)
        self._next_try_at = self._clock() + wait
        self._notify(Refused(self._tries, wait))

    async def _wait(self, turn: Turn, stop: Stop, finish: bool) -> None:
        self._waiting.append(turn)
        try:
            while (wait := self._wait_of(turn)) > 0:
                await stop.sleep(wait, finish=finish)
        finally:
            self._waiting.remove(turn)

    def _wait_of(self, turn: Turn) -> float:
        """Seconds until this call should look again; 0 when it may go."""
        now = self._clock()
        if self._held_until > now:
            return self._held_until - now
        if not self.refused:
            return 0.0
        if self._trying is not None or not self._waiting or self._waiting[0] is not turn:
            return LOOK_AGAIN_SECONDS
        return max(0.0, min(self._next_try_at - now, LOOK_AGAIN_SECONDS))
