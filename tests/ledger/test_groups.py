"""A group of requests is one transaction, and many groups at once leave what one after the other would have left."""

import asyncio
from itertools import pairwise
from unittest.mock import patch

import pytest

from infra.ledger_clerk import ORIGIN, Clerk, cancelled, confirm, item, on_loop, release, settled
from infra.ledgers import Database, opened
from worker.errors import LedgerUnavailable, WorkerError
from worker.ledger.entries import Answer, Ask, CallOff, Done, GiveBack, Published, Send, Settle, Wait
from worker.ledger.page import Page

CALLS = [confirm(f"order-{n}", f"r-{n}") for n in range(200)]
OWNERS = 50
STORES = 5


@on_loop
async def test_an_empty_group_is_done(database: Database) -> None:
    async with opened(database) as store:
        assert await store.work([]) == []
        assert not await store.settled([])


@on_loop
async def test_each_request_of_a_group_sees_what_those_before_it_did(database: Database) -> None:
    call = confirm("order-1", "r-1")
    async with opened(database) as store:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(store, "bert").begin()
        first, second, third = anna.question(call), bert.question(call), bert.question(call)
        answers = await store.work([first, second, GiveBack(first, 1, True), third])
        send = Send(call.items, 0, False)
        assert answers == [
            send,
            Wait("another worker, which has the same call under way"),
            None,
            Send(send.items, 1, True),
        ]
        entry, nothing, done = await store.work(
            [Settle(third, settled(call)), Published(call.key), anna.question(call)]
        )
        assert nothing is None
        assert isinstance(done, Done)
        assert done.entry.published
        assert entry != done.entry


@on_loop
async def test_what_is_published_beside_other_requests_is_published(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        questions = [anna.question(call) for call in CALLS[:4]]
        await store.work(questions)
        await store.work([Settle(question, settled(question.call)) for question in questions])
        await store.work([Published(CALLS[0].key), anna.question(CALLS[1]), Published(CALLS[1].key)])
        await store.work([Published(CALLS[2].key), Published(CALLS[2].key)])
        assert (await store.settled([call.key for call in CALLS[:4]])).keys() == {call.key for call in CALLS[:3]}


@on_loop
async def test_a_group_with_everything_in_it(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        confirming = anna.question(confirm("order-1", "r-1"))
        releasing = anna.question(release("cart-2", "r-2"))
        cancelling = anna.question(cancelled("order-1", "r-1"))
        answers = await store.work(
            [
                confirming,
                releasing,
                Settle(confirming, settled(confirming.call)),
                CallOff("order-1", (), False),
                cancelling,
            ]
        )
        assert [type(answer).__name__ for answer in answers] == ["Send", "Send", "Entry", "CalledOff", "Send"]


@on_loop
async def test_an_error_in_the_middle_of_a_group_leaves_nothing_of_it(database: Database) -> None:
    good, bad = (confirm(order, f"r of {order}") for order in ("good", "bad"))
    work = Page.work

    def fail(page: Page, request: Ask) -> object:
        if request.call is bad:
            raise ZeroDivisionError
        return work(page, request)

    async with opened(database) as store:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(store, "bert").begin()
        with patch.object(Page, "work", fail), pytest.raises(ZeroDivisionError):
            await store.work([anna.question(good), anna.question(bad)])
        assert await bert.ask(good) == Send(good.items, 0, False)
        assert await bert.ask(bad) == Send(bad.items, 0, False)


@on_loop
async def test_five_thousand_keys_are_looked_up_at_once(database: Database) -> None:
    keys = [confirm(f"order-{n}").key for n in range(5_000)]
    calls = [confirm(f"order-{n}") for n in range(0, 5_000, 10)]
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        questions = [anna.question(call) for call in calls]
        await store.work(questions)
        assert not await store.settled(keys)
        await store.work([Settle(question, settled(question.call)) for question in questions])
        assert not await store.settled(keys), "settled, but not published"
        await store.work([Published(call.key) for call in calls])
        assert (await store.settled(keys)).keys() == {call.key for call in calls}


@on_loop
async def test_fifty_owners_ask_for_the_same_calls_at_once_and_each_is_sent_once(database: Database) -> None:
    stores = [database.store() for _ in range(STORES)]
    clerks = [Clerk(stores[n % STORES], f"owner-{n}") for n in range(OWNERS)]
    sent: list[str] = []

    async def go(clerk: Clerk) -> None:
        await clerk.begin()
        for low, high in pairwise(range(0, len(CALLS) + 1, 50)):
            asked = [clerk.question(call) for call in CALLS[low:high]]
            answers = await clerk.store.work(asked)
            mine = [ask for ask, answer in zip(asked, answers, strict=True) if isinstance(answer, Send)]
            sent.extend(ask.call.key for ask in mine)
            await clerk.store.work([Settle(ask, settled(ask.call)) for ask in mine])

    try:
        await asyncio.gather(*(store.open() for store in stores))
        await asyncio.gather(*map(go, clerks))
        assert sorted(sent) == sorted(call.key for call in CALLS)
    finally:
        await asyncio.gather(*(store.close() for store in stores))


@on_loop
async def test_ten_stores_open_the_same_new_database_at_once(database: Database) -> None:
    stores = [database.store() for _ in range(10)]
    try:
        await asyncio.gather(*(store.open() for store in stores))
        answers: list[Answer] = [await Clerk(store, f"owner-{n}").ask(CALLS[n]) for n, store in enumerate(stores)]
        assert all(isinstance(answer, Send) for answer in answers)
    finally:
        await asyncio.gather(*(store.close() for store in stores))


@on_loop
async def test_a_ledger_that_was_opened_before_keeps_what_stands_in_it(database: Database) -> None:
    async with opened(database) as store:
        entry = await (await Clerk(store, "anna").begin()).do(CALLS[0])
    async with opened(database) as store:
        assert await Clerk(store, "bert").ask(CALLS[0]) == Done(entry)
        await store.open()


@on_loop
async def test_a_ledger_of_the_first_version_is_brought_up_and_keeps_what_stands_in_it(database: Database) -> None:
    async with opened(database) as store:
        entry = await (await Clerk(store, "anna").begin()).do(CALLS[0])
    database.go_back()
    async with opened(database) as store:
        assert await Clerk(store, "bert").ask(CALLS[0]) == Done(entry)
        first = await store.reserve("calls", 1, 1_000, 0, 60_000_000)
    async with opened(database) as store:
        assert (await store.reserve("calls", 1, 1_000, 0, 60_000_000)).start_us > first.start_us


@on_loop
async def test_a_ledger_of_a_later_version_is_refused_in_clear_words(database: Database) -> None:
    async with opened(database):
        pass
    database.outgrow()
    store = database.store()
    try:
        with pytest.raises(WorkerError, match="later version") as refused:
            await store.open()
        assert not isinstance(refused.value, LedgerUnavailable), "asking again would not help"
    finally:
        await store.close()


@on_loop
async def test_ids_in_any_script_and_of_any_length(database: Database) -> None:
    ids = ["ключ", "命令-7", "🛒", "a'b\"c\\d", "x" * 4_000, " ", "%_", "[1]", "null"]
    async with opened(database) as store:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(store, "bert").begin()
        for id_ in ids:
            await anna.do(confirm(id_, id_))
            assert (await bert.call_off(id_)) == await bert.call_off(id_, item(id_))
            assert isinstance(await bert.ask(release("cart", id_)), Done), f"{id_} is confirmed, so not released"
        page = await bert.page(Ask(confirm(ids[0], *ids), ORIGIN, "bert", 1))
        assert set(page.reservations) == set(ids)
