"""Marks, read and written one letter at a time; what is to be written at one time is written together."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Final, Literal

from worker.dlq.letter import Letter
from worker.dlq.marks import Mark, Shelf, State, identity, room, state_of, understood, written
from worker.ledger.patience import Patience

TAKEN_SECONDS: Final = 60.0
LET_GO_SECONDS: Final = 2.0
Refusal = Literal["done meanwhile", "taken by another redrive"]


class Marking:
    """On a shelf that is waited for while it is away. `owner` is nobody else's name."""

    def __init__(self, shelf: Shelf, patience: Patience, owner: str) -> None:
        self._shelf = shelf
        self._patience = patience
        self._owner = owner
        self._pending: dict[str, dict[int, str]] = defaultdict(dict)
        self._writing = asyncio.Lock()

    async def take(self, letter: Letter, states: Collection[State]) -> Refusal | None:
        """Whether it still is in one of these states, and ours; None: it is.

        What a letter's key says the ledger knows: two who redrive one make its call once. One without a key would be
        dead-lettered twice: so it is taken, for a minute at most, which is much longer than its redrive lasts.
        """
        place = letter.place
        there, now_ms = room(place.topic, place.partition), _now_ms()
        read = partial(self._shelf.kept, there, place.offset, place.offset + 1)
        found = (await self._patience.until_done("kept", read)).get(place.offset)
        mark = understood(found, letter)
        if state_of(mark) not in states:
            return "done meanwhile"
        if mark is not None and mark.state == "taken" and mark.until_ms > now_ms:
            return "taken by another redrive"
        if letter.key is not None:
            return None
        until_ms = now_ms + int(TAKEN_SECONDS * 1000)
        taken = written(Mark("taken", identity(letter), now_ms, until_ms, by=self._owner))
        swap = partial(self._shelf.swap, there, place.offset, found, taken)
        return None if await self._patience.until_done("swap", swap) else "taken by another redrive"

    async def redriven(self, letter: Letter, result: str, trace_id: str | None) -> None:
        """Remembers what became of it; returns once that is written."""
        await self._keep(letter, Mark("redriven", identity(letter), _now_ms(), result=result, trace_id=trace_id))

    async def let_go(self, letter: Letter, before: Mark | None) -> None:
        """It was not redriven after all: it is as it was `before`."""
        if letter.key is None:
            discarded = before is not None and before.state == "discarded"
            mark = before if before is not None and discarded else Mark("taken", identity(letter), _now_ms())
            with suppress(TimeoutError):
                async with asyncio.timeout(LET_GO_SECONDS):
                    await self._keep(letter, mark)

    async def _keep(self, letter: Letter, mark: Mark) -> None:
        place = letter.place
        self._pending[room(place.topic, place.partition)][place.offset] = written(mark)
        async with self._writing:  # who waits here finds what he brought written by the one before
            pending, self._pending = self._pending, defaultdict(dict)
            try:
                for there, values in pending.items():
                    await self._patience.until_done("keep", partial(self._shelf.keep, there, values))
            except BaseException:  # cut off: the others who wait here write it
                for there, values in pending.items():
                    self._pending[there] = values | self._pending[there]
                raise


def _now_ms() -> int:
    return int(time.time() * 1000)
