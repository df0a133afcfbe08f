"""What must become of a record: the generator says it beforehand, the books compare.

These tables are the only place that knows how the worker ends each kind of event.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, Literal

from worker.telemetry.names import Reason

Ending = Literal["done", "before", "superseded", "refused", "partly", "failed", "buried", "skipped"]
"""done: the calls took effect. before: they had been made for an earlier record, nothing happens. superseded: the
ledger says that they must not be made. refused: Rokt answered 400 or 422. partly, failed: some or all items fail inside
a 200. buried: dead-lettered without a call. skipped: nothing to do."""

ENDS: Final[dict[Ending, frozenset[tuple[str, int | None]]]] = {
    "done": frozenset({("succeeded", 200), ("duplicate", 409)}),
    "superseded": frozenset({("superseded", None)}),
    "refused": frozenset({("rejected", 400), ("rejected", 422)}),
    "partly": frozenset({("partial", 200)}),
    "failed": frozenset({("rejected", 200)}),
}
"""The status of an outcome with the HTTP status of the answer behind it; of the other endings there is no outcome."""

SENT: Final[frozenset[Ending]] = frozenset({"done", "refused", "partly", "failed"})
"""Endings with calls; of the others none may reach Rokt."""

LETTER: Final[dict[Ending, Reason]] = {
    "refused": "rejected",
    "partly": "item-rejected",
    "failed": "item-rejected",
}


class Kind(Enum):
    """The kinds of records, in the order of the report: what the shop published, and what must become of it."""

    PAID = ("orders paid for", "confirmed once")
    PLAIN = ("orders without a Rokt item", "told to Rokt once")
    CANCELLED = ("orders cancelled, some partly", "items cancelled once")
    WHOLE = ("orders cancelled, no item named", "each confirmed item cancelled")
    ABANDONED = ("carts abandoned", "reservations released once")
    REPEATED = ("the same record again", "no call, no second outcome")
    REPUBLISHED = ("the same event, new eventId", "no call, no second outcome")
    SOLD = ("race: abandoned, but bought", "superseded: no release is sent")
    PARTLY_SOLD = ("race: abandoned, partly bought", "what is not sold is released")
    EARLY = ("race: cancel before its confirm", "waits for it; cancelled once")
    LATE = ("race: paid after its cancel", "superseded: no confirm is sent")
    TOO_LATE = ("race: paid after its release", "dead letter: item-rejected")
    ITEM_FAILS = ("orders with an item that fails", "dead letter, the rest confirmed")
    GARBLED = ("poison: bytes of no event", "dead letter: undecodable")
    ILL_FORMED = ("poison: missing or wrong field", "dead letter: invalid")
    REFUSED = ("poison: a call Rokt refuses", "dead letter: rejected")
    NOTHING = ("cancels of nothing confirmed", "dead letter: nothing-to-cancel")
    UNRESERVED = ("carts with nothing reserved", "skipped")
    TOMBSTONE = ("tombstones", "skipped")

    def __init__(self, label: str, ends: str) -> None:
        self.label = label
        self.ends = ends

    @property
    def key(self) -> str:
        """Its name in the JSON report."""
        return self.name.lower()


class State(StrEnum):
    """The states that a reservation can end in here."""

    HELD = "held"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Fate:
    """`outcomes` is how many there must be, one for each call that is asked for; all end alike.

    `reason` is there for the buried.
    """

    kind: Kind
    ending: Ending
    outcomes: int = 1
    reason: Reason | None = None

    @property
    def letters(self) -> tuple[Reason, ...]:
        """The reasons of its dead letters."""
        if self.reason is not None:
            return (self.reason,)
        return (LETTER[self.ending],) * self.outcomes if self.ending in LETTER else ()
