"""A person asks what stands there: every id of a call finds it, and whoever only reads changes nothing."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from infra.ledger_clerk import ORIGIN, Clerk, confirm, item, on_loop, release
from infra.ledgers import Database, Memory, Sqlite, opened
from worker.errors import WorkerError
from worker.ledger import postgres, schema_postgres, schema_sqlite, sqlite_file
from worker.ledger.entries import Send, Touched
from worker.ledger.store import Store
from worker.mapping import CallItem
from worker.rokt.answers import ItemAnswer
from worker.verdict import Settled

DAY = 86_400.0
CALL = confirm("order-1", "r-1", "r-2", cart="cart-1")
OTHER = confirm("order-2", "r-3", cart="cart-2")
BEGUN = replace(ORIGIN, event_id="event-9", trace_id="9" * 32)


async def found(store: Store, *ids: str, limit: int = 1_000) -> list[str]:
    """The keys that a search for these ids gives in all, newest first."""
    keys: list[str] = []
    place: int | None = None
    while True:
        searched = await store.search(ids, place, limit)
        keys += searched.keys
        place = searched.place
        if place is None:
            return keys


@pytest.mark.parametrize("id_", ["cart-1", "order-1", "event-9", "9" * 32, "r-1", "r-2"])
@on_loop
async def test_every_id_of_a_call_finds_it_as_soon_as_it_is_begun(database: Database, id_: str) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        assert isinstance(await anna.put(anna.question(CALL, BEGUN)), Send)
        await anna.do(OTHER)
        assert await found(store, id_) == [CALL.key]


@on_loop
async def test_what_was_never_sent_is_found_too(database: Database) -> None:
    released = release("cart-1", "r-1")
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        await anna.do(CALL)
        assert (await anna.do(released)).status == "superseded"
        assert await found(store, "cart-1") == [released.key, CALL.key]


@on_loop
async def test_a_reservation_that_only_rokts_answer_names_is_found(database: Database) -> None:
    call = replace(CALL, items=(CallItem("item", None),))
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        ask = anna.question(call)
        await anna.put(ask)
        await anna.settle(ask, Settled("succeeded", (ItemAnswer("item", "r-9", "c-1", None, True),), 200, 1))
        assert await found(store, "r-9") == [CALL.key]


@on_loop
async def test_several_ids_are_searched_for_at_once_and_in_steps(database: Database) -> None:
    calls = [confirm(f"order-{n}", f"r-{n}") for n in range(20)]
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        for n, call in enumerate(calls):
            await anna.do(call)
            if not n % 5:
                database.age(1)
        wanted = [calls[n].key for n in (17, 3)]
        for limit in (1, 3, 19, 20, 1_000):
            assert await found(store, "order-3", "r-17", limit=limit) == wanted
        assert await found(store, "nothing") == []


@on_loop
async def test_a_search_says_how_far_back_it_has_looked(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        assert (await store.search(["x"], None, 10)).oldest_ms is None
        await anna.do(CALL)
        first = await store.search(["x"], None, 10)
        page = await store.look(Touched((), (), ()))
        assert first.place is None
        assert first.oldest_ms is not None
        assert abs(page.now_ms - first.oldest_ms) < 60_000


@on_loop
async def test_calls_that_share_a_transaction_are_found_with_each_other_and_told_apart_by_their_rows(
    database: Database,
) -> None:
    calls = [confirm(f"order-{n}", f"r-{n}") for n in range(3)]
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        await store.work([anna.question(call) for call in calls])
        keys = await found(store, "order-1")
        assert set(keys) == {call.key for call in calls}
        page = await store.look(Touched((), (), tuple(keys)))
        assert [e.key for e in page.entries.values() if e.order_id == "order-1"] == [calls[1].key]


@on_loop
async def test_what_is_looked_at_is_what_stands_there(database: Database) -> None:
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        entry = await anna.do(CALL)
        await anna.call_off("order-1", item("r-1"))
        page = await store.look(Touched(("none", "order-1"), ("none", "r-1"), ("none", CALL.key)))
        assert page.entries == {CALL.key: entry}
        assert page.reservations["r-1"].state == "confirmed"
        assert set(page.reservations) == {"r-1"}
        assert page.orders["order-1"].called_off == {item("r-1")}
        assert page.live == {"anna"}
        assert not await found(store, "none")


@on_loop
async def test_notes_go_with_the_retention_and_no_sooner_than_their_calls(database: Database) -> None:
    days = 30
    async with opened(database) as store:
        anna = await Clerk(store, "anna").begin()
        ask = anna.question(CALL)
        await anna.put(ask)
        database.age(3 * DAY)
        await anna.begin()
        await anna.settle(ask)
        await anna.publish(CALL)
        database.age((days - 1) * DAY)
        await store.prune(days, 100)
        assert await found(store, "cart-1") == [CALL.key], "noted again when it was settled long after"
        assert (await store.look(Touched((), (), (CALL.key,)))).entries
        database.age(3 * DAY)
        await store.prune(days, 100)
        assert await found(store, "cart-1") == []


@on_loop
async def test_whoever_is_attached_reads_what_a_worker_writes_meanwhile(database: Database) -> None:
    async with opened(database) as store:
        reader = database.store()
        try:
            await reader.attach()
            await (await Clerk(store, "anna").begin()).do(CALL)
            assert await found(reader, "r-2") == [CALL.key]
            assert (await reader.look(Touched((), (), (CALL.key,)))).entries[CALL.key].published
        finally:
            await reader.close()


@on_loop
async def test_a_ledger_of_an_earlier_version_is_not_read(database: Database) -> None:
    if isinstance(database, Memory):
        database.shelf.version -= 1
    with (
        patch.object(sqlite_file, "VERSIONS", schema_sqlite.VERSIONS[:2]),
        patch.object(postgres, "VERSIONS", schema_postgres.VERSIONS[:2]),
    ):
        async with opened(database):
            pass
    await refused(database, "earlier version")


@on_loop
async def test_a_ledger_of_a_later_version_is_not_read(database: Database) -> None:
    async with opened(database):
        pass
    database.outgrow()
    await refused(database, "later version")


@on_loop
async def test_a_ledger_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    await refused(a_file(tmp_path), "there is no ledger")
    assert names_in(tmp_path) == []


@on_loop
async def test_a_file_that_no_worker_uses_is_read_without_leaving_another_beside_it(tmp_path: Path) -> None:
    database = a_file(tmp_path)
    async with opened(database) as store:
        await (await Clerk(store, "anna").begin()).do(CALL)
    assert names_in(tmp_path) == ["ledger.db"]
    before = content(database)
    reader = database.store()
    try:
        await reader.attach()
        assert await found(reader, "cart-1") == [CALL.key]
        assert names_in(tmp_path) == ["ledger.db"]
        with pytest.raises(WorkerError, match="read only"):
            await reader.renew("bert", 60)
    finally:
        await reader.close()
    assert names_in(tmp_path) == ["ledger.db"]
    assert content(database) == before


@on_loop
async def test_what_is_no_ledger_is_told(tmp_path: Path) -> None:
    database = a_file(tmp_path)
    database.sql("CREATE TABLE calls (number TEXT)")
    await refused(database, "is no ledger")
    spoil(database)
    await refused(database, "cannot be read")


def a_file(folder: Path) -> Sqlite:
    """A database that is not made yet."""
    database = Sqlite.__new__(Sqlite)
    database.path = folder / "ledger.db"
    return database


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def content(database: Sqlite) -> bytes:
    return database.path.read_bytes()


def spoil(database: Sqlite) -> None:
    database.path.write_bytes(b"not a database, but a text" * 100)


async def refused(database: Database, words: str) -> None:
    store = database.store()
    try:
        with pytest.raises(WorkerError, match=words):
            await store.attach()
    finally:
        await store.close()
