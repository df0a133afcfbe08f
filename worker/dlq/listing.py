"""How many dead letters there are, of which kind, and if asked each of the newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.dlq import document
from worker.dlq.asking import Asked, Tell, events_of, ledger, searching
from worker.dlq.counting import Counts, Newest
from worker.dlq.reading import Extent
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Listing:
    """`each`: the newest letters as rows, None where they were not asked for; `remarks` are for standard error."""

    counts: Counts
    extent: Extent
    each: list[dict[str, Any]] | None
    remarks: list[str]


async def listed(asked: Asked, each: int | None, settings: Settings, tell: Tell) -> Listing:
    """Raises SettingsError, and WorkerError when the ledger or the brokers cannot be read. Nothing is changed."""
    newest: Newest[dict[str, Any]] = Newest(each or 0)
    link = settings.tracing.link
    async with (
        ledger(settings, write=False) as store,
        events_of(settings) as events,
        searching(asked, settings, store, events, tell) as search,
    ):
        async for batch in search.found:
            for found in batch:
                letter = found.letter
                if newest.wants(letter.failed_at_ms):
                    decoded = found.decoded if found.decoded is not None else await events.try_to_read(letter)
                    newest.offer(letter.failed_at_ms, document.row(letter, found.mark, decoded, link))
    remarks = [f"There is no topic {topic} (yet)." for topic in search.extent.missing]
    if events.unavailable:
        remarks.append(f"Carts and orders of some letters are not known: {events.unavailable}.")
    return Listing(search.selection.counts, search.extent, None if each is None else list(newest), remarks)
