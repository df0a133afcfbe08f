"""What events would come to if they were replayed now: asked of the ledger in groups, and never written there.

What a group of events would do is worked on by the ledger's own rules, on pages in memory that nobody writes back.
What it would have changed is remembered for the groups behind it, as far as memory is set aside for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from worker.carts import CalledOff, Order, Reservation
from worker.events import Event, OrderCancelled
from worker.keys import cancel_key
from worker.ledger.entries import (
    REDONE,
    Ask,
    CallOff,
    Disputed,
    Done,
    Origin,
    Redo,
    Request,
    touched,
)
from worker.ledger.page import Page
from worker.ledger.store import Store
from worker.mapping import Call, CallItem, Cancellation, call_key, cancel, map_event
from worker.replay.forecast import EVENTS, Expected, Forecast
from worker.replay.plan import Wanted

V = TypeVar("V")

NOBODY: Final = "a dry run"
NOWHERE: Final = Origin("", 0, "", 0, 0, None)
KEYS_REMEMBERED: Final = 100_000
ROWS_REMEMBERED: Final = 20_000
WEIGHT: Final[dict[Expected, int]] = {part: weight for weight, part in enumerate(EVENTS)}


class Recent(Generic[V]):
    """What was put there last; older ones are forgotten."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[str, V] = {}

    def put(self, id_: str, value: V) -> None:
        """Remembers it, in place of what had this id."""
        self._values.pop(id_, None)
        self._values[id_] = value
        if len(self._values) > self._size:
            del self._values[next(iter(self._values))]

    def of(self, ids: Iterable[str]) -> dict[str, V]:
        """Those of these ids that are remembered."""
        return {id_: self._values[id_] for id_ in ids if id_ in self._values}

    def __contains__(self, id_: str) -> bool:
        return id_ in self._values


@dataclass(eq=False, slots=True)
class _Asking:
    """One event, the keys of the calls that it asks for, and what it would come to.

    `items` are a cancel's, each with its reservation, in the order of the keys.
    """

    event: Event
    keys: list[str] = field(default_factory=list)
    items: list[CallItem] = field(default_factory=list)
    expected: Expected = "settled before"

    def call(self, key: str) -> Call:
        """The call of this key."""
        match self.event:
            case OrderCancelled() as event:
                return cancel(event, self.items[self.keys.index(key)])
            case event:
                called = map_event(event)
                assert isinstance(called, Call)
                return called

    def came(self, part: Expected) -> None:
        """Of several, the weightiest counts."""
        if WEIGHT[part] > WEIGHT[self.expected]:
            self.expected = part


class Weighing:
    """Adds what it finds to a forecast. `store` is only read."""

    def __init__(self, store: Store, wanted: Wanted, forecast: Forecast) -> None:
        self._store = store
        self._redo = Redo() if wanted.again else None
        self._forecast = forecast
        self._begun: Recent[None] = Recent(KEYS_REMEMBERED)
        self._orders: Recent[Order] = Recent(ROWS_REMEMBERED)
        self._reservations: Recent[Reservation] = Recent(ROWS_REMEMBERED)
        self._token = 0

    async def weigh(self, events: Sequence[Event]) -> None:
        """A group of events that were asked for. Raises LedgerUnavailable."""
        askings: list[_Asking] = []
        by_order: list[_Asking] = []
        for event in events:
            asking = _Asking(event)
            askings.append(asking)
            if isinstance(event, OrderCancelled):
                if _names_all(event):
                    asking.items = list({item.item_reservation_id: item for item in _items(event)}.values())
                else:
                    by_order.append(asking)
            elif (key := call_key(event)) is not None:
                asking.keys.append(key)
            else:
                askings.pop()
                self._forecast.records["skipped"] += 1
        await self._call_off(by_order)
        for asking in askings:
            if isinstance(asking.event, OrderCancelled):
                asking.keys = [
                    cancel_key(asking.event.order_id, item.item_reservation_id or "") for item in asking.items
                ]
        await self._settle(askings)
        self._forecast.records.update(asking.expected for asking in askings)

    async def _call_off(self, askings: Sequence[_Asking]) -> None:
        """What these cancels ask for, and whether anything."""
        if not askings:
            return
        requests = [CallOff(_order(asking.event), _items(asking.event), waited=True) for asking in askings]
        page = await self._page(requests)
        for asking, request in zip(askings, requests, strict=True):
            answer = page.work(request)
            if isinstance(answer, CalledOff):
                asking.items = list(answer.items)
                if answer.unresolved or not answer.items:
                    asking.came("dead-lettered")
                    self._forecast.letters["nothing-to-cancel"] += 1
                    self._forecast.unknown_orders += 1
            else:  # its confirm is under way now; what it will cancel is not known yet
                asking.came("calls to make")
                self._forecast.calls["cancel"] += 1
        self._remember(page)

    async def _settle(self, askings: Sequence[_Asking]) -> None:
        """Counts what is settled, and weighs what is left."""
        keys = [key for asking in askings for key in asking.keys]
        settled = await self._store.settled(keys) if keys else {}
        left: list[tuple[_Asking, Call]] = []
        for asking in askings:
            for key in asking.keys:
                before = settled.get(key)
                if before is None or (self._redo is not None and before.status in REDONE):
                    left.append((asking, asking.call(key)))
                else:
                    self._forecast.settled[before.status] += 1
        await self._begin(left)

    async def _begin(self, left: Sequence[tuple[_Asking, Call]]) -> None:
        """What would become of calls that are not settled."""
        asks: list[tuple[_Asking, Ask]] = []
        for asking, call in left:
            self._token += 1
            asks.append((asking, Ask(call, NOWHERE, NOBODY, self._token, self._redo)))
        if not asks:
            return
        page = await self._page([ask for _, ask in asks])
        for asking, ask in asks:
            if ask.call.key in self._begun:
                self._forecast.repeated += 1
            else:
                self._begun.put(ask.call.key, None)
                asking.came(self._expected(page, ask))
        self._remember(page)

    def _expected(self, page: Page, ask: Ask) -> Expected:
        answer = page.work(ask)
        if isinstance(answer, Done):
            if answer.entry.settled_at_ms == page.now_ms and answer.entry.owner == NOBODY:
                self._forecast.superseded[ask.call.operation] += 1
                return "superseded"
            self._forecast.settled[answer.entry.status or "dead"] += 1  # its outcome is still to be written
            return "settled before"
        if isinstance(answer, Disputed):
            self._forecast.letters["unknown-outcome"] += 1
            return "dead-lettered"
        self._forecast.calls[ask.call.operation] += 1  # at once, or when another worker has done with it
        return "calls to make"

    async def _page(self, requests: Sequence[Request]) -> Page:
        """What stands there now, and what those before would have made of it."""
        need = touched(requests)
        page = await self._store.look(need)
        page.orders.update(self._orders.of(need.orders))
        page.reservations.update(self._reservations.of(need.reservations))
        return page

    def _remember(self, page: Page) -> None:
        for order in page.changed_orders.values():
            self._orders.put(order.id, order)
        for reservation in page.changed_reservations.values():
            self._reservations.put(reservation.id, reservation)


def _names_all(event: OrderCancelled) -> bool:
    """Whether no ledger is needed to say what it cancels."""
    return bool(event.items) and all(item.item_reservation_id for item in event.items)


def _items(event: Event) -> tuple[CallItem, ...]:
    wanted = map_event(event)
    assert isinstance(wanted, Cancellation)
    return wanted.items


def _order(event: Event) -> str:
    assert isinstance(event, OrderCancelled)
    return event.order_id
