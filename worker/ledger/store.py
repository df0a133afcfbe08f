"""Where the ledger is kept, as the worker sees it: one interface, and the choice of a store by its URL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from worker.ledger.entries import Request
from worker.ledger.page import Reply


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

    async def settled(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Those of these keys whose calls are settled and published, with their fingerprints. Only reads."""

    async def renew(self, owner: str, seconds: float) -> None:
        """The owner works, and will for so many seconds more: nobody takes over what it has begun."""

    async def retire(self, owner: str) -> None:
        """The owner works no more: what it has begun may be taken over at once."""

    async def prune(self, days: int, limit: int) -> int:
        """Deletes what was last changed more than so many days ago, at most `limit` rows of each table.

        Gives the number of rows deleted. What is settled and not published stays.
        """

    async def close(self) -> None:
        """Gives back every connection; raises nothing."""
