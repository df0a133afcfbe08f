"""The answer for people: sections of rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from worker.carts import Order, Reservation
from worker.explain.document import linked, moment
from worker.explain.happenings import Happening
from worker.explain.story import Story
from worker.mapping import CallItem

SEEN_AS: Final = {
    "key": "an idempotency key",
    "trace": "a trace",
    "event": "an event",
    "order": "an order",
    "cart": "a cart",
    "reservation": "a reservation",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A heading over rows of text, all of one length."""

    heading: str
    rows: Sequence[tuple[str, ...]]


def sections(story: Story, happenings: Iterable[Happening], link: str | None, waits: Sequence[str]) -> list[Section]:
    """All that is told, in the order in which it is read."""
    known = " and ".join(SEEN_AS[kind] for kind in story.kinds) or "nothing that the ledger knows"
    told = [
        Section(f"{story.id} is {known}", [_row(each, link) for each in happenings]),
        Section("Reservations", [_reservation(story, each) for each in story.reservations.values()]),
        Section("Orders", [_order(order) for order in story.orders.values()]),
        Section("Open", [(sentence,) for sentence in waits] or [("nothing: all of it is settled",)]),
    ]
    return [section for section in told if section.rows or section is told[0]]


def _row(each: Happening, link: str | None) -> tuple[str, ...]:
    place = "{}/{}/{}".format(*each.place) if each.place is not None else ""
    key = f"key {each.key}" if each.key else ""
    trace = linked(link, each.trace_id) or (f"trace {each.trace_id}" if each.trace_id else "")
    behind = "  ".join(part for part in (place, key, trace) if part)
    return moment(each.at_ms) or "at no known time", each.what, f"{each.text}  {behind}".rstrip()


def _reservation(story: Story, each: Reservation) -> tuple[str, ...]:
    state = each.state or "nothing acknowledged"
    if each.pending is None:
        return each.id, state, ""
    whose = "in flight" if each.owner in story.live else "cut short, so perhaps done"
    return each.id, state, f"{each.pending} {each.key} {whose}"


def _order(order: Order) -> tuple[str, ...]:
    confirms = f"confirms settled: {order.settled}, open or of unknown outcome: {len(order.under_way)}"
    if order.whole:
        return order.id, confirms, "called off as a whole"
    named = ", ".join(sorted(map(_name, order.called_off)))
    return order.id, confirms, f"called off: {named}" if named else "nothing called off"


def _name(item: CallItem) -> str:
    return f"reservation {item.item_reservation_id}" if item.item_reservation_id else f"item {item.cart_item_id}"
