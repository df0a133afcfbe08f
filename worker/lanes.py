"""The order that is kept: one event at a time for each cart and each order, side by side for all others. Pure.

An event stands in line for every key that it has: a checkout for its cart and its order, a cancel for its order (and
its cart, if it names one). It may begin when it is first in all of them. Events join their lines in the order in which
they are read, all lines at once, so none can wait for one that waits for it.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from msgspec import Struct

from worker.events import CartAbandoned, CheckoutCompleted, Event, OrderCancelled

Key = tuple[str, str]
T = TypeVar("T")


def lane_keys(event: Event) -> tuple[Key, ...]:
    """What an event must not overtake, or be overtaken by."""
    match event:
        case CheckoutCompleted():
            return ("cart", event.cart_id), ("order", event.order_id)
        case OrderCancelled():
            order = ("order", event.order_id)
            return (("cart", event.cart_id), order) if event.cart_id else (order,)
        case CartAbandoned():
            return (("cart", event.cart_id),)


class Place(Struct, Generic[T], eq=False):
    """One event's place in its lines; `ahead` counts the lines in which it is not first."""

    work: T
    keys: tuple[Key, ...]
    ahead: int = 0


class Lanes(Generic[T]):
    """The lines that have somebody in them."""

    def __init__(self) -> None:
        self._lines: dict[Key, deque[Place[T]]] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def join(self, work: T, keys: tuple[Key, ...]) -> Place[T]:
        """Puts an event in its lines; it may begin at once when nobody is `ahead`."""
        place = Place(work, keys)
        for key in keys:
            line = self._lines.setdefault(key, deque())
            place.ahead += bool(line)
            line.append(place)
        return place

    def leave(self, place: Place[T]) -> list[Place[T]]:
        """Takes one that is first in its lines out of them; gives those that may begin now."""
        ready: list[Place[T]] = []
        for key in place.keys:
            line = self._lines[key]
            line.popleft()
            if not line:
                del self._lines[key]
                continue
            line[0].ahead -= 1
            if line[0].ahead == 0:
                ready.append(line[0])
        return ready

    def ahead_of(self, place: Place[T]) -> T | None:
        """One that this event waits for."""
        return next((self._lines[key][0].work for key in place.keys if self._lines[key][0] is not place), None)
