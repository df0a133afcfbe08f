"""The shop's events in its own words: bodies as bytes, ids, and what is no event at all. Drawn from a seed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import msgspec

from worker.demo.story import Cart, Item
from worker.events import rfc3339
from worker.sandbox.reservations import reservation_of

GARBLED: Final = (b'{"eventId": "e-17", "cartId": "cart-', b"\xff\xfe\x00\x01 not an event", b"checkout;17;EUR", b"")
ILL_FORMED: Final[tuple[dict[str, Any], ...]] = (
    {"cartId": None},
    {"items": "two"},
    {"occurredAt": "yesterday"},
    {"items": [{"cartItemId": "item-1", "quantity": "one"}]},
    {"items": [{"cartItemId": "item-1"}]},
)


@dataclass(frozen=True)
class Wording:
    """Events of carts whose items are `reserved`: reservation by (cart id, item id). `begin` is when the story does."""

    reserved: Mapping[tuple[str, str], str]
    begin: datetime
    random: Random

    def checkout(self, cart: Cart, items: Sequence[Item]) -> dict[str, Any]:
        """These of the cart's items were paid for."""
        return self._event(cart) | {
            "orderId": cart.order_id,
            "roktSessionId": cart.session_id,
            "locale": self.random.choice(("en-US", "en-GB", "de-DE")),
            "items": [dict(self._checkout_item(cart, item)) for item in items],
            "attributes": {"country": self.random.choice(("US", "GB", "DE"))},
        }

    def cancel(self, cart: Cart, items: Sequence[Item]) -> dict[str, Any]:
        """These items were cancelled; none: the whole order."""
        named = [{"cartItemId": item.id, "itemReservationId": self.reservation(cart, item)} for item in items]
        return self._event(cart) | {"orderId": cart.order_id, "items": named}

    def abandoned(self, cart: Cart) -> dict[str, Any]:
        """The cart was left behind with all that was in it."""
        items = [dict(self._ids(cart, item)) for item in cart.items]
        return self._event(cart) | {"roktSessionId": cart.session_id, "items": items}

    def again(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """A new event about the same thing, its items turned round."""
        return {**event, "eventId": self._id(), "items": event["items"][::-1]}

    def reservation(self, cart: Cart, item: Item) -> str:
        """The id by which Rokt knows an item."""
        return self.reserved[cart.id, item.id] if item.reserved else reservation_of(cart.id, item.id)

    def hex(self, bits: int) -> str:
        """A random number that is not 0."""
        return f"{self.random.getrandbits(bits) | 1:0{bits // 4}x}"

    def _checkout_item(self, cart: Cart, item: Item) -> Iterator[tuple[str, Any]]:
        yield from self._ids(cart, item)
        yield "quantity", item.quantity
        yield "unitPrice", str(item.unit_price)
        yield "totalPrice", str(item.unit_price * item.quantity)
        yield "currency", "USD"

    def _event(self, cart: Cart) -> dict[str, Any]:
        moment = rfc3339(self.begin + timedelta(seconds=cart.due))
        return {"eventId": self._id(), "occurredAt": moment, "cartId": cart.id}

    def _ids(self, cart: Cart, item: Item) -> Iterator[tuple[str, Any]]:
        yield "cartItemId", item.id
        if item.reserved:
            yield "itemReservationId", self.reservation(cart, item)

    def _id(self) -> str:
        return f"event-{self.hex(64)}"


def as_json(event: Mapping[str, Any]) -> bytes:
    """The bytes of an event."""
    return msgspec.json.encode(event)
