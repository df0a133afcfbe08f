"""What a ledger keeps, field by field; and what it forgets when the retention is over."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from infra.ledger_clerk import ORIGIN, Clerk, confirm, item, on_loop, release
from infra.ledgers import Database, opened
from worker.carts import Begun, Order, Reservation
from worker.ledger.entries import Ask, Done, Entry, Origin, Send, Wait
from worker.ledger.page import Page
from worker.mapping import CallItem
from worker.rokt.answers import ItemAnswer
from worker.verdict import Death

DAY = 24 * 60 * 60
DAYS = 30
ANY = 1_000
CALL = confirm("order-1", "r-1")
QUESTION = Ask(CALL, ORIGIN, "anna", 1)
ENTRY = Entry(CALL.key, "confirm", "cart", "order-1", CALL.fingerprint, ORIGIN, "anna", 1, 1_700_000_000_000)
MANY = tuple(
    ItemAnswer(f"item-{n}", f"r-{n}", f"c-{n}", f"https://rokt.example/ü/{n}?a=1&b", n % 2 == 0) for n in range(500)
)

ENTRIES = [
    ENTRY,
    replace(ENTRY, owner=None, cart_id=None, order_id=None, maybe_sent=True, attempts=7),
    replace(ENTRY, operation="cancel", token=2**62, begun_at_ms=2**45, fingerprint=bytes(range(256))),
    replace(ENTRY, operation="release", cart_id="", order_id="🛒 № 5"),
    replace(ENTRY, origin=Origin("событие", -1, "topic with spaces", 2**31 - 1, 2**62, None)),
    replace(ENTRY, status="succeeded", http_status=200, items=MANY, settled_at_ms=1_700_000_000_001, published=True),
    replace(ENTRY, status="superseded", items=(ItemAnswer(None, None, None, None, success=False),), settled_at_ms=5),
    replace(ENTRY, status="dead", death=Death("exhausted", "Rokt answered 503", attempts=12), settled_at_ms=5),
    replace(
        ENTRY,
        status="rejected",
        http_status=400,
        death=Death("rejected", 'ä "quoted" \\ \n', "ReadTimeout", 400, '{"a": [1]}\0', 3, "confirm", CALL.key),
        settled_at_ms=5,
    ),
]
RESERVATIONS = [
    Reservation("r-1"),
    Reservation("r-1", "confirmed"),
    Reservation("r-1", "refused", "confirm", "anna", CALL.key),
    Reservation("r-1", "", "cancel", None, "key"),
    Reservation("r-1", "released", "release", "ånna 🛒", ""),
]
ORDERS = [
    Order("order-1"),
    Order("order-1", settled=3, whole=True),
    Order("order-1", called_off=frozenset({CallItem(None, "r-1"), CallItem("предмет", None), CallItem("", "r-2")})),
    Order("order-1", items=tuple(CallItem(f"item-{n}", f"r-{n}") for n in range(500))),
    Order("order-1", items=(CallItem(None, "r"), CallItem("item", None))),
    Order("order-1", under_way={"key-1": Begun("anna", (item("r-1"),)), "key-2": Begun(None, ())}),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=range(len(ENTRIES)))
@on_loop
async def test_every_field_of_a_call_comes_back(database: Database, entry: Entry) -> None:
    page = await written_and_read(database, lambda page: page._keep(entry))
    assert page.entries == {CALL.key: entry}


@pytest.mark.parametrize("reservation", RESERVATIONS, ids=range(len(RESERVATIONS)))
@on_loop
async def test_every_field_of_a_reservation_comes_back(database: Database, reservation: Reservation) -> None:
    page = await written_and_read(database, lambda page: page._keep_reservation(reservation))
    assert page.reservations == {"r-1": reservation}


@pytest.mark.parametrize("order", ORDERS, ids=range(len(ORDERS)))
@on_loop
async def test_every_field_of_an_order_comes_back(database: Database, order: Order) -> None:
    page = await written_and_read(database, lambda page: page._keep_order(order))
    assert page.orders == {"order-1": order}


@on_loop
async def test_a_row_that_is_written_again_is_as_it_was_written_last(database: Database) -> None:
    def keep(page: Page, entry: Entry, reservation: Reservation, order: Order) -> None:
        page._keep(entry)
        page._keep_reservation(reservation)
        page._keep_order(order)

    for entry, reservation, order in zip(reversed(ENTRIES), RESERVATIONS * 2, ORDERS * 2, strict=False):
        page = await written_and_read(database, lambda page, e=entry, r=reservation, o=order: keep(page, e, r, o))  # type: ignore[misc]
        assert (page.entries, page.reservations, page.orders) == (
            {CALL.key: entry},
            {"r-1": reservation},
            {"order-1": order},
        )


@on_loop
async def test_what_is_old_and_done_goes_and_what_is_young_stays(database: Database) -> None:
    old, young = confirm("old", "r-old"), confirm("young", "r-young")
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        await anna.do(old)
        database.age((DAYS + 2) * DAY)
        await anna.begin()
        entry = await anna.do(young)
        assert await all_pruned(database) == 4, "its call, its reservation, its order and its note"
        assert await anna.ask(young) == Done(entry)
        assert await anna.ask(old) == Send(old.items, 0, maybe_sent=False)


@on_loop
async def test_what_is_settled_and_not_published_stays_however_old_it_is(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        question = anna.question(CALL)
        await anna.put(question)
        await anna.settle(question)
        database.age(10 * DAYS * DAY)
        await all_pruned(database)
        answer = await anna.ask(CALL)
        assert isinstance(answer, Done)
        assert (answer.entry.status, answer.entry.published) == ("succeeded", False)


@on_loop
async def test_what_a_live_worker_has_under_way_stays_however_long_that_takes(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        question = anna.question(CALL)
        await anna.put(question)
        database.age(2 * DAYS * DAY)
        await anna.begin()
        await all_pruned(database)
        bert = await Clerk(store, "bert").begin()
        assert isinstance(await bert.ask(CALL), Wait)
        assert isinstance(await bert.ask(release("cart", "r-1")), Done), "its reservation is being confirmed"
        assert isinstance(await bert.call_off("order-1"), Wait), "its order has a confirm under way"


@on_loop
async def test_what_a_worker_that_is_gone_left_unsettled_goes_with_the_retention(database: Database) -> None:
    given_back = confirm("order-2", "r-2")
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        question = anna.question(given_back)
        await anna.put(question)
        await anna.give_back(question, 2, maybe_sent=True)
        await anna.ask(CALL)
        database.age((DAYS - 1) * DAY)
        assert await all_pruned(database) <= 1, "nothing but the worker itself"
        database.age(2 * DAY)
        await all_pruned(database)
        bert = await Clerk(store, "bert").begin()
        assert [await bert.ask(call) for call in (CALL, given_back)] == [
            Send(CALL.items, 0, maybe_sent=False),
            Send(given_back.items, 0, maybe_sent=False),
        ]


@on_loop
async def test_what_is_touched_again_is_young_again(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        question = anna.question(CALL)
        await anna.put(question)
        database.age((DAYS - 1) * DAY)
        await anna.give_back(question, 4, maybe_sent=True)
        database.age(2 * DAY)
        await all_pruned(database)
        bert = await Clerk(store, "bert").begin()
        assert await bert.ask(CALL) == Send(CALL.items, 4, maybe_sent=True)


@on_loop
async def test_a_step_takes_out_no_more_than_it_may_and_all_is_gone_in_the_end(database: Database) -> None:
    calls = [confirm(f"order-{n}", f"r-{n}") for n in range(25)]
    kept = [confirm(f"kept-{n}", f"kept-{n}") for n in range(15)]
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        questions = [anna.question(call) for call in kept]
        for question in questions:
            await anna.put(question)
            await anna.settle(question)
        for call in calls:
            await anna.do(call)
        database.age((DAYS + 2) * DAY)
        steps = [await store.prune(DAYS, 10) for _ in range(12)]
        assert max(steps) <= 10 * 4 + 1
        assert sum(steps) >= 25 + 40 + 40 + 40
        assert not await store.settled([call.key for call in calls])
        page = await anna.page(questions[0])
        assert page.entries
        assert [await store.prune(DAYS, 10) for _ in range(3)] == [0] * 3


async def written_and_read(database: Database, write: Callable[[Page], Any]) -> Page:
    """What another worker reads of what one has written."""
    async with opened(database) as store, opened(database) as other:
        await Clerk(store, "anna").write(QUESTION, write)
        return await Clerk(other, "bert").page(QUESTION)


async def all_pruned(database: Database) -> int:
    async with opened(database) as store:
        return await store.prune(DAYS, ANY)
