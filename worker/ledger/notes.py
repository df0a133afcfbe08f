"""Which ids a call was begun for: what finds the calls of a cart, an order, an event, a trace or a reservation. Pure.

An index on one of them adds some 8 % to what the ledger costs every event, for questions that a person asks now and
then. So a transaction leaves one note of all the calls that it begins, behind the others: the calls' keys, and four
bytes for each of their ids. To search is to go through the notes, some 60 bytes a call; what is found may be another
call's, and its row tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import pack
from typing import Final
from zlib import crc32

DAY_MS: Final = 86_400_000


@dataclass(slots=True)
class Notes:
    """Of one transaction: the keys of its calls, and the ids that they were begun for or that Rokt answered."""

    keys: list[str] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)

    def add(self, key: str, ids: Iterable[str | None]) -> None:
        """One call, and ids of it, of which some may be missing."""
        self.keys.append(key)
        self.ids += ids

    def __bool__(self) -> bool:
        return bool(self.keys)


@dataclass(frozen=True, slots=True)
class Searched:
    """Keys of calls that may have been begun for an id; `place` is where to go on, None at the end.

    `oldest_ms` is the time of the oldest note that was looked at, None when there was none.
    """

    keys: tuple[str, ...]
    place: int | None
    oldest_ms: int | None


def mark(id_: str) -> bytes:
    """The four bytes that stand for an id."""
    return pack(">I", crc32(id_.encode()))


def packed(notes: Notes) -> tuple[bytes, str]:
    """A transaction's notes as they are stored: the marks of the ids, and the keys of the calls, a line each."""
    marks = [*map(crc32, map(str.encode, filter(None, notes.ids)))]
    return pack(f">{len(marks)}I", *marks), "\n".join(notes.keys)


def unpacked(keys: str) -> list[str]:
    """The keys of a stored note."""
    return keys.split("\n")
