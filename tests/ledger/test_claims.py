"""A call is one worker's at a time, and is settled once: on every kind of ledger."""

from msgspec.structs import replace

from infra.ledger_clerk import LEASE_SECONDS, ORIGIN, Clerk, confirm, on_loop, settled
from infra.ledgers import Database, opened
from worker.ledger.entries import Disputed, Done, Entry, Send, Settle, Wait
from worker.verdict import Death

CALL = confirm("order-1", "r-1", "r-2")
FIRST = Send(CALL.items, attempts=0, maybe_sent=False)


@on_loop
async def test_a_call_that_nobody_knows_is_the_askers(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        assert await anna.ask(CALL) == FIRST


@on_loop
async def test_a_question_that_is_repeated_after_a_lost_answer_is_answered_alike(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        question = anna.question(CALL)
        assert [await anna.put(question) for _ in range(3)] == [FIRST] * 3


@on_loop
async def test_while_one_has_a_call_others_wait_and_so_does_the_same_worker_with_a_second_event(
    database: Database,
) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        await anna.ask(CALL)
        assert isinstance(await bert.ask(CALL), Wait)
        assert isinstance(await anna.ask(CALL), Wait)


@on_loop
async def test_a_settled_call_is_done_for_everybody(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        entry = await anna.do(CALL)
        assert (entry.status, entry.owner, entry.published, entry.http_status) == ("succeeded", "anna", True, 200)
        assert [await clerk.ask(CALL) for clerk in (anna, bert)] == [Done(entry), Done(entry)]


@on_loop
async def test_an_outcome_that_is_not_published_is_its_workers_until_that_one_is_gone(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        question = anna.question(CALL)
        await anna.put(question)
        entry = await anna.settle(question)
        assert isinstance(await bert.ask(CALL), Wait)
        assert await anna.ask(CALL) == Done(entry)
        await store.retire("anna")
        assert await bert.ask(CALL) == Done(entry)
        assert not entry.published


@on_loop
async def test_what_is_settled_first_stands(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        question = anna.question(CALL)
        await anna.put(question)
        first = await anna.settle(question)
        assert await anna.settle(question, settled(CALL, "rejected")) == first
        assert await anna.settle(question) == first


@on_loop
async def test_a_dead_letter_is_kept_until_it_is_published(database: Database) -> None:
    death = Death("rejected", "Rokt answered 400", "", 400, '{"message": "no"}', 2, "confirm", CALL.key)
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        question = anna.question(CALL)
        await anna.put(question)
        entry = await anna.settle(question, settled(CALL, "rejected", attempts=2, death=death))
        assert entry.death == death
        assert await anna.ask(CALL) == Done(entry)
        await anna.publish(CALL)
        assert await anna.ask(CALL) == Done(replace(entry, death=None, published=True))


@on_loop
async def test_a_call_that_was_given_back_is_free_and_its_attempts_count(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        question = anna.question(CALL)
        await anna.put(question)
        await anna.give_back(question, 3, maybe_sent=True)
        assert await bert.ask(CALL) == Send(CALL.items, attempts=3, maybe_sent=True)
        await anna.give_back(question, 0)
        assert isinstance(await anna.ask(CALL), Wait), "it is bert's now, and only bert can give it back"


@on_loop
async def test_a_call_of_a_worker_that_left_is_taken_over_as_one_that_may_have_been_sent(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        await anna.ask(CALL)
        await store.retire("anna")
        assert await bert.ask(CALL) == Send(CALL.items, attempts=1, maybe_sent=True)


@on_loop
async def test_a_lease_runs_out_unless_it_is_renewed(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        await anna.ask(CALL)
        database.age(LEASE_SECONDS - 5)
        await store.renew("anna", LEASE_SECONDS)
        database.age(LEASE_SECONDS - 5)
        assert isinstance(await bert.ask(CALL), Wait)
        database.age(10)
        assert await bert.ask(CALL) == Send(CALL.items, attempts=1, maybe_sent=True)


@on_loop
async def test_who_comes_back_after_its_lease_finds_its_call_settled_by_the_other(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(other, "bert").begin()
        late = anna.question(CALL)
        await anna.put(late)
        await store.retire("anna")
        question = bert.question(CALL)
        await bert.put(question)
        entry = await bert.settle(question, settled(CALL, "duplicate"))
        assert await anna.settle(late) == entry
        assert entry.owner == "bert"


@on_loop
async def test_another_body_under_the_same_key_is_told_and_not_sent_over_an_unknown_outcome(database: Database) -> None:
    other_body = confirm("order-1", "r-1", "r-2", merchant="somebody else")
    assert other_body.key == CALL.key
    async with opened(database) as store:
        anna, bert = await Clerk(store, "anna").begin(), await Clerk(store, "bert").begin()
        question = anna.question(CALL)
        await anna.put(question)
        await store.retire("anna")
        [begun] = (await bert.page(question)).entries.values()
        assert await bert.ask(other_body) == Disputed(begun)
        entry = await anna.settle(question)
        assert await bert.ask(other_body) == Done(entry, other_body=True)


@on_loop
async def test_the_entry_tells_where_its_event_stood(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        entry = await anna.do(CALL)
        assert entry.origin == ORIGIN
        assert (entry.cart_id, entry.order_id, entry.operation) == ("cart of order-1", "order-1", "confirm")


@on_loop
async def test_one_who_never_asked_can_settle_too(database: Database) -> None:
    async with opened(database) as store:
        anna = Clerk(store, "anna")
        [entry] = await store.work([Settle(anna.question(CALL), settled(CALL))])
        assert isinstance(entry, Entry)
        assert (entry.status, entry.owner) == ("succeeded", "anna")


@on_loop
async def test_publishing_what_is_not_settled_changes_nothing(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        question = anna.question(CALL)
        await anna.put(question)
        await anna.publish(CALL)
        await anna.publish(confirm("an order that nobody knows"))
        assert not (await anna.settle(question)).published
        assert not await store.settled([CALL.key])
