"""Groups of transactions in PostgreSQL that have some in common: they wait in one order, and never for each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from infra.ledger_clerk import on_loop
from infra.ledgers import opened
from infra.postgres import Postgres
from infra.postgres_ledger import PostgresLedger
from worker.ledger.entering import Busy, Mine

SECONDS = 30.0
ROUNDS = 25
IDS = [bytes([n]) * 32 for n in range(9)]
FIRST, MIDDLE, LAST = IDS[0], IDS[4], IDS[-1]


@pytest.fixture
def database(postgres: Postgres) -> PostgresLedger:
    return PostgresLedger(postgres)


@asynccontextmanager
async def held(database: PostgresLedger, id_: bytes) -> AsyncIterator[Any]:
    """A transaction that is being claimed by somebody who, in the end, does not."""
    connection = await asyncpg.connect(database.url, timeout=10)
    try:
        claiming = connection.transaction()
        await claiming.start()
        await connection.execute(
            "INSERT INTO ledger_transactions (id, owner, until_ms, created_at_ms, changed_at_ms) "
            "VALUES ($1, 'carl', 9e15, 0, 0)",
            id_,
        )
        yield connection
        await claiming.rollback()
    finally:
        await connection.close(timeout=5)


async def until_somebody_waits(connection: Any) -> None:
    async with asyncio.timeout(2):
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            pass


@on_loop
async def test_a_group_that_waits_has_hold_of_nothing_that_comes_later(database: PostgresLedger) -> None:
    async with opened(database) as store, opened(database) as other:
        async with held(database, MIDDLE) as connection:
            waits = asyncio.create_task(store.claim([(id_, "anna") for id_ in reversed(IDS)], SECONDS))
            await until_somebody_waits(connection)
            assert await other.claim([(LAST, "bert")], SECONDS) == [Mine()]
            assert not waits.done()
        last, *others = await waits
        assert isinstance(last, Busy)
        assert others == [Mine()] * (len(IDS) - 1)


@on_loop
async def test_groups_in_different_orders_never_wait_for_each_other(database: PostgresLedger) -> None:
    async with opened(database) as store, opened(database) as other:
        for n in range(ROUNDS):
            forth = [(bytes([n, m]) * 16, "anna") for m in range(64)]
            back = [(id_, "bert") for id_, _ in reversed(forth)]
            answers = await asyncio.gather(store.claim(forth, SECONDS), other.claim(back, SECONDS))
            assert [*answers[0], *answers[1]].count(Mine()) == len(forth)
            await asyncio.gather(
                store.release(forth), other.claim(back, SECONDS), other.entered(back), store.entered(forth)
            )
    [[deadlocks]] = database.sql(f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{database.name}'")
    assert deadlocks == 0


@on_loop
async def test_a_claim_that_had_to_wait_lasts_from_then_on(database: PostgresLedger) -> None:
    async with opened(database) as store, opened(database) as other:
        await store.claim([(FIRST, "anna")], 0)
        async with held(database, MIDDLE) as connection:
            await connection.execute("UPDATE ledger_transactions SET owner = 'carl' WHERE id = $1", FIRST)
            waits = asyncio.create_task(other.claim([(FIRST, "bert")], SECONDS))
            await until_somebody_waits(connection)
            [[now_ms]] = await connection.fetch("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        assert await waits == [Mine()]
        [[until_ms]] = database.sql("SELECT until_ms FROM ledger_transactions WHERE owner = 'bert'")
        assert until_ms >= now_ms + SECONDS * 1000
