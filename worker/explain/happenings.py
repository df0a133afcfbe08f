"""What happened, one line each, in time order. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from worker.explain.story import Story
from worker.keys import Operation
from worker.ledger.entries import Entry
from worker.rokt.answers import ItemAnswer

What = Literal["event", "call", "settled", "outcome", "dead-letter", "redrive", "discard"]
EVENTS: Final[dict[Operation, str]] = {
    "confirm": "CheckoutCompleted",
    "cancel": "OrderCancelled",
    "release": "CartAbandoned",
}
ITEMS_TOLD: Final = 10


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, in words; `at_ms` None when nobody knows when. `place` is where a record stands.

    `bad`: somebody should look at it. `order` tells what comes first of what happened in the same millisecond.
    """

    at_ms: int | None
    what: What
    text: str
    order: int = 0
    key: str | None = None
    trace_id: str | None = None
    place: tuple[str, int, int] | None = None
    bad: bool = False


def in_time_order(happenings: Iterable[Happening]) -> list[Happening]:
    """Oldest first; what has no time comes last."""
    return sorted(happenings, key=lambda each: (each.at_ms is None, each.at_ms or 0, each.order))


def from_ledger(story: Story) -> list[Happening]:
    """What the ledger says: the events that it names, each once, and of each call its beginning and its end."""
    events: dict[tuple[str, int, int], Happening] = {}
    calls: list[Happening] = []
    for entry in story.calls:
        origin = entry.origin
        place = (origin.topic, origin.partition, origin.offset)
        events.setdefault(
            place,
            Happening(
                origin.occurred_at_ms,
                "event",
                f"{EVENTS[entry.operation]} {origin.event_id}",
                trace_id=origin.trace_id,
                place=place,
            ),
        )
        calls += _call(entry)
    return [*events.values(), *calls]


def _call(entry: Entry) -> list[Happening]:
    told: list[Happening] = []
    key, trace_id = entry.sent_key, entry.origin.trace_id
    if entry.status != "superseded":
        redo = f" again, after {entry.redo} {'rejection' if entry.redo == 1 else 'rejections'}" if entry.redo else ""
        again = f", {tries(entry.attempts)} before" if entry.status is None and entry.attempts else ""
        by = f" by worker {entry.owner}" if entry.owner else ""
        text = f"{entry.operation} begun{redo}{by}{again}"
        told.append(Happening(entry.begun_at_ms, "call", text, order=1, key=key, trace_id=trace_id))
    if entry.status is not None:
        told.append(
            Happening(
                entry.settled_at_ms,
                "settled",
                settled(entry),
                order=2,
                key=key,
                trace_id=trace_id,
                bad=entry.status in ("rejected", "dead", "partial"),
            )
        )
    return told


def settled(entry: Entry) -> str:
    """What became of a call: `confirm succeeded, HTTP 200, 2 attempts: item i-1 reservation r-1 confirmed as c-1`."""
    said = [f"{entry.operation} {entry.status}"]
    if entry.status == "superseded":
        said[0] += ", not sent"
    if entry.http_status is not None:
        said.append(f"HTTP {entry.http_status}")
    if entry.attempts:
        said.append(tries(entry.attempts))
    if entry.death is not None:
        said.append(f"dead letter to write: {entry.death.reason}, {entry.death.message}")
    if not entry.published:
        said.append("its outcome is not written yet")
    more = len(entry.items) - ITEMS_TOLD
    items = "; ".join(map(_item, entry.items[:ITEMS_TOLD])) + (f"; and {more} more" if more > 0 else "")
    return ", ".join(said) + (f": {items}" if items else "")


def tries(count: int) -> str:
    """A number of attempts, in words."""
    return "1 attempt" if count == 1 else f"{count} attempts"


def _item(item: ItemAnswer) -> str:
    words = [f"item {item.cart_item_id}" if item.cart_item_id else "item"]
    if item.item_reservation_id:
        words.append(f"reservation {item.item_reservation_id}")
    if item.item_confirmation_id:
        words.append(f"confirmation {item.item_confirmation_id}")
    words.append("done" if item.success else "not done")
    return " ".join(words)
