"""How far a replay has come: a row for each of its stretches, kept in the ledger's database, and added to by whoever
works on it.

A row says up to which offset a stretch is behind the replay, and what became of the records until there. Both are
written together, and only in place of what the writer knew (compare-and-set): so each offset is counted once, whichever
processes had the partition, at the same time too, and wherever one crashed. Who comes too late drops its own counts of
what is counted already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from worker.errors import CannotReplay, WorkerError
from worker.replay.keeping import room
from worker.replay.plan import ANOTHER, Partition, Plan, Stretch
from worker.replay.request import Come, Part
from worker.replay.tally import Tally

FIRST: Final = 1
TRIES: Final = 100


class Shelf(Protocol):
    """Where it is kept; a `Store` and a `Ledger` are one."""

    async def kept(self, room: str, first: int, last: int) -> dict[int, str]:
        """See `Store.kept`."""

    async def swap(self, room: str, number: int, old: str | None, new: str) -> bool:
        """See `Store.swap`."""


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    topic: str
    partition: int
    start: int
    end: int
    upto: int
    counts: dict[Part, int]
    calls: int
    begun_at_ms: int
    changed_at_ms: int


@dataclass(frozen=True, slots=True)
class _Known:
    """A row as it was last seen, and the text that it was; None: nothing is kept of it yet."""

    row: _Row
    text: str | None


class Progress:
    """The rows as they were last seen, and what this process adds to them. On one event loop.

    What the shelf raises is passed on; what was to be added then still is.
    """

    def __init__(self, shelf: Shelf, plan: Plan, now_ms: Callable[[], int]) -> None:
        self._shelf = shelf
        self._room = room(plan.name)
        self._now_ms = now_ms
        self._numbers = {(s.topic, s.partition): FIRST + n for n, s in enumerate(plan.stretches)}
        self._stretches = {(s.topic, s.partition): s for s in plan.stretches}
        self._known: dict[Partition, _Known] = {}

    async def look(self) -> Come:
        """Reads all rows; how far all processes have come."""
        kept = await self._shelf.kept(self._room, FIRST, FIRST + len(self._numbers))
        for partition, number in self._numbers.items():
            self._known[partition] = self._read(partition, kept.get(number))
        return self.come()

    def come(self) -> Come:
        """How far it had come as the rows were last seen."""
        return _come(self._stretches.values(), (known.row for known in self._known.values() if known.text is not None))

    def upto(self, partition: Partition) -> int | None:
        """How far a stretch had come as it was last seen; None for what is none."""
        known = self._known.get(partition)
        return None if known is None else known.row.upto

    async def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Where those go on that belong to the replay: the offset that is to be read next; its end, if it is done."""
        await self.look()
        return {partition: self._known[partition].row.upto for partition in partitions if partition in self._known}

    async def add(self, partition: Partition, tally: Tally, upto: int) -> None:
        """Adds what is below `upto`, all of which is settled from where the tally was begun."""
        for _ in range(TRIES):
            known = self._known[partition]
            before = known.row
            if upto <= before.upto:
                tally.forget(before.upto)
                return
            row = self._with(before, tally, upto)
            text = msgspec.json.encode(row, order="deterministic").decode()
            number = self._numbers[partition]
            if await self._shelf.swap(self._room, number, known.text, text):
                self._known[partition] = _Known(row, text)
                tally.forget(upto)
                return
            kept = await self._shelf.kept(self._room, number, number + 1)
            self._known[partition] = self._read(partition, kept.get(number))
        raise WorkerError(f"what became of {partition[0]}/{partition[1]} could not be kept: others keep writing it")

    def _with(self, before: _Row, tally: Tally, upto: int) -> _Row:
        counts, calls = tally.counts(before.upto, upto)
        return msgspec.structs.replace(
            before,
            upto=upto,
            counts=dict(Counter(before.counts) + counts),
            calls=before.calls + calls,
            changed_at_ms=self._now_ms(),
        )

    def _read(self, partition: Partition, text: str | None) -> _Known:
        s, now = self._stretches[partition], self._now_ms()
        if text is not None:
            return _Known(_row(s, text), text)
        return _Known(_Row(s.topic, s.partition, s.start, s.end, s.start, {}, 0, now, now), None)


async def come(shelf: Shelf, plan: Plan) -> Come:
    """How far a replay that is kept has come, and all its processes with it."""
    return await Progress(shelf, plan, lambda: 0).look()


def _row(stretch: Stretch, text: str) -> _Row:
    place = f"{stretch.topic}/{stretch.partition}"
    try:
        row = msgspec.json.decode(text, type=_Row)
    except msgspec.MsgspecError as error:
        raise CannotReplay(f"how far it has come in {place} cannot be read: {error}", ANOTHER) from None
    if Stretch(row.topic, row.partition, row.start, row.end) != stretch:
        raise CannotReplay(f"what is kept of {place} is about another stretch than the plan's", ANOTHER)
    return row


def _come(stretches: Iterable[Stretch], rows: Iterable[_Row]) -> Come:
    counts: Counter[Part] = Counter()
    begun: list[_Row] = []
    for row in rows:
        counts.update(row.counts)
        begun.append(row)
    offsets = sum(row.upto - row.start for row in begun)
    return Come(
        offsets=offsets,
        counts=_in_order(counts),
        calls=sum(row.calls for row in begun),
        finished=offsets >= sum(stretch.offsets for stretch in stretches),
        begun_at_ms=min((row.begun_at_ms for row in begun), default=None),
        changed_at_ms=max((row.changed_at_ms for row in begun), default=None),
    )


def _in_order(counts: Counter[Part]) -> Mapping[Part, int]:
    return dict(sorted(counts.items()))
