"""A ledger in memory, on a clock of one's own: the third store, for simulations and as a yardstick for the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from worker.carts import Order, Reservation
from worker.errors import WorkerError
from worker.ledger.budgets import Budget, Reserved, reserved
from worker.ledger.entering import Claimed, answers, first_asked, free, milliseconds
from worker.ledger.entries import Before, Entry, Request, Touched, touched
from worker.ledger.notes import Searched, mark, packed, unpacked
from worker.ledger.page import Page, Reply

K = TypeVar("K", str, bytes)
T = TypeVar("T")

DAY_MS = 24 * 60 * 60 * 1000
VERSION = 6


@dataclass(slots=True)
class Shelf:
    """What outlives its workers. `now_ms` is its clock; `changed_ms` has when each row was written, by table and id.

    Of a transaction that is claimed it has whose it is, and until when; of one that is entered None.
    """

    now_ms: Callable[[], int]
    calls: dict[str, Entry] = field(default_factory=dict)
    reservations: dict[str, Reservation] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    changed_ms: dict[tuple[str, str | bytes], int] = field(default_factory=dict)
    notes: list[tuple[bytes, str, int]] = field(default_factory=list)
    kept: dict[str, dict[int, str]] = field(default_factory=dict)
    transactions: dict[bytes, tuple[str, int] | None] = field(default_factory=dict)
    version: int = VERSION

    def live(self) -> frozenset[str]:
        """Owners whose lease has not run out."""
        now = self.now_ms()
        return frozenset(owner for owner, until in self.owners.items() if until > now)


class MemoryStore:
    """A `Store` on a shelf; several may share one, as workers share a database. Nothing in it waits."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    @property
    def parallel(self) -> int:
        """What is done without waiting is done one at a time."""
        return 1

    async def open(self) -> None:
        """Raises WorkerError for a shelf of a later version."""
        if self._shelf.version > VERSION:
            raise WorkerError(
                f"the ledger was written by a later version of this worker (schema {self._shelf.version})"
            )

    async def work(self, requests: Sequence[Request]) -> list[Reply]:
        """See `Store.work`."""
        shelf, need = self._shelf, touched(requests)
        page = await self.look(need)
        replies = [page.work(request) for request in requests]
        shelf.calls.update(page.changed_entries)
        shelf.reservations.update(page.changed_reservations)
        shelf.orders.update(page.changed_orders)
        changed = (("calls", page.changed_entries), ("reservations", page.changed_reservations))
        for table, ids in (*changed, ("orders", page.changed_orders)):
            shelf.changed_ms.update({(table, id_): page.now_ms for id_ in ids})
        if page.noted:
            shelf.notes.append((*packed(page.noted), page.now_ms))
        return replies

    async def settled(self, keys: Sequence[str]) -> dict[str, Before]:
        """See `Store.settled`."""
        found = (self._shelf.calls.get(key) for key in keys)
        return {e.key: Before(e.fingerprint, e.status) for e in found if e and e.status is not None and e.published}

    async def renew(self, owner: str, seconds: float) -> None:
        """See `Store.renew`."""
        self._shelf.owners[owner] = self._shelf.now_ms() + int(seconds * 1000)

    async def retire(self, owner: str) -> None:
        """See `Store.retire`."""
        self._shelf.owners.pop(owner, None)

    async def reserve(
        self, name: str, count: int, interval_us: int, lead_us: int, max_ahead_us: int, *, spare: bool = False
    ) -> Reserved:
        """See `Store.reserve`."""
        before, now_us = self._shelf.budgets.get(name), self._shelf.now_ms() * 1000
        answer, self._shelf.budgets[name] = reserved(
            before, count, interval_us, lead_us, max_ahead_us, now_us, spare=spare
        )
        return answer

    async def kept(self, room: str, first: int, last: int) -> dict[int, str]:
        """See `Store.kept`."""
        return {n: value for n, value in self._shelf.kept.get(room, {}).items() if first <= n < last}

    async def keep(self, room: str, values: Mapping[int, str]) -> None:
        """See `Store.keep`."""
        self._shelf.kept.setdefault(room, {}).update(values)

    async def swap(self, room: str, number: int, old: str | None, new: str) -> bool:
        """See `Store.swap`."""
        kept = self._shelf.kept.setdefault(room, {})
        if kept.get(number) == old:
            kept[number] = new
        return kept[number] == new

    async def drop(self, room: str, below: int) -> None:
        """See `Store.drop`."""
        self._shelf.kept[room] = {n: v for n, v in self._shelf.kept.get(room, {}).items() if n >= below}

    async def claim(self, asked: Sequence[tuple[bytes, str]], seconds: float) -> list[Claimed]:
        """See `Store.claim`."""
        now_ms, firsts, rows = self._shelf.now_ms(), first_asked(asked), self._shelf.transactions
        until = {id_: row[1] if (row := rows[id_]) else None for id_ in firsts if id_ in rows}
        mine = free(firsts, until, now_ms)
        for id_ in mine:
            self._write_transaction(id_, (firsts[id_], now_ms + milliseconds(seconds)))
        return answers(asked, mine, until, now_ms, seconds)

    async def entered(self, asked: Sequence[tuple[bytes, str]]) -> None:
        """See `Store.entered`."""
        for id_, _ in asked:
            if self._shelf.transactions.get(id_, ()) is not None:
                self._write_transaction(id_, None)

    async def release(self, asked: Sequence[tuple[bytes, str]]) -> None:
        """See `Store.release`."""
        for id_, owner in asked:
            row = self._shelf.transactions.get(id_)
            if row is not None and row[0] == owner:
                del self._shelf.transactions[id_], self._shelf.changed_ms["transactions", id_]

    async def prune(self, days: int, limit: int) -> int:
        """See `Store.prune`."""
        shelf, live = self._shelf, self._shelf.live()
        gone = [owner for owner in shelf.owners if owner not in live]
        for owner in gone:
            del shelf.owners[owner]
        calls = self._take_out("calls", shelf.calls, lambda call: _passed(call, live), days, limit)
        reservations = self._take_out("reservations", shelf.reservations, lambda r: r.owner not in live, days, limit)
        orders = self._take_out("orders", shelf.orders, lambda order: _idle(order, live), days, limit)
        now = shelf.now_ms()
        entered = self._take_out("transactions", shelf.transactions, lambda t: t is None or t[1] <= now, days, limit)
        cutoff = now - (days + 1) * DAY_MS
        noted = len(shelf.notes)
        shelf.notes[:limit] = [note for note in shelf.notes[:limit] if note[-1] >= cutoff]
        return len(gone) + calls + reservations + orders + entered + noted - len(shelf.notes)

    async def attach(self) -> None:
        """See `Store.attach`."""
        await self.open()
        if self._shelf.version < VERSION:
            raise WorkerError(f"the ledger is of an earlier version (schema {self._shelf.version})")

    async def look(self, touched: Touched) -> Page:
        """See `Store.look`."""
        shelf = self._shelf
        return Page(
            shelf.now_ms(),
            shelf.live(),
            {key: shelf.calls[key] for key in touched.keys if key in shelf.calls},
            {id_: shelf.reservations[id_] for id_ in touched.reservations if id_ in shelf.reservations},
            {id_: shelf.orders[id_] for id_ in touched.orders if id_ in shelf.orders},
        )

    async def search(self, ids: Sequence[str], place: int | None, limit: int) -> Searched:
        """See `Store.search`; a place counts the notes that are left."""
        left = len(self._shelf.notes) if place is None else place
        stretch = self._shelf.notes[max(0, left - limit) : left]
        marks = [mark(id_) for id_ in ids]
        found = [keys for noted, keys, _ in reversed(stretch) if any(m in noted for m in marks)]
        keys = tuple(key for noted in found for key in unpacked(noted))
        return Searched(keys, left - limit if left > limit else None, stretch[0][-1] if stretch else None)

    async def close(self) -> None:
        """The shelf stays."""

    def _write_transaction(self, id_: bytes, row: tuple[str, int] | None) -> None:
        self._shelf.transactions[id_] = row
        self._shelf.changed_ms["transactions", id_] = self._shelf.now_ms()

    def _take_out(self, table: str, rows: dict[K, T], passed: Callable[[T], bool], days: int, limit: int) -> int:
        changed, cutoff = self._shelf.changed_ms, self._shelf.now_ms() - days * DAY_MS
        doomed = [id_ for id_, row in rows.items() if changed[table, id_] < cutoff and passed(row)][:limit]
        for id_ in doomed:
            del rows[id_], changed[table, id_]
        return len(doomed)


def _passed(call: Entry, live: frozenset[str]) -> bool:
    return call.owner not in live if call.status is None else call.published


def _idle(order: Order, live: frozenset[str]) -> bool:
    return not any(begun.owner in live for begun in order.under_way.values())
