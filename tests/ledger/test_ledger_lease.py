"""How long what a worker has begun is its own, what goes on beside the asking, and how a ledger is closed."""

import asyncio
import gc
import time
from dataclasses import replace

import pytest

from infra.ledger_clerk import ORIGIN, confirm, on_loop, settled
from infra.ledger_scene import TERMS, Scene, started, until
from worker.errors import Abandoned, WorkerError
from worker.ledger.entries import Send
from worker.telemetry import names

CALLS = [confirm(f"order-{n}", f"r-{n}") for n in range(100)]
CALL = CALLS[0]
SHORT = 1 / 16


@on_loop
async def test_the_lease_is_renewed_and_says_how_long_it_lasts() -> None:
    terms = replace(TERMS, lease_seconds=SHORT)
    async with started(terms) as scene:
        assert scene.ledger.lease_left == float("-inf")
        await until(lambda: scene.store.renewed >= 3)
        assert scene.ledger.lease_left == SHORT
        scene.now += SHORT / 2
        await until(lambda: scene.ledger.lease_left == SHORT)


@on_loop
async def test_what_was_begun_before_the_lease_ran_out_is_not_surely_held_after_its_renewal() -> None:
    terms = replace(TERMS, lease_seconds=SHORT)
    async with started(terms) as scene:
        early, answer = scene.ledger.ask(CALL, ORIGIN)
        await answer
        assert scene.ledger.held(early) == SHORT
        scene.now += SHORT / 2
        await until(lambda: scene.ledger.lease_left == SHORT)
        assert scene.ledger.held(early) == SHORT, "renewed in time"
        scene.now += SHORT * 2
        assert scene.ledger.held(early) < 0
        await until(lambda: scene.ledger.lease_left == SHORT)
        assert scene.ledger.held(early) < 0, "another worker may have it by now"
        scene.ledger.give_back(early, 1, maybe_sent=True)
        late, answer = scene.ledger.ask(CALL, ORIGIN)
        assert await answer == Send(CALL.items, 1, maybe_sent=True)
        assert scene.ledger.held(late) == SHORT


@on_loop
async def test_old_rows_are_taken_out_in_the_background_and_a_defect_there_stops_nothing() -> None:
    terms = replace(TERMS, prune_seconds=0.001)
    async with started(terms) as scene:
        await until(lambda: scene.store.pruned >= 3)
        scene.store.poison = "prune"
        before = scene.store.pruned
        await until(lambda: scene.store.pruned >= before + 3)
        assert isinstance(await scene.ledger.ask(CALL, ORIGIN)[1], Send)


@on_loop
async def test_closing_writes_what_was_given_back_and_ends_the_lease() -> None:
    async with started() as scene:
        given, answer = scene.ledger.ask(CALL, ORIGIN)
        await answer
        await scene.ledger.ask(CALLS[1], ORIGIN)[1]
        scene.ledger.give_back(given, 0, maybe_sent=False)
    assert scene.store.closed
    assert scene.shelf.live() == frozenset()
    bert = await scene.bert()
    assert [await bert.ask(call) for call in CALLS[:2]] == [
        Send(CALL.items, 0, maybe_sent=False),
        Send(CALLS[1].items, 1, maybe_sent=True),
    ]


@on_loop
async def test_a_lease_that_was_ended_is_not_renewed_behind_ones_back() -> None:
    terms = replace(TERMS, lease_seconds=0.005)
    for _ in range(10):
        async with started(terms) as scene:
            await until(lambda scene=scene: scene.store.renewed >= 2)
        assert "anna" not in scene.shelf.owners


@on_loop
async def test_closing_while_the_store_is_away_takes_no_longer_than_it_may_and_leaves_nobody_waiting() -> None:
    async with started() as scene:
        asked, answer = scene.ledger.ask(CALL, ORIGIN)
        await answer
        scene.store.away = True
        settling = asyncio.ensure_future(scene.ledger.settle(asked, settled(CALL)))
        asking = scene.ledger.ask(CALLS[1], ORIGIN)[1]
        await until(lambda: not scene.ledger.up)
        began = time.monotonic()
        await scene.ledger.close(0.1)
        assert time.monotonic() - began < 1
        assert names.LOG_LEDGER_UNCLOSED in scene.events()
        answers = await asyncio.gather(settling, asking, scene.ledger.ask(CALLS[2], ORIGIN)[1], return_exceptions=True)
        assert [type(answer) for answer in answers] == [Abandoned] * 3
    gc.collect()


@on_loop
async def test_closing_what_was_never_there_takes_no_time() -> None:
    scene = Scene()
    scene.store.away = True
    scene.ledger.start()
    answer = scene.ledger.ask(CALL, ORIGIN)[1]
    await until(lambda: names.LOG_LEDGER_WAITING in scene.events())
    began = time.monotonic()
    await scene.ledger.close(30)
    assert time.monotonic() - began < 1
    with pytest.raises(Abandoned):
        await answer


@on_loop
async def test_a_ledger_of_a_later_version_is_told_to_everybody_who_asks() -> None:
    scene = Scene()
    scene.shelf.version += 1
    told: list[Exception] = []
    early = scene.ledger.ask(CALL, ORIGIN)[1]
    scene.ledger.start(told.append)
    with pytest.raises(WorkerError, match="later version"):
        await early
    with pytest.raises(WorkerError, match="later version"):
        await scene.ledger.ask(CALLS[1], ORIGIN)[1]
    assert not scene.ledger.up
    assert [type(error) for error in told] == [WorkerError]
    assert names.LOG_LEDGER_FAILED in scene.events()
    await scene.ledger.close(1.0)
