"""The partner's words: the three events, as values, with the rules that every one of them keeps.

Pure: no Kafka, no HTTP, no clock. Field names on the wire are the camelCase of those here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

ID_LENGTH = 512
NO_NUL = r"\A[^\x00]*\Z"
Id = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH, pattern=NO_NUL)]
MaybeId = Annotated[str, Meta(max_length=ID_LENGTH, pattern=NO_NUL)] | None
Quantity = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Instant = Annotated[datetime, Meta(tz=True)] | int
HeaderText = Annotated[str, Meta(max_length=1024, pattern=r"\A(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?\Z")]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
PRICE_DIGITS = 18
PRICE_SCALE = 4

EventType = Literal["CheckoutCompleted", "OrderCancelled", "CartAbandoned"]


class Invalid(ValueError):
    """A record that can be read but breaks a rule of its event. The text names fields and rules, never values."""


class CompletedItem(Struct, frozen=True, rename="camel"):
    """One item of a completed checkout; prices are exact decimals of at most 18 digits, 4 after the point."""

    cart_item_id: Id
    item_reservation_id: MaybeId = None
    catalog_item_id: str | None = None
    quantity: Quantity | None = None
    unit_price: Decimal | None = None
    total_price: Decimal | None = None
    currency: str | None = None


class CancelledItem(Struct, frozen=True, rename="camel"):
    """One item of a cancelled order; at least one of the two ids."""

    cart_item_id: MaybeId = None
    item_reservation_id: MaybeId = None


class AbandonedItem(Struct, frozen=True, rename="camel"):
    """One item of an abandoned cart; without a reservation there is nothing to give back."""

    cart_item_id: Id
    item_reservation_id: MaybeId = None


class CheckoutCompleted(Struct, frozen=True, rename="camel"):
    """A cart was paid for. `items` may be empty: Rokt asks to hear of every purchase."""

    event_id: Id
    occurred_at: Instant
    cart_id: Id
    order_id: Id
    rokt_session_id: HeaderText | None = None
    locale: str | None = None
    items: tuple[CompletedItem, ...] = ()
    pay_pal_order_id: str | None = None
    merchant_id: str | None = None
    attributes: dict[str, str] | None = None


class OrderCancelled(Struct, frozen=True, rename="camel"):
    """An order, or some of its items, was called off. Empty `items` stands for the whole order."""

    event_id: Id
    occurred_at: Instant
    order_id: Id
    items: tuple[CancelledItem, ...]
    cart_id: MaybeId = None
    locale: str | None = None


class CartAbandoned(Struct, frozen=True, rename="camel"):
    """A cart was left without a purchase."""

    event_id: Id
    occurred_at: Instant
    cart_id: Id
    items: tuple[AbandonedItem, ...]
    rokt_session_id: HeaderText | None = None
    locale: str | None = None
    attributes: dict[str, str] | None = None


Event = CheckoutCompleted | OrderCancelled | CartAbandoned

TYPES: dict[EventType, type[Event]] = {
    "CheckoutCompleted": CheckoutCompleted,
    "OrderCancelled": OrderCancelled,
    "CartAbandoned": CartAbandoned,
}
_SPELLINGS: dict[str, EventType] = {
    "checkout-completed": "CheckoutCompleted",
    "order-cancelled": "OrderCancelled",
    "cart-abandoned": "CartAbandoned",
    **{name: name for name in TYPES},
}


def event_type(name: str) -> EventType | None:
    """The event that a name stands for, spelled as an Avro record or as a topic; None when it is no event of ours."""
    return _SPELLINGS.get(name)


def from_fields(kind: EventType, fields: dict[str, Any]) -> Event:
    """An event from decoded fields (Avro). Raises Invalid."""
    try:
        return _checked(msgspec.convert(fields, type=TYPES[kind]))
    except msgspec.ValidationError as error:
        raise Invalid(f"{kind}: {error}") from None


def from_json(kind: EventType, text: str) -> Event:
    """An event from the text of a JSON object. Raises Invalid."""
    try:
        return _checked(msgspec.json.decode(text, type=TYPES[kind]))
    except msgspec.ValidationError as error:
        raise Invalid(f"{kind}: {error}") from None


def rfc3339(moment: datetime) -> str:
    """A moment as RFC 3339 text in UTC with milliseconds: `2026-11-22T10:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(value: Instant) -> int:
    """A moment as whole milliseconds since 1970."""
    return value if isinstance(value, int) else (value - EPOCH) // timedelta(milliseconds=1)


def instant(value: Instant) -> datetime:
    """A moment in UTC, from a datetime or from milliseconds since 1970. Raises Invalid when no calendar has it."""
    try:
        if isinstance(value, int):
            return EPOCH + timedelta(milliseconds=value)
        return value.astimezone(UTC)
    except OverflowError:
        raise Invalid("occurredAt lies outside the years 1 to 9999") from None


def _checked(event: Event) -> Event:
    if not (isinstance(event.occurred_at, int) and 0 <= event.occurred_at <= LAST_MS):
        instant(event.occurred_at)
    for place, item in enumerate(event.items):
        if isinstance(item, CompletedItem):
            _check_completed(item, f"$.items[{place}]")
        elif isinstance(item, CancelledItem) and not (item.cart_item_id or item.item_reservation_id):
            raise Invalid(f"OrderCancelled: cartItemId or itemReservationId is needed - at `$.items[{place}]`")
    return event


def _check_completed(item: CompletedItem, path: str) -> None:
    if not item.item_reservation_id and item.quantity is None:
        raise Invalid(f"CheckoutCompleted: itemReservationId or quantity is needed - at `{path}`")
    for name, price in (("unitPrice", item.unit_price), ("totalPrice", item.total_price)):
        if price is not None and not _fits(price):
            raise Invalid(
                f"CheckoutCompleted: expected a decimal of at most {PRICE_DIGITS} digits, "
                f"{PRICE_SCALE} after the point - at `{path}.{name}`"
            )


def _fits(price: Decimal) -> bool:
    if not price.is_finite():
        return False
    if price.is_zero() or not -PRICE_SCALE <= price.adjusted() < PRICE_DIGITS - PRICE_SCALE:
        return price.is_zero()
    _, digits, exponent = price.as_tuple()
    scale = -int(exponent)
    while scale > PRICE_SCALE and digits and digits[-1] == 0:
        digits, scale = digits[:-1], scale - 1
    return scale <= PRICE_SCALE
