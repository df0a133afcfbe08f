"""What a store remembers of the file it wrote a moment ago is what stands there, whoever else writes to it."""

from pathlib import Path

import pytest

from infra.ledger_clerk import Clerk, confirm, on_loop, release, settled
from infra.sqlite_ledger import CALL, unopened
from worker.ledger import sqlite_recent
from worker.ledger.entries import Done, Entry, Published, Send, Settle, Wait


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@on_loop
async def test_what_another_process_wrote_since_is_seen(path: Path) -> None:
    async with unopened(path) as store, unopened(path) as other:
        here, there = await Clerk(store, "anna").begin(), Clerk(other, "anna")
        ask = here.question(CALL)
        assert isinstance(await here.put(ask), Send)
        entry = await there.settle(ask)
        await there.publish(CALL)
        answer = await here.ask(CALL)
        assert isinstance(answer, Done)
        assert (answer.entry.status, answer.entry.published) == ("succeeded", True)
        assert answer.entry.settled_at_ms == entry.settled_at_ms


@on_loop
async def test_two_processes_that_take_turns_settle_each_call_once(path: Path) -> None:
    async with unopened(path) as store, unopened(path) as other:
        anna, bob = await Clerk(store, "anna").begin(), await Clerk(other, "bob").begin()
        for number in range(20):
            call = confirm(f"order-{number}", f"r-{number}")
            first, second = (anna, bob) if number % 2 else (bob, anna)
            ask = first.question(call)
            assert isinstance(await first.put(ask), Send)
            assert isinstance(await second.ask(call), Wait)
            await first.settle(ask)
            assert isinstance(await second.ask(call), Wait), "its outcome is being written"
            await first.publish(call)
            assert isinstance(await second.ask(call), Done)
            assert isinstance(await first.ask(release(f"cart of order-{number}", f"r-{number}")), Done)


@on_loop
async def test_what_was_pruned_is_forgotten(path: Path) -> None:
    async with unopened(path) as store:
        anna = await Clerk(store, "anna").begin()
        await anna.do(CALL)
        while not await store.prune(0, 100):
            pass
        assert isinstance(await anna.ask(release("cart of order-1", "r-1")), Send), "nothing is known of it any more"
        await anna.do(confirm("order-1", "r-2"))
        page = await anna.page(anna.question(confirm("order-1", "r-2")))
        assert page.orders["order-1"].settled == 1


@on_loop
async def test_a_call_that_is_not_remembered_any_more_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_recent, "KEPT", 3)
    calls = [confirm(f"order-{number}", f"r-{number}", f"r-{number}-too") for number in range(10)]
    async with unopened(path) as store:
        anna = await Clerk(store, "anna").begin()
        asks = [anna.question(call) for call in calls]
        assert all(isinstance(answer, Send) for answer in await store.work(asks))
        entries = await store.work([Settle(ask, settled(ask.call)) for ask in asks])
        assert [entry.key for entry in entries if isinstance(entry, Entry)] == [call.key for call in calls]
        await store.work([Published(call.key) for call in calls])
        before = await store.settled([call.key for call in calls])
        assert {key: how.status for key, how in before.items()} == dict.fromkeys(before, "succeeded")
        assert len(before) == 10
        for number, call in enumerate(calls):
            page = await anna.page(anna.question(call))
            assert page.orders[f"order-{number}"].settled == 1
            assert page.reservations[f"r-{number}-too"].state == "confirmed"
