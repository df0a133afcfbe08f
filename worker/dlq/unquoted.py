"""Texts about an event that are not ours, without what the event holds of its customer: they may quote it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from worker.events import PRICE_SCALE, CheckoutCompleted, CompletedItem, Event, OrderCancelled
from worker.rokt.said import without


def unquoted(text: str, event: Event) -> str:
    """The text without the customer's attributes, session and language, without prices and payment ids."""
    return without(text, _personal(event))


def _personal(event: Event) -> Iterator[str]:
    yield event.locale or ""
    if isinstance(event, OrderCancelled):
        return
    yield event.rokt_session_id or ""
    yield from (event.attributes or {}).values()
    if isinstance(event, CheckoutCompleted):
        yield event.pay_pal_order_id or ""
        yield event.merchant_id or ""
        for item in event.items:
            yield from _prices(item)


def _prices(item: CompletedItem) -> Iterator[str]:
    for price in (item.unit_price, item.total_price):
        if price is not None:
            yield from _written(price)


def _written(price: Decimal) -> Iterator[str]:
    """As a number, as a sum of money, as Avro has it, and in the smallest unit."""
    yield f"{price:f}"
    yield f"{price.normalize():f}"
    yield from (f"{price:.{places}f}" for places in range(PRICE_SCALE + 1))
    yield f"{price * 100:.0f}"
