"""Slots for calls to Rokt as the gate asks for them: one try, and what fails is said and stops nothing else."""

import asyncio

import pytest

from infra.ledger_clerk import ORIGIN, confirm, on_loop
from infra.ledger_scene import started, until
from infra.memory_ledger import MemoryStore
from worker.errors import LedgerUnavailable
from worker.ledger.entries import Send
from worker.ledger.ledger import CALLS_TO_ROKT
from worker.telemetry import names

INTERVAL = 20_000


@on_loop
async def test_all_workers_on_one_ledger_share_the_slots_for_rokts_calls() -> None:
    async with started() as scene:
        first = await scene.ledger.reserve(3, INTERVAL, 0.5)
        assert first.now_us == scene.now * 1_000_000
        assert first.start_us == first.now_us + 500_000
        theirs = await MemoryStore(scene.shelf).reserve(CALLS_TO_ROKT, 1, INTERVAL, 0, 3_600_000_000)
        assert theirs.start_us == first.start_us + 3 * INTERVAL


@on_loop
async def test_a_hold_is_half_an_hour_at_most_and_slots_come_after_it() -> None:
    async with started() as scene:
        year = 365 * 24 * 3600.0
        hold = await scene.ledger.reserve(0, INTERVAL, year)
        assert hold.start_us == hold.now_us + 1_800_000_000
        assert (await scene.ledger.reserve(1, INTERVAL, 0.0)).start_us == hold.start_us


@on_loop
async def test_what_fails_is_raised_at_once_and_said_with_its_mend_and_so_is_that_it_is_over() -> None:
    async with started() as scene:
        await until(lambda: scene.ledger.up)
        scene.store.away = True
        for _ in range(3):
            with pytest.raises(LedgerUnavailable):
                await scene.ledger.reserve(1, INTERVAL, 0.0)
        said = [line for line in scene.heard.lines if line["event"] == names.LOG_LEDGER_WAITING]
        assert [(line["what"], line["tries"], line["mend"]) for line in said] == [
            ("reserve", tries, "bring it back") for tries in (1, 2, 3)
        ]
        scene.store.away = False
        await scene.ledger.reserve(1, INTERVAL, 0.0)
        await scene.ledger.reserve(1, INTERVAL, 0.0)
        assert scene.events().count(names.LOG_LEDGER_BACK) == 1


@on_loop
async def test_a_ledger_that_gives_no_slots_is_up_for_all_else() -> None:
    async with started() as scene:
        await until(lambda: scene.ledger.up)

        async def refuse(*_: object, **__: object) -> None:
            raise LedgerUnavailable("no right to this table", "grant it")

        scene.store.reserve = refuse
        with pytest.raises(LedgerUnavailable):
            await scene.ledger.reserve(1, INTERVAL, 0.0)
        assert scene.ledger.up, "or no event would come that asks again"
        assert isinstance(await scene.ledger.ask(confirm("order-1", "r-1"), ORIGIN)[1], Send)


@on_loop
async def test_a_defect_is_in_the_log_and_reaches_the_one_who_asked() -> None:
    async with started() as scene:

        async def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        scene.store.reserve = fail
        with pytest.raises(ZeroDivisionError):
            await scene.ledger.reserve(1, INTERVAL, 0.0)
        assert names.LOG_LEDGER_FAILED in scene.events()


@on_loop
async def test_slots_are_had_while_a_group_is_worked_on() -> None:
    async with started() as scene:
        await until(lambda: scene.ledger.up)
        scene.store.open_again.clear()
        answer = scene.ledger.ask(confirm("order-1", "r-1"), ORIGIN)[1]
        await until(lambda: scene.store.groups)
        async with asyncio.timeout(5):
            await scene.ledger.reserve(1, INTERVAL, 0.0)
        assert not answer.done()
        scene.store.open_again.set()
        await answer
