"""Made-up carts of a shop, for trying a worker out: what becomes of each, as events in JSON. Pure, from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from uuid import UUID

from worker.events import EventType

SOLD: Final = 0.75
CANCELLED: Final = 0.1
AGAIN: Final = 0.05
MOST_ITEMS: Final = 3
REMEMBERED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Made:
    """One event; `key` is that of its record. `again`: the same was published before."""

    kind: EventType
    key: str
    event: dict[str, Any]
    again: bool = False


def carts(random: Random, now: Callable[[], str]) -> Iterator[Made]:
    """Without end: checkouts, some of their orders cancelled later, abandoned carts, and now and then one event twice.

    `now` is the time, as RFC 3339. Ids begin with eight hex digits that are the seed's own.
    """
    shop, sold = f"{random.getrandbits(32):08x}", list[tuple[str, list[dict[str, str]]]]()
    last: Made | None = None
    number = 0
    while True:
        if last is not None and random.random() < AGAIN:
            yield Made(last.kind, last.key, last.event, again=True)
            last = None
            continue
        if sold and random.random() < CANCELLED:
            cart, items = sold.pop(random.randrange(len(sold)))
            last = _made("OrderCancelled", cart, random, now(), orderId=f"order-{cart}", items=items)
        else:
            number += 1
            cart = f"{shop}-{number}"
            items = [_ids(cart, place) for place in range(random.randint(1, MOST_ITEMS))]
            if random.random() < SOLD:
                priced = [item | _price(random) for item in items]
                order, session = f"order-{cart}", f"session-{cart}"
                last = _made(
                    "CheckoutCompleted", cart, random, now(), orderId=order, roktSessionId=session, items=priced
                )
                sold = [*sold[1 - REMEMBERED :], (cart, items)]
            else:
                last = _made("CartAbandoned", cart, random, now(), roktSessionId=f"session-{cart}", items=items)
        yield last


def _made(kind: EventType, cart: str, random: Random, now: str, **more: Any) -> Made:
    event_id = str(UUID(int=random.getrandbits(128), version=4))
    return Made(kind, cart, {"eventId": event_id, "eventType": kind, "occurredAt": now, "cartId": cart, **more})


def _ids(cart: str, place: int) -> dict[str, str]:
    return {"cartItemId": f"{cart}-item-{place}", "itemReservationId": f"reservation-{cart}-{place}"}


def _price(random: Random) -> dict[str, Any]:
    price = f"{random.randint(100, 9_900) / 100:.2f}"
    return {"quantity": 1, "unitPrice": price, "totalPrice": price, "currency": "USD"}
