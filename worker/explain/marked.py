"""What people did with the dead letters of a story, as the ledger's database remembers it."""

from __future__ import annotations

from collections.abc import Iterable

from worker.dlq.asking import ledger
from worker.dlq.letter import Letter, read
from worker.dlq.marks import Mark, state_of
from worker.dlq.selecting import marks_of
from worker.explain.happenings import Happening
from worker.record import Record
from worker.settings import Settings


async def redriven(letters: Iterable[Record], settings: Settings) -> list[Happening]:
    """Those that were redriven or discarded. Raises WorkerError when the ledger cannot be read."""
    found = [letter for record in letters if isinstance(letter := read(record), Letter)]
    if not found:
        return []
    async with ledger(settings, write=False) as store:
        marks = await marks_of(store, found)
    return [_told(letter, mark) for letter in found if (mark := marks.get(letter.place)) and state_of(mark) != "open"]


def _told(letter: Letter, mark: Mark) -> Happening:
    if mark.state == "discarded":
        text = f"dead letter discarded by {mark.by}: {mark.because}"
        return Happening(mark.at_ms, "discard", text, order=5, key=letter.key, place=letter.place)
    bad = mark.result == "dead-lettered"
    text = f"dead letter redriven: {mark.result}{' again' if bad else ''}"
    trace_id, place = mark.trace_id, letter.place
    return Happening(mark.at_ms, "redrive", text, order=5, key=letter.key, trace_id=trace_id, place=place, bad=bad)
