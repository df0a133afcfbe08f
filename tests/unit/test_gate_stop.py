"""A wait that ends before its turn, an attempt that is cut short: it holds up nobody else, and no place is lost."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from infra.gate_calls import BROKEN, DENIED, TAKEN, Calls, held, rules, together
from infra.virtual_loop import now, run
from worker.errors import Abandoned
from worker.gate.turn import Turn
from worker.stopping import Stop

Ending = Callable[[Calls, "asyncio.Task[None]"], None]


def stop(calls: Calls, _: asyncio.Task[None]) -> None:
    calls.stop.ask()
    calls.stop = Stop()


def cancel(_: Calls, task: asyncio.Task[None]) -> None:
    task.cancel()


ENDINGS = pytest.mark.parametrize("end", [stop, cancel])


async def over(awaited: Awaitable[object]) -> None:
    with contextlib.suppress(Abandoned, asyncio.CancelledError):
        await awaited


def waits(calls: Calls, name: str) -> asyncio.Task[None]:
    async def one() -> None:
        await calls.one(name, TAKEN)

    return asyncio.ensure_future(one())


@ENDINGS
def test_the_wait_ends_at_once_and_no_call_is_made(end: Ending) -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("a", held(1000.0))
        waiting = waits(calls, "b")
        await asyncio.sleep(1.0)
        end(calls, waiting)
        with pytest.raises((Abandoned, asyncio.CancelledError)):
            await waiting
        assert now() == pytest.approx(1.0)
        assert calls.names() == ["a"]
        assert calls.gate.state.waiting["confirm"] == 0

    run(main)


def test_after_a_stop_no_call_begins_to_wait() -> None:
    async def main() -> None:
        calls = Calls()
        calls.stop.ask()
        with pytest.raises(Abandoned):
            await calls.one("a", TAKEN)
        assert calls.sent == []

    run(main)


def test_a_call_that_may_have_reached_rokt_waits_on_through_a_stop() -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("a", held(5.0))
        waiting = asyncio.ensure_future(calls.attempt(Turn("confirm", "b"), TAKEN, finish=True))
        await asyncio.sleep(1.0)
        calls.stop.ask()
        await waiting
        await calls.attempt(Turn("confirm", "c"), TAKEN, finish=True)
        assert calls.names() == ["a", "b", "c"]

    run(main)


@pytest.mark.parametrize("answer", [DENIED, BROKEN])
def test_a_stop_in_an_outage_ends_all_waits_and_leaves_the_gate_usable(answer: object) -> None:
    async def main() -> None:
        calls = Calls(lambda _: DENIED if answer is DENIED else BROKEN)
        waiting = [asyncio.ensure_future(calls.call(str(n))) for n in range(12)]
        await asyncio.sleep(20.0)
        assert calls.is_open
        stop(calls, waits(calls, "x"))
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in ended} == {Abandoned}
        calls.rokt = lambda _: TAKEN
        await calls.call("after")
        assert calls.is_open == set()

    run(main)


@ENDINGS
@pytest.mark.parametrize("turns_later", range(4))
@pytest.mark.parametrize("shut", [False, True])
def test_a_wait_that_ends_around_the_moment_it_is_granted_leaks_no_place(
    end: Ending, turns_later: int, shut: bool
) -> None:
    """Before, in the same turn of the event loop, or after it; also where it is granted as the canary."""

    async def main() -> None:
        calls = Calls(rules=rules(concurrency=1))
        if shut:
            await calls.one("denied", DENIED)
        first = asyncio.ensure_future(calls.one("first", DENIED if shut else TAKEN, takes=1.0))
        await asyncio.sleep(1.0 if shut else 0.0)
        second, third = waits(calls, "second"), waits(calls, "third")
        await asyncio.sleep(0)

        async def later() -> None:
            await asyncio.sleep(3.0 if shut else 1.0)
            for _ in range(turns_later):
                await asyncio.sleep(0)
            end(calls, second)

        await together([over(later()), over(first), over(second), over(third)])
        assert calls.gate.state.under_way == 0
        before = now()
        await calls.one("fourth", TAKEN)
        assert now() - before < 5.0
        assert calls.is_open == set()

    run(main)


@ENDINGS
def test_who_is_ended_in_the_very_turn_in_which_it_is_granted_hands_its_place_on(end: Ending) -> None:
    async def main() -> None:
        calls = Calls(rules=rules(concurrency=1))
        turn = Turn("confirm", "first")
        await calls.gate.enter(turn, calls.stop, finish=False)
        second, third = waits(calls, "second"), waits(calls, "third")
        await asyncio.sleep(0)
        end(calls, second)
        calls.gate.leave(turn)
        await over(second)
        await over(third)
        turn = Turn("confirm", "fourth")
        await calls.gate.enter(turn, calls.stop, finish=False)
        fifth, sixth = waits(calls, "fifth"), waits(calls, "sixth")
        await asyncio.sleep(0)
        calls.gate.leave(turn)
        end(calls, fifth)
        await over(fifth)
        await over(sixth)
        assert calls.gate.state.under_way == 0

    run(main)


@pytest.mark.parametrize("answer", [DENIED, BROKEN])
def test_a_canary_that_is_cut_short_does_not_lock_the_gate(answer: object) -> None:
    async def main() -> None:
        calls = Calls()
        await together([calls.one(f"cart-{n}", DENIED if answer is DENIED else BROKEN) for n in range(5)])
        cut = asyncio.ensure_future(calls.one("cut", TAKEN, takes=1000.0))
        await asyncio.sleep(5.0)
        assert calls.names()[-1] == "cut"
        cut.cancel()
        await over(cut)
        async with asyncio.timeout(5.0):
            await calls.one("next", TAKEN)
        assert calls.is_open == set()

    run(main)


def test_a_canary_that_raises_does_not_lock_the_gate() -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("a", DENIED)
        with pytest.raises(ZeroDivisionError):
            async with calls.gate.turn(Turn("cancel", "b"), calls.stop, finish=False):
                raise ZeroDivisionError
        async with asyncio.timeout(5.0):
            await calls.one("c", TAKEN)
        assert calls.is_open == set()

    run(main)


def test_a_canary_of_one_circuit_that_meets_another_fault_locks_neither() -> None:
    """It goes for the outage, and is denied; meanwhile a call from before is denied, too."""

    async def main() -> None:
        calls = Calls()
        old = asyncio.ensure_future(calls.one("old", DENIED, takes=1.5))
        await together([calls.one(f"cart-{n}", BROKEN) for n in range(5)])
        await asyncio.sleep(1.0)
        await together([calls.one("canary", DENIED, takes=2.0), old])
        assert calls.is_open == {"confirm", "credentials"}
        async with asyncio.timeout(5.0):
            await together([calls.one(f"next-{n}", TAKEN) for n in range(3)])
        assert calls.is_open == set()

    run(main)


def test_who_may_go_next_is_found_when_the_first_in_the_row_goes_away() -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("a", DENIED)
        first, second = waits(calls, "first"), waits(calls, "second")
        await asyncio.sleep(0.1)
        first.cancel()
        async with asyncio.timeout(2.0):
            await second
        assert calls.names() == ["a", "second"]

    run(main)
