"""The rules of carts hold between workers that share nothing but the ledger. Each rule has its own tests elsewhere."""

from infra.ledger_clerk import Clerk, cancelled, confirm, item, on_loop, release, settled
from infra.ledgers import Database, opened
from worker.carts import CalledOff
from worker.ledger.entries import Done, Send, Wait
from worker.mapping import CallItem

CONFIRM = confirm("order-1", "r-1", "r-2", cart="cart-1")
RELEASE = release("cart-1", "r-1", "r-2")
CANCEL = cancelled("order-1", "r-1")


@on_loop
async def test_a_release_of_what_is_being_confirmed_is_superseded_and_that_is_final(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        confirming = anna.question(CONFIRM)
        await anna.put(confirming)
        answer = await bert.ask(RELEASE)
        assert isinstance(answer, Done)
        assert (answer.entry.status, answer.entry.published) == ("superseded", False)
        assert answer.why
        await anna.settle(confirming, settled(CONFIRM, "rejected"))
        again = await bert.ask(RELEASE)
        assert isinstance(again, Done)
        assert again.entry == answer.entry


@on_loop
async def test_a_release_leaves_out_what_is_confirmed(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        await anna.do(confirm("order-2", "r-2"))
        assert await bert.ask(RELEASE) == Send((item("r-1"),), 0, maybe_sent=False)


@on_loop
async def test_a_confirm_waits_for_a_release_under_way_and_is_sent_after_it(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        releasing = anna.question(RELEASE)
        await anna.put(releasing)
        assert isinstance(await bert.ask(CONFIRM), Wait)
        await anna.settle(releasing)
        assert await bert.ask(CONFIRM) == Send(CONFIRM.items, 0, maybe_sent=False)


@on_loop
async def test_a_confirm_leaves_out_what_is_cancelled(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        await anna.do(CANCEL)
        assert await bert.ask(CONFIRM) == Send((item("r-2"),), 0, maybe_sent=False)


@on_loop
async def test_a_cancel_waits_for_a_confirm_under_way_and_no_longer_than_its_worker_lives(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        await anna.ask(CONFIRM)
        assert isinstance(await bert.ask(CANCEL), Wait)
        assert isinstance(await bert.call_off("order-1", waited=True), Wait)
        await store.retire("anna")
        assert await bert.call_off("order-1", waited=True) == CalledOff(CONFIRM.items)
        assert await bert.ask(CANCEL) == Send(CANCEL.items, 0, maybe_sent=False)


@on_loop
async def test_a_cancel_of_the_whole_order_is_of_all_that_was_confirmed_for_it(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        assert isinstance(await bert.call_off("order-1"), Wait)
        await anna.do(CONFIRM)
        await anna.do(confirm("order-1", "r-3", cart="cart-1"))
        expected = CalledOff((item("r-1"), item("r-2"), item("r-3")))
        assert [await bert.call_off("order-1"), await bert.call_off("order-1")] == [expected] * 2


@on_loop
async def test_a_cancel_by_the_carts_item_finds_its_reservation(database: Database) -> None:
    unknown = CallItem("an item that nobody knows", None)
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        await anna.do(CONFIRM)
        assert isinstance(await bert.call_off("order-1", unknown), Wait)
        answer = await bert.call_off("order-1", CallItem("item of r-2", None), unknown, waited=True)
        assert answer == CalledOff((item("r-2"),), (unknown,))


@on_loop
async def test_a_cancel_that_waited_long_enough_is_noted_for_a_confirm_yet_to_come(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        assert await bert.call_off("order-1", item("r-1"), waited=True) == CalledOff((item("r-1"),))
        assert await anna.ask(CONFIRM) == Send((item("r-2"),), 0, maybe_sent=False)
        assert await bert.call_off("order-2", waited=True) == CalledOff(())
        answer = await anna.ask(confirm("order-2", "r-5"))
        assert isinstance(answer, Done)
        assert answer.entry.status == "superseded"
