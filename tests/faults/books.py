"""What became of each event, reckoned from the calls that Rokt got."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from faults.load import Call, Event


class Repeat(NamedTuple):
    """One call made twice in a row for the same event."""

    earlier: Call
    later: Call


class Books:
    """What became of each event, by the calls that Rokt got."""

    def __init__(self, events: Sequence[Event], calls: Sequence[Call]) -> None:
        self._events = events
        self._calls: dict[str, list[Call]] = {}
        for call in calls:
            self._calls.setdefault(call.reservation, []).append(call)
        self._applied = [call for call in calls if call.applied]
        self._first = {call.reservation: call.time for call in reversed(self._applied)}

    def lost(self) -> set[str]:
        return {event.reservation for event in self._events} - self._first.keys()

    def doubled(self) -> int:
        """Effects beyond the first of an event."""
        return len(self._applied) - len(self._first)

    def out_of_order(self) -> list[str]:
        """Carts whose events took effect in another order than they were published in."""
        cart_of = {event.reservation: event.cart for event in self._events}
        wanted: dict[str, list[str]] = {}
        for event in self._events:
            wanted.setdefault(event.cart, []).append(event.reservation)
        found: dict[str, list[str]] = {}
        for name in dict.fromkeys(call.reservation for call in self._applied):
            found.setdefault(cart_of[name], []).append(name)
        return [cart for cart, order in wanted.items() if found.get(cart) != order]

    def repeats(self) -> list[Repeat]:
        return [Repeat(*pair) for calls in self._calls.values() for pair in pairwise(calls)]

    def with_other_keys(self) -> list[str]:
        """Events whose calls were not all made with their first key."""
        return [name for name, calls in self._calls.items() if len({call.key for call in calls}) > 1]

    def unexplained(self, crashes: Sequence[float]) -> list[Repeat]:
        """Those whose first call no crash cut short: none was at a time when it could be under way, or not noted."""
        return [r for r in self.repeats() if not any(-0.5 <= at - r.earlier.time <= 2.0 for at in crashes)]
