"""The ledger's front before a store with moods, on a clock that is put forward by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

from infra.ledger_clerk import Clerk
from infra.ledger_front import Heard
from infra.memory_ledger import MemoryStore, Shelf
from worker.errors import LedgerUnavailable
from worker.ledger.budgets import Reserved
from worker.ledger.entries import Ask, Before, Request
from worker.ledger.ledger import Ledger, Terms
from worker.ledger.page import Reply
from worker.retry import Backoff
from worker.surroundings import Surroundings
from worker.telemetry.tracing import Tracing

LEASE = 30.0
TERMS = Terms("anna", lease_seconds=LEASE, group=16, retention_days=30, prune_rows=100, prune_seconds=60.0)


class Moody(MemoryStore):
    """A store that may be away, take its time, or meet a call that is too much for it."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.groups: list[list[Request]] = []
        self.renewed = self.pruned = 0
        self.away = False
        self.answers_get_lost = False
        self.poison = ""
        self.open_again = asyncio.Event()
        self.open_again.set()
        self.closed = False

    async def open(self) -> None:
        self._look()
        await super().open()

    async def work(self, requests: Sequence[Request]) -> list[Reply]:
        self.groups.append(list(requests))
        await self.open_again.wait()
        self._look()
        if any(isinstance(request, Ask) and request.call.key == self.poison for request in requests):
            raise ZeroDivisionError
        replies = await super().work(requests)
        if self.answers_get_lost:
            self.answers_get_lost = False
            raise LedgerUnavailable("the connection broke", "wait")
        return replies

    async def settled(self, keys: Sequence[str]) -> dict[str, Before]:
        self._look()
        return await super().settled(keys)

    async def renew(self, owner: str, seconds: float) -> None:
        self._look()
        self.renewed += 1
        await super().renew(owner, seconds)

    async def reserve(
        self, name: str, count: int, interval_us: int, lead_us: int, max_ahead_us: int, *, spare: bool = False
    ) -> Reserved:
        self._look()
        return await super().reserve(name, count, interval_us, lead_us, max_ahead_us, spare=spare)

    async def prune(self, days: int, limit: int) -> int:
        self.pruned += 1
        if self.poison == "prune":
            raise ZeroDivisionError
        return await super().prune(days, limit)

    async def close(self) -> None:
        self.closed = True

    def _look(self) -> None:
        if self.away:
            raise LedgerUnavailable("the ledger is away", "bring it back")


class Scene:
    """A ledger in front of a moody store, on a clock that is put forward by hand; waits take next to no time."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.now = 1024.0
        self.shelf = Shelf(lambda: int(self.now * 1000))
        self.store = Moody(self.shelf)
        self.heard = Heard()
        self.ledger = Ledger(
            self.store,
            terms,
            Surroundings(
                tracing=cast("Tracing", None),
                backoff=Backoff(0.001, 0.002),
                chance=lambda: 0.5,
                clock=lambda: self.now,
                now=lambda: datetime.now(UTC),
                log=cast("Any", self.heard),
            ),
        )

    def events(self) -> list[str]:
        return [line["event"] for line in self.heard.lines]

    async def bert(self) -> Clerk:
        """Another worker."""
        return await Clerk(MemoryStore(self.shelf), "bert").begin()


@asynccontextmanager
async def started(terms: Terms = TERMS) -> Any:
    scene = Scene(terms)
    scene.ledger.start()
    try:
        yield scene
    finally:
        await scene.ledger.close(1.0)


async def until(condition: Any) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)
