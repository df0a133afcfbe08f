"""Counts of dead letters, taken one by one in memory that does not grow with them. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from worker.dlq.letter import Foreign, Letter
from worker.dlq.marks import Mark, State, state_of
from worker.keys import Operation
from worker.telemetry.names import Reason

T = TypeVar("T")

FOREIGN_KEPT: Final = 20
GROUPS_KEPT: Final = 100


class Kind(NamedTuple):
    """What letters are counted by."""

    topic: str
    reason: Reason
    operation: Operation | None
    http_status: int | None


@dataclass(slots=True)
class Count:
    """How many there are in each state, and when those that are asked for were given up first and last."""

    states: Counter[State] = field(default_factory=Counter)
    oldest_ms: int | None = None
    newest_ms: int | None = None


@dataclass(slots=True)
class Counts:
    """All that was read. `others` are letters of other groups; of foreign records the first few are kept."""

    states: Counter[State] = field(default_factory=Counter)
    kinds: dict[Kind, Count] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    foreign: int = 0
    first_foreign: list[Foreign] = field(default_factory=list)

    def letter(self, letter: Letter, mark: Mark | None, *, wanted: bool) -> None:
        """One that the filters admit; `wanted`: its state is asked for, too."""
        state = state_of(mark)
        count = self.kinds.setdefault(_kind(letter), Count())
        count.states[state] += 1
        self.states[state] += 1
        if wanted:
            at = letter.failed_at_ms
            count.oldest_ms = at if count.oldest_ms is None else min(count.oldest_ms, at)
            count.newest_ms = at if count.newest_ms is None else max(count.newest_ms, at)

    def other(self, letter: Letter) -> None:
        """One of another group."""
        self.others[letter.group if letter.group in self.others or len(self.others) < GROUPS_KEPT else "..."] += 1

    def stranger(self, foreign: Foreign) -> None:
        """A record that is no letter."""
        self.foreign += 1
        if len(self.first_foreign) < FOREIGN_KEPT:
            self.first_foreign.append(foreign)

    def asked_for(self) -> list[tuple[Kind, Count]]:
        """The kinds of which there are letters in a state that is asked for, in order."""
        found = [(kind, count) for kind, count in self.kinds.items() if count.oldest_ms is not None]
        return sorted(found, key=lambda each: tuple(map(str, each[0])))


class Newest(Generic[T]):
    """The newest so many of what is offered, by when they were given up."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[tuple[int, int, T]] = []
        self._offered = 0

    def wants(self, at_ms: int) -> bool:
        """Whether one of this time would be kept."""
        return self._limit > 0 and (len(self._kept) < self._limit or at_ms > self._kept[0][0])

    def offer(self, at_ms: int, what: T) -> None:
        """One more; of the same time the first stays."""
        self._offered += 1
        place = (at_ms, -self._offered, what)
        if len(self._kept) < self._limit:
            heapq.heappush(self._kept, place)
        elif self.wants(at_ms):
            heapq.heapreplace(self._kept, place)

    def __iter__(self) -> Iterator[T]:
        return (what for _, _, what in sorted(self._kept, key=lambda each: each[:2], reverse=True))


def _kind(letter: Letter) -> Kind:
    return Kind(letter.place.topic, letter.reason, letter.operation, letter.http_status)
