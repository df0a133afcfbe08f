"""The ledger as a store would keep it, without a database: a request sees and writes only what it says it touches."""

from __future__ import annotations

from typing import Generic, TypeVar

from worker.carts import Order, Owners, Reservation
from worker.ledger.entries import Entry, Request, touched
from worker.ledger.page import Page, Reply
from worker.ledger.rows import (
    from_call,
    from_order,
    from_reservation,
    to_call,
    to_order,
    to_reservation,
)

T = TypeVar("T")
NOW_MS = 1_795_341_600_000


class Table(dict[str, T], Generic[T]):
    """Rows by id."""

    def read(self, ids: tuple[str, ...]) -> dict[str, T]:
        return {id_: self[id_] for id_ in ids if id_ in self}

    def write(self, changed: dict[str, T], ids: tuple[str, ...]) -> None:
        assert changed.keys() <= set(ids), "written, but not locked"
        self.update(changed)


class Tables:
    """The whole ledger. `version` counts what may let one who waits go on."""

    def __init__(self, live: Owners) -> None:
        self.live = live
        self.entries = Table[Entry]()
        self.reservations = Table[Reservation]()
        self.orders = Table[Order]()
        self.version = 0

    def work(self, request: Request) -> Reply:
        """One request, as a transaction of its own."""
        needs = touched([request])
        page = Page(
            NOW_MS,
            self.live,
            self.entries.read(needs.keys),
            self.reservations.read(needs.reservations),
            self.orders.read(needs.orders),
        )
        reply = page.work(request)
        self.entries.write(page.changed_entries, needs.keys)
        self.reservations.write(page.changed_reservations, needs.reservations)
        self.orders.write(page.changed_orders, needs.orders)
        self.version += bool(page.changed_entries or page.changed_reservations or page.changed_orders)
        return reply

    def expire(self, owner: str) -> None:
        """The lease of one that was not heard of any more has run out."""
        self.live = self.live - {owner}
        self.version += 1

    def fork(self) -> Tables:
        """A copy that goes its own way."""
        copy = Tables(self.live)
        copy.entries.update(self.entries)
        copy.reservations.update(self.reservations)
        copy.orders.update(self.orders)
        copy.version = self.version
        return copy

    def check_rows(self) -> None:
        """Everything comes out of the columns of a database as it went in."""
        for entry in self.entries.values():
            assert from_call(to_call(entry)) == entry
        for reservation in self.reservations.values():
            assert from_reservation(to_reservation(reservation)) == reservation
        for order in self.orders.values():
            assert from_order(to_order(order)) == order
