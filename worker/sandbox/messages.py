"""The bodies of the Rokt API's requests, as the reference describes them, and the two ways to answer one.

Unknown fields are ignored, absent fields stay out, and null is refused: the reference knows no null.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1)]
Price = Annotated[float, Meta(ge=0)]
Json = dict[str, Any]


class Operation(StrEnum):
    RESERVE = "reserve"
    CONFIRM = "confirm"
    RELEASE = "release"
    CANCEL = "cancel"
    PLACEMENTS = "placements"


class ReserveItem(Struct, frozen=True, rename="camel"):
    cart_item_id: Text
    quantity: Count


class Reserve(Struct, frozen=True, rename="camel"):
    """Rokt API, POST Reserve Cart Items."""

    cart_id: Text
    items: tuple[ReserveItem, ...] = ()
    is_pay_pal_payment: bool | UnsetType = UNSET
    merchant_id: Text | UnsetType = UNSET
    attributes: dict[str, str] | UnsetType = UNSET


class ConfirmItem(Struct, frozen=True, rename="camel"):
    cart_item_id: Text
    item_reservation_id: Text | UnsetType = UNSET
    catalog_item_id: Text | UnsetType = UNSET
    quantity: Count | UnsetType = UNSET
    unit_price: Price | UnsetType = UNSET
    total_price: Price | UnsetType = UNSET
    currency: Text | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.item_reservation_id is UNSET and self.quantity is UNSET:
            raise ValueError("An item needs at least one of `itemReservationId` and `quantity`")


class Confirm(Struct, frozen=True, rename="camel"):
    """Rokt API, POST Confirm Cart Items. An order without Rokt items has no `items`, or none in them."""

    cart_id: Text
    order_id: Text
    items: tuple[ConfirmItem, ...] = ()
    pay_pal_order_id: Text | UnsetType = UNSET
    merchant_id: Text | UnsetType = UNSET
    attributes: dict[str, str] | UnsetType = UNSET


class ReleaseItem(Struct, frozen=True, rename="camel"):
    cart_item_id: Text
    item_reservation_id: Text


class Release(Struct, frozen=True, rename="camel"):
    """Rokt API, POST Release Cart Items."""

    cart_id: Text
    items: tuple[ReleaseItem, ...] = ()
    attributes: dict[str, str] | UnsetType = UNSET


class Cancel(Struct, frozen=True, rename="camel"):
    """Rokt API, POST Cancel Confirmed Item: one item a call."""

    item_reservation_id: Text


class Placements(Struct, frozen=True, rename="camel"):
    """Rokt API, POST Any Placements. The reference marks no field of the body as required."""

    cart_id: Text | UnsetType = UNSET
    page_identifier: Text | UnsetType = UNSET
    url: Text | UnsetType = UNSET
    attributes: dict[str, str] | UnsetType = UNSET


Message = Reserve | Confirm | Release | Cancel | Placements


@dataclass(frozen=True, slots=True)
class Done:
    """Processed: a 200 with this body, or without one. An item may still have failed inside it."""

    body: Json | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Not processed, nothing changed: one entry of `errors` in Rokt's error form."""

    status: int
    code: str
    message: str
    value: Json


def reservation_ids(message: Message) -> tuple[str, ...]:
    """The reservations that a request names, in its order; none for an item that was not reserved."""
    match message:
        case Confirm() | Release():
            return tuple(id_ for item in message.items if (id_ := item.item_reservation_id) is not UNSET)
        case Cancel():
            return (message.item_reservation_id,)
        case Reserve() | Placements():
            return ()


def has_items(message: Message) -> bool:
    return isinstance(message, Reserve | Confirm | Release) and bool(message.items)
