"""Slots shared out to a whole fleet: no two workers have the same, none is too early, and a hold moves all."""

import asyncio
from itertools import pairwise

from infra.ledger_clerk import Clerk, confirm, on_loop, settled
from infra.ledgers import Database, opened
from worker.ledger.budgets import Reserved
from worker.ledger.entries import Send, Settle
from worker.ledger.store import Store

STORES = 5
EACH = 40
INTERVAL = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


async def reserve(
    store: Store, count: int, interval: int = INTERVAL, *, lead: int = 0, name: str = "calls", ahead: int = HOUR
) -> Reserved:
    return await store.reserve(name, count, interval, lead, ahead)


def assert_apart(reserved: list[tuple[Reserved, int]], interval: int) -> None:
    """No stretch of so many slots begins before the one before it has ended."""
    stretches = sorted((stretch.start_us, stretch.start_us + count * interval) for stretch, count in reserved)
    assert all(end <= start for (_, end), (start, _) in pairwise(stretches))


@on_loop
async def test_the_first_slot_is_no_earlier_than_the_databases_time_and_the_lead(database: Database) -> None:
    async with opened(database) as store:
        for lead in (0, SECOND, 3 * SECOND, SECOND):
            reserved = await reserve(store, 1, lead=lead)
            assert reserved.start_us >= reserved.now_us + lead


@on_loop
async def test_what_is_reserved_follows_what_was_reserved_before(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        first = await reserve(store, 10, MINUTE)
        second = await reserve(other, 3, SECOND)
        third = await reserve(store, 1, SECOND)
        assert second.start_us == first.start_us + 10 * MINUTE
        assert third.start_us == second.start_us + 3 * SECOND


@on_loop
async def test_slots_that_nobody_asked_for_in_time_are_gone(database: Database) -> None:
    async with opened(database) as store:
        await reserve(store, 10, SECOND)
        database.age(3600)
        later = await reserve(store, 1, lead=SECOND)
        assert later.start_us == later.now_us + SECOND


@on_loop
async def test_a_hold_moves_the_next_slot_and_one_that_is_shorter_moves_it_no_further(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        hold = await reserve(store, 0, lead=MINUTE)
        assert hold.start_us == hold.now_us + MINUTE
        assert (await reserve(other, 0, lead=SECOND)).start_us == hold.start_us
        assert (await reserve(other, 1)).start_us == hold.start_us
        assert (await reserve(store, 1)).start_us == hold.start_us + INTERVAL


@on_loop
async def test_budgets_of_other_names_have_slots_of_their_own(database: Database) -> None:
    async with opened(database) as store:
        await reserve(store, 1, HOUR)
        other = await reserve(store, 1, name="others", lead=SECOND)
        assert other.start_us == other.now_us + SECOND


@on_loop
async def test_a_next_slot_that_is_too_far_off_is_brought_back(database: Database) -> None:
    async with opened(database) as store:
        far = await reserve(store, 10, MINUTE)
        brought_back = await reserve(store, 1, lead=SECOND, ahead=5 * MINUTE)
        assert brought_back.start_us == brought_back.now_us + SECOND < far.start_us + 10 * MINUTE
        assert (await reserve(store, 1)).start_us == brought_back.start_us + INTERVAL


@on_loop
async def test_a_database_whose_clock_is_set_back_goes_on_where_it_was(database: Database) -> None:
    async with opened(database) as store:
        before = await reserve(store, 60, SECOND)
        database.age(-24 * 3600)
        after = await reserve(store, 1)
        assert 0 <= after.start_us - after.now_us <= before.start_us - before.now_us + MINUTE
        assert after.start_us - after.now_us > MINUTE - 30 * SECOND, "the same slots are not given twice"


@on_loop
async def test_many_slots_and_slots_that_are_far_apart(database: Database) -> None:
    async with opened(database) as store:
        year = 365 * 24 * HOUR
        many = await reserve(store, 100_000, 1)
        assert (await reserve(store, 1, year)).start_us == many.start_us + 100_000
        assert (await reserve(store, 1, ahead=2 * year)).start_us == many.start_us + 100_000 + year


@on_loop
async def test_many_stores_at_once_never_have_the_same_slot(database: Database) -> None:
    stores = [database.store() for _ in range(STORES)]
    reserved: list[tuple[Reserved, int]] = []

    async def go(store: Store) -> None:
        for n in range(EACH):
            count = n % 4
            reserved.append((await reserve(store, count), count))

    try:
        await asyncio.gather(*(store.open() for store in stores))
        await asyncio.gather(*(go(store) for store in stores for _ in range(2)))
        assert len(reserved) == 2 * STORES * EACH
        assert_apart([(stretch, count) for stretch, count in reserved if count], INTERVAL)
        last = max(stretch.start_us + count * INTERVAL for stretch, count in reserved)
        assert (await reserve(stores[0], 1)).start_us >= last
    finally:
        await asyncio.gather(*(store.close() for store in stores))


@on_loop
async def test_groups_and_slots_at_once_are_both_done(database: Database) -> None:
    stores = [database.store() for _ in range(STORES)]
    calls = [confirm(f"order-{n}", f"r-{n}") for n in range(20)]
    reserved: list[tuple[Reserved, int]] = []
    sent: list[str] = []

    async def work(clerk: Clerk) -> None:
        await clerk.begin()
        for call in calls:
            [answer] = await clerk.store.work([ask := clerk.question(call)])
            if isinstance(answer, Send):
                sent.append(call.key)
                await clerk.store.work([Settle(ask, settled(call))])

    async def take(store: Store) -> None:
        reserved.extend([(await reserve(store, 2), 2) for _ in calls])

    try:
        await asyncio.gather(*(store.open() for store in stores))
        clerks = [Clerk(store, f"owner-{n}") for n, store in enumerate(stores)]
        await asyncio.gather(*map(work, clerks), *map(take, stores))
        assert sorted(sent) == sorted(call.key for call in calls)
        assert len(reserved) == STORES * len(calls)
        assert_apart(reserved, INTERVAL)
    finally:
        await asyncio.gather(*(store.close() for store in stores))


@on_loop
async def test_spare_slots_are_given_only_while_nobody_has_slots_ahead(database: Database) -> None:
    async with opened(database) as store:
        spare = await store.reserve("calls", 2, INTERVAL, SECOND, HOUR, spare=True)
        assert spare.given
        assert spare.start_us >= spare.now_us + SECOND

        await reserve(store, 10, MINUTE)
        assert not (await store.reserve("calls", 1, INTERVAL, SECOND, HOUR, spare=True)).given
        assert (await store.reserve("others", 1, INTERVAL, SECOND, HOUR, spare=True)).given
        database.age(11 * 60)
        assert (await store.reserve("calls", 1, INTERVAL, SECOND, HOUR, spare=True)).given


@on_loop
async def test_asking_for_spare_slots_in_vain_takes_none(database: Database) -> None:
    async with opened(database) as store:
        first = await reserve(store, 10, SECOND)
        for _ in range(5):
            assert not (await store.reserve("calls", 3, MINUTE, 0, HOUR, spare=True)).given
        assert (await reserve(store, 1)).start_us == first.start_us + 10 * SECOND
