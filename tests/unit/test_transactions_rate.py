"""How many requests a second are taken, and what is asked together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from worker.transactions.rate import Rate
from worker.transactions.together import Together


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_so_many_a_second_are_taken_and_the_others_are_told_when_to_come_again() -> None:
    clock = Clock()
    rate = Rate(10.0, clock)
    assert [rate.wait() for _ in range(12)] == [0] * 10 + [1, 1]
    clock.now += 0.5
    assert [rate.wait() for _ in range(6)] == [0] * 5 + [1]
    clock.now += 60
    assert sum(rate.wait() == 0 for _ in range(20)) == 10


def test_a_slow_rate_takes_the_first_one_at_once() -> None:
    rate = Rate(0.1, Clock())
    assert [rate.wait(), rate.wait()] == [0, 10]


def test_without_a_rate_all_are_taken() -> None:
    assert not any(Rate(None, Clock()).wait() for _ in range(1_000))


def test_what_is_asked_side_by_side_is_asked_together_and_each_gets_its_own_answer() -> None:
    groups: list[list[int]] = []

    async def do(asked: Sequence[int]) -> list[int]:
        groups.append(list(asked))
        await asyncio.sleep(0)
        return [2 * one for one in asked]

    async def main() -> list[int]:
        together = Together(do, 4)
        return await asyncio.gather(*(together.ask(n) for n in range(10)))

    assert asyncio.run(main()) == [2 * n for n in range(10)]
    assert [len(group) for group in groups] == [4, 4, 2]


def test_an_error_is_for_those_of_its_group_and_no_other() -> None:
    async def do(asked: Sequence[int]) -> list[int]:
        if 1 in asked:
            raise ValueError
        return list(asked)

    async def main() -> None:
        together = Together(do, 2)
        answers = await asyncio.gather(*(together.ask(n) for n in range(4)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [ValueError, ValueError, int, int]
        assert await together.ask(7) == 7

    asyncio.run(main())


def test_who_gives_up_takes_no_others_answer() -> None:
    async def do(asked: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        return list(asked)

    async def main() -> None:
        together = Together(do, 10)
        gone, there = asyncio.ensure_future(together.ask(1)), asyncio.ensure_future(together.ask(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await there == 2
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(main())
