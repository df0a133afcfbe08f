"""Slots that others leave over: none while they have a backlog, nearly all while they have nothing to do."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random

import pytest

from simulation.virtual_time import VirtualLoop
from worker.gate.both import Both
from worker.gate.quota import Quota, Slots
from worker.ledger.budgets import Budget, Reserved, reserved
from worker.retry import Backoff

EPOCH_US = 1_795_000_000_000_000
HOUR_US = 3_600_000_000
PAUSES = Backoff(0.1, 2.0)
TRIP = 0.004
CAPS = pytest.mark.parametrize("cap", [2.0, 10.0, 50.0, 500.0])


class Database:
    """Budgets by name; how often each was asked for."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.budgets: dict[str, Budget] = {}
        self.asked = 0

    async def reserve(
        self, count: int, interval_us: int, lead_seconds: float, *, budget: str = "calls", spare: bool = False
    ) -> Reserved:
        self.asked += 1
        await asyncio.sleep(TRIP / 2)
        now_us = EPOCH_US + round(self.loop.time() * 1_000_000)
        lead_us = round(lead_seconds * 1_000_000)
        before = self.budgets.get(budget)
        answer, self.budgets[budget] = reserved(before, count, interval_us, lead_us, HOUR_US, now_us, spare=spare)
        await asyncio.sleep(TRIP / 2)
        return answer

    def live(self, cap: float) -> Quota:
        return Quota(cap, self.reserve, self.loop.time, PAUSES, lambda: None)

    def spare(self, cap: float) -> Quota:
        return Quota(cap, partial(self.reserve, spare=True), self.loop.time, PAUSES, lambda: None, spare=True)

    def own(self, rate: float) -> Quota:
        return Quota(rate, partial(self.reserve, budget="own"), self.loop.time, PAUSES, lambda: None)

    async def use(self, slots: Slots, *, until: float, waiting: int = 1_000, calls: float = math.inf) -> list[float]:
        """When each call was made that could be made by then."""
        used: list[float] = []
        while self.loop.time() < until and len(used) < calls:
            wait = slots.delay(self.loop.time(), waiting)
            if wait == 0.0:
                slots.take(self.loop.time())
                used.append(self.loop.time())
            else:
                await asyncio.sleep(min(0.001 if wait is None else max(wait, 1e-6), 0.05))
        return used


def run(main: Callable[[Database], Coroutine[None, None, None]]) -> None:
    async def on_the_loop() -> None:
        await main(Database())

    loop = VirtualLoop(Random(0))
    try:
        loop.run_until_complete(on_the_loop())
        loop.run_until_complete(asyncio.sleep(5.0))
    finally:
        loop.close()


@CAPS
def test_alone_it_has_most_of_the_slots_and_never_more(cap: float) -> None:
    async def main(database: Database) -> None:
        used = await database.use(database.spare(cap), until=20.0)
        assert cap * 20 * 0.7 <= len(used) <= cap * 20

    run(main)


@CAPS
def test_while_others_have_a_backlog_it_has_none_and_then_all(cap: float) -> None:
    async def main(database: Database) -> None:
        live, spare = database.live(cap), database.spare(cap)
        backlog = asyncio.create_task(database.use(live, until=10.0))
        await asyncio.sleep(1.0)
        meanwhile = await database.use(spare, until=10.0)
        assert len(await backlog) >= cap * 9
        assert meanwhile == []
        assert spare.refused_since is not None
        assert len(await database.use(spare, until=20.0)) >= cap * 10 * 0.7
        assert spare.refused_since is None or spare.refused_since > 19.0

    run(main)


@CAPS
def test_one_with_a_call_now_and_then_waits_for_a_few_of_its_slots_at_most(cap: float) -> None:
    async def main(database: Database) -> None:
        live, spare = database.live(cap), database.spare(cap)
        busy = asyncio.create_task(database.use(spare, until=30.0))
        longest = 0.0
        for _ in range(20):
            await asyncio.sleep(1.0)
            asked_at = database.loop.time()
            (made_at,) = await database.use(live, until=asked_at + 5.0, waiting=1, calls=1)
            longest = max(longest, made_at - asked_at)
        assert longest <= max(0.05, 1.06 / cap) + 0.05
        assert len(await busy) >= cap * 30 * 0.4

    run(main)


def test_two_of_its_kind_share_what_is_left() -> None:
    async def main(database: Database) -> None:
        one, other = database.spare(50.0), database.spare(50.0)
        shares = await asyncio.gather(database.use(one, until=20.0), database.use(other, until=20.0))
        assert 0.6 * 1000 <= sum(map(len, shares)) <= 1000
        assert min(map(len, shares)) >= 50

    run(main)


def test_it_does_not_ask_all_the_time_while_others_go_first() -> None:
    async def main(database: Database) -> None:
        backlog = asyncio.create_task(database.use(database.live(50.0), until=10.0))
        await asyncio.sleep(1.0)
        live_alone = database.asked
        await database.use(database.spare(50.0), until=10.0)
        await backlog
        assert database.asked <= 10 * live_alone + 9 * 20

    run(main)


@pytest.mark.parametrize("rate", [0.5, 3.0, 20.0])
def test_with_a_rate_of_its_own_too_it_keeps_to_both(rate: float) -> None:
    async def main(database: Database) -> None:
        both = Both(database.own(rate), database.spare(50.0), few=max(1, math.ceil(rate * 0.05)))
        used = await database.use(both, until=20.0)
        assert rate * 20 * 0.7 <= len(used) <= rate * 20 + 1
        for began in used:
            assert sum(began <= at < began + 1.0 for at in used) <= math.ceil(rate) + 1

    run(main)


def test_with_a_rate_of_its_own_it_still_goes_behind_others() -> None:
    async def main(database: Database) -> None:
        backlog = asyncio.create_task(database.use(database.live(50.0), until=10.0))
        await asyncio.sleep(1.0)
        both = Both(database.own(5.0), database.spare(50.0), few=1)
        assert await database.use(both, until=10.0) == []
        assert both.refused_since is not None
        await backlog
        assert len(await database.use(both, until=20.0)) >= 40

    run(main)


def test_a_wait_that_rokt_asked_for_holds_for_all_of_the_shared_budget() -> None:
    async def main(database: Database) -> None:
        both = Both(database.own(5.0), database.spare(50.0), few=1)
        await database.use(both, until=2.0)
        both.hold_back(5.0)
        assert await database.use(database.live(50.0), until=6.5) == []
        await both.close()

    run(main)
