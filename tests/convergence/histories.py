"""Histories of one cart as a shop may publish them, and what must become of each of its reservations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from hypothesis import strategies as st

from worker.events import (
    AbandonedItem,
    CancelledItem,
    CartAbandoned,
    CheckoutCompleted,
    CompletedItem,
    Event,
    OrderCancelled,
)
from worker.sandbox.reservations import reservation_of

T = TypeVar("T")

CART, ORDER = "cart", "order"
PAID, CANCELLED, ABANDONED = "checkout-completed", "order-cancelled", "cart-abandoned"
TOPICS = (PAID, CANCELLED, ABANDONED)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the cart; without a `reservation` it is confirmed by its quantity, and Rokt makes one up."""

    id: str
    reservation: str | None

    @property
    def at_rokt(self) -> str:
        return self.reservation or reservation_of(CART, self.id)

    @property
    def fails(self) -> bool:
        return self.id.startswith("fail-")


@dataclass(frozen=True, slots=True)
class History:
    """What the shop published, topic by topic."""

    items: tuple[Item, ...]
    streams: dict[str, tuple[Event, ...]]

    @property
    def paid(self) -> tuple[CheckoutCompleted, ...]:
        return tuple(event for event in self.streams[PAID] if isinstance(event, CheckoutCompleted))

    @property
    def cancelled(self) -> tuple[OrderCancelled, ...]:
        return tuple(event for event in self.streams[CANCELLED] if isinstance(event, OrderCancelled))

    @property
    def abandoned(self) -> tuple[CartAbandoned, ...]:
        return tuple(event for event in self.streams[ABANDONED] if isinstance(event, CartAbandoned))

    @property
    def many_confirms(self) -> bool:
        return len({frozenset(event.items) for event in self.paid}) > 1

    @property
    def many_releases(self) -> bool:
        return len({frozenset(event.items) for event in self.abandoned}) > 1


def confirms(event: CheckoutCompleted, item: Item) -> bool:
    """Whether a checkout is about this item."""
    return any(one.cart_item_id == item.id for one in event.items)


def cancels(event: OrderCancelled, item: Item) -> bool:
    """Whether a cancel is about this item."""
    return not event.items or any(
        one.cart_item_id == item.id or one.item_reservation_id == item.at_rokt for one in event.items
    )


def releases(event: CartAbandoned, item: Item) -> bool:
    """Whether a release is about this item."""
    return any(one.item_reservation_id == item.at_rokt for one in event.items)


def completed(number: int, items: Iterable[Item]) -> CheckoutCompleted:
    bought = tuple(CompletedItem(i.id, i.reservation, quantity=None if i.reservation else 1) for i in items)
    return CheckoutCompleted(f"paid-{number}", 0, CART, ORDER, "session", items=bought)


def called_off(number: int, named: Iterable[CancelledItem], cart_id: str | None = CART) -> OrderCancelled:
    return OrderCancelled(f"cancelled-{number}", 0, ORDER, tuple(named), cart_id)


def left(number: int, items: Iterable[Item]) -> CartAbandoned:
    return CartAbandoned(f"abandoned-{number}", 0, CART, tuple(AbandonedItem(i.id, i.reservation) for i in items))


def names(item: Item) -> tuple[CancelledItem, ...]:
    """The ways in which a cancel may name an item; nobody knows a reservation that Rokt has yet to make up."""
    both, cart_item = CancelledItem(item.id, item.at_rokt), CancelledItem(item.id, None)
    return (both, cart_item, CancelledItem(None, item.reservation)) if item.reservation else (cart_item, both)


ALL = tuple(
    Item(f"{kind}{number}", reservation)
    for number in range(3)
    for kind, reservation in (("item-", f"r-{number}"), ("extra-", None), ("fail-", f"r-{number}"))
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Up to three items, up to two checkouts, cancels and releases each, and up to two of them published again."""
    kinds = draw(_list(st.sampled_from((0, 0, 0, 1, 2)), (1, 2, 3, 0)))
    items = tuple(ALL[3 * place + kind] for place, kind in enumerate(kinds))
    some = st.sets(st.sampled_from(items)).map(lambda of: sorted(of, key=_id)) if items else st.just([])
    whole = st.just(list(items))
    paid = draw(_list(whole | whole | some, (1, 1, 2, 0)))
    cancelled = draw(_list(_cancel(items), (1, 1, 2, 0)))
    abandoned = draw(_list(whole | some, (1, 1, 2, 0)))
    streams: dict[str, tuple[Event, ...]] = {
        PAID: tuple(completed(number, of) for number, of in enumerate(paid)),
        CANCELLED: tuple(called_off(number, of, cart) for number, (of, cart) in enumerate(cancelled)),
        ABANDONED: tuple(left(number, of) for number, of in enumerate(abandoned)),
    }
    return History(items, {topic: draw(_published(events)) for topic, events in streams.items()})


def _list(of: st.SearchStrategy[T], sizes: tuple[int, ...]) -> st.SearchStrategy[list[T]]:
    return st.sampled_from(sizes).flatmap(lambda size: st.lists(of, min_size=size, max_size=size))


def _cancel(items: tuple[Item, ...]) -> st.SearchStrategy[tuple[list[CancelledItem], str | None]]:
    named = st.tuples(*(st.sampled_from((None, *names(item))) for item in items))
    return st.tuples(named.map(lambda of: [one for one in of if one is not None]), st.sampled_from((CART, None)))


@st.composite
def _published(draw: st.DrawFn, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Some of them again, later, as another event with its items in another order."""
    again = [
        msgspec.structs.replace(event, event_id=f"{event.event_id}-again", items=tuple(reversed(event.items)))
        for event in events
        if draw(st.sampled_from((False, False, True)))
    ]
    return (*events, *again)


def _id(item: Item) -> str:
    return item.id
