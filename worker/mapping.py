"""From an event to the calls it asks for: bodies as bytes, made once, and their keys.

Pure. Bodies and headers are those of Rokt's API pages (POST Confirm Cart Items, POST Release Cart Items, POST Cancel
Confirmed Item); absent optional fields are left out, never sent as null.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container
from decimal import Decimal
from typing import cast

import msgspec
from msgspec import Struct
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
    body, fingerprint = _body(
        {
            "cartId": event.cart_id,
            "orderId": event.order_id,
            "items": [_JSON.encode(_confirm_item(item)) for item in items],
            "payPalOrderId": event.pay_pal_order_id,
            "merchantId": event.merchant_id,
            "attributes": event.attributes,
        }
    )
    return Call(
        operation="confirm",
        key=confirm_key(event.cart_id, event.order_id, ((i.cart_item_id, i.item_reservation_id) for i in items)),
        body=body,
        fingerprint=fingerprint,
        items=tuple(map(_ids, items)),
        cart_id=event.cart_id,
        order_id=event.order_id,
        session_id=event.rokt_session_id or None,
        locale=language(event.locale),
    )


def _confirm_item(item: CompletedItem) -> dict[str, object]:
    return _present(
        {
            "cartItemId": item.cart_item_id,
            "itemReservationId": item.item_reservation_id,
            "catalogItemId": item.catalog_item_id,
            "quantity": item.quantity,
            "unitPrice": _number(item.unit_price),
            "totalPrice": _number(item.total_price),
            "currency": item.currency,
        }
    )


def cancel(event: OrderCancelled, item: CallItem) -> Call:
    """The call that cancels one item, whose reservation is known."""
    reservation = item.item_reservation_id or ""
    body, fingerprint = _body({"itemReservationId": reservation})
    return Call(
        operation="cancel",
        key=cancel_key(event.order_id, reservation),
        body=body,
        fingerprint=fingerprint,
        items=(item,),
        cart_id=event.cart_id or None,
        order_id=event.order_id,
        session_id=None,
        locale=language(event.locale),
    )


def _release(event: CartAbandoned, only: Container[CallItem] | None = None) -> Call:
    items = tuple(i for i in dict.fromkeys(event.items) if i.item_reservation_id and (only is None or _ids(i) in only))
    body, fingerprint = _body(
        {
            "cartId": event.cart_id,
            "items": [
                _JSON.encode({"cartItemId": i.cart_item_id, "itemReservationId": i.item_reservation_id}) for i in items
            ],
            "attributes": event.attributes,
        }
    )
    return Call(
        operation="release",
        key=release_key(event.cart_id, ((i.cart_item_id, i.item_reservation_id) for i in items)),
        body=body,
        fingerprint=fingerprint,
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


def _present(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def _body(fields: dict[str, object]) -> tuple[bytes, bytes]:
    """A body, with its items as they are encoded already, and its fingerprint."""
    present = {name: value for name, value in _present(fields).items() if value != {}}
    items = cast("list[bytes]", present.get("items", []))
    body = _JSON.encode(present | ({"items": [msgspec.Raw(item) for item in items]} if "items" in present else {}))
    rest = _SORTED.encode({name: value for name, value in present.items() if name != "items"})
    return body, hashlib.blake2b(b"\n".join((rest, *sorted(items))), digest_size=16).digest()
