"""From an event to the calls it asks for: bodies as bytes (worker/bodies.py), made once, and their keys. Pure."""

from __future__ import annotations

import re
from collections.abc import Container

from msgspec import Struct
from msgspec.structs import replace

from worker import bodies
from worker.events import (
    AbandonedItem,
    CancelledItem,
    CartAbandoned,
    CheckoutCompleted,
    CompletedItem,
    Event,
    OrderCancelled,
)
from worker.keys import Operation, cancel_key, confirm_key, release_key

LANGUAGE_KEPT = 64
LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")  # RFC 9110, section 12.5.4: language-range


class CallItem(Struct, frozen=True):
    """The ids of one item of a call, as the event gave them."""

    cart_item_id: str | None
    item_reservation_id: str | None


class Call(Struct, frozen=True):
    """One request to make: `body` is the exact bytes that every attempt sends, `key` its idempotency key.

    `fingerprint` (16 bytes) is the same for the same body, also with its items in another order.
    """

    operation: Operation
    key: str
    body: bytes
    fingerprint: bytes
    items: tuple[CallItem, ...]
    cart_id: str | None
    order_id: str | None
    session_id: str | None
    locale: str | None


class Cancellation(Struct, frozen=True):
    """A cancel of these items, or of the whole order: which reservations that means, the ledger knows."""

    items: tuple[CallItem, ...]


class NothingToDo(Struct, frozen=True):
    """The event asks for no call, and that is in order."""

    why: str


Mapped = Call | Cancellation | NothingToDo


def map_event(event: Event) -> Mapped:
    """What an event asks for. The same event, published again, maps to the same keys and bytes."""
    match event:
        case CheckoutCompleted():
            return _confirm(event)
        case OrderCancelled():
            return Cancellation(tuple(dict.fromkeys(map(_ids, event.items))))
        case CartAbandoned():
            released = _release(event)
            return released if released.items else NothingToDo("no item of the cart has a reservation")


def call_key(event: CheckoutCompleted | CartAbandoned) -> str | None:
    """The key of the call that an event asks for, in a third of the time of `map_event`; None: it asks for none."""
    match event:
        case CheckoutCompleted():
            return confirm_key(
                event.cart_id, event.order_id, [(i.cart_item_id, i.item_reservation_id) for i in event.items]
            )
        case CartAbandoned():
            reserved = [(i.cart_item_id, i.item_reservation_id) for i in event.items if i.item_reservation_id]
            return release_key(event.cart_id, reserved) if reserved else None


def fingerprint(event: CheckoutCompleted | CartAbandoned) -> bytes:
    """That of the call that an event asks for; with `call_key`, all that tells it from others."""
    match event:
        case CheckoutCompleted():
            return bodies.fingerprint(bodies.rest(event), map(bodies.confirmed, dict.fromkeys(event.items)))
        case CartAbandoned():
            return bodies.fingerprint(bodies.rest(event), map(bodies.released, _reserved(event)))


def reduced(event: Event, call: Call, items: tuple[CallItem, ...]) -> Call:
    """The same call, with the same key, about these of its items only."""
    if items == call.items:
        return call
    match event:
        case CheckoutCompleted():
            whole = _confirm(event, items)
        case CartAbandoned():
            whole = _release(event, items)
        case OrderCancelled():
            raise ValueError("a cancel is about one item")
    return replace(call, body=whole.body, items=whole.items)


def _confirm(event: CheckoutCompleted, only: Container[CallItem] | None = None) -> Call:
    items = tuple(i for i in dict.fromkeys(event.items) if only is None or _ids(i) in only)
    written = [bodies.confirmed(item) for item in items]
    rest = bodies.rest(event)
    return Call(
        operation="confirm",
        key=confirm_key(event.cart_id, event.order_id, [(i.cart_item_id, i.item_reservation_id) for i in items]),
        body=bodies.confirm(rest, written),
        fingerprint=bodies.fingerprint(rest, written),
        items=tuple(map(_ids, items)),
        cart_id=event.cart_id,
        order_id=event.order_id,
        session_id=event.rokt_session_id or None,
        locale=language(event.locale),
    )


def cancel(event: OrderCancelled, item: CallItem) -> Call:
    """The call that cancels one item, whose reservation is known."""
    reservation = item.item_reservation_id or ""
    body = bodies.Rest(item_reservation_id=reservation)
    return Call(
        operation="cancel",
        key=cancel_key(event.order_id, reservation),
        body=bodies.cancel(body),
        fingerprint=bodies.fingerprint(body, ()),
        items=(item,),
        cart_id=event.cart_id or None,
        order_id=event.order_id,
        session_id=None,
        locale=language(event.locale),
    )


def _release(event: CartAbandoned, only: Container[CallItem] | None = None) -> Call:
    items = tuple(i for i in _reserved(event) if only is None or _ids(i) in only)
    written = [bodies.released(item) for item in items]
    rest = bodies.rest(event)
    return Call(
        operation="release",
        key=release_key(event.cart_id, [(i.cart_item_id, i.item_reservation_id) for i in items]),
        body=bodies.release(rest, written),
        fingerprint=bodies.fingerprint(rest, written),
        items=tuple(map(_ids, items)),
        cart_id=event.cart_id,
        order_id=None,
        session_id=event.rokt_session_id or None,
        locale=language(event.locale),
    )


def _reserved(event: CartAbandoned) -> list[AbandonedItem]:
    return [item for item in dict.fromkeys(event.items) if item.item_reservation_id]


def _ids(item: CompletedItem | CancelledItem | AbandonedItem) -> CallItem:
    return CallItem(item.cart_item_id or None, item.item_reservation_id or None)


def language(locale: str | None) -> str | None:
    """A locale as Accept-Language takes it, `en_US` as `en-US`; one that is none is left to the worker's setting."""
    tag = (locale or "").replace("_", "-")
    return tag if len(tag) <= LANGUAGE_KEPT and LANGUAGE.fullmatch(tag) else None
