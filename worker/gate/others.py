"""What the other carts' calls tell: whether a failure is everybody's or one event's own. Pure.

Few that fail among many that are taken are poison, all that fail are an outage (uber/uForwarder's rule: the right to
dead-letter is earned by successes). However often a call is tried, it counts once: poison may not make
the others look bad.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from worker.gate.turn import Turn

KEPT: Final = 50
AILING: Final = 0.25
CHANCE: Final = 0.1
WITNESSES: Final = 2
MANY: Final = 3
QUIET_SECONDS: Final = 5.0
RUN: Final = 20
RUN_UNPROVEN: Final = 5
CARTS: Final = 3


class Heard(Struct, frozen=True):
    """Of one call: whether an attempt failed, how many attempts had been admitted at its last answer.

    `taken` is the number of its attempt that succeeded, -1 if none did.
    """

    cart: str
    failed: bool
    admitted: int
    taken: int


class Latest:
    """What became of the latest calls of one operation."""

    def __init__(self) -> None:
        self._calls: OrderedDict[Turn, Heard] = OrderedDict()

    def heard(self, turn: Turn, admitted: int, *, good: bool) -> None:
        """An attempt succeeded, or failed, when so many had been admitted."""
        before = self._calls.pop(turn, None)
        failed = not good or (before is not None and before.failed)
        self._calls[turn] = Heard(turn.cart, failed, admitted, turn.number if good else -1)
        if len(self._calls) > KEPT:
            self._calls.popitem(last=False)

    def begin_again(self) -> None:
        """An outage is over: who failed in it did so with all others, and that says nothing of those who fail now."""
        self._calls.clear()

    def thrive_besides(self, cart: str) -> bool:
        """Whether nearly all calls of other carts succeed at once, as far as is known."""
        return _failing(self._besides(cart)) <= AILING

    def taken_besides(self, cart: str, since: int) -> bool:
        """Whether a call of another cart was taken that set out after so many attempts had been admitted."""
        return any(one.taken > since for one in self._besides(cart))

    def blame(self, turn: Turn, max_attempts: int, now: float) -> bool:
        """Whether its failures are a call's own, and enough of them."""
        others = self._besides(turn.cart)
        later = [one for one in others if one.admitted >= turn.first]
        if not later or len({one.cart for one in others}) < WITNESSES:
            return False
        if max(_failing(others), _failing(later)) > AILING:
            return False
        return _alone_again_and_again(turn, max_attempts, later) or _alone_in_the_end(turn, max_attempts, later, now)

    def _besides(self, cart: str) -> list[Heard]:
        return [one for one in self._calls.values() if one.cart != cart]


class Failures:
    """A run of calls that failed, with none that was answered between them: how an outage begins.

    `RUN` of them make one, of at least `CARTS` carts; where few were answered since the last, `RUN_UNPROVEN`.
    """

    def __init__(self) -> None:
        self.run = 0
        self._carts: set[str] = set()
        self._answered = 0

    def answered(self) -> None:
        """Rokt answered a call, with whatever: it works."""
        self._answered += 1
        if self.run:
            self.run = 0
            self._carts.clear()

    def failed(self, cart: str) -> bool:
        """A call failed. Whether that makes an outage."""
        self.run += 1
        if len(self._carts) < CARTS:
            self._carts.add(cart)
        return self.run >= (RUN if self._answered >= RUN else RUN_UNPROVEN) and len(self._carts) >= CARTS

    def begin_again(self) -> None:
        """The outage seems to be over."""
        self.run = self._answered = 0
        self._carts.clear()


class Rejections:
    """Whether the last so many settled calls, each of another cart, were all rejected; 0 is never."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._carts: set[str] = set()

    def settled(self, cart: str, *, rejected: bool) -> bool:
        """A call is settled. Whether that makes a fault of set-up."""
        if not rejected:
            if self._carts:
                self._carts.clear()
            return False
        if len(self._carts) < self._limit:
            self._carts.add(cart)
        return 0 < self._limit <= len(self._carts)


def _failing(calls: Sequence[Heard]) -> float:
    return sum(one.failed for one in calls) / len(calls) if calls else 0.0


def _alone_again_and_again(turn: Turn, max_attempts: int, later: Sequence[Heard]) -> bool:
    """Others were taken between its failures; they fail now and then, too, but not so often as chance would have it."""
    return turn.strikes >= max_attempts and _failing(later) ** (turn.strikes / max_attempts) <= CHANCE


def _alone_in_the_end(turn: Turn, max_attempts: int, later: Sequence[Heard], now: float) -> bool:
    """It failed where many others, in its time, were taken and none failed; and now there are no more of them."""
    enough = turn.failures >= max_attempts and now - turn.failing_since >= QUIET_SECONDS
    return enough and len({one.cart for one in later}) >= MANY and not any(one.failed for one in later)
