"""Of those who are sent the same transaction one produces it; none is lost with the one who had claimed it."""

import asyncio
from collections.abc import Sequence
from random import Random
from unittest.mock import patch

from infra.ledger_clerk import Clerk, confirm, on_loop
from infra.ledgers import Database, Memory, opened
from worker.ledger import postgres, schema_postgres, schema_sqlite, sqlite_file
from worker.ledger.entering import Busy, Claimed, Known, Mine
from worker.ledger.entries import Done
from worker.ledger.store import Store

SECONDS = 30.0
DAY = 24 * 60 * 60
DAYS = 30
IDS = [bytes([n, 255 - n]) * 16 for n in range(64)]
ONE, ANOTHER, THIRD = IDS[:3]


async def claim(store: Store, id_: bytes, owner: str, seconds: float = SECONDS) -> Claimed:
    [answer] = await store.claim([(id_, owner)], seconds)
    return answer


async def busy_for(store: Store, id_: bytes, owner: str) -> float:
    answer = await claim(store, id_, owner)
    assert isinstance(answer, Busy)
    return answer.seconds


def all_of(ids: Sequence[bytes], owner: str) -> list[tuple[bytes, str]]:
    return [(id_, owner) for id_ in ids]


@on_loop
async def test_a_transaction_that_nobody_knows_is_the_askers_and_others_hear_for_how_long(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        assert await claim(store, ONE, "anna") == Mine()
        assert SECONDS - 5 < await busy_for(other, ONE, "bert") <= SECONDS
        assert await claim(other, ANOTHER, "bert") == Mine()


@on_loop
async def test_what_is_entered_is_known_to_everybody_from_then_on(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        await claim(store, ONE, "anna")
        await store.entered([(ONE, "anna")])
        assert [await claim(s, ONE, who) for s, who in ((other, "bert"), (store, "anna"))] == [Known()] * 2
        database.age(DAY)
        assert await claim(other, ONE, "carl") == Known()
    async with opened(database) as store:
        assert await claim(store, ONE, "dora") == Known()


@on_loop
async def test_a_claim_that_is_over_is_taken_over_and_no_sooner(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        await claim(store, ONE, "anna")
        database.age(SECONDS - 5)
        assert 0 < await busy_for(other, ONE, "bert") <= 5
        database.age(5)
        assert await claim(other, ONE, "bert") == Mine()
        assert await busy_for(store, ONE, "anna") > SECONDS - 5, "it is bert's now, for a time of his own"


@on_loop
async def test_who_enters_after_the_claim_was_over_has_entered_it_all_the_same(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        await claim(store, ONE, "anna")
        database.age(SECONDS)
        assert await claim(other, ONE, "bert") == Mine()
        await store.entered([(ONE, "anna")])
        assert await claim(store, ONE, "carl") == Known()
        await other.release([(ONE, "bert")])
        assert await claim(store, ONE, "carl") == Known()
        await other.entered([(ONE, "bert")])
        assert await claim(store, ONE, "carl") == Known()


@on_loop
async def test_what_nobody_has_claimed_any_more_can_be_entered(database: Database) -> None:
    async with opened(database) as store:
        await store.entered(all_of(IDS, "anna"))
        assert await store.claim(all_of(IDS, "bert"), SECONDS) == [Known()] * len(IDS)


@on_loop
async def test_what_is_released_is_whoevers_asks_next(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        await claim(store, ONE, "anna")
        await store.release([(ONE, "anna"), (ANOTHER, "anna")])
        assert await claim(other, ONE, "bert") == Mine()
        await store.release([(ONE, "anna")])
        assert await busy_for(store, ONE, "anna") > 0, "only bert can release what is bert's"


@on_loop
async def test_a_group_releases_what_is_each_askers_own(database: Database) -> None:
    async with opened(database) as store:
        await store.claim([(ONE, "anna"), (ANOTHER, "bert"), (THIRD, "carl")], SECONDS)
        await store.release([(THIRD, "anna"), (ANOTHER, "anna"), (ONE, "bert"), (THIRD, "carl")])
        assert [type(answer) for answer in await store.claim(all_of(IDS[:3], "dora"), SECONDS)] == [Busy, Busy, Mine]


@on_loop
async def test_who_lost_the_answer_asks_anew_once_it_is_released(database: Database) -> None:
    async with opened(database) as store:
        await claim(store, ONE, "anna")
        assert await busy_for(store, ONE, "anna") > 0
        await store.release([(ONE, "anna")])
        assert await claim(store, ONE, "anna") == Mine()


@on_loop
async def test_of_the_same_in_one_group_the_first_has_it(database: Database) -> None:
    group = [(ANOTHER, "anna"), (ONE, "bert"), (ANOTHER, "carl"), (ANOTHER, "anna"), (THIRD, "dora")]
    async with opened(database) as store:
        await store.entered([(THIRD, "emil"), (THIRD, "emil")])
        assert await store.claim(group, SECONDS) == [Mine(), Mine(), Busy(SECONDS), Busy(SECONDS), Known()]
        await store.release([(ANOTHER, "carl"), (ONE, "carl")])
        assert await busy_for(store, ANOTHER, "carl") > 0, "it is anna's"
        await store.entered([(ANOTHER, "anna"), (ANOTHER, "anna"), (ONE, "bert")])
        assert await store.claim(group, SECONDS) == [Known()] * 5


@on_loop
async def test_an_empty_group_is_nothing(database: Database) -> None:
    async with opened(database) as store:
        assert await store.claim([], SECONDS) == []
        await store.entered([])
        await store.release([])


@on_loop
async def test_digests_of_any_bytes_and_owners_in_any_script(database: Database) -> None:
    ids = [bytes(32), b"\xff" * 32, b"\0" * 31 + b"\1", b"'\"\\%_[]" * 4 + b"null"]
    asked = list(zip(ids, ["владелец", "🛒", "a'b\"c\\d", "x" * 1_000], strict=True))
    async with opened(database) as store:
        assert await store.claim(asked, SECONDS) == [Mine()] * 4
        await store.release(asked[:2])
        await store.entered(asked[2:])
        assert await store.claim(asked, SECONDS) == [Mine()] * 2 + [Known()] * 2


@on_loop
async def test_of_many_who_ask_at_once_in_any_order_one_has_each(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:

        async def ask(n: int) -> list[Claimed]:
            shuffled = Random(n).sample(IDS, len(IDS))
            answers = await (store, other)[n % 2].claim(all_of(shuffled, f"asker {n}"), SECONDS)
            assert all(isinstance(a, Mine) or (isinstance(a, Busy) and a.seconds <= SECONDS) for a in answers)
            return [answer for answer in answers if answer == Mine()]

        mine = await asyncio.gather(*map(ask, range(20)))
        assert sum(map(len, mine)) == len(IDS)


@on_loop
async def test_each_is_produced_once_by_many_who_ask_until_all_are_known(database: Database) -> None:
    produced: list[bytes] = []

    async def go(store: Store, n: int) -> None:
        chance, left, question = Random(n), list(IDS), 0
        while left:
            owner, question = f"asker {n}, question {question}", question + 1
            chance.shuffle(left)
            answers = await store.claim(all_of(left, owner), SECONDS)
            mine = [id_ for id_, answer in zip(left, answers, strict=True) if answer == Mine()]
            left = [id_ for id_, answer in zip(left, answers, strict=True) if answer != Known()]
            await asyncio.sleep(0)
            some = mine[: chance.randrange(len(mine) + 1)]
            produced.extend(some)
            await store.entered(all_of(some, owner))
            await store.release(all_of(mine, owner))

    async with opened(database) as store, opened(database) as other:
        await asyncio.gather(*(go((store, other)[n % 2], n) for n in range(8)))
    assert sorted(produced) == sorted(IDS)


@on_loop
async def test_what_was_entered_is_forgotten_when_the_retention_is_over(database: Database) -> None:
    async with opened(database) as store:
        await claim(store, ONE, "anna")
        database.age(SECONDS)
        await store.entered([(ONE, "anna")])
        database.age((DAYS - 1) * DAY)
        await store.entered([(ONE, "anna"), (ANOTHER, "bert")])
        assert await store.prune(DAYS, 100) == 0
        assert await claim(store, ONE, "carl") == Known()
        database.age(2 * DAY)
        assert await store.prune(DAYS, 100) == 1, "to be entered again makes it no younger"
        answers = await store.claim([(ONE, "carl"), (ANOTHER, "carl")], SECONDS)
        assert answers == [Mine(), Known()]


@on_loop
async def test_a_claim_that_is_over_goes_with_the_retention_and_one_that_is_not_stays(database: Database) -> None:
    async with opened(database) as store:
        await claim(store, ONE, "anna")
        await claim(store, ANOTHER, "bert", seconds=(DAYS + 2) * DAY)
        await claim(store, THIRD, "carl")
        database.age((DAYS - 1) * DAY)
        assert await store.prune(DAYS, 100) == 0
        assert await claim(store, THIRD, "dora") == Mine()
        database.age(2 * DAY)
        assert await store.prune(DAYS, 100) == 1, "that of anna; dora's is young"
        assert await busy_for(store, ANOTHER, "emil") > 0


@on_loop
async def test_a_step_takes_out_no_more_than_it_may_and_all_are_gone_in_the_end(database: Database) -> None:
    async with opened(database) as store:
        await store.entered(all_of(IDS[:25], "anna"))
        await store.claim(all_of(IDS[25:40], "anna"), SECONDS)
        await store.claim(all_of(IDS[40:], "anna"), 2 * DAYS * DAY)
        database.age((DAYS + 1) * DAY)
        steps = [await store.prune(DAYS, 10) for _ in range(12)]
        assert (max(steps), sum(steps)) == (10, 40)
        assert (await store.claim(all_of(IDS, "bert"), SECONDS)).count(Mine()) == 40


@on_loop
async def test_a_ledger_of_version_5_is_brought_up_and_keeps_what_stands_in_it(database: Database) -> None:
    call = confirm("order-1", "r-1")
    if isinstance(database, Memory):
        database.shelf.version = 5
    with (
        patch.object(sqlite_file, "VERSIONS", schema_sqlite.VERSIONS[:5]),
        patch.object(postgres, "VERSIONS", schema_postgres.VERSIONS[:5]),
    ):
        async with opened(database) as store:
            entry = await (await Clerk(store, "anna").begin()).do(call)
    async with opened(database) as store, opened(database) as other:
        assert await Clerk(store, "bert").ask(call) == Done(entry)
        assert await claim(store, ONE, "anna") == Mine()
        await store.entered([(ONE, "anna")])
        assert await claim(other, ONE, "bert") == Known()
