"""One question, answered: the ledger, then the topics if they are asked for, then all of it in time order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from worker import parts
from worker.explain.document import document, moment
from worker.explain.finding import Finder
from worker.explain.happenings import Happening, from_ledger, in_time_order
from worker.explain.records import Records, look_into
from worker.explain.screen import Section, sections
from worker.explain.story import Story
from worker.settings import Settings

HOUR_MS: Final = 3_600_000
UNKNOWN_MS: Final = 24 * HOUR_MS
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; `since_ms` None: as far back as the ledger goes."""

    id: str
    topics: bool
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """`known`: anything was found; `whole`: all that was to be read was. `remarks` are for standard error."""

    known: bool
    whole: bool
    document: dict[str, Any]
    sections: list[Section]
    remarks: list[str]


async def explained(question: Question, settings: Settings, tell: Tell) -> Answer:
    """Raises SettingsError, and WorkerError when the ledger cannot be read. `tell` hears how far it has come."""
    story = await _story(question, settings, tell)
    records = None
    if question.topics:
        records = await look_into(story, settings, _since(question, story), tell)
    happenings = _merged(from_ledger(story), records.happenings if records else [])
    known = bool(story.kinds or (records and records.happenings))
    link = settings.tracing.link
    answer = document(story, happenings, link, records.document if records else None)
    answer["waits"] += records.waits if records else []
    told = sections(story, happenings, link, answer["waits"]) if known else []
    whole = records is None or records.whole
    return Answer(known, whole, answer, told, _remarks(question, story, records, known=known))


async def _story(question: Question, settings: Settings, tell: Tell) -> Story:
    store = parts.store(settings.ledger)
    try:
        await store.attach()
        finder = Finder(
            store, since_ms=question.since_ms, progress=lambda ms: tell(f"the ledger, back to {moment(ms)}")
        )
        return await finder.find(question.id)
    finally:
        await store.close()


def _since(question: Question, story: Story) -> int:
    """From when topics are read: as asked, else an hour before the story begins, else the last day."""
    if question.since_ms is not None:
        return question.since_ms
    begun = [min(entry.begun_at_ms, entry.origin.occurred_at_ms) for entry in story.calls]
    return max(1, min(begun) - HOUR_MS if begun else story.now_ms - UNKNOWN_MS)


def _merged(ledger: list[Happening], topics: list[Happening]) -> list[Happening]:
    """An event that was read says more than the ledger's word of it."""
    read = {each.place for each in topics if each.what == "event"}
    return in_time_order([*(each for each in ledger if each.place is None or each.place not in read), *topics])


def _remarks(question: Question, story: Story, records: Records | None, *, known: bool) -> list[str]:
    said: list[str] = []
    if not known:
        back = moment(story.back_to_ms)
        reach = f"all its calls back to {back}" if back else "which has no calls yet"
        said.append(f"Nothing is known of {question.id}.")
        said.append(f"Searched: the ledger, {reach}, for a cart, order, reservation, event, idempotency key or trace.")
        if records is None:
            said.append("The topics were not searched; --topics does.")
    if not story.complete:
        said.append("Not all of the ledger was searched, or it names too many calls: older ones may be missing.")
    if records is not None:
        said += records.remarks
    return said
