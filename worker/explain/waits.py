"""What is not over yet, and what it waits for, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from worker.carts import Names, Order
from worker.events import instant, rfc3339
from worker.explain.happenings import tries
from worker.explain.story import Story
from worker.ledger.entries import Entry
from worker.mapping import CallItem


def waits(story: Story) -> list[str]:
    """A sentence for each thing that is open; none when all is over."""
    said = [sentence for entry in story.calls for sentence in _call(story, entry)]
    for order in story.orders.values():
        said += _order(story, order)
    return said


def _call(story: Story, entry: Entry) -> Iterator[str]:
    call = f"{entry.operation} {entry.key}"
    since = rfc3339(instant(entry.begun_at_ms))
    if entry.status is not None:
        if not entry.published:
            letter = " and the dead letter" if entry.death is not None else ""
            yield (
                f"The outcome{letter} of {call} is not written yet: worker {entry.owner} is about to write it."
                if entry.owner in story.live
                else f"The outcome{letter} of {call} is not written yet: whoever reads its event again writes it."
            )
        return
    attempts = f" after {tries(entry.attempts)}" if entry.attempts else ""
    if story.in_flight(entry):
        yield f"{call} is in flight: worker {entry.owner} has it since {since}{attempts}, and lives."
        yield f"What else concerns its items waits for {call} to settle."
        return
    sent = " An attempt at it may have reached Rokt." if entry.maybe_sent or entry.owner is not None else ""
    if entry.owner is not None:
        yield (
            f"{call} was begun at {since} by worker {entry.owner}, which is gone: whoever reads its event again "
            f"takes it over.{sent}"
        )
    else:
        yield f"{call} was given back{attempts}: it waits for its event to be read again.{sent}"


def _order(story: Story, order: Order) -> Iterator[str]:
    for key, begun in order.under_way.items():
        if begun.owner is None and any(entry.key == key and entry.status is not None for entry in story.calls):
            yield f"Whether Rokt did confirm {key} of order {order.id} is not known; a cancel is sent all the same."
    if order.whole:
        open_items = [item for item in order.items if not _over(story, item)]
        if not order.settled:
            yield f"Order {order.id} is called off as a whole; a confirm that is still to come will not be sent."
    else:
        open_items = [item for item in order.called_off if not _over(story, item)]
    for item in sorted(open_items, key=_name):
        known = item in Names(order.items)
        state = "confirmed" if known else "not confirmed for the order"
        yield f"{_name(item)} of order {order.id} is called off, is {state}, and its cancel has not succeeded."


def _over(story: Story, item: CallItem) -> bool:
    """Whether Rokt has acknowledged the cancel of an item, or all those that an item of a cart may stand for."""
    if item.item_reservation_id is None:
        cancelled = (i.cart_item_id for e in story.calls if e.operation == "cancel" for i in e.items if i.success)
        return item.cart_item_id in set(cancelled)
    reservation = story.reservations.get(item.item_reservation_id)
    return reservation is not None and reservation.state == "cancelled"


def _name(item: CallItem) -> str:
    return f"Reservation {item.item_reservation_id}" if item.item_reservation_id else f"Item {item.cart_item_id}"
