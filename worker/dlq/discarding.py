"""Puts dead letters aside for good: who, when and why is remembered; the letters stay where they are."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from worker.dlq.asking import Asked, Tell, events_of, ledger, searching
from worker.dlq.counting import Counts
from worker.dlq.marks import Mark, Shelf, identity, room, written
from worker.dlq.selecting import Found
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Discarding:
    """How many were discarded, or would be; `counts` is how it stood before."""

    letters: int
    counts: Counts


async def discarded(
    asked: Asked, settings: Settings, tell: Tell, *, by: str, because: str, dry_run: bool
) -> Discarding:
    """Raises SettingsError, and WorkerError when the ledger or the brokers cannot be asked: it may be done again."""
    letters = 0
    async with (
        ledger(settings, write=not dry_run) as store,
        events_of(settings) as events,
        searching(asked, settings, store, events, tell) as search,
    ):
        async for batch in search.found:
            if not dry_run:
                await _mark(store, batch, by, because)
            letters += len(batch)
    return Discarding(letters, search.selection.counts)


async def _mark(shelf: Shelf, batch: Sequence[Found], by: str, because: str) -> None:
    at_ms = int(time.time() * 1000)
    rooms: dict[str, dict[int, str]] = defaultdict(dict)
    for found in batch:
        place = found.letter.place
        mark = Mark("discarded", identity(found.letter), at_ms, by=by, because=because)
        rooms[room(place.topic, place.partition)][place.offset] = written(mark)
    for there, values in rooms.items():
        await shelf.keep(there, values)
