"""Calls as events ask for them, and a worker who asks a ledger's store about them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import ParamSpec, cast
from unittest.mock import patch

from worker.events import AbandonedItem, CartAbandoned, CheckoutCompleted, CompletedItem, OrderCancelled
from worker.ledger.entries import Answer, Ask, CallOff, Entry, GiveBack, Origin, Published, Request, Settle
from worker.ledger.page import Page, Reply
from worker.ledger.store import Store
from worker.mapping import Call, CallItem, cancel, map_event
from worker.rokt.answers import ItemAnswer
from worker.telemetry.names import Status
from worker.verdict import Death, Settled

P = ParamSpec("P")
AT = 1_700_000_000_000
ORIGIN = Origin("event-1", AT, "checkout-completed", 3, 42, "0af7651916cd43dd8448eb211c80319c")
LEASE_SECONDS = 60.0


def on_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """A test that is a coroutine, as one that pytest can run."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def main() -> None:
            await test(*args, **kwargs)

        asyncio.run(main())

    return run


def item(reservation: str) -> CallItem:
    """The item of a reservation, as `confirm` and `release` name it."""
    return CallItem(f"item of {reservation}", reservation)


def confirm(order: str, *reservations: str, cart: str | None = None, merchant: str | None = None) -> Call:
    """The confirm of an order; another `merchant` is another body under the same key."""
    items = tuple(CompletedItem(f"item of {r}", r) for r in reservations)
    event = CheckoutCompleted("event-1", AT, cart or f"cart of {order}", order, items=items, merchant_id=merchant)
    call = map_event(event)
    assert isinstance(call, Call)
    return call


def release(cart: str, *reservations: str) -> Call:
    """The release of a cart."""
    items = tuple(AbandonedItem(f"item of {r}", r) for r in reservations)
    call = map_event(CartAbandoned("event-2", AT, cart, items))
    assert isinstance(call, Call)
    return call


def cancelled(order: str, reservation: str) -> Call:
    """The cancel of one item."""
    return cancel(OrderCancelled("event-3", AT, order, ()), item(reservation))


def settled(call: Call, status: Status = "succeeded", *, attempts: int = 1, death: Death | None = None) -> Settled:
    """What became of a call: done, unless its status says otherwise."""
    done = status in ("succeeded", "duplicate")
    items = tuple(ItemAnswer(i.cart_item_id, i.item_reservation_id, None, None, done) for i in call.items)
    return Settled(status, items, 200 if done else 400, attempts, death)


class Clerk:
    """One worker, by its owner's name, who asks one question at a time."""

    def __init__(self, store: Store, owner: str) -> None:
        self.store = store
        self.owner = owner
        self._tokens = count(1)

    async def begin(self) -> Clerk:
        await self.store.renew(self.owner, LEASE_SECONDS)
        return self

    def question(self, call: Call, origin: Origin = ORIGIN) -> Ask:
        return Ask(call, origin, self.owner, next(self._tokens))

    async def ask(self, call: Call) -> Answer:
        return await self.put(self.question(call))

    async def put(self, ask: Ask) -> Answer:
        return cast("Answer", await self._one(ask))

    async def settle(self, ask: Ask, what: Settled | None = None, redo: int = 0) -> Entry:
        entry = await self._one(Settle(ask, what or settled(ask.call), redo))
        assert isinstance(entry, Entry)
        return entry

    async def do(self, call: Call, status: Status = "succeeded") -> Entry:
        """Asks, settles and publishes."""
        ask = self.question(call)
        await self.put(ask)
        await self.settle(ask, settled(call, status))
        await self.publish(call)
        [entry] = (await self.page(ask)).entries.values()
        return entry

    async def give_back(self, ask: Ask, attempts: int = 0, *, maybe_sent: bool = False) -> None:
        assert await self._one(GiveBack(ask, attempts, maybe_sent)) is None

    async def publish(self, call: Call, settled_at_ms: int | None = None) -> None:
        assert await self._one(Published(call.key, settled_at_ms)) is None

    async def call_off(self, order: str, *items: CallItem, waited: bool = False) -> Reply:
        return await self._one(CallOff(order, items, waited))

    async def page(self, ask: Ask) -> Page:
        """What the ledger holds of a call, its order and its reservations; nothing is asked."""
        pages: list[Page] = []
        with _instead_of_work(lambda page, _: pages.append(page)):
            await self._one(ask)
        [page] = pages
        return page

    async def write(self, ask: Ask, change: Callable[[Page], None]) -> None:
        """Changes what the ledger holds of a call, past the rules."""
        with _instead_of_work(lambda page, _: change(page)):
            await self._one(ask)

    async def _one(self, request: Request) -> Reply:
        [reply] = await self.store.work([request])
        return reply


@contextmanager
def _instead_of_work(do: Callable[[Page, Request], None]) -> Iterator[None]:
    with patch.object(Page, "work", do):
        yield
