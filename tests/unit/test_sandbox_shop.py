"""The made-up shop: events that the worker takes, the same ones from the same seed."""

from __future__ import annotations

import json
from itertools import islice
from random import Random

from worker.events import CheckoutCompleted, OrderCancelled, from_json
from worker.sandbox.shop import Made, carts

AT = "2026-11-26T10:00:00.000Z"


def made(seed: int, count: int = 500) -> list[Made]:
    return list(islice(carts(Random(seed), lambda: AT), count))


def test_every_event_can_be_read() -> None:
    for one in made(1):
        event = from_json(one.kind, json.dumps(one.event))
        assert type(event).__name__ == one.kind
        assert event.cart_id == one.key


def test_the_same_seed_makes_the_same_events_and_another_one_others() -> None:
    assert made(7) == made(7)
    assert not {one.key for one in made(7)} & {one.key for one in made(8)}


def test_all_kinds_come_and_some_of_them_twice() -> None:
    kinds = {(one.kind, one.again) for one in made(3)}
    assert {"CheckoutCompleted", "OrderCancelled", "CartAbandoned"} == {kind for kind, _ in kinds}
    assert {True, False} == {again for _, again in kinds}


def test_only_what_was_sold_is_cancelled_and_only_once() -> None:
    sold: dict[str, set[str]] = {}
    for one in made(5):
        event = from_json(one.kind, json.dumps(one.event))
        reservations = {item.item_reservation_id or "" for item in event.items}
        if one.again:
            continue
        if isinstance(event, CheckoutCompleted):
            sold[event.order_id] = reservations
        elif isinstance(event, OrderCancelled):
            assert sold.pop(event.order_id) == reservations
