"""What an answer of Rokt's means: the contract's table, as a closed union. Pure.

2xx                                    Accepted     per item what was said; a body that cannot be read says nothing
409                                    Conflict     a repeat; what it means depends on what was sent before
401, 403                               Denied       not the event's fault
408, 425, 429                          Throttled    not done, try again
5xx, no answer                         Failed       perhaps done, try again; not connected: surely not done
every other 4xx, a redirect            Refused      not done, and never will be
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Literal

import msgspec
from msgspec import Struct

from worker.events import ID_LENGTH
from worker.mapping import CallItem

BODY_KEPT = 2048
TEXT_KEPT = 2048


class ItemAnswer(Struct, frozen=True):
    """What Rokt said of one item; `success` is true unless it said false."""

    cart_item_id: str | None
    item_reservation_id: str | None
    item_confirmation_id: str | None
    item_confirmation_url: str | None
    success: bool


class Accepted(Struct, frozen=True):
    """2xx. `items` are those of the call, in its order. `unread` says what could not be read of the body, if so."""

    status: int
    items: tuple[ItemAnswer, ...]
    unread: str | None = None


class Refused(Struct, frozen=True):
    """The call is wrong and was not done. `body` is the answer's text, cut at 2 KiB."""

    status: int
    body: str


class Conflict(Struct, frozen=True):
    """409: this key was seen before."""

    status: int
    body: str


class Denied(Struct, frozen=True):
    """The credentials were refused."""

    status: int
    body: str


class Throttled(Struct, frozen=True):
    """Rokt will not take the call now. `retry_after` in seconds, bounded."""

    status: int
    body: str
    retry_after: float | None


Failure = Literal["server-error", "not-connected", "no-answer"]


class Failed(Struct, frozen=True):
    """No usable answer. `maybe_applied` is false only when the request cannot have reached Rokt.

    `detail` says why in words. `error` is the class of what was raised, empty where an answer came.
    """

    failure: Failure
    detail: str
    maybe_applied: bool
    status: int | None = None
    body: str = ""
    retry_after: float | None = None
    error: str = ""


Answer = Accepted | Refused | Conflict | Denied | Throttled | Failed


def read_answer(
    status: int, body: bytes, items: tuple[CallItem, ...], retry_after: float | None, unread: str | None = None
) -> Answer:
    """An HTTP answer to a call about `items`. `unread` says why when `body` is not all of it."""
    if 200 <= status < 300:
        return _accepted(status, body, items, unread)
    text = excerpt(body)
    if status == 409:
        return Conflict(status, text)
    if status in (401, 403):
        return Denied(status, text)
    if status in (408, 425, 429):
        return Throttled(status, text, retry_after)
    if status >= 500:
        return Failed("server-error", f"Rokt answered {status}", True, status, text, retry_after)
    return Refused(status, text)


def excerpt(body: bytes) -> str:
    """The beginning of a body as text, at most 2 KiB of UTF-8, whatever its bytes are."""
    return body[:BODY_KEPT].decode("utf-8", "replace").encode()[:BODY_KEPT].decode("utf-8", "ignore")


def _accepted(status: int, body: bytes, items: tuple[CallItem, ...], unread: str | None) -> Accepted:
    said: list[dict[str, object]] = []
    if unread is None and body.strip():
        try:
            said = _items_of(msgspec.json.decode(body))
        except (ValueError, TypeError, RecursionError) as error:
            unread = f"the answer's body is not the JSON expected ({type(error).__name__})"
    if _in_order(said, items):
        return Accepted(
            status, tuple([_item(item, [one], strays=False) for item, one in zip(items, said, strict=True)])
        )
    by_id: dict[tuple[str, str], list[dict[str, object]]] = defaultdict(list)
    for one in said:
        for name in ("itemReservationId", "cartItemId"):
            if value := _text(one, name):
                by_id[name, value].append(one)
    found = [_about(item, by_id) for item in items]
    heard = {id(one) for those in found for one in those}
    strays = [one for one in said if id(one) not in heard and _failed(one)]
    return Accepted(status, tuple(map(partial(_item, strays=bool(strays)), items, found)), unread)


def _items_of(document: object) -> list[dict[str, object]]:
    if not isinstance(document, dict):
        raise TypeError("not an object")
    items = document.get("items") or []
    if not isinstance(items, list):
        raise TypeError("items is not an array")
    return [item for item in items if isinstance(item, dict)]


def _in_order(said: list[dict[str, object]], items: tuple[CallItem, ...]) -> bool:
    """Whether each item of the call was answered once, by its reservation and in its place, as nearly always."""
    if not items or len(said) != len(items):
        return False
    reservations = [item.item_reservation_id for item in items]
    one_of_each = len(set(reservations)) == len(items) and None not in reservations
    return one_of_each and reservations == [one.get("itemReservationId") for one in said]


def _about(item: CallItem, said: dict[tuple[str, str], list[dict[str, object]]]) -> list[dict[str, object]]:
    """What was said of an item: by its reservation, and by its cart item where no other reservation is named."""
    by_reservation = said.get(("itemReservationId", item.item_reservation_id or ""), [])
    by_cart_item = said.get(("cartItemId", item.cart_item_id or ""), [])
    return by_reservation + [
        one for one in by_cart_item if not (item.item_reservation_id and _text(one, "itemReservationId"))
    ]


def _failed(one: dict[str, object]) -> bool:
    return one.get("success") in (False, "false")


def _item(item: CallItem, said: list[dict[str, object]], *, strays: bool) -> ItemAnswer:
    """One item as it was answered, field by field: one odd field must not hide a `success: false` beside it.

    An item of which nothing was said has failed where `strays` failed: answers that fit no item of the call.
    """
    return ItemAnswer(
        cart_item_id=item.cart_item_id or _first(said, "cartItemId"),
        item_reservation_id=item.item_reservation_id or _usable(_first(said, "itemReservationId")),
        item_confirmation_id=_first(said, "itemConfirmationId"),
        item_confirmation_url=_first(said, "itemConfirmationUrl"),
        success=not any(_failed(one) for one in said) if said else not strays,
    )


def _usable(reservation: str | None) -> str | None:
    """A reservation by which the item can be cancelled later: as long as the partner's may be."""
    return reservation if reservation is not None and len(reservation) <= ID_LENGTH else None


def _first(said: list[dict[str, object]], name: str) -> str | None:
    for one in said:
        if value := _text(one, name):
            return value
    return None


def _text(fields: dict[str, object], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= TEXT_KEPT and "\0" not in value else None
