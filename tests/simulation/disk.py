"""The ledger's database: slow, away at times, sometimes silent about what it did. It outlives any worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import TypeVar

from infra.memory_ledger import MemoryStore, Shelf
from simulation.processes import Process
from worker.errors import LedgerUnavailable
from worker.ledger.budgets import Reserved
from worker.ledger.entering import Claimed
from worker.ledger.entries import Before, Request, Touched
from worker.ledger.notes import Searched
from worker.ledger.page import Page, Reply

T = TypeVar("T")


class Disk:
    """`slowest` is in seconds; of what is asked a share `fails`, half of it after it was done."""

    def __init__(self, now_ms: Callable[[], int], *, slowest: float, fails: float) -> None:
        self.shelf = Shelf(now_ms)
        self.slowest = slowest
        self.fails = fails


class SimulatedStore:
    """A `Store` as one process reaches it: what it asked for goes on when it dies, what it hears does not."""

    def __init__(self, disk: Disk, process: Process, chance: Random, *, parallel: int) -> None:
        self._disk = disk
        self._process = process
        self._chance = chance
        self._parallel = parallel
        self._store = MemoryStore(disk.shelf)

    @property
    def parallel(self) -> int:
        return self._parallel

    async def open(self) -> None:
        await self._asked("open", self._store.open)

    async def work(self, requests: Sequence[Request]) -> list[Reply]:
        kinds = ", ".join(type(request).__name__ for request in requests)
        return await self._asked(f"ledger: {kinds}", lambda: self._store.work(requests))

    async def settled(self, keys: Sequence[str]) -> dict[str, Before]:
        return await self._asked("settled", lambda: self._store.settled(keys))

    async def renew(self, owner: str, seconds: float) -> None:
        await self._asked("renew", lambda: self._store.renew(owner, seconds))

    async def retire(self, owner: str) -> None:
        await self._asked("retire", lambda: self._store.retire(owner))

    async def reserve(
        self, name: str, count: int, interval_us: int, lead_us: int, max_ahead_us: int, *, spare: bool = False
    ) -> Reserved:
        return await self._asked(
            "reserve", lambda: self._store.reserve(name, count, interval_us, lead_us, max_ahead_us, spare=spare)
        )

    async def kept(self, room: str, first: int, last: int) -> dict[int, str]:
        return await self._asked("kept", lambda: self._store.kept(room, first, last))

    async def keep(self, room: str, values: Mapping[int, str]) -> None:
        await self._asked("keep", lambda: self._store.keep(room, values))

    async def swap(self, room: str, number: int, old: str | None, new: str) -> bool:
        return await self._asked("swap", lambda: self._store.swap(room, number, old, new))

    async def drop(self, room: str, below: int) -> None:
        await self._asked("drop", lambda: self._store.drop(room, below))

    async def claim(self, asked: Sequence[tuple[bytes, str]], seconds: float) -> list[Claimed]:
        return await self._asked("claim", lambda: self._store.claim(asked, seconds))

    async def entered(self, asked: Sequence[tuple[bytes, str]]) -> None:
        await self._asked("entered", lambda: self._store.entered(asked))

    async def release(self, asked: Sequence[tuple[bytes, str]]) -> None:
        await self._asked("release", lambda: self._store.release(asked))

    async def prune(self, days: int, limit: int) -> int:
        return await self._asked("prune", lambda: self._store.prune(days, limit))

    async def attach(self) -> None:
        await self._asked("attach", self._store.attach)

    async def look(self, touched: Touched) -> Page:
        return await self._asked("look", lambda: self._store.look(touched))

    async def search(self, ids: Sequence[str], place: int | None, limit: int) -> Searched:
        return await self._asked("search", lambda: self._store.search(ids, place, limit))

    async def close(self) -> None:
        """Its connections are the process's own."""

    async def _asked(self, what: str, do: Callable[[], Awaitable[T]]) -> T:
        self._process.step(f"{what}: asked")
        await asyncio.sleep(self._chance.uniform(0.0, self._disk.slowest))
        self._process.step(f"{what}: not done yet")
        mishap = self._chance.random()
        if mishap < self._disk.fails / 2:
            raise LedgerUnavailable("the disk is away", "wait")
        done = await do()
        self._process.step(f"{what}: done")
        await asyncio.sleep(self._chance.uniform(0.0, self._disk.slowest))
        self._process.step(f"{what}: answered")
        if mishap < self._disk.fails:
            raise LedgerUnavailable("the answer was lost", "wait")
        return done
