"""Where the ledger is kept, as the worker sees it: one interface, and the choice of a store by its URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from worker.ledger.budgets import Reserved
from worker.ledger.entering import Claimed
from worker.ledger.entries import Before, Request, Touched
from worker.ledger.notes import Searched
from worker.ledger.page import Page, Reply


class Store(Protocol):
    """A database with the ledger in it. Lives on the event loop, and never blocks it.

    Every method but `close` raises LedgerUnavailable when the database did not do it, or did not say so, in time; it is
    then done whole or not at all, and may be asked for again. `parallel` groups can be worked on at one time.
    """

    @property
    def parallel(self) -> int: ...

    async def open(self) -> None:
        """Connects, and brings the schema up to this version; safe when many workers do so at once.

        Raises WorkerError when the schema is of a later version than this worker.
        """

    async def work(self, requests: Sequence[Request]) -> list[Reply]:
        """Works on a group of requests, in their order, in one transaction; a reply for each (see `Page.work`)."""

    async def settled(self, keys: Sequence[str]) -> dict[str, Before]:
        """Those of these keys whose calls are settled and published, and how. Only reads."""

    async def renew(self, owner: str, seconds: float) -> None:
        """The owner works, and will for so many seconds more: nobody takes over what it has begun."""

    async def retire(self, owner: str) -> None:
        """The owner works no more: what it has begun may be taken over at once."""

    async def reserve(
        self, name: str, count: int, interval_us: int, lead_us: int, max_ahead_us: int, *, spare: bool = False
    ) -> Reserved:
        """Gives `count` slots of the budget of this name to the asker alone, `interval_us` apart, and never again.

        The first is no earlier than the database's time and `lead_us`, and comes after all that were given before. With
        a count of 0 it only sees to it that no later one is earlier than that. A database whose clock was set back
        since goes on as if it had not been; one whose next slot is more than `max_ahead_us` off begins anew. Nothing of
        this need outlive a power cut. With `spare` nothing is given while anybody has slots further off than the lead.
        """

    async def kept(self, room: str, first: int, last: int) -> dict[int, str]:
        """What commands keep in a room, by number, of those from `first` up to and without `last`. Only reads."""

    async def keep(self, room: str, values: Mapping[int, str]) -> None:
        """Keeps these, in place of what was there under their numbers."""

    async def swap(self, room: str, number: int, old: str | None, new: str) -> bool:
        """Keeps `new` if `old` (None: nothing) is there.

        Whether `new` is there now, so asking again gives the same.
        """

    async def drop(self, room: str, below: int) -> None:
        """Forgets what is kept in a room under numbers below this one."""

    async def claim(self, asked: Sequence[tuple[bytes, str]], seconds: float) -> list[Claimed]:
        """Claims transactions for so many seconds, each for its owner, in one transaction; an answer for each.

        An `owner` is one request's alone. A transaction may be asked for several times: the first may have it. A claim
        that is over is taken over. One that is not is Busy for its own owner too: who lost the answer asks anew once it
        is released.
        """

    async def entered(self, asked: Sequence[tuple[bytes, str]]) -> None:
        """These are produced and acknowledged, and Known from now on; also if their claims were over meanwhile."""

    async def release(self, asked: Sequence[tuple[bytes, str]]) -> None:
        """These are not produced: whoever asks next may have them. What is another's by now, or entered, stays so."""

    async def prune(self, days: int, limit: int) -> int:
        """Deletes what was last changed more than so many days ago, at most `limit` rows of each table.

        Gives the number of rows deleted. What is settled and not published stays, and so does a claim that is not over.
        """

    async def attach(self) -> None:
        """Instead of `open`: connects to read only. Writes nothing, makes nothing, and hinders no worker.

        Raises WorkerError when there is no ledger, or its schema is not of this version.
        """

    async def look(self, touched: Touched) -> Page:
        """What stands there of these ids, at one moment. Only reads."""

    async def search(self, ids: Sequence[str], place: int | None, limit: int) -> Searched:
        """Which calls may have been begun for one of these ids: among `limit` notes, newest first. Only reads.

        `place` is where the search before this one said to go on; None begins.
        """

    async def close(self) -> None:
        """Gives back every connection; raises nothing."""
