"""What a shop might publish: carts that are paid for, called off and abandoned, told twice, mixed with what is broken.

Every publication says what is to become of it, in terms of Rokt's items and not of the worker's keys: so the books can
be reckoned without trusting the worker for anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from infra.events import SESSION

CHECKOUTS, CANCELS, ABANDONED = "checkout-completed", "order-cancelled", "cart-abandoned"
SOURCES = (CHECKOUTS, CANCELS, ABANDONED)
NO_ITEM = ""
FAILS = "fail-"
"""Part of an item's id that has Rokt answer `success: false` for it."""

Effect = tuple[str, str, str]
"""Operation, scope (order, or cart of a release; none for a cancel) and item (reservation, for a cancel)."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One record that the shop writes, `at` virtual seconds.

    `effects` are what it asks of Rokt. `poison` is the reason for which it, or part of it, is a dead letter whatever
    Rokt says; `instead` are effects that would make that letter needless to a worker that remembers orders.
    """

    at: float
    topic: str
    key: str
    value: bytes | None
    cart: str = ""
    order: str = ""
    effects: tuple[Effect, ...] = ()
    poison: str = ""
    instead: frozenset[Effect] = frozenset()


@dataclass(frozen=True, slots=True)
class Item:
    """An item in a cart; without a reservation it is confirmed by quantity alone."""

    id: str
    reservation: str | None


class Shop:
    """Draws histories from `chance`: so many carts over so many seconds, of which a share is broken or told again."""

    def __init__(self, chance: Random, *, carts: int, seconds: float, told_again: float, broken: float) -> None:
        self._chance = chance
        self._carts = carts
        self._seconds = seconds
        self._told_again = told_again
        self._broken = broken
        self._events = 0
        self._found: list[Publication] = []

    def history(self) -> list[Publication]:
        """Everything that is published, in time order."""
        for number in range(self._carts):
            for visit in range(self._chance.choice((1, 1, 2, 3))):
                self._visit(f"cart-{number}", visit)
        for publication in list(self._found):
            if self._chance.random() < self._broken:
                self._break(publication)
        return sorted(self._found, key=lambda publication: publication.at)

    def customers(self, number: int, count: int, at: float) -> list[Publication]:
        """So many carts that are paid for, so many abandoned, and the last number's called off; nothing is wrong."""
        found: list[Publication] = []
        for n in range(count):
            name, before = f"customer-{number}-{n}", f"customer-{number - 1}-{n}"
            found.append(self._checkout(at, f"cart-{name}", f"order-{name}", [_sound(name)]))
            found.append(self._abandon(at, f"cart-{name}-gone", "", [_sound(f"{name}-gone")]))
            if number:
                found.append(self._cancel(at, f"cart-{before}", f"order-{before}", [_sound(before)]))
        return found

    def steady(self, number: int, carts: int, at: float, *, called_off: int) -> Publication:
        """One of a stream that never ends: two of ten are abandoned; of the first so many a tenth is called off."""
        cart, order = f"cart-{number * 7919 % carts}", f"order-{number}"
        if number % 100 == 99 and number < called_off * 10:
            before = number // 100 * 10
            return self._cancel(at, f"cart-{before * 7919 % carts}", f"order-{before}", [_sound(f"item-{before}")])
        tell = self._abandon if number % 10 in (3, 7) else self._checkout
        return tell(at, cart, order, [_sound(f"item-{number}")])

    def _visit(self, cart: str, visit: int) -> None:
        """One order of a cart, or none after all; what belongs together comes close together, or at once."""
        order = f"order-{cart[5:]}-{visit}"
        items = [self._item(f"{cart}-{visit}-{n}") for n in range(self._chance.choice((0, 1, 1, 2, 3)))]
        at = self._chance.uniform(0.0, self._seconds)
        end = self._chance.choice(("paid", "paid", "paid and cancelled", "cancelled and paid", "abandoned", "both"))
        if "paid" in end or end == "both":
            self._say(at, self._checkout, cart, order, items)
        if "cancelled" in end:
            for share in self._split(items):
                away = self._chance.choice((0.0, 0.5, 5.0)) * (-1 if end.startswith("cancelled") else 1)
                self._say(max(0.0, at + away), self._cancel, cart, order, share)
        if end in ("abandoned", "both"):
            self._say(max(0.0, at + self._chance.uniform(-2.0, 2.0)), self._abandon, cart, order, items)

    def _item(self, name: str) -> Item:
        name = name if self._chance.random() > 0.08 else FAILS + name
        return Item(name, None if self._chance.random() < 0.1 else f"reservation-{name}")

    def _split(self, items: list[Item]) -> list[list[Item]]:
        if len(items) > 1 and self._chance.random() < 0.4:
            return [items[:1], items[1:]]
        return [items]

    def _say(
        self,
        at: float,
        tell: Callable[[float, str, str, list[Item]], Publication],
        cart: str,
        order: str,
        items: list[Item],
    ) -> None:
        """Publishes an event, and perhaps later again: under a new id, its items in another order."""
        self._found.append(tell(at, cart, order, items))
        while self._chance.random() < self._told_again:
            shuffled = self._chance.sample(items, len(items))
            again = tell(at + self._chance.uniform(0.0, self._seconds / 2), cart, order, shuffled)
            self._found.append(again)

    def _checkout(self, at: float, cart: str, order: str, items: list[Item]) -> Publication:
        listed = [
            _present(cartItemId=i.id, itemReservationId=i.reservation, quantity=1, unitPrice="19.99", currency="USD")
            for i in items
        ]
        event = self._event("CheckoutCompleted", cartId=cart, orderId=order, roktSessionId=SESSION, items=listed)
        effects = tuple(("confirm", order, i.id) for i in items) or (("confirm", order, NO_ITEM),)
        return Publication(at, CHECKOUTS, cart, event, cart, order, effects)

    def _cancel(self, at: float, cart: str, order: str, items: list[Item]) -> Publication:
        """Some name their cart, some do not; items without a reservation cannot be cancelled by it."""
        named = cart if self._chance.random() < 0.7 else ""
        listed = [_present(cartItemId=i.id, itemReservationId=i.reservation) for i in items]
        event = self._event("OrderCancelled", **_present(cartId=named or None), orderId=order, items=listed)
        effects = tuple(("cancel", NO_ITEM, i.reservation) for i in items if i.reservation)
        whole = len(effects) == len(items) > 0
        poison = "" if whole else "nothing-to-cancel"
        return Publication(at, CANCELS, cart, event, named, order, effects, poison, frozenset(effects))

    def _abandon(self, at: float, cart: str, _: str, items: list[Item]) -> Publication:
        listed = [_present(cartItemId=i.id, itemReservationId=i.reservation) for i in items]
        event = self._event("CartAbandoned", cartId=cart, roktSessionId=SESSION, items=listed)
        effects = tuple(("release", cart, i.id) for i in items if i.reservation)
        return Publication(at, ABANDONED, cart, event, cart, "", effects)

    def _break(self, like: Publication) -> None:
        """One more record of the same key that is none, in one way or another."""
        sorts: tuple[tuple[bytes | None, str], ...] = (
            (None, ""),
            (b"", "undecodable"),
            (b"\xff\xfe\xfd", "undecodable"),
            (b"\x00\x00\x00\x00\x07avro", "undecodable"),
            ((like.value or b"")[:-7], "undecodable"),
            (b'{"eventId": "e", "occurredAt": "2026-11-20T10:00:00Z", "cartId": 7}', "invalid"),
            (b'{"eventType": "CartFound", "eventId": "e"}', "invalid"),
        )
        value, poison = self._chance.choice(sorts)
        at = self._chance.uniform(0.0, self._seconds)
        self._found.append(Publication(at, like.topic, like.key, value, poison=poison))

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._events += 1
        whole = {"eventId": f"event-{self._events}", "eventType": kind, "occurredAt": "2026-11-20T10:00:00Z"} | fields
        return json.dumps(whole).encode()


def effects_of(operation: str, body: dict[str, Any]) -> tuple[Effect, ...]:
    """What a request asks for."""
    match operation:
        case "confirm":
            items = [item["cartItemId"] for item in body.get("items", [])] or [NO_ITEM]
            return tuple(("confirm", body["orderId"], item) for item in items)
        case "cancel":
            return (("cancel", NO_ITEM, body["itemReservationId"]),)
        case "release":
            return tuple(("release", body["cartId"], item["cartItemId"]) for item in body["items"])
    return ()


def _sound(name: str) -> Item:
    return Item(name, f"reservation-{name}")


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
