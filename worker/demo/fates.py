"""What must become of a record: the generator says it beforehand, the books compare.

This table is the only place that knows how today's worker ends each kind of event.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, Literal

from worker.telemetry.names import Reason

Ending = Literal["done", "again", "refused", "partly", "failed", "buried", "skipped"]
"""done: the calls took effect. again: they had been made before. refused: Rokt answered 400 or 422. partly, failed:
some or all items fail inside a 200. buried: dead-lettered without a call. skipped: nothing to do."""

LETTER: Final[dict[Ending, Reason]] = {
    "again": "rejected",
    "refused": "rejected",
    "partly": "item-rejected",
    "failed": "item-rejected",
}


class Kind(Enum):
    """The kinds of records, in the order of the report: what the shop published, and what must become of it."""

    PAID = ("orders paid for", "confirmed once")
    PLAIN = ("orders without a Rokt item", "told to Rokt once")
    CANCELLED = ("orders cancelled, some partly", "items cancelled once")
    ABANDONED = ("carts abandoned", "reservations released once")
    REPEATED = ("the same record again", "no second effect (Rokt: 409)")
    REPUBLISHED = ("the same event, new eventId", "no second effect (Rokt: 409)")
    ITEM_FAILS = ("orders with an item that fails", "dead letter, the rest confirmed")
    GARBLED = ("poison: bytes of no event", "dead letter: undecodable")
    ILL_FORMED = ("poison: missing or wrong field", "dead letter: invalid")
    REFUSED = ("poison: a call Rokt refuses", "dead letter: rejected")
    UNNAMED = ("cancels that name no item", "dead letter: nothing-to-cancel")
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
    """`calls` is how many calls the record asks for; they all end alike. `reason` is there for the buried."""

    kind: Kind
    ending: Ending
    calls: int = 1
    reason: Reason | None = None
