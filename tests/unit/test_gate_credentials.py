"""Refused credentials are nobody's fault: one call at a time is tried, until one is taken."""

import asyncio

import pytest

from infra.gate_calls import BROKEN, DENIED, REFUSED, TAKEN, THROTTLED, UNREACHED, Calls, Sent, gaps, rules, together
from infra.virtual_loop import now, run
from worker.gate.circuit import Opened, StillOpen
from worker.gate.turn import Turn
from worker.rokt.answers import Accepted, Answer, Conflict


def refusing(_: Sent) -> Answer:
    return DENIED


async def for_a_while(calls: Calls, names: range, seconds: float) -> None:
    tasks = [asyncio.ensure_future(calls.call(str(n))) for n in names]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def test_the_first_refusal_closes_the_gate_for_all_operations_and_it_is_said_so() -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("a", DENIED)
        assert calls.notices == [Opened("credentials", "Rokt answered 401", 1.0)]
        assert all(calls.gate.shut_for(operation) for operation in ("confirm", "cancel", "release"))

    run(main)


def test_one_call_at_a_time_goes_at_a_growing_interval() -> None:
    async def main() -> None:
        calls = Calls(refusing)
        await for_a_while(calls, range(20), 60.0)
        tries = calls.times(since=0.5)
        assert gaps([0.0, *tries])[:3] == [pytest.approx(seconds, abs=0.1) for seconds in (1.0, 2.0, 4.0)]
        assert all(gap == pytest.approx(8.0, abs=0.1) for gap in gaps(tries)[3:])
        assert len(tries) >= 9
        assert [probe.tries for probe in calls.probes] == list(range(2, len(tries) + 2))

    run(main)


def test_each_try_is_made_with_another_call() -> None:
    async def main() -> None:
        calls = Calls(refusing)
        await for_a_while(calls, range(5), 60.0)
        assert sorted(calls.names(since=0.5)[:5]) == ["0", "1", "2", "3", "4"]

    run(main)


def test_the_next_try_starts_only_after_the_one_before_has_an_answer() -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("first", DENIED)
        slow = asyncio.ensure_future(calls.one("slow", DENIED, takes=30.0))
        await asyncio.sleep(2.0)
        other = asyncio.ensure_future(calls.one("other", TAKEN))
        await asyncio.sleep(20.0)
        assert calls.names() == ["first", "slow"]
        await together([slow, other])
        assert calls.times()[-1] > 31.0

    run(main)


@pytest.mark.parametrize("answer", [TAKEN, REFUSED, Conflict(409, ""), Accepted(200, (), "unreadable")])
def test_once_a_call_is_not_denied_the_gate_is_open_for_all_and_it_is_said_so(answer: Answer) -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("a", DENIED)
        waiting = [asyncio.ensure_future(calls.one(str(n), TAKEN)) for n in range(5)]
        first = asyncio.ensure_future(calls.one("b", answer))
        await together([*waiting, first])
        assert calls.closings == ["credentials"]
        assert now() < 1.1
        await together([calls.one(str(n), TAKEN) for n in range(5)])
        assert now() < 1.1

    run(main)


def test_after_closing_a_new_refusal_starts_again_with_the_shortest_interval() -> None:
    async def main() -> None:
        calls = Calls()
        for answer in (DENIED, DENIED, DENIED, DENIED, TAKEN, DENIED):
            await calls.one("a", answer)
        assert calls.notices[-1] == Opened("credentials", "Rokt answered 401", 1.0)

    run(main)


def test_many_refusals_at_the_same_moment_are_one() -> None:
    async def main() -> None:
        calls = Calls()
        await together([calls.one(str(n), DENIED, takes=1.0) for n in range(8)])
        assert calls.notices == [Opened("credentials", "Rokt answered 401", 1.0)]

    run(main)


@pytest.mark.parametrize("answer", [BROKEN, UNREACHED, THROTTLED])
def test_a_try_that_hears_nothing_of_the_credentials_leaves_the_gate_shut_and_the_next_is_made(answer: Answer) -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("a", DENIED)
        await calls.one("b", answer)
        assert calls.is_open == {"credentials"}
        assert calls.notices[-1] == StillOpen("credentials", "Rokt answered 401", 2, 2.0) or answer == THROTTLED
        await calls.one("c", TAKEN)
        assert calls.is_open == set()

    run(main)


def test_without_any_call_to_make_the_next_one_is_tried_at_once() -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("a", DENIED)
        await asyncio.sleep(3600)
        asked = now()
        await calls.one("b", TAKEN)
        assert now() == asked

    run(main)


def test_new_credentials_are_tried_at_once_and_a_late_refusal_of_the_former_says_nothing() -> None:
    async def main() -> None:
        calls = Calls(refusing)
        tasks = [asyncio.ensure_future(calls.call(str(n), takes=0.1)) for n in range(4)]
        await asyncio.sleep(12.0)
        late = next(turn for turn in calls.gate._ready if turn.refused_at)
        calls.rokt = lambda _: TAKEN
        calls.gate.credentials_changed()
        await together(tasks)
        assert now() < 13.0
        assert calls.is_open == set()
        assert late.answer == TAKEN
        slow = asyncio.ensure_future(calls.one("slow", DENIED, takes=1.0))
        await asyncio.sleep(0.5)
        calls.gate.credentials_changed()
        await slow
        assert calls.is_open == set()

    run(main)


def test_a_call_that_is_refused_again_while_a_later_one_was_taken_is_refused_alone_and_stops_nobody() -> None:
    async def main() -> None:
        calls = Calls()
        alone = Turn("confirm", "a")
        assert not (await calls.attempt(alone, DENIED)).refused_alone
        await calls.one("b", TAKEN)
        assert (await calls.attempt(alone, DENIED)).refused_alone
        assert calls.is_open == set()

    run(main)


def test_a_call_that_is_refused_for_the_first_time_is_never_to_blame() -> None:
    async def main() -> None:
        calls = Calls()
        for n in range(3):
            await calls.one(str(n), TAKEN)
        assert not (await calls.one("late", DENIED)).refused_alone
        assert calls.is_open == {"credentials"}

    run(main)


def test_while_every_call_is_refused_none_is_to_blame_however_often() -> None:
    async def main() -> None:
        calls = Calls()
        turns = [Turn("confirm", str(n)) for n in range(5)]
        for turn in turns * 20:
            assert not (await calls.attempt(turn, DENIED)).refused_alone

    run(main)


def test_an_older_call_that_is_refused_after_a_younger_one_was_taken_is_not_to_blame() -> None:
    async def main() -> None:
        calls = Calls()
        older = Turn("confirm", "older")
        slow = asyncio.ensure_future(calls.attempt(older, DENIED, takes=1.0))
        await asyncio.sleep(0.1)
        await calls.one("younger", TAKEN, takes=0.1)
        await slow
        assert not (await calls.attempt(older, DENIED)).refused_alone
        assert calls.is_open == {"credentials"}

    run(main)


def test_a_call_taken_that_had_set_out_before_the_refusal_was_heard_says_nothing_of_later() -> None:
    async def main() -> None:
        calls = Calls()
        refused = Turn("confirm", "refused")
        first = asyncio.ensure_future(calls.attempt(refused, DENIED, takes=0.1))
        await asyncio.sleep(0.05)
        under_way = asyncio.ensure_future(calls.one("under way", TAKEN, takes=0.5))
        await together([first, under_way])
        assert not (await calls.attempt(refused, DENIED)).refused_alone

    run(main)


def test_a_call_refused_with_the_former_credentials_and_again_with_wrong_new_ones_is_not_to_blame() -> None:
    async def main() -> None:
        calls = Calls()
        turn = Turn("confirm", "a")
        await calls.attempt(turn, DENIED)
        await calls.one("b", TAKEN)
        calls.gate.credentials_changed()
        assert not (await calls.attempt(turn, DENIED)).refused_alone
        assert calls.is_open == {"credentials"}

    run(main)


def test_one_call_that_is_always_denied_is_rejected_alone_and_all_others_go_on() -> None:
    async def main() -> None:
        calls = Calls(lambda sent: DENIED if sent.cart == "bad" else TAKEN)
        bad = asyncio.ensure_future(calls.call("bad"))
        for _ in range(30):
            await asyncio.sleep(0.3)
            if not calls.gate.stops_reading(None):
                await calls.call(f"good-{now()}")
        async with asyncio.timeout(30):
            assert (await bad).status == "rejected"
        assert calls.is_open == set()

    run(main)


def test_credentials_and_an_outage_at_once_are_both_lived_through() -> None:
    async def main() -> None:
        phases: dict[float, Answer] = {0.0: BROKEN, 20.0: DENIED, 40.0: BROKEN, 60.0: TAKEN}
        calls = Calls(lambda sent: phases[max(at for at in phases if at <= sent.at)], rules(attempts=3))
        tasks = [asyncio.ensure_future(calls.call(f"{n}")) for n in range(30)]
        await asyncio.sleep(59.0)
        assert calls.is_open == {"confirm", "credentials"}
        await together(tasks)
        assert {settled.status for settled in calls.settled.values()} == {"succeeded"}
        assert now() < 75.0

    run(main)
