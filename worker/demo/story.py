"""The carts of the story and what each is in it, drawn from a seed. Pure.

Rokt remembers the key of a call that it refused, so the re-sent call gets 409 and cannot be told from one that was
done: the faults that lose answers leave the carts whose calls are refused (`ODD`) alone, and what becomes of them is
known beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Final

CARTS_PER_SECOND: Final = 28.0
USUAL: Final = "cart-"
ODD: Final = "odd-"
FAILING: Final = "fail-"


class Role(StrEnum):
    """What a cart is in the story."""

    PAID = "paid"
    PLAIN = "paid, without an item of Rokt's"
    ABANDONED = "abandoned"
    EMPTY = "abandoned, nothing reserved"
    SHOPPING = "still shopping"
    WHOLE = "paid, then cancelled as a whole"
    SOLD = "paid, and said to be abandoned"
    PARTLY_SOLD = "paid in part, and said to be abandoned"
    EARLY = "cancelled, then paid"
    LATE = "cancelled as a whole long before it is paid"
    TOO_LATE = "released, then paid"
    ITEM_FAILS = "paid, an item fails"
    NO_SESSION = "paid, without a session"
    NEVER_PAID = "cancelled, never paid"
    GARBLED = "garbled"
    ILL_FORMED = "ill-formed"
    TOMBSTONE = "tombstone"


SHARES: Final[Mapping[Role, float]] = {
    Role.PLAIN: 0.07,
    Role.ABANDONED: 0.14,
    Role.EMPTY: 0.02,
    Role.SHOPPING: 0.06,
    Role.WHOLE: 0.025,
    Role.SOLD: 0.05,
    Role.PARTLY_SOLD: 0.02,
    Role.EARLY: 0.03,
    Role.LATE: 0.0125,
    Role.TOO_LATE: 0.0125,
    Role.ITEM_FAILS: 0.03,
    Role.NO_SESSION: 0.0125,
    Role.NEVER_PAID: 0.01,
    Role.GARBLED: 0.0125,
    Role.ILL_FORMED: 0.0125,
    Role.TOMBSTONE: 0.01,
}
REFUSED: Final = (Role.ITEM_FAILS, Role.NO_SESSION, Role.NEVER_PAID, Role.TOO_LATE)
UNRESERVED: Final = (Role.PLAIN, Role.EMPTY, Role.GARBLED, Role.ILL_FORMED, Role.TOMBSTONE)
# Their cancels wait in vain for a confirm, so they come early, and the story is no longer for it.
PATIENT: Final = (Role.NEVER_PAID, Role.LATE)
EARLY_PART: Final = 0.15


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a cart; not every one is reserved at Rokt."""

    id: str
    reserved: bool
    quantity: int
    unit_price: Decimal
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Cart:
    """One cart; `due` is when its first event is published, in seconds from the beginning."""

    id: str
    order_id: str
    session_id: str
    role: Role
    items: tuple[Item, ...]
    due: float


def length(carts: int) -> float:
    """Seconds in which the first events of so many carts are published."""
    return carts / CARTS_PER_SECOND


def plan(carts: int, random: Random) -> tuple[Cart, ...]:
    """So many carts, in the order of their events; every role is there at least once from 20 carts on."""
    roles = [role for role, share in SHARES.items() for _ in range(max(1, round(carts * share)))][:carts]
    roles += [Role.PAID] * (carts - len(roles))
    random.shuffle(roles)
    drawn = [(random.uniform(0.0, length(carts)) * (EARLY_PART if role in PATIENT else 1.0), role) for role in roles]
    return tuple(_cart(number, role, due, random) for number, (due, role) in enumerate(sorted(drawn), 1))


def _cart(number: int, role: Role, due: float, random: Random) -> Cart:
    prefix = ODD if role in REFUSED else USUAL
    return Cart(
        id=f"{prefix}{number:04}",
        order_id=f"order-{number:04}",
        session_id=f"session-{random.getrandbits(48):012x}",
        role=role,
        items=_items(f"{number:04}", role, random),
        due=due,
    )


def _items(number: str, role: Role, random: Random) -> tuple[Item, ...]:
    if role is Role.PLAIN:
        return ()
    count = random.choice((2, 3) if role is Role.PARTLY_SOLD else (1, 1, 2, 2, 3))
    items = [_item(f"item-{number}-{place}", random, reserved=role not in UNRESERVED) for place in range(1, count + 1)]
    if role is Role.ITEM_FAILS:
        items.append(_item(f"{FAILING}{number}", random, reserved=True, fails=True))
        items = items[-random.choice((1, 2, 3)) :]
    elif role is Role.PAID and random.random() < 0.1:
        items.append(_item(f"extra-{number}", random, reserved=False))
    return tuple(items)


def _item(item_id: str, random: Random, *, reserved: bool, fails: bool = False) -> Item:
    price = Decimal(random.randrange(199, 12_000)).scaleb(-2)
    return Item(item_id, reserved, random.choice((1, 1, 1, 2)), price, fails)
