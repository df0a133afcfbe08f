"""What a ledger in PostgreSQL costs does not grow with it: no statement reads a table from end to end."""

import pytest

from infra.ledger_clerk import on_loop
from infra.ledgers import opened
from infra.postgres import Postgres
from infra.postgres_ledger import PostgresLedger
from worker.ledger import postgres_entering as entering
from worker.ledger import postgres_sql as sql
from worker.ledger.postgres import PostgresStore
from worker.ledger.store import Store


@pytest.fixture
def database(postgres: Postgres) -> PostgresLedger:
    return PostgresLedger(postgres)


@on_loop
async def test_what_is_old_is_found_by_an_index(database: PostgresLedger) -> None:
    async with opened(database) as store:
        for table, statement in zip(("calls", "reservations", "orders", "transactions"), sql.PRUNE, strict=False):
            plan = await explained(store, statement.replace("$1", "1").replace("$2", "100"))
            assert f"Index Scan using ledger_{table}_by_age" in plan
            assert "Index Cond: (created_at_ms <" in plan
            assert f"Index Scan using ledger_{table}_pkey" in plan
            assert f"Seq Scan on ledger_{table}" not in plan


@on_loop
async def test_what_a_group_touches_is_found_by_its_ids(database: PostgresLedger) -> None:
    async with opened(database) as store:
        ids = "'{a,b}'"
        plan = await explained(store, sql.READ.replace("$1", ids).replace("$2", ids).replace("$3", ids))
        for table in ("calls", "reservations", "orders"):
            assert f"ledger_{table}_pkey" in plan
            assert f"Seq Scan on ledger_{table}" not in plan


@on_loop
async def test_slots_do_not_wait_for_the_disk_and_what_comes_after_them_does(database: PostgresLedger) -> None:
    async with opened(database) as store:
        assert isinstance(store, PostgresStore)
        for _ in range(2):
            await store.reserve("calls", 1, 1_000, 0, 60_000_000)
            shown = await store._connections.use(lambda connection: connection.fetchval("SHOW synchronous_commit"))
            assert shown == "on"
    assert "set_config('synchronous_commit', 'off', true)" in sql.RESERVE


@on_loop
async def test_the_row_that_slots_come_from_is_found_by_its_name(database: PostgresLedger) -> None:
    async with opened(database) as store:
        values = {"$1": "'calls'", "$2": "1", "$3": "1", "$4": "1", "$5": "1"}
        statement = sql.RESERVE
        for parameter, value in values.items():
            statement = statement.replace(parameter, value)
        assert "Conflict Arbiter Indexes: ledger_budgets_pkey" in await explained(store, statement)


@on_loop
async def test_notes_are_gone_through_and_taken_out_by_their_age(database: PostgresLedger) -> None:
    async with opened(database) as store:
        plan = await explained(store, sql.SEARCH.replace("$1", "1").replace("$2", "10").replace("$3", "'{a}'"))
        assert "Index Scan Backward using ledger_notes_by_age" in plan
        assert "Seq Scan on ledger_notes" not in plan
        [prune] = [statement for statement in sql.PRUNE if "ledger_notes" in statement]
        plan = await explained(store, prune.replace("$1", "1").replace("$2", "100"))
        assert "Index Scan using ledger_notes_by_age" in plan
        assert "Index Cond: ((created_at_ms <" in plan
        assert "Tid Scan on ledger_notes" in plan
        assert "Seq Scan on ledger_notes" not in plan


@on_loop
async def test_transactions_are_found_by_their_digests(database: PostgresLedger) -> None:
    async with opened(database) as store:
        by_id, on_conflict = "Index Cond: (id = ANY", "Conflict Arbiter Indexes: ledger_transactions_pkey"
        statements = ((entering.CLAIM, by_id), (entering.ENTER, on_conflict), (entering.RELEASE, by_id))
        for statement, found in statements:
            values = {"$1": "'{a,b}'", "$2": "'{anna,bert}'", "$3": "1"}
            for parameter, value in values.items():
                statement = statement.replace(parameter, value)
            plan = await explained(store, statement)
            assert found in plan
            assert "Seq Scan on ledger_transactions" not in plan


async def explained(store: Store, statement: str) -> str:
    """The plan that a session of the store's own makes."""
    assert isinstance(store, PostgresStore)
    rows = await store._connections.use(lambda connection: connection.fetch(f"EXPLAIN {statement}"))
    return "\n".join(row[0] for row in rows)
