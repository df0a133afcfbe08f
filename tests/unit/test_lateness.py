"""How late the event loop is, and that what a busy process adds to an answer's time costs no call its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from infra.gate_calls import OURS, TAKEN
from infra.virtual_loop import VirtualLoop, clock, now, run
from worker.gate.gate import Gate
from worker.gate.lateness import EVERY_SECONDS, GRAIN_SECONDS, UNASKED, Lateness
from worker.gate.turn import Turn
from worker.stopping import Stop

LATENCY = 0.03
CALLERS = 100


def busy(seconds: float) -> None:
    """The process does something else for so long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.at += seconds


def test_a_loop_that_has_nothing_else_to_do_is_not_late() -> None:
    async def main() -> None:
        late = Lateness(clock)
        for _ in range(10):
            assert late() == pytest.approx(0.0)
            await asyncio.sleep(0.05)

    run(main)


def test_it_is_late_by_as_long_as_the_process_did_something_else() -> None:
    async def main() -> None:
        late = Lateness(clock)
        late()
        busy(0.2)
        await asyncio.sleep(EVERY_SECONDS)
        assert late() == pytest.approx(0.2 - EVERY_SECONDS - GRAIN_SECONDS)
        await asyncio.sleep(0.1)
        assert late() == pytest.approx(0.2 - EVERY_SECONDS - GRAIN_SECONDS), "nothing came to it"

    run(main)


def test_where_nobody_asks_no_timer_is_set_any_more() -> None:
    async def main() -> None:
        late = Lateness(clock)
        late()
        await asyncio.sleep(2 * UNASKED * EVERY_SECONDS)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(AssertionError, match="nothing will ever happen"):
        run(main)


def limit_after(seconds: float, stall: float, late: Callable[[], float]) -> int:
    """Of a gate at which 100 always wait, in a process that does something else for `stall` seconds at a time."""
    found: list[int] = []

    async def main() -> None:
        gate, stop = Gate(OURS, clock=clock, notify=lambda _: None, late=late), Stop()

        async def calls(cart: str) -> None:
            while now() < seconds:
                turn = Turn("confirm", cart)
                async with gate.turn(turn, stop, finish=False):
                    await asyncio.sleep(LATENCY)
                    turn.answer = TAKEN

        async def something_else() -> None:
            await asyncio.sleep(1.0)
            while now() < seconds:
                busy(stall)
                await asyncio.sleep(0.0005)

        await asyncio.gather(something_else(), *(calls(f"cart-{n}") for n in range(CALLERS)))
        found.append(gate.state.limits["confirm"])

    run(main)
    return found[0]


@pytest.mark.parametrize("stall", [0.005, 0.02, 0.06, 0.2])
def test_a_process_that_is_busy_allows_itself_as_many_calls_as_an_idle_one(stall: float) -> None:
    assert limit_after(6.0, stall, Lateness(clock)) == OURS.max_concurrency


def test_without_that_it_would_allow_itself_fewer() -> None:
    assert limit_after(6.0, 0.06, lambda: 0.0) < OURS.max_concurrency
