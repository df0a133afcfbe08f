"""From an event to the calls it asks for: bodies as bytes, made once, and their keys.

Pure. Bodies and headers are those of Rokt's API pages (POST Confirm Cart Items, POST Release Cart Items, POST Cancel
Confirmed Item); absent optional fields are left out, never sent as null.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from worker.events import CancelledItem, CartAbandoned, CheckoutCompleted, CompletedItem, Event, OrderCancelled
from worker.keys import Operation, cancel_key, confirm_key, release_key

LANGUAGE_KEPT = 64
LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")  # RFC 9110, section 12.5.4: language-range

_JSON = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class CallItem:
    """The ids of one item of a call, as the event gave them."""

    cart_item_id: str | None
    item_reservation_id: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """One request to make: `body` is the exact bytes that every attempt sends, `key` its idempotency key."""

    operation: Operation
    key: str
    body: bytes
    items: tuple[CallItem, ...]
    cart_id: str | None
    order_id: str | None
    session_id: str | None
    locale: str | None


@dataclass(frozen=True, slots=True)
class Calls:
    """What an event asks for, in the order to do it. `unresolved` are items of a cancel that name no reservation."""

    calls: tuple[Call, ...] = ()
    unresolved: tuple[CallItem, ...] = ()


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """The event asks for no call, and that is in order."""

    why: str


@dataclass(frozen=True, slots=True)
class NothingToCancel:
    """A cancel that names no item: which ones the order has is not known here."""

    why: str


Mapped = Calls | NothingToDo | NothingToCancel


def map_event(event: Event) -> Mapped:
    """The calls that an event asks for. The same event, published again, maps to the same keys and bytes."""
    match event:
        case CheckoutCompleted():
            return Calls((_confirm(event),))
        case OrderCancelled():
            return _cancels(event)
        case CartAbandoned():
            return _release(event)


def _confirm(event: CheckoutCompleted) -> Call:
    items = tuple(dict.fromkeys(event.items))
    body: dict[str, object] = {
        "cartId": event.cart_id,
        "orderId": event.order_id,
        "items": [_confirm_item(item) for item in items],
        "payPalOrderId": event.pay_pal_order_id,
        "merchantId": event.merchant_id,
        "attributes": event.attributes,
    }
    return Call(
        operation="confirm",
        key=confirm_key(event.cart_id, event.order_id, ((i.cart_item_id, i.item_reservation_id) for i in items)),
        body=_body(body),
        items=tuple(CallItem(i.cart_item_id, i.item_reservation_id) for i in items),
        cart_id=event.cart_id,
        order_id=event.order_id,
        session_id=event.rokt_session_id or None,
        locale=_language(event.locale),
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


def _cancels(event: OrderCancelled) -> Calls | NothingToCancel:
    if not event.items:
        return NothingToCancel("the event names no item, and what the order held is not known")
    by_item = dict.fromkeys(event.items)
    by_reservation = {item.item_reservation_id: item for item in reversed(by_item) if item.item_reservation_id}
    return Calls(
        calls=tuple(_cancel(event, id_, item) for id_, item in reversed(by_reservation.items())),
        unresolved=tuple(CallItem(i.cart_item_id, None) for i in by_item if not i.item_reservation_id),
    )


def _cancel(event: OrderCancelled, reservation: str, item: CancelledItem) -> Call:
    return Call(
        operation="cancel",
        key=cancel_key(event.order_id, reservation),
        body=_body({"itemReservationId": reservation}),
        items=(CallItem(item.cart_item_id, reservation),),
        cart_id=event.cart_id or None,
        order_id=event.order_id,
        session_id=None,
        locale=_language(event.locale),
    )


def _release(event: CartAbandoned) -> Calls | NothingToDo:
    items = tuple(item for item in dict.fromkeys(event.items) if item.item_reservation_id)
    if not items:
        return NothingToDo("no item of the cart has a reservation")
    body: dict[str, object] = {
        "cartId": event.cart_id,
        "items": [{"cartItemId": i.cart_item_id, "itemReservationId": i.item_reservation_id} for i in items],
        "attributes": event.attributes,
    }
    call = Call(
        operation="release",
        key=release_key(event.cart_id, ((i.cart_item_id, i.item_reservation_id) for i in items)),
        body=_body(body),
        items=tuple(CallItem(i.cart_item_id, i.item_reservation_id) for i in items),
        cart_id=event.cart_id,
        order_id=None,
        session_id=event.rokt_session_id or None,
        locale=_language(event.locale),
    )
    return Calls((call,))


def _language(locale: str | None) -> str | None:
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


def _body(fields: dict[str, object]) -> bytes:
    return _JSON.encode({name: value for name, value in _present(fields).items() if value != {}})
