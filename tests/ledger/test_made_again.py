"""What was rejected or given up is begun again when it is asked for, and never what succeeded (contract, 3, rule 1)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from infra.ledger_clerk import Clerk, confirm, item, on_loop, settled
from infra.ledgers import Database, opened
from worker.keys import again
from worker.ledger.entries import Answer, Ask, Disputed, Done, Published, Redo, Send, Wait
from worker.ledger.store import Store
from worker.rokt.answers import ItemAnswer
from worker.telemetry.names import Status
from worker.verdict import Death, Settled

CALL = confirm("order-1", "r-1", "r-2")
UNKNOWN = Death("unknown-outcome", "no answer", attempts=3, operation="confirm", key=CALL.key)
EXHAUSTED = replace(UNKNOWN, reason="exhausted")


async def _anna(store: Store) -> Clerk:
    return await Clerk(store, "anna").begin()


def _redo(clerk: Clerk, key: str | None = None) -> Ask:
    return replace(clerk.question(CALL), redo=Redo(key))


def _partly(*taken: str) -> Settled:
    items = tuple(
        ItemAnswer(i.cart_item_id, i.item_reservation_id, None, None, i.item_reservation_id in taken)
        for i in CALL.items
    )
    return Settled("partial", items, 200, 1)


async def _again(clerk: Clerk, key: str | None = None) -> Answer:
    return await clerk.put(_redo(clerk, key))


@on_loop
async def test_a_rejected_call_is_made_again_under_a_key_of_its_own(database: Database) -> None:
    async with opened(database) as store:
        anna = await _anna(store)
        await anna.do(CALL, "rejected")
        ask = _redo(anna, CALL.key)
        assert await anna.put(ask) == Send(CALL.items, attempts=0, maybe_sent=False, redo=1)

        entry = await anna.settle(ask, redo=1)
        assert (entry.key, entry.sent_key, entry.status) == (CALL.key, again(CALL.key, 1), "succeeded")
        assert again(CALL.key, 1) not in (CALL.key, again(CALL.key, 2))


@on_loop
async def test_without_being_asked_for_it_is_not_made_again(database: Database) -> None:
    async with opened(database) as store:
        anna = await _anna(store)
        entry = await anna.do(CALL, "rejected")
        assert await anna.ask(CALL) == Done(entry)


@on_loop
@pytest.mark.parametrize("status", ["succeeded", "duplicate", "superseded"])
async def test_what_succeeded_or_was_superseded_is_never_made_again(database: Database, status: Status) -> None:
    async with opened(database) as store:
        anna = await _anna(store)
        entry = await anna.do(CALL, status)
        assert await _again(anna) == Done(entry)
        assert await _again(anna, CALL.key) == Done(entry)


@on_loop
async def test_the_letter_of_an_earlier_rejection_makes_nothing_again(database: Database) -> None:
    async with opened(database) as store:
        anna = await _anna(store)
        await anna.do(CALL, "rejected")
        ask = _redo(anna, CALL.key)
        await anna.put(ask)
        await anna.settle(ask, settled(CALL, "rejected"), redo=1)
        await anna.publish(CALL)

        answer = await _again(anna, CALL.key)
        assert isinstance(answer, Done)
        assert answer.entry.redo == 1
        assert await _again(anna, again(CALL.key, 1)) == Send(CALL.items, attempts=0, maybe_sent=False, redo=2)


@on_loop
async def test_of_a_partial_call_only_what_failed_is_made_again(database: Database) -> None:
    async with opened(database) as store:
        anna = await _anna(store)
        first = anna.question(CALL)
        await anna.put(first)
        await anna.settle(first, _partly("r-1"))
        await anna.publish(CALL)

        ask = _redo(anna, CALL.key)
        assert await anna.put(ask) == Send((item("r-2"),), attempts=0, maybe_sent=False, redo=1)
        taken = Settled("succeeded", (ItemAnswer("item of r-2", "r-2", "c-2", None, True),), 200, 1)
        entry = await anna.settle(ask, taken, redo=1)
        assert [(i.item_reservation_id, i.success) for i in entry.items] == [("r-1", True), ("r-2", True)]
        assert {r.state for r in (await anna.page(ask)).reservations.values()} == {"confirmed"}


@on_loop
async def test_what_is_rejected_again_of_a_partial_call_leaves_it_partial(database: Database) -> None:
    async with opened(database) as store:
        anna = await _anna(store)
        first = anna.question(CALL)
        await anna.put(first)
        await anna.settle(first, _partly("r-1"))
        await anna.publish(CALL)
        ask = _redo(anna)
        await anna.put(ask)
        refused = Settled("rejected", (ItemAnswer("item of r-2", "r-2", None, None, False),), 400, 1)
        assert (await anna.settle(ask, refused, redo=1)).status == "partial"
        await anna.publish(CALL)
        assert await _again(anna) == Send((item("r-2"),), attempts=0, maybe_sent=False, redo=2)


@on_loop
@pytest.mark.parametrize("death", [UNKNOWN, EXHAUSTED], ids=lambda death: death.reason)
async def test_what_was_given_up_is_made_again_under_the_same_key(database: Database, death: Death) -> None:
    async with opened(database) as store:
        anna = await _anna(store)
        first = anna.question(CALL)
        await anna.put(first)
        await anna.settle(first, settled(CALL, "dead", attempts=3, death=death))
        await anna.publish(CALL)
        answer = await _again(anna, CALL.key)
        assert answer == Send(CALL.items, attempts=3, maybe_sent=death is UNKNOWN, redo=0)


@on_loop
async def test_another_body_is_not_sent_where_the_first_may_have_reached_rokt(database: Database) -> None:
    async with opened(database) as store:
        anna = await _anna(store)
        first = anna.question(CALL)
        await anna.put(first)
        await anna.settle(first, settled(CALL, "dead", death=UNKNOWN))
        await anna.publish(CALL)
        other = confirm("order-1", "r-1", "r-2", merchant="another")
        assert other.key == CALL.key
        assert isinstance(await anna.put(replace(anna.question(other), redo=Redo(None))), Disputed)


@on_loop
async def test_two_workers_do_not_have_it_in_flight_at_one_time(database: Database) -> None:
    async with opened(database) as store:
        anna, bert = await _anna(store), await Clerk(store, "bert").begin()
        await anna.do(CALL, "rejected")
        ask = _redo(anna, CALL.key)
        assert isinstance(await anna.put(ask), Send)
        assert isinstance(await _again(bert, CALL.key), Wait)
        await anna.settle(ask, settled(CALL, "rejected"), redo=1)
        await anna.publish(CALL)
        assert isinstance(await _again(bert, CALL.key), Done), "anna made it again already"


@on_loop
async def test_a_crash_in_the_midst_goes_on_with_the_same_key_and_items(database: Database) -> None:
    async with opened(database) as store:
        anna, bert = await _anna(store), await Clerk(store, "bert").begin()
        first = anna.question(CALL)
        await anna.put(first)
        await anna.settle(first, _partly("r-1"))
        await anna.publish(CALL)
        await anna.put(_redo(anna, CALL.key))
        await store.retire("anna")
        assert await bert.ask(CALL) == Send((item("r-2"),), attempts=1, maybe_sent=True, redo=1)


@on_loop
async def test_what_is_cancelled_meanwhile_is_not_made_again(database: Database) -> None:
    async with opened(database) as store:
        anna = await _anna(store)
        await anna.do(CALL, "rejected")
        await anna.call_off("order-1", waited=True)
        answer = await _again(anna, CALL.key)
        assert isinstance(answer, Done)
        assert answer.entry.status == "superseded"


@on_loop
async def test_who_lost_a_call_and_writes_its_outcome_late_says_nothing_of_what_was_made_since(
    database: Database,
) -> None:
    async with opened(database) as store:
        anna = await _anna(store)
        first = await anna.do(CALL, "rejected")
        database.age(5.0)
        ask = _redo(anna, CALL.key)
        await anna.put(ask)
        again_settled = await anna.settle(ask, redo=1)
        await store.work([Published(CALL.key, first.settled_at_ms)])
        assert not await store.settled([CALL.key]), "its outcome is not written yet"
        await store.work([Published(CALL.key, again_settled.settled_at_ms)])
        assert (await store.settled([CALL.key]))[CALL.key].status == "succeeded"
