"""What befalls a real PostgreSQL: asks wait, say why, and go on by themselves; nothing is lost or done twice."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from infra.ledger_clerk import ORIGIN, confirm, on_loop
from infra.ledger_front import WITHIN, Front, fronted
from infra.once import start_or_remove
from infra.postgres import Postgres
from infra.postgres_binaries import find_binaries, unprivileged
from infra.postgres_ledger import PostgresLedger
from worker.ledger.postgres import PostgresStore

CALLS = [confirm(f"order-{n}", f"r-{n}", f"s-{n}") for n in range(1600)]
CALL, ANOTHER, THIRD = CALLS[:3]
SECONDS = 1.0


@pytest.fixture
def database(postgres: Postgres) -> PostgresLedger:
    return PostgresLedger(postgres)


def store(database: PostgresLedger, url: str = "") -> PostgresStore:
    return PostgresStore(url or database.url, seconds=SECONDS)


async def off_loop(do: object, *arguments: object) -> None:
    assert callable(do)
    await asyncio.to_thread(do, *arguments)


@asynccontextmanager
async def waiting(front: Front, *words: str) -> AsyncIterator[None]:
    """A call that is asked for now waits, with these words, until what is done in here has mended it."""
    asked = asyncio.create_task(front.do(ANOTHER))
    await front.waits(*words)
    assert not asked.done()
    yield
    async with asyncio.timeout(WITHIN):
        await asked
    await front.is_up()


def rows(database: PostgresLedger, what: str) -> int:
    [[number]] = database.sql(f"SELECT count(*) FROM ledger_calls WHERE {what}")
    return int(number)


@on_loop
async def test_a_server_that_is_stopped_and_started_again(database: PostgresLedger) -> None:
    async with fronted(store(database)) as front:
        await front.do(CALL)
        assert front.ledger.up
        await off_loop(database.server.stop)
        async with waiting(front, "no connection", "start PostgreSQL"):
            await off_loop(database.server.restart)
        assert len(front.sent) == 2


@on_loop
async def test_a_server_that_is_down_when_the_worker_starts(database: PostgresLedger) -> None:
    await off_loop(database.server.stop)
    async with fronted(store(database)) as front, waiting(front, "no connection"):
        await off_loop(database.server.restart)


@on_loop
async def test_a_crash_in_the_middle_of_a_batch_repeats_nothing_and_loses_nothing(database: PostgresLedger) -> None:
    async with fronted(store(database)) as anna, fronted(store(database)) as bert:
        await anna.do(CALL)
        await bert.do(CALL)
        done = asyncio.gather(anna.do_all(CALLS), bert.do_all(CALLS[::-1]))
        for crash in (200, 500, 800):
            await anna.until(partial(lambda number: len(anna.sent) + len(bert.sent) > number, crash))
            assert not done.done(), "the crash came too late"
            await off_loop(database.server.kill)
            await off_loop(database.server.restart)
        async with asyncio.timeout(WITHIN):
            await done
        sent = [*anna.sent, *bert.sent]
        assert len(sent) == len(CALLS)
        assert {(send.attempts, send.maybe_sent) for send in sent} == {(0, False)}
        assert rows(database, "status = 'succeeded' AND published") == len(CALLS)
        assert database.sql("SELECT sum(settled)::int, max(settled) FROM ledger_orders") == [(len(CALLS), 1)]


@pytest.fixture
def replicated() -> Iterator[tuple[Postgres, Postgres]]:
    """A primary and a standby that has everything before it is acknowledged."""
    primary = Postgres(find_binaries())
    try:
        start_or_remove(primary)
        standby = primary.standby()
        try:
            primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.sql("SELECT pg_reload_conf()")
            yield primary, standby
        finally:
            standby.remove()
    finally:
        primary.remove()


@pytest.mark.real_postgres
@on_loop
async def test_a_failover_in_the_middle_of_a_batch(replicated: tuple[Postgres, Postgres]) -> None:
    primary, standby = replicated
    database = PostgresLedger(primary)
    both = database.url.replace(f":{primary.port}/", f":{primary.port},127.0.0.1:{standby.port}/")
    async with fronted(store(database, both)) as front:
        done = asyncio.create_task(front.do_all(CALLS))
        await front.until(lambda: len(front.sent) > 100)
        await off_loop(primary.kill)
        assert not done.done(), "the failover came too late"
        await front.waits("takes no writes")
        await off_loop(standby.promote)
        async with asyncio.timeout(WITHIN):
            await done
        await front.is_up()
        assert len(front.sent) == len(CALLS)
        name = database.name
        assert standby.sql("SELECT count(*) FROM ledger_calls WHERE published", name) == [(len(CALLS),)]


@on_loop
async def test_a_server_that_takes_no_writes_any_more(database: PostgresLedger) -> None:
    async with fronted(store(database)) as front:
        await front.do(CALL)
        database.sql("ALTER SYSTEM SET default_transaction_read_only = on")
        database.sql("SELECT pg_reload_conf()")
        async with waiting(front, "takes no writes", "the primary or all hosts"):
            database.sql("ALTER SYSTEM RESET default_transaction_read_only")
            database.sql("SELECT pg_reload_conf()")


@on_loop
async def test_a_server_that_hangs(database: PostgresLedger) -> None:
    async with fronted(store(database)) as front:
        await front.do(CALL)
        stopped = database.server.processes()
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        try:
            asked = asyncio.create_task(front.do(ANOTHER))
            await front.waits("no answer in time")
            assert not asked.done()
        finally:
            for process in stopped:
                os.kill(process, signal.SIGCONT)
        async with asyncio.timeout(WITHIN):
            await asked
        await front.is_up()
        assert len(front.sent) == 2


@pytest.fixture
def user(database: PostgresLedger) -> Iterator[str]:
    """A role with no more rights than a worker needs, in the database of the test."""
    name = database.name + "_user"
    database.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'the first password of the tests'")
    database.sql(f"GRANT CREATE, USAGE ON SCHEMA public TO {name}")
    yield name
    cut_off(database)
    database.sql(f"DROP OWNED BY {name} CASCADE")
    database.sql(f"DROP ROLE {name}")


def url_for(database: PostgresLedger, user: str, password: str = "the first password of the tests") -> str:
    return database.server.url(database.name, user=user, password=password)


def cut_off(database: PostgresLedger) -> None:
    database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rokt-worker'")


@on_loop
async def test_a_password_that_is_changed(database: PostgresLedger, user: str) -> None:
    async with fronted(store(database, url_for(database, user))) as front:
        await front.do(CALL)
        database.sql(f"ALTER ROLE {user} PASSWORD 'the second password of the tests'")
        cut_off(database)
        async with waiting(front, "the password was refused", "WORKER_LEDGER__URL"):
            database.sql(f"ALTER ROLE {user} PASSWORD 'the first password of the tests'")


@on_loop
async def test_a_user_who_may_not_make_tables(database: PostgresLedger, user: str) -> None:
    database.sql(f"REVOKE CREATE ON SCHEMA public FROM {user}")
    may_not = "the user may not do this"
    async with fronted(store(database, url_for(database, user))) as front, waiting(front, may_not, "grant"):
        database.sql(f"GRANT CREATE ON SCHEMA public TO {user}")


@on_loop
async def test_too_many_connections(database: PostgresLedger, user: str) -> None:
    async with fronted(store(database, url_for(database, user))) as front:
        await front.do(CALL)
        database.sql(f"ALTER ROLE {user} CONNECTION LIMIT 0")
        cut_off(database)
        async with waiting(front, "too many connections", "max_connections"):
            database.sql(f"ALTER ROLE {user} CONNECTION LIMIT -1")


@on_loop
async def test_a_database_that_is_not_there_yet(database: PostgresLedger) -> None:
    name = database.name
    database.server.sql(f"DROP DATABASE {name}")
    async with fronted(store(database)) as front, waiting(front, "no such database", "create the database"):
        database.server.sql(f"CREATE DATABASE {name}")


@asynccontextmanager
async def held(database: PostgresLedger, statement: str) -> AsyncIterator[None]:
    """A transaction of somebody else's, open as long as this is."""
    connection = await asyncpg.connect(database.url, timeout=10)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        with suppress(asyncpg.PostgresError, OSError):
            await connection.close(timeout=5)


@on_loop
async def test_a_lock_that_somebody_holds_for_longer_than_we_wait(database: PostgresLedger) -> None:
    async with fronted(store(database)) as front:
        asked, answer = front.ledger.ask(ANOTHER, ORIGIN)
        await answer
        front.ledger.give_back(asked, 0, maybe_sent=False)
        await front.do(CALL)
        async with held(database, "SELECT FROM ledger_calls FOR UPDATE"):
            waits = asyncio.create_task(front.do(ANOTHER))
            await front.waits("locked", "pg_stat_activity")
            assert not waits.done()
            await front.do(THIRD)
        async with asyncio.timeout(WITHIN):
            await waits
        await front.is_up()


@on_loop
async def test_a_statement_that_takes_too_long(database: PostgresLedger) -> None:
    async with fronted(store(database)) as front:
        await front.do(CALL)
        database.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); END'")
        database.sql("CREATE TRIGGER slow BEFORE INSERT ON ledger_orders FOR EACH ROW EXECUTE FUNCTION slow()")
        async with waiting(front, "took too long", "pg_locks"):
            database.sql("DROP TRIGGER slow ON ledger_orders")


@on_loop
async def test_a_worker_that_ends_while_the_server_is_away_ends_in_time(database: PostgresLedger) -> None:
    front = Front(store(database))
    front.ledger.start()
    await front.do(CALL)
    await off_loop(database.server.kill)
    asked = [asyncio.create_task(front.do(call)) for call in CALLS[1:100]]
    await front.waits("no connection")
    async with asyncio.timeout(SECONDS + 1):
        await front.ledger.close(SECONDS)
    assert not any(task.done() for task in asked)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of a few megabytes, where we are allowed to make one."""
    with tempfile.TemporaryDirectory(prefix="rokt-worker-disk-") as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "rokt-worker-test", folder]
        if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("only root may mount a small disk")
        Path(folder).chmod(0o777)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


@on_loop
async def test_a_disk_that_is_full(postgres: Postgres, small_disk: Path) -> None:
    tablespace = small_disk / "tablespace"
    tablespace.mkdir()
    shutil.chown(tablespace, unprivileged() or os.geteuid())
    postgres.sql(f"CREATE TABLESPACE small LOCATION '{tablespace}'")
    database = PostgresLedger(postgres, "TABLESPACE small")
    try:
        async with fronted(store(database)) as front:
            await front.is_up()
            rest = small_disk / "rest"
            with suppress(OSError), rest.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            async with waiting(front, "the disk is full", "give PostgreSQL room"):
                rest.unlink()
    finally:
        postgres.sql(f"DROP DATABASE {database.name} WITH (FORCE)")
        postgres.sql("DROP TABLESPACE small")
