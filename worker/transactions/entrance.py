"""Each transaction is let in once: claimed in the ledger, produced, and noted there once brokers acknowledged it.

A claim that its request did not come to an end with (a crash) is over after a while; then whoever sends the transaction
again produces it. Lives on the event loop.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Final, Protocol

from worker.ledger.entering import Claimed
from worker.ledger.patience import Patience
from worker.transactions.together import Together

GROUP: Final = 256

Asked = tuple[bytes, str]


class Shelf(Protocol):
    """Where it is noted; a `Store` is one."""

    async def claim(self, asked: Sequence[Asked], seconds: float) -> list[Claimed]:
        """See `Store.claim`."""

    async def entered(self, asked: Sequence[Asked]) -> None:
        """See `Store.entered`."""

    async def release(self, asked: Sequence[Asked]) -> None:
        """See `Store.release`."""


class Entrance:
    """`owner` is new for each process; `seconds` is how long a claim is good: longer than producing can take."""

    def __init__(self, shelf: Shelf, patience: Patience, owner: str, seconds: float) -> None:
        self._shelf = shelf
        self._patience = patience
        self._owner = owner
        self._seconds = seconds
        self._numbers = itertools.count(1)
        self._claims = Together[Asked, Claimed](self._claim, GROUP)
        self._notes = Together[Asked, None](self._enter, GROUP)
        self._tasks: set[asyncio.Task[None]] = set()

    def ticket(self, digest: bytes) -> Asked:
        """For one request that sends a transaction with this digest."""
        return digest, f"{self._owner}.{next(self._numbers)}"

    async def claim(self, ticket: Asked) -> Claimed:
        """May it be produced? One try. Raises LedgerUnavailable."""
        return await self._claims.ask(ticket)

    async def entered(self, ticket: Asked) -> None:
        """It is produced, and known from now on; goes on trying behind the back of whoever cannot wait."""
        await asyncio.shield(self._begin(self._notes.ask(ticket)))

    def release(self, ticket: Asked) -> None:
        """It is not produced: whoever sends it again may be let in at once."""
        self._begin(self._patience.until_done("release", partial(self._shelf.release, [ticket])))

    async def close(self) -> None:
        """Waits for what is being noted."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _claim(self, asked: Sequence[Asked]) -> list[Claimed]:
        return await self._patience.once("claim", partial(self._shelf.claim, asked, self._seconds))

    async def _enter(self, asked: Sequence[Asked]) -> list[None]:
        await self._patience.until_done("entered", partial(self._shelf.entered, asked))
        return [None] * len(asked)
