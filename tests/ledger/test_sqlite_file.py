"""How the SQLite file is used: no table is gone through, processes share it, one that is killed leaves no halves."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from infra.ledger_clerk import Clerk, confirm, on_loop
from worker.ledger import sqlite, sqlite_reading, sqlite_sweep
from worker.ledger.entries import Done, Send
from worker.ledger.sqlite import SqliteStore
from worker.ledger.sqlite_file import Synchronous
from worker.ledger.sqlite_tables import TABLES

ROOT = Path(__file__).parents[2]
PROCESSES = 10
GROUP = 20
CLAIM = """
import asyncio, sys
from pathlib import Path
from infra.ledger_clerk import Clerk, confirm, settled
from worker.ledger.entries import Send, Settle
from worker.ledger.sqlite import SqliteStore

async def main(path, owner, first, groups, group):
    store = SqliteStore(Path(path), timeout_seconds=30)
    print("ready", flush=True)
    sys.stdin.readline()
    await store.open()
    clerk = await Clerk(store, owner).begin()
    for start in range(first, first + groups * group, group):
        asked = [clerk.question(confirm(f"order-{n}", f"r-{n}")) for n in range(start, start + group)]
        answers = await store.work(asked)
        sent = [ask for ask, answer in zip(asked, answers) if isinstance(answer, Send)]
        await store.work([Settle(ask, settled(ask.call)) for ask in sent])
        print(*(ask.call.key for ask in sent), flush=True)
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def claiming(path: Path, owner: str, groups: int) -> subprocess.Popen[str]:
    """A process that, once told to, claims and settles the calls from the first on, group by group."""
    return subprocess.Popen(
        [sys.executable, "-c", CLAIM, str(path), owner, "0", str(groups), str(GROUP)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        text=True,
    )


SQL = ("LIVE", "PUBLISHED", "SETTLED", "RENEW", "RETIRE", "BUDGET", "KEEP_BUDGET")
STATEMENTS = {
    **{name: getattr(sqlite, name) for name in SQL},
    **{f"reading {n}": table.reading for n, table in enumerate(TABLES)},
    **{f"adding {n}": table.adding(1) for n, table in enumerate(TABLES)},
    **{f"changing {n}": table.changing(1) for n, table in enumerate(TABLES)},
    **{f"a stretch of {table}": sqlite_sweep.stretch(table) for table in sqlite_sweep.PASSED},
    "the notes of a stretch": sqlite_reading.search_notes(2),
    "the oldest note of a stretch": sqlite_reading.OLDEST,
    "the ends of the notes": sqlite_reading.ENDS,
    **{f"a removal from {table}": sqlite_sweep.removal(table) for table in sqlite_sweep.PASSED},
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
@on_loop
async def test_no_statement_goes_through_a_table(path: Path, statement: str) -> None:
    store = SqliteStore(path, timeout_seconds=1)
    await store.open()
    await store.close()
    connection = sqlite3.connect(path)
    try:
        named = {"now": 0, "cutoff": 0, "after": 0, "limit": 10, "rowids": "[]"}
        given = named if ":cutoff" in statement else ["[]"] * statement.count("?")
        plan = [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", given)]
    finally:
        connection.close()
    assert not [step for step in plan if re.search(r"\bSCAN (calls|reservations|orders|budgets|notes)\b", step)], plan
    assert not [step for step in plan if "TEMP B-TREE" in step], plan


@pytest.mark.parametrize(("synchronous", "level"), [("full", 2), ("normal", 1)])
@on_loop
async def test_a_commit_is_as_lasting_as_was_asked_for(path: Path, synchronous: Synchronous, level: int) -> None:
    store = SqliteStore(path, timeout_seconds=1, synchronous=synchronous)
    try:
        found = await store._read(
            lambda c: (c.execute("PRAGMA synchronous").fetchone(), c.execute("PRAGMA journal_mode").fetchone())
        )
        assert found == ((level,), ("wal",))
    finally:
        await store.close()


@pytest.mark.parametrize(("synchronous", "level"), [("full", 2), ("normal", 1)])
@on_loop
async def test_slots_need_not_outlive_a_power_cut_and_what_comes_after_them_does(
    path: Path, synchronous: Synchronous, level: int
) -> None:
    def levels(connection: sqlite3.Connection) -> list[tuple[int]]:
        return connection.execute("PRAGMA synchronous").fetchall()

    store = SqliteStore(path, timeout_seconds=1, synchronous=synchronous)
    try:
        await store.reserve("calls", 1, 1_000, 0, 60_000_000)
        assert await store._read(levels) == [(1,)]
        assert await store._write(levels) == [(level,)]
        await store.reserve("calls", 1, 1_000, 0, 60_000_000)
        assert await store._read(levels) == [(1,)]
    finally:
        await store.close()


def test_ten_processes_make_the_same_ledger_at_once_and_send_each_call_once(path: Path) -> None:
    groups = 10
    processes = [claiming(path, f"owner-{n}", groups) for n in range(PROCESSES)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        sent = [key for process in processes for key in process.communicate(timeout=60)[0].split()]
        assert [process.returncode for process in processes] == [0] * PROCESSES
        assert sorted(sent) == sorted(confirm(f"order-{n}", f"r-{n}").key for n in range(groups * GROUP))
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@on_loop
async def test_a_process_that_is_killed_leaves_whole_groups_and_what_it_told_is_there(path: Path) -> None:
    process = claiming(path, "anna", 100_000)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    lines = [process.stdout.readline() for _ in range(12)]
    process.kill()
    lines += process.communicate()[0].splitlines(keepends=True)
    told = {key for line in lines if line.endswith("\n") for key in line.split()} - {"ready"}
    store = SqliteStore(path, timeout_seconds=5)
    try:
        await store.retire("anna")
        bert = await Clerk(store, "bert").begin()
        for start in range(0, len(told) + 3 * GROUP, GROUP):
            asked = [bert.question(confirm(f"order-{n}", f"r-{n}")) for n in range(start, start + GROUP)]
            answers = await store.work(asked)
            found = {(answer.maybe_sent if isinstance(answer, Send) else type(answer)) for answer in answers}
            assert len(found) == 1, "the whole group, or nothing of it"
            assert found == {Done} or not told & {ask.call.key for ask in asked}
        assert found == {False}, "the last was never asked for"
    finally:
        await store.close()
