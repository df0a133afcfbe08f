"""Where the SQLite file lies: a folder that is missing, rights that are, a file that goes or becomes another."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.ledger_clerk import Clerk, confirm, on_loop
from infra.sqlite_ledger import CALL, refused, unopened
from worker.errors import LedgerUnavailable, WorkerError
from worker.ledger.entries import Done, Send

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions say nothing to root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can come to, which pytest's cannot be."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


def move(path: Path, to: Path) -> None:
    path.rename(to)


def list_of(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


@on_loop
async def test_the_file_is_made_but_not_its_folder(tmp_path: Path) -> None:
    async with unopened(tmp_path / "folder" / "ledger.db") as store:
        with pytest.raises(LedgerUnavailable, match="has no folder") as error:
            await store.open()
        assert str(tmp_path / "folder") in error.value.mend
        (tmp_path / "folder").mkdir()
        await store.open()
        assert isinstance(await Clerk(store, "anna").ask(CALL), Send)


@on_loop
async def test_a_database_of_something_else_is_refused_and_left_as_it_is(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE calls (number TEXT)")
    connection.close()
    async with unopened(path) as store:
        with pytest.raises(WorkerError, match="something else") as error:
            await store.open()
        assert not isinstance(error.value, LedgerUnavailable)


@on_loop
async def test_a_file_that_may_not_be_written_is_told_and_used_once_it_may(open_folder: Path) -> None:
    path = open_folder / "ledger.db"
    async with unopened(path) as store:
        await store.open()
    path.chmod(0o444)
    with unprivileged():
        async with unopened(path) as store:
            await refused(store, "cannot be written")
            with pytest.raises(LedgerUnavailable):
                await store.renew("anna", 60)
    path.chmod(0o666)
    with unprivileged():
        async with unopened(path) as store:
            assert isinstance(await Clerk(store, "anna").ask(CALL), Send)


def test_a_folder_that_may_not_be_written_is_told(open_folder: Path) -> None:
    @on_loop
    async def ask() -> None:
        async with unopened(open_folder / "ledger.db") as store:
            await refused(store, "cannot be written")

    open_folder.chmod(0o555)
    with unprivileged():
        ask()


@on_loop
async def test_a_file_that_is_gone_under_way_is_not_made_anew_in_silence(path: Path) -> None:
    async with unopened(path) as store:
        anna = await Clerk(store, "anna").begin()
        entry = await anna.do(CALL)
        away = path.with_suffix(".away")
        move(path, away)
        await refused(store, "is gone")
        await refused(store, "is gone")
        assert not list_of(path.parent, "*.db")
        move(away, path)
        assert await anna.ask(CALL) == Done(entry)


@on_loop
async def test_a_file_that_is_replaced_under_way_is_told_once_and_then_used(path: Path) -> None:
    other = path.with_name("other.db")
    async with unopened(other) as store:
        entry = await (await Clerk(store, "bert").begin()).do(CALL)
    async with unopened(path) as store, unopened(path) as neighbour:
        anna, carl = await Clerk(store, "anna").begin(), await Clerk(neighbour, "carl").begin()
        assert isinstance(await anna.ask(CALL), Send)
        move(other, path)
        await refused(store, "was replaced")
        assert await anna.ask(CALL) == Done(entry), "nothing of the old file's log is in the new one"
        await anna.do(confirm("order-2"))
        await refused(neighbour, "was replaced")
        assert await carl.ask(CALL) == Done(entry)
        assert isinstance(await carl.ask(confirm("order-2")), Done), "what the first wrote to the new file is there"


@on_loop
async def test_a_file_that_is_replaced_while_it_was_gone_is_told_and_then_used(path: Path) -> None:
    other = path.with_name("other.db")
    async with unopened(other) as store:
        entry = await (await Clerk(store, "bert").begin()).do(CALL)
    async with unopened(path) as store:
        anna = await Clerk(store, "anna").begin()
        assert isinstance(await anna.ask(CALL), Send)
        move(path, path.with_suffix(".away"))
        await refused(store, "is gone")
        move(other, path)
        await refused(store, "was replaced")
        assert await anna.ask(CALL) == Done(entry)
