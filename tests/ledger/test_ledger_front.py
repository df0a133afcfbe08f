"""The ledger as the pipeline asks it: what is ready together goes together, what cannot be done now is done later."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from infra.ledger_clerk import ORIGIN, confirm, on_loop, settled
from infra.ledger_scene import Scene, started, until
from worker.ledger.entries import Done, Entry, GiveBack, Published, Request, Send, Settle, Wait
from worker.ledger.page import Reply
from worker.telemetry import names

CALLS = [confirm(f"order-{n}", f"r-{n}") for n in range(100)]
CALL = CALLS[0]


@on_loop
async def test_what_is_asked_together_shares_a_transaction_of_bounded_size() -> None:
    async with started() as scene:
        await until(lambda: scene.ledger.up)
        asked = [scene.ledger.ask(call, ORIGIN) for call in CALLS[:40]]
        answers = await asyncio.gather(*(answer for _, answer in asked))
        assert [answer.items for answer in answers] == [call.items for call in CALLS[:40]]
        assert [len(group) for group in scene.store.groups] == [16, 16, 8]


@on_loop
async def test_what_is_asked_while_a_group_is_worked_on_goes_into_the_next() -> None:
    async with started() as scene:
        await until(lambda: scene.ledger.up)
        scene.store.open_again.clear()
        first = scene.ledger.ask(CALLS[0], ORIGIN)[1]
        await until(lambda: scene.store.groups)
        others = [scene.ledger.ask(call, ORIGIN)[1] for call in CALLS[1:6]]
        await asyncio.sleep(0.005)
        assert not first.done()
        scene.store.open_again.set()
        await asyncio.gather(first, *others)
        assert [len(group) for group in scene.store.groups] == [1, 5]


@on_loop
async def test_a_call_goes_its_way_from_the_question_to_the_outcome() -> None:
    async with started() as scene:
        asked, answer = scene.ledger.ask(CALL, ORIGIN)
        assert await answer == Send(CALL.items, 0, maybe_sent=False)
        entry = await scene.ledger.settle(asked, settled(CALL))
        assert (entry.status, entry.owner) == ("succeeded", "anna")
        await scene.ledger.published(CALL.key)
        assert await scene.ledger.ask(CALL, ORIGIN)[1] == Done(replace(entry, published=True))
        assert (await scene.ledger.settled([CALL.key, CALLS[1].key])).keys() == {CALL.key}


@on_loop
async def test_asks_wait_for_a_store_that_is_away_at_the_start() -> None:
    scene = Scene()
    scene.store.away = True
    scene.ledger.start()
    _, answer = scene.ledger.ask(CALL, ORIGIN)
    await until(lambda: names.LOG_LEDGER_WAITING in scene.events())
    assert not scene.ledger.up
    assert not answer.done()
    scene.store.away = False
    assert isinstance(await answer, Send)
    await until(lambda: scene.ledger.up)
    assert names.LOG_LEDGER_BACK in scene.events()
    await scene.ledger.close(1.0)


@on_loop
async def test_everything_waits_while_the_store_is_away_and_goes_on_by_itself() -> None:
    async with started() as scene:
        asked, answer = scene.ledger.ask(CALL, ORIGIN)
        await answer
        scene.store.away = True
        waiting = asyncio.gather(
            scene.ledger.settle(asked, settled(CALL)),
            scene.ledger.ask(CALLS[1], ORIGIN)[1],
            scene.ledger.settled([CALLS[2].key]),
        )
        await until(lambda: not scene.ledger.up)
        mends = [line["mend"] for line in scene.heard.lines if line["event"] == names.LOG_LEDGER_WAITING]
        assert set(mends) == {"bring it back"}
        scene.store.away = False
        entry, answered, found = await waiting
        assert (entry.status, type(answered), found) == ("succeeded", Send, {})
        assert scene.ledger.up


@on_loop
async def test_a_question_whose_answer_was_lost_is_put_again_as_the_same_question() -> None:
    async with started() as scene:
        await until(lambda: scene.ledger.up)
        scene.store.answers_get_lost = True
        assert await scene.ledger.ask(CALL, ORIGIN)[1] == Send(CALL.items, 0, maybe_sent=False)
        first, second = scene.store.groups
        assert first == second


@on_loop
async def test_a_question_that_is_cancelled_before_it_is_put_is_not_put() -> None:
    async with started() as scene:
        await until(lambda: scene.ledger.up)
        for call in CALLS[:3]:
            scene.ledger.ask(call, ORIGIN)[1].cancel()
        await scene.ledger.ask(CALLS[3], ORIGIN)[1]
        assert [[request.call for request in group] for group in scene.store.groups] == [[CALLS[3]]]


@on_loop
async def test_a_question_that_is_cancelled_on_its_way_is_given_back() -> None:
    async with started() as scene:
        await until(lambda: scene.ledger.up)
        scene.store.open_again.clear()
        answer = scene.ledger.ask(CALL, ORIGIN)[1]
        await until(lambda: scene.store.groups)
        answer.cancel()
        scene.store.open_again.set()
        await until(lambda: len(scene.store.groups) == 2)
        assert isinstance(scene.store.groups[1][0], GiveBack)
        assert await (await scene.bert()).ask(CALL) == Send(CALL.items, 0, maybe_sent=False)


@on_loop
async def test_an_answer_that_came_and_was_never_taken_is_given_back_when_it_is_forgotten() -> None:
    async with started() as scene:
        asked, answer = scene.ledger.ask(CALL, ORIGIN)
        await until(answer.done)
        scene.ledger.forget(asked, answer)
        early, not_yet = scene.ledger.ask(CALLS[1], ORIGIN)
        scene.ledger.forget(early, not_yet)
        scene.ledger.forget(early, not_yet)
        await scene.ledger.ask(CALLS[2], ORIGIN)[1]
        bert = await scene.bert()
        assert [type(await bert.ask(call)) for call in CALLS[:3]] == [Send, Send, Wait]


@on_loop
async def test_what_is_settled_is_kept_though_nobody_waits_for_it() -> None:
    async with started() as scene:
        asked, answer = scene.ledger.ask(CALL, ORIGIN)
        await answer
        settling = asyncio.create_task(scene.ledger.settle(asked, settled(CALL)))
        await asyncio.sleep(0)
        settling.cancel()
        await scene.ledger.ask(CALLS[1], ORIGIN)[1]
        assert scene.shelf.calls[CALL.key].status == "succeeded"


@on_loop
async def test_a_defect_reaches_the_one_who_asked_and_not_those_of_the_same_group() -> None:
    async with started() as scene:
        await until(lambda: scene.ledger.up)
        scene.store.poison = CALLS[2].key
        answers = await asyncio.gather(
            *(scene.ledger.ask(call, ORIGIN)[1] for call in CALLS[:5]), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [Send, Send, ZeroDivisionError, Send, Send]
        assert isinstance(await scene.ledger.ask(CALLS[5], ORIGIN)[1], Send)


@on_loop
async def test_what_nobody_waits_for_and_could_not_be_done_is_in_the_log() -> None:
    async with started() as scene:
        asked, answer = scene.ledger.ask(CALL, ORIGIN)
        await answer

        async def fail(_: Sequence[Request]) -> list[Reply]:
            raise ZeroDivisionError

        scene.store.work = fail
        scene.ledger.give_back(asked, 1, maybe_sent=True)
        await until(lambda: names.LOG_LEDGER_FAILED in scene.events())


@on_loop
async def test_requests_of_every_kind_share_a_group_in_their_order() -> None:
    async with started() as scene:
        asked, answer = scene.ledger.ask(CALL, ORIGIN)
        await answer
        settling = asyncio.create_task(scene.ledger.settle(asked, settled(CALL)))
        publishing = asyncio.create_task(scene.ledger.published(CALL.key))
        await asyncio.gather(settling, publishing)
        assert [type(request) for request in scene.store.groups[-1]] == [Settle, Published]
        assert isinstance(await settling, Entry)
        assert scene.shelf.calls[CALL.key].published
