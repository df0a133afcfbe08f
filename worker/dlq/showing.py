"""One dead letter: why it is there, what is in it, what the ledger knows of its call, and what can be done."""

from __future__ import annotations

from typing import Any

from worker.decode.decoder import Decoded
from worker.dlq import document
from worker.dlq.asking import events_of, ledger, topics_of
from worker.dlq.filters import event_of, order_of
from worker.dlq.letter import Foreign, Letter, Place, read
from worker.dlq.reading import reading
from worker.dlq.selecting import marks_of
from worker.errors import WorkerError
from worker.events import Event, OrderCancelled
from worker.keys import cancel_key
from worker.ledger.entries import Entry, Touched
from worker.ledger.store import Store
from worker.mapping import Call, map_event
from worker.settings import Settings


async def shown(place: Place, settings: Settings) -> dict[str, Any]:
    """The letter as a document. Raises SettingsError; WorkerError where there is none, or nobody can be asked."""
    topics_of(settings, (), (place,))
    async with ledger(settings, write=False) as store, events_of(settings) as events:
        letter = await _letter(place, settings)
        decoded = await events.try_to_read(letter)
        mark = (await marks_of(store, [letter])).get(letter.place)
        calls = await _calls(store, letter, decoded)
    link = settings.tracing.link
    return document.whole(letter, mark, decoded, calls, group=settings.kafka.group_id, link=link)


async def _letter(place: Place, settings: Settings) -> Letter:
    async with reading(settings, (place.topic,), (place,)) as log:
        if log.extent.missing:
            raise WorkerError(f"there is no topic {place.topic}")
        async for batch in log.batches:
            for record in batch:
                found = read(record)
                if isinstance(found, Foreign):
                    raise WorkerError(f"{place} is no dead letter of a worker: {found.wrong}")
                return found
    raise WorkerError(f"there is no record at {place}; rokt-worker dlq list --each says where there are some")


async def _calls(store: Store, letter: Letter, decoded: Decoded) -> list[Entry]:
    """The calls of its event, as the ledger has them now."""
    event = event_of(decoded)
    keys = {letter.key} if letter.key else set()
    if event is not None:
        keys |= await _asked(store, event)
    page = await store.look(Touched((), (), tuple(sorted(keys))))
    return sorted(page.entries.values(), key=lambda entry: (entry.begun_at_ms, entry.key))


async def _asked(store: Store, event: Event) -> set[str]:
    """The keys of the calls that an event asks for; for a cancel, of those that may be meant."""
    asked = map_event(event)
    if isinstance(asked, Call):
        return {asked.key}
    if not isinstance(event, OrderCancelled):
        return set()
    page = await store.look(Touched((order_of(event) or "",), (), ()))
    confirmed = [item for order in page.orders.values() for item in order.items]
    named = {item.item_reservation_id for item in event.items if item.item_reservation_id}
    if any(not item.item_reservation_id for item in event.items) or not event.items:
        named |= {item.item_reservation_id for item in confirmed if item.item_reservation_id}
    return {cancel_key(event.order_id, reservation) for reservation in named}
