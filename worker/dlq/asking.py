"""What the four commands ask for, and what they share: which topics that means, and how far they have come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from worker import parts
from worker.dlq.filters import Filters
from worker.dlq.letter import Place
from worker.dlq.marks import State
from worker.dlq.reading import Extent, reading
from worker.dlq.selecting import Events, Found, Selection
from worker.errors import SettingsError, WorkerError
from worker.ledger.store import Store
from worker.settings import Settings
from worker.stream import config

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which letters: `filters`, of which `topics` may be source topics too, and the states that are meant."""

    filters: Filters
    states: tuple[State, ...]


def topics_of(settings: Settings, named: Collection[str], places: Collection[Place]) -> tuple[str, ...]:
    """The dead-letter topics to read. Raises SettingsError for a name that is neither theirs nor a source topic's."""
    sources, suffix = config.event_types(settings.topics), settings.topics.dead_letter_suffix
    given = list(named) or [place.topic for place in places] or list(sources)
    wrong = sorted({topic for topic in given if topic not in sources and not topic.endswith(suffix)})
    if wrong:
        known = ", ".join(sources)
        raise SettingsError(
            [f"{topic} is no source topic ({known}) and does not end with {suffix}, as theirs do" for topic in wrong]
        )
    return tuple(dict.fromkeys(topic + suffix if topic in sources else topic for topic in given))


@dataclass(frozen=True, slots=True)
class Search:
    """A search that goes on: `found` gives the letters, batch by batch; `extent` and `counts` are what was there."""

    extent: Extent
    selection: Selection
    found: AsyncIterator[list[Found]]


@asynccontextmanager
async def searching(
    asked: Asked, settings: Settings, store: Store, events: Events, tell: Tell
) -> AsyncIterator[Search]:
    """Finds letters for as long as the context lasts. Raises SettingsError and WorkerError, also between batches."""
    topics = topics_of(settings, asked.filters.topics, asked.filters.places)
    filters = replace(asked.filters, topics=topics)
    selection = Selection(filters, asked.states, group=settings.kafka.group_id, shelf=store, events=events)
    async with reading(settings, topics, filters.places) as log:
        if missing := [topic for topic in log.extent.missing if asked.filters.topics or asked.filters.places]:
            raise WorkerError(f"there is no topic {', '.join(missing)}")

        async def found() -> AsyncIterator[list[Found]]:
            seen = 0
            async for batch in log.batches:
                seen += len(batch)
                tell(f"{seen:,} of {log.extent.offsets:,} records read")
                yield await selection.of(batch)

        yield Search(log.extent, selection, found())


@asynccontextmanager
async def ledger(settings: Settings, *, write: bool) -> AsyncIterator[Store]:
    """The ledger's database. Raises SettingsError, LedgerUnavailable; WorkerError for none, or one of another version.

    None is made: in another ledger than the worker's, every call would be made again.
    """
    store = parts.store(settings.ledger)
    try:
        await store.attach()
        if write:
            await store.close()
            store = parts.store(settings.ledger)
            await store.open()
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def events_of(settings: Settings) -> AsyncIterator[Events]:
    """Who reads the events. Raises SettingsError."""
    events = Events(settings)
    try:
        yield events
    finally:
        await events.close()
