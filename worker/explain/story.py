"""What the ledger knows of an id: its calls, and those of the carts and orders that they belong to. Pure.

Times are the database's, in milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from worker.carts import Order, Owners, Reservation
from worker.ledger.entries import Entry
from worker.ledger.page import Page

Kind = Literal["cart", "order", "reservation", "event", "key", "trace"]
KINDS: Final[tuple[Kind, ...]] = ("cart", "order", "reservation", "event", "key", "trace")


@dataclass(frozen=True, slots=True)
class Story:
    """`kinds` is what the id is known as, none when nothing is. `named` are the keys of the calls that it names.

    `back_to_ms`: the notes were searched back to then, None when there were none. `complete`: all of them were, and no
    call was left out for there being too many.
    """

    id: str
    kinds: tuple[Kind, ...]
    named: frozenset[str]
    calls: tuple[Entry, ...]
    reservations: Mapping[str, Reservation]
    orders: Mapping[str, Order]
    now_ms: int
    live: Owners
    back_to_ms: int | None
    complete: bool

    def in_flight(self, entry: Entry) -> bool:
        """Whether a worker that is alive has begun this call and not settled it."""
        return entry.status is None and entry.owner in self.live

    @property
    def carts(self) -> frozenset[str]:
        """The carts of these calls."""
        return frozenset(entry.cart_id for entry in self.calls if entry.cart_id)


def kinds_of(id_: str, page: Page) -> tuple[Kind, ...]:
    """What an id is on a page."""
    found: set[Kind] = {kind for entry in page.entries.values() for kind in kinds_in(id_, entry)}
    if id_ in page.orders:
        found.add("order")
    if id_ in page.reservations:
        found.add("reservation")
    return tuple(kind for kind in KINDS if kind in found)


def kinds_in(id_: str, entry: Entry) -> set[Kind]:
    """What an id is to a call; nothing when the call does not name it."""
    ids: tuple[tuple[Kind, str | None], ...] = (
        ("cart", entry.cart_id),
        ("order", entry.order_id),
        ("event", entry.origin.event_id),
        ("trace", entry.origin.trace_id),
        *(("key", key) for key in entry.sent_keys),
        *(("reservation", item.item_reservation_id) for item in entry.items),
    )
    return {kind for kind, known in ids if known == id_}


def names(id_: str, entry: Entry, reservation: Reservation | None) -> bool:
    """Whether a call names an id. Of one that is not settled only the reservation says that it is about that."""
    return bool(kinds_in(id_, entry)) or (reservation is not None and reservation.key == entry.key)


def family(entries: Iterable[Entry]) -> frozenset[str]:
    """The carts and the orders of these calls."""
    return frozenset(id_ for entry in entries for id_ in (entry.cart_id, entry.order_id) if id_)


def reservations_of(entries: Iterable[Entry], orders: Iterable[Order]) -> frozenset[str]:
    """Every reservation that these name."""
    items = [item.item_reservation_id for entry in entries for item in entry.items]
    for order in orders:
        begun = (item for each in order.under_way.values() for item in each.items)
        items += [item.item_reservation_id for item in (*order.items, *order.called_off, *begun)]
    return frozenset(id_ for id_ in items if id_)
