"""From records of dead-letter topics to the letters that are meant, with what became of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from worker import parts
from worker.decode.decoder import Decoded, Decoder, Undecodable
from worker.dlq.counting import Counts
from worker.dlq.filters import Filters
from worker.dlq.letter import Foreign, Letter, read
from worker.dlq.marks import Mark, Shelf, State, room, state_of, understood
from worker.errors import RegistryUnavailable
from worker.record import Record
from worker.settings import Settings
from worker.stream import config


@dataclass(frozen=True, slots=True)
class Found:
    """A letter, and its mark. `decoded` is what is in it, None while nobody has looked."""

    letter: Letter
    mark: Mark | None
    decoded: Decoded | None

    @property
    def state(self) -> State:
        """What became of it."""
        return state_of(self.mark)


class Events:
    """The events in letters, read as the worker does. `unavailable` is why some could not be, if so."""

    def __init__(self, settings: Settings) -> None:
        self._registry = parts.registry(settings.registry)
        self._decoder = Decoder(config.event_types(settings.topics), self._registry)
        self.unavailable = ""

    async def read(self, letter: Letter) -> Decoded:
        """What is in a letter. Raises RegistryUnavailable."""
        return await self._decoder.decode(letter.source.topic, letter.original.value)

    async def try_to_read(self, letter: Letter) -> Decoded:
        """The same; but a registry that does not answer is asked once, and what it is needed for stays unread."""
        if self.unavailable:
            return Undecodable(self.unavailable)
        try:
            return await self.read(letter)
        except RegistryUnavailable as error:
            self.unavailable = str(error)
            return Undecodable(self.unavailable)

    async def close(self) -> None:
        """Gives back the registry's connections."""
        if self._registry is not None:
            await self._registry.close()


class Selection:
    """Takes records batch by batch and keeps none; `counts` has all that was seen.

    `states`: which letters are asked for; `group`: whose they have to be.
    """

    def __init__(
        self, filters: Filters, states: Collection[State], *, group: str, shelf: Shelf, events: Events
    ) -> None:
        self._filters = filters
        self._states = states
        self._group = group
        self._shelf = shelf
        self._events = events
        self.counts = Counts()

    async def of(self, records: Sequence[Record]) -> list[Found]:
        """The letters among them that are meant. Raises LedgerUnavailable, and WorkerError for marks of no version."""
        letters = [letter for record in records if (letter := self._ours(record)) is not None]
        marks = await marks_of(self._shelf, letters)
        found: list[Found] = []
        for letter in letters:
            decoded = await self._events.read(letter) if self._filters.about_events else None
            if self._filters.admit_event(decoded):
                mark = marks.get(letter.place)
                wanted = state_of(mark) in self._states
                self.counts.letter(letter, mark, wanted=wanted)
                if wanted:
                    found.append(Found(letter, mark, decoded))
        return found

    def _ours(self, record: Record) -> Letter | None:
        letter = read(record)
        if isinstance(letter, Foreign):
            if not self._filters.places or letter.place in self._filters.places:
                self.counts.stranger(letter)
            return None
        if not self._filters.admit(letter):
            return None
        if letter.group != self._group:
            self.counts.other(letter)
            return None
        return letter


async def marks_of(shelf: Shelf, letters: Sequence[Letter]) -> dict[tuple[str, int, int], Mark]:
    """The marks of these letters, by their places."""
    rooms: dict[tuple[str, int], list[Letter]] = defaultdict(list)
    for letter in letters:
        rooms[letter.place.topic, letter.place.partition].append(letter)
    found: dict[tuple[str, int, int], Mark] = {}
    for partition, there in rooms.items():
        offsets = [letter.place.offset for letter in there]
        kept = await shelf.kept(room(*partition), min(offsets), max(offsets) + 1)
        for letter in there:
            if (mark := understood(kept.get(letter.place.offset), letter)) is not None:
                found[letter.place] = mark
    return found
