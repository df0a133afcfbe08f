"""What became of a dead letter, as the ledger's database remembers it: Kafka keeps the letter itself. Pure.

A mark names the letter that it is about. In a topic that was made anew, offsets begin again: the marks of the letters
that stood there before say nothing of the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol

import msgspec

from worker.dlq.letter import Letter
from worker.errors import WorkerError

State = Literal["open", "redriven", "discarded"]
STATES: Final[tuple[State, ...]] = ("open", "redriven", "discarded")


class Shelf(Protocol):
    """What commands remember, in the ledger's database: texts by the number that they have in a room."""

    async def kept(self, room: str, first: int, last: int) -> dict[int, str]:
        """The texts with `first` <= number < `last`."""

    async def keep(self, room: str, values: Mapping[int, str]) -> None:
        """Puts texts there, in place of what was there."""

    async def swap(self, room: str, number: int, old: str | None, new: str) -> bool:
        """Puts a text where `old` stands (None: nothing does). Whether it stands there now."""

    async def drop(self, room: str, below: int) -> None:
        """Forgets what has a lower number."""


class Mark(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`state` "taken": somebody has begun to redrive it, and is believed to until `until_ms`.

    `result` is what became of a redriven letter's event; `by` and `because` who discarded a letter and why.
    """

    state: Literal["taken", "redriven", "discarded"]
    letter: str
    at_ms: int
    until_ms: int = 0
    result: str | None = None
    trace_id: str | None = None
    by: str | None = None
    because: str | None = None


def room(topic: str, partition: int) -> str:
    """Where the marks of a partition's letters are; each has its letter's offset as its number."""
    return f"letters/{topic}/{partition}"


def identity(letter: Letter) -> str:
    """What no other letter has: the record it was made of, and when it was given up."""
    return f"{letter.source}@{letter.failed_at_ms}"


def written(mark: Mark) -> str:
    """As it is kept."""
    return msgspec.json.encode(mark).decode()


def understood(text: str | None, letter: Letter) -> Mark | None:
    """The mark of this letter, if that is what is kept there. Raises WorkerError for one of a later version."""
    if text is None:
        return None
    try:
        mark = msgspec.json.decode(text, type=Mark)
    except msgspec.DecodeError:
        raise WorkerError(f"what the ledger remembers of {letter.place} is of another version of this worker") from None
    return mark if mark.letter == identity(letter) else None


def state_of(mark: Mark | None) -> State:
    """A letter that is only taken is open."""
    return "open" if mark is None or mark.state == "taken" else mark.state
