"""From an event to the calls it asks for: bodies as bytes, made once, and their keys.

Pure. Bodies and headers are those of Rokt's API pages (POST Confirm Cart Items, POST Release Cart Items, POST Cancel
Confirmed Item); absent optional fields are left out, never sent as null.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable
from decimal import Decimal

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

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

_JSON = msgspec.json.Encoder(decimal_format="number")
_SORTED = msgspec.json.Encoder(order="sorted")


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


class _Item(Struct, rename="camel", omit_defaults=True):
    cart_item_id: str
    item_reservation_id: str | None = None
    catalog_item_id: str | None = None
    quantity: int | None = None
    unit_price: Decimal | None = None
    total_price: Decimal | None = None
    currency: str | None = None


class _Confirm(Struct, rename="camel", omit_defaults=True):
    cart_id: str
    order_id: str
    items: list[Raw]
    pay_pal_order_id: str | None = None
    merchant_id: str | None = None
    attributes: dict[str, str] | None = None


class _Release(Struct, rename="camel", omit_defaults=True):
    cart_id: str
    items: list[Raw]
    attributes: dict[str, str] | None = None


class _Rest(Struct, rename="camel", omit_defaults=True):
    """What is not an item of any body; a fingerprint is made of it."""

    attributes: dict[str, str] | None = None
    cart_id: str | None = None
    item_reservation_id: str | None = None
    merchant_id: str | None = None
    order_id: str | None = None
    pay_pal_order_id: str | None = None


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
    written = [_JSON.encode(_confirm_item(item)) for item in items]
    attributes, pay_pal, merchant = event.attributes or None, event.pay_pal_order_id or None, event.merchant_id or None
    body = _Confirm(event.cart_id, event.order_id, list(map(Raw, written)), pay_pal, merchant, attributes)
    rest = _Rest(attributes, event.cart_id, None, merchant, event.order_id, pay_pal)
    return Call(
        operation="confirm",
        key=confirm_key(event.cart_id, event.order_id, [(i.cart_item_id, i.item_reservation_id) for i in items]),
        body=_JSON.encode(body),
        fingerprint=_fingerprint(rest, written),
        items=tuple(map(_ids, items)),
        cart_id=event.cart_id,
        order_id=event.order_id,
        session_id=event.rokt_session_id or None,
        locale=language(event.locale),
    )


def _confirm_item(item: CompletedItem) -> _Item:
    return _Item(
        item.cart_item_id,
        item.item_reservation_id or None,
        item.catalog_item_id or None,
        item.quantity,
        _number(item.unit_price),
        _number(item.total_price),
        item.currency or None,
    )


def cancel(event: OrderCancelled, item: CallItem) -> Call:
    """The call that cancels one item, whose reservation is known."""
    reservation = item.item_reservation_id or ""
    body = _Rest(item_reservation_id=reservation)
    return Call(
        operation="cancel",
        key=cancel_key(event.order_id, reservation),
        body=_JSON.encode(body),
        fingerprint=_fingerprint(body, ()),
        items=(item,),
        cart_id=event.cart_id or None,
        order_id=event.order_id,
        session_id=None,
        locale=language(event.locale),
    )


def _release(event: CartAbandoned, only: Container[CallItem] | None = None) -> Call:
    items = tuple(i for i in dict.fromkeys(event.items) if i.item_reservation_id and (only is None or _ids(i) in only))
    written = [_JSON.encode(_Item(i.cart_item_id, i.item_reservation_id)) for i in items]
    attributes = event.attributes or None
    return Call(
        operation="release",
        key=release_key(event.cart_id, [(i.cart_item_id, i.item_reservation_id) for i in items]),
        body=_JSON.encode(_Release(event.cart_id, list(map(Raw, written)), attributes)),
        fingerprint=_fingerprint(_Rest(attributes, event.cart_id), written),
        items=tuple(map(_ids, items)),
        cart_id=event.cart_id,
        order_id=None,
        session_id=event.rokt_session_id or None,
        locale=language(event.locale),
    )


def _ids(item: CompletedItem | CancelledItem | AbandonedItem) -> CallItem:
    return CallItem(item.cart_item_id or None, item.item_reservation_id or None)


def language(locale: str | None) -> str | None:
    """A locale as Accept-Language takes it, `en_US` as `en-US`; one that is none is left to the worker's setting."""
    tag = (locale or "").replace("_", "-")
    return tag if len(tag) <= LANGUAGE_KEPT and LANGUAGE.fullmatch(tag) else None


def _number(price: Decimal | None) -> Decimal | None:
    """The price with as many digits as it needs: 10.0000 becomes 10, and never 1E+1."""
    if price is None:
        return None
    if price.is_zero():
        return Decimal(0)
    if price == price.to_integral_value():
        return price.quantize(Decimal(1))
    return price.normalize()


def _fingerprint(rest: _Rest, items: Iterable[bytes]) -> bytes:
    return hashlib.blake2b(b"\n".join((_SORTED.encode(rest), *sorted(items))), digest_size=16).digest()
