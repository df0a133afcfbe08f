"""Looks up in the ledger all that it knows of an id. Only reads."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from worker.explain.story import Story, family, kinds_of, names, reservations_of
from worker.ledger.entries import Entry, Touched
from worker.ledger.store import Store

NOTES_A_STEP: Final = 20_000
KEYS_A_LOOK: Final = 500
MAX_CALLS: Final = 1_000
ROUNDS: Final = 4

Progress = Callable[[int], None]


class Finder:
    """Searches one ledger. `since_ms` bounds how far back; `progress` hears to what time it has come."""

    def __init__(self, store: Store, *, since_ms: int | None, progress: Progress) -> None:
        self._store = store
        self._since_ms = since_ms
        self._progress = progress
        self._back_to_ms: int | None = None
        self._complete = True

    async def find(self, id_: str) -> Story:
        """What is known of an id, and of the carts and orders that its calls belong to. Raises LedgerUnavailable."""
        direct = await self._store.look(Touched((id_,), (id_,), (id_,)))
        reservation = direct.reservations.get(id_)
        about = [direct.entries[id_]] if id_ in direct.entries else []
        about += await self._calls([id_], lambda entry: names(id_, entry, reservation))
        named = {entry.key: entry for entry in about}
        calls, asked = dict(named), {id_}
        related = family(named.values())
        for _ in range(ROUNDS):
            if not (new := related - asked) or len(calls) >= MAX_CALLS:
                break
            asked |= new
            found = await self._calls(sorted(new), partial(_of, new))
            calls |= {entry.key: entry for entry in found}
            related = family(calls.values())
        return await self._told(id_, named, calls)

    async def _told(self, id_: str, named: Collection[str], calls: dict[str, Entry]) -> Story:
        """All of it as it stands at one moment."""
        kept = sorted(calls.values(), key=lambda entry: (entry.key in named, entry.begun_at_ms))[-MAX_CALLS:]
        keys = tuple(entry.key for entry in kept)
        orders = tuple(sorted({id_, *(entry.order_id for entry in kept if entry.order_id)}))
        known = await self._store.look(Touched(orders, (), ()))
        reservations = {id_} | reservations_of(kept, known.orders.values())
        page = await self._store.look(Touched(orders, tuple(sorted(reservations)), keys))
        return Story(
            id=id_,
            kinds=kinds_of(id_, page),
            named=frozenset(named) & page.entries.keys(),
            calls=tuple(sorted(page.entries.values(), key=lambda entry: (entry.begun_at_ms, entry.key))),
            reservations=dict(sorted(page.reservations.items())),
            orders=page.orders,
            now_ms=page.now_ms,
            live=page.live,
            back_to_ms=self._back_to_ms,
            complete=self._complete and len(calls) <= MAX_CALLS,
        )

    async def _calls(self, ids: list[str], wanted: Callable[[Entry], bool]) -> list[Entry]:
        """The calls that were begun for one of these ids and are wanted, newest first."""
        place: int | None = None
        calls: list[Entry] = []
        while True:
            searched = await self._store.search(ids, place, NOTES_A_STEP)
            keys = tuple(dict.fromkeys(searched.keys))
            for first in range(0, len(keys), KEYS_A_LOOK):
                page = await self._store.look(Touched((), (), keys[first : first + KEYS_A_LOOK]))
                calls += [page.entries[key] for key in keys if key in page.entries and wanted(page.entries[key])]
            place = self._go_on(searched.place, searched.oldest_ms)
            if place is None or len(calls) > MAX_CALLS:
                self._complete = self._complete and place is None
                return calls

    def _go_on(self, place: int | None, oldest_ms: int | None) -> int | None:
        if oldest_ms is not None:
            self._back_to_ms = min(oldest_ms, self._back_to_ms or oldest_ms)
            self._progress(oldest_ms)
            if place is not None and self._since_ms is not None and oldest_ms < self._since_ms:
                return None
        return place


def _of(family: frozenset[str], entry: Entry) -> bool:
    return entry.cart_id in family or entry.order_id in family
