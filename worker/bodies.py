"""The bodies of calls, as bytes, and what is the same of two of them. Pure.

They are those of Rokt's API pages (POST Confirm Cart Items, POST Release Cart Items, POST Cancel Confirmed Item);
absent optional fields are left out, never sent as null.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal

import msgspec
from msgspec import Raw, Struct

from worker.events import AbandonedItem, CartAbandoned, CheckoutCompleted, CompletedItem

_JSON = msgspec.json.Encoder(decimal_format="number")
_SORTED = msgspec.json.Encoder(order="sorted")


class _Item(Struct, rename="camel", omit_defaults=True):
    cart_item_id: str
    item_reservation_id: str | None = None
    catalog_item_id: str | None = None
    quantity: int | None = None
    unit_price: Decimal | None = None
    total_price: Decimal | None = None
    currency: str | None = None


class _Confirm(Struct, rename="camel", omit_defaults=True):
    cart_id: str | None
    order_id: str | None
    items: list[Raw]
    pay_pal_order_id: str | None = None
    merchant_id: str | None = None
    attributes: dict[str, str] | None = None


class _Release(Struct, rename="camel", omit_defaults=True):
    cart_id: str | None
    items: list[Raw]
    attributes: dict[str, str] | None = None


class Rest(Struct, rename="camel", omit_defaults=True):
    """What is not an item of any body; what is empty is absent."""

    attributes: dict[str, str] | None = None
    cart_id: str | None = None
    item_reservation_id: str | None = None
    merchant_id: str | None = None
    order_id: str | None = None
    pay_pal_order_id: str | None = None


def rest(event: CheckoutCompleted | CartAbandoned) -> Rest:
    """What the call that an event asks for says besides its items."""
    match event:
        case CheckoutCompleted():
            pay_pal, merchant = event.pay_pal_order_id or None, event.merchant_id or None
            return Rest(event.attributes or None, event.cart_id, None, merchant, event.order_id, pay_pal)
        case CartAbandoned():
            return Rest(event.attributes or None, event.cart_id)


def confirmed(item: CompletedItem) -> bytes:
    """An item of a confirm."""
    return _JSON.encode(
        _Item(
            item.cart_item_id,
            item.item_reservation_id or None,
            item.catalog_item_id or None,
            item.quantity,
            _number(item.unit_price),
            _number(item.total_price),
            item.currency or None,
        )
    )


def released(item: AbandonedItem) -> bytes:
    """An item of a release."""
    return _JSON.encode(_Item(item.cart_item_id, item.item_reservation_id))


def confirm(given: Rest, items: Iterable[bytes]) -> bytes:
    """The body of a confirm of these items."""
    raw = list(map(Raw, items))
    return _JSON.encode(
        _Confirm(given.cart_id, given.order_id, raw, given.pay_pal_order_id, given.merchant_id, given.attributes)
    )


def release(given: Rest, items: Iterable[bytes]) -> bytes:
    """The body of a release of these items."""
    return _JSON.encode(_Release(given.cart_id, list(map(Raw, items)), given.attributes))


def cancel(given: Rest) -> bytes:
    """The body of a cancel, which names its one reservation only."""
    return _JSON.encode(given)


def fingerprint(given: Rest, items: Iterable[bytes]) -> bytes:
    """16 bytes that are the same for the same body, also with its items in another order."""
    return hashlib.blake2b(b"\n".join((_SORTED.encode(given), *sorted(items))), digest_size=16).digest()


def _number(price: Decimal | None) -> Decimal | None:
    """The price with as many digits as it needs: 10.0000 becomes 10, and never 1E+1."""
    if price is None:
        return None
    if price.is_zero():
        return Decimal(0)
    if price == price.to_integral_value():
        return price.quantize(Decimal(1))
    return price.normalize()
