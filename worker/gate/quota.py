"""The cap on calls per second that holds for the whole fleet: each call takes a slot that the ledger's database gave.

A slot is a moment that one member has to itself. Were every call made just then, slots 1/cap apart would do. But calls
are a little late, some more than others, so those of slots before a second come within it too. If none is later than
50 ms after the most punctual, what comes within a second are slots of 1.05 s; and slots that are 1.05/cap apart are no
more than the cap in that time. Half of the 50 ms may be lost here: a slot that is missed by more is gone. The rest is
for the network, and for how well the database's clock is known here.

So many seconds have so many times the cap at most, rounded up where that is no whole number: with 2.5 never more than
3 calls in one second, nor than 5 in two. Below 1, there are never two within 1/cap seconds.

Who only has the `spare` ones (a replay) asks when it has none left, for a few; none are given while others have some
ahead. One with a backlog always has: so it goes first, and one with a call now and then waits for a few slots at most.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from worker.gate.remote_clock import RemoteClock
from worker.ledger.budgets import Reserved
from worker.retry import Backoff

Reserve = Callable[[int, int, float], Awaitable[Reserved]]

MARGIN_SECONDS = 0.05
LATE_SECONDS = 0.025
STRETCH_SECONDS = 0.2  # of slots in hand at most: what is lost with a member that dies
SPARE_SECONDS = 0.05  # the same of spare slots: how long others may wait for one who goes behind them
AGAIN_SECONDS = 1.0  # at most until one who goes behind asks again, whatever slots others have ahead
NEAR_SECONDS = 0.1  # how long before the end of its slots a member asks for more, beside the way there and back
BETWEEN_SECONDS = 0.025  # from question to question, so that calls that come one by one share them
MAX_LEAD_SECONDS = 1.0


class Slots(Protocol):
    """What a call needs a slot of."""

    @property
    def refused_since(self) -> float | None:
        """See `Quota`."""

    def delay(self, now: float, waiting: int) -> float | None:
        """See `Quota.delay`."""

    def take(self, now: float) -> None:
        """See `Quota.take`."""

    def hold_back(self, seconds: float) -> None:
        """See `Quota.hold_back`."""

    async def close(self) -> None:
        """See `Quota.close`."""


class Quota:
    """The slots in hand. Lives on the event loop, and asks for more when it is asked and has too few.

    `reserve` takes a count, microseconds between slots and a lead in seconds (see `Ledger.reserve`); what it raises is
    not said here, and waits `pauses`. `ready` is called after every answer: time to ask for the `delay` again.
    `refused_since`: when it was first told that others go before, if it has had no slot since (monotonic seconds).
    """

    def __init__(
        self,
        per_second: float,
        reserve: Reserve,
        clock: Callable[[], float],
        pauses: Backoff,
        ready: Callable[[], None],
        *,
        spare: bool = False,
    ) -> None:
        self._interval_us = math.ceil((1 + MARGIN_SECONDS) * 1_000_000 / per_second)
        self._spare = spare
        self._stretch = max(1, int(per_second * SPARE_SECONDS) if spare else math.ceil(per_second * STRETCH_SECONDS))
        self._reserve = reserve
        self._clock = clock
        self._pauses = pauses
        self._ready = ready
        self._slots: deque[int] = deque()
        self._remote = RemoteClock()
        self._asking: asyncio.Task[None] | None = None
        self._ask_from = float("-inf")
        self._failures = 0
        self._trip = 0.0
        self._held_until = float("-inf")
        self._told = True
        self._closed = False
        self.refused_since: float | None = None

    def delay(self, now: float, waiting: int) -> float | None:
        """How long so many calls have to wait: 0.0, one may go, and takes its slot.

        Seconds: there is none to be had before, ask again then. None: `ready` will be called.
        """
        self._drop(now)
        again = [self._usable_from(self._slots[0])] if self._slots else []
        missing = min(waiting, self._stretch) - len(self._slots)
        if missing > 0 and self._asking is None and not self._closed:
            ask_at = self._ask_at()
            if ask_at <= now:
                self._ask(missing)
            else:
                again.append(ask_at)
        return max(0.0, min(again) - now) if again else None

    def take(self, now: float) -> None:
        """Uses a slot; after a delay of 0.0 only."""
        self._drop(now)
        self._slots.popleft()

    def hold_back(self, seconds: float) -> None:
        """Nobody in the fleet has a slot for so many seconds, but those that others have in hand already."""
        now = self._clock()
        if now + seconds <= self._held_until:
            return
        self._held_until = now + seconds
        self._told = False
        self._drop(now)
        if self._asking is None and not self._closed:
            self._ask(0)

    async def close(self) -> None:
        """Cuts off what is asked. The slots in hand can still be used."""
        self._closed = True
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _drop(self, now: float) -> None:
        """Slots that are missed, or will be when the hold is over."""
        latest = max(now, self._held_until) - LATE_SECONDS
        while self._slots and self._remote.here(self._slots[0]) < latest:
            self._slots.popleft()

    def _usable_from(self, slot: int) -> float:
        return max(self._remote.here(slot), self._held_until)

    def _ask_at(self) -> float:
        """When to ask for more: when the slots in hand are coming to an end."""
        if not self._slots:
            return self._ask_from
        if self._spare:
            return max(self._ask_from, self._free_at(self._slots[-1] + self._interval_us))
        return max(self._ask_from, self._remote.here(self._slots[-1]) - self._trip - NEAR_SECONDS)

    def _ask(self, count: int) -> None:
        self._asking = asyncio.get_running_loop().create_task(self._asked(count))

    async def _asked(self, count: int) -> None:
        try:
            if not self._remote.known:
                await self._question(0)  # the first way there and back may be long, and tell little of the clock
            await self._question(count)
            while not self._told:
                await self._question(0)
            self._failures = 0
        except Exception:  # whoever is asked says it; here it only takes longer
            self._failures += 1
            self._ask_from = self._clock() + self._pauses.ceiling(self._failures)
        self._asking = None
        self._ready()

    async def _question(self, count: int) -> None:
        asked_at = self._clock()
        lead = max(min(self._trip, MAX_LEAD_SECONDS), self._held_until - asked_at)
        self._told = True
        self._ask_from = asked_at + BETWEEN_SECONDS
        reserved = await self._reserve(count, self._interval_us, lead)
        answered_at = self._clock()
        self._trip = answered_at - asked_at
        if not self._remote.heard(asked_at, answered_at, reserved.now_us):
            self._slots.clear()
        if not reserved.given:
            self._refused(reserved, answered_at)
            return
        if count:
            self.refused_since = None
        self._slots.extend(reserved.start_us + n * self._interval_us for n in range(count))

    def _refused(self, reserved: Reserved, now: float) -> None:
        if self.refused_since is None:
            self.refused_since = now
        self._ask_from = max(self._ask_from, min(self._free_at(reserved.start_us), now + AGAIN_SECONDS))

    def _free_at(self, next_us: int) -> float:
        """When to ask for a spare slot, if the first that nobody has is this: it is the next then, beyond doubt."""
        return self._remote.here(next_us) - self._trip / 2
