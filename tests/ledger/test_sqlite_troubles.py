"""What can be the matter with an SQLite file: each is told with its mend, and is over when it is mended."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.ledger_clerk import Clerk, confirm, on_loop
from infra.sqlite_ledger import BUSY_SECONDS, CALL, refused, unopened
from worker.errors import LedgerUnavailable
from worker.ledger.entries import Done, Send
from worker.ledger.sqlite import SqliteStore

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@contextmanager
def locked(path: Path, how: str) -> Iterator[None]:
    """Another process has the file for itself."""
    other = subprocess.Popen(
        [sys.executable, "-c", LOCK, str(path), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == "locked\n"
        yield
    finally:
        other.kill()
        other.wait()
        other.stdin.close()
        other.stdout.close()


def damage(path: Path) -> None:
    """Everything but the first page is rubbish."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 20)


@on_loop
async def test_a_full_disk_leaves_nothing_half_done_and_is_over_when_there_is_room(path: Path) -> None:
    many = [confirm(f"another-{n}", f"another-{n}") for n in range(500)]
    async with unopened(path) as store:
        anna = await Clerk(store, "anna").begin()
        entry = await anna.do(CALL)
        await store._read(lambda connection: connection.execute("PRAGMA max_page_count = 20").fetchall())
        with pytest.raises(LedgerUnavailable, match="has no room") as error:
            await store.work([anna.question(call) for call in many])
        assert "disk" in error.value.mend
        assert await anna.ask(CALL) == Done(entry), "what needs no room goes on"
        assert not (await anna.page(anna.question(many[0]))).entries
        await store._read(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchall())
        answers = await store.work([anna.question(call) for call in many])
        assert all(isinstance(answer, Send) for answer in answers)


@on_loop
async def test_a_lock_is_waited_for_and_then_told_and_looking_up_needs_none(path: Path) -> None:
    async with unopened(path) as store:
        anna = await Clerk(store, "anna").begin()
        await anna.do(CALL)
        with locked(path, "BEGIN IMMEDIATE"):
            assert (await store.settled([CALL.key])).keys() == {CALL.key}
            began = asyncio.get_running_loop().time()
            await refused(store, "is locked", "SQLITE_BUSY")
            assert asyncio.get_running_loop().time() - began >= BUSY_SECONDS * 0.9
        assert isinstance(await anna.ask(CALL), Done)


@on_loop
async def test_the_loop_turns_while_a_lock_is_waited_for(path: Path) -> None:
    async with unopened(path) as store:
        await store.open()
        with locked(path, "BEGIN IMMEDIATE"):
            asking = asyncio.ensure_future(refused(store, "is locked"))
            turns = 0
            while not asking.done():
                turns += 1
                await asyncio.sleep(0.01)
            await asking
            assert turns >= 5


@on_loop
async def test_a_lock_at_the_start_is_told_too(path: Path) -> None:
    async with unopened(path) as store:
        with locked(path, "BEGIN EXCLUSIVE"), pytest.raises(LedgerUnavailable, match="is locked"):
            await store.open()
        await store.open()


def test_what_is_no_database_is_told_and_left_as_it_is(path: Path) -> None:
    @on_loop
    async def ask() -> None:
        async with unopened(path) as store:
            await refused(store, "is damaged, or no SQLite database")

    path.write_text("dear diary, " * 1000)
    ask()
    assert path.read_text() == "dear diary, " * 1000


@on_loop
async def test_a_damaged_file_is_told(path: Path) -> None:
    async with unopened(path) as store:
        anna = await Clerk(store, "anna").begin()
        await store.work([anna.question(confirm(f"order-{n}", f"r-{n}")) for n in range(200)])
    damage(path)
    async with unopened(path) as store:
        await refused(store, "is damaged, or no SQLite database")


@on_loop
async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(path: Path) -> None:
    async with unopened(path) as store:
        await store.open()
        hung = asyncio.Event()
        loop = asyncio.get_running_loop()
        asleep = asyncio.ensure_future(
            store._aside.run(lambda: asyncio.run_coroutine_threadsafe(hung.wait(), loop).result(), 10)
        )
        await asyncio.sleep(0)
        with pytest.raises(LedgerUnavailable, match="did not answer within 1 s") as error:
            await store.renew("anna", 60)
        assert error.value.mend
        hung.set()
        await asleep
        assert await store._read(lambda connection: connection.execute("SELECT * FROM owners").fetchall()) == []


@on_loop
async def test_a_store_that_is_closed_raises_nothing_when_it_is_closed_again(path: Path) -> None:
    store = SqliteStore(path, timeout_seconds=BUSY_SECONDS)
    await store.close()
    async with unopened(path) as store:
        await store.open()
