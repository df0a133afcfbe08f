"""What commands remember between their runs: texts by room and number, and a change that only one of two can make."""

from __future__ import annotations

import asyncio

from infra.ledger_clerk import on_loop
from infra.ledgers import Database, opened

ROOM = "letters/orders.dlq/3"


@on_loop
async def test_what_is_kept_is_found_by_its_number(database: Database) -> None:
    async with opened(database) as store:
        await store.keep(ROOM, {})
        await store.keep(ROOM, {7: "seven", 9: "nine", 2**40: "far"})
        await store.keep(ROOM, {9: "neuf"})
        await store.keep("another", {8: "eight"})
        assert await store.kept(ROOM, 7, 10) == {7: "seven", 9: "neuf"}
        assert await store.kept(ROOM, 10, 2**62) == {2**40: "far"}
    async with opened(database) as store:
        assert await store.kept(ROOM, 0, 8) == {7: "seven"}, "it outlives who kept it"


@on_loop
async def test_of_two_who_change_the_same_only_one_does(database: Database) -> None:
    async with opened(database) as one, opened(database) as other:
        assert await one.swap(ROOM, 0, None, "first")
        assert not await other.swap(ROOM, 0, None, "second")
        assert await one.swap(ROOM, 0, "first", "third")
        assert not await other.swap(ROOM, 0, "first", "fourth")
        assert await one.kept(ROOM, 0, 1) == {0: "third"}


@on_loop
async def test_a_change_that_was_made_is_told_again_to_who_lost_the_answer(database: Database) -> None:
    async with opened(database) as store:
        assert await store.swap(ROOM, 0, None, "first")
        assert await store.swap(ROOM, 0, None, "first")
        assert await store.swap(ROOM, 0, "first", "second")
        assert await store.swap(ROOM, 0, "first", "second")


@on_loop
async def test_twenty_at_once_make_one_change(database: Database) -> None:
    async with opened(database) as store:
        made = await asyncio.gather(*(store.swap(ROOM, 1, None, f"by {n}") for n in range(20)))
        assert made.count(True) == 1


@on_loop
async def test_what_is_below_a_number_can_be_forgotten(database: Database) -> None:
    async with opened(database) as store:
        await store.keep(ROOM, {1: "one", 2: "two", 3: "three"})
        await store.drop(ROOM, 3)
        assert await store.kept(ROOM, 0, 10) == {3: "three"}
