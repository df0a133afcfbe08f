"""One member's slots: when it may go, when it asks for more and for how many, and what it does when it gets none."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from random import Random

import pytest

from simulation.virtual_time import VirtualLoop
from worker.errors import LedgerUnavailable
from worker.gate.quota import LATE_SECONDS, Quota
from worker.ledger.budgets import Budget, Reserved, reserved
from worker.retry import Backoff

EPOCH_US = 1_795_000_000_000_000
TRIP = 0.004
HOUR_US = 3_600_000_000
PAUSES = Backoff(0.1, 2.0)


class Desk:
    """One member at a database that takes its time; `asked` has each question's time, count, interval and lead."""

    def __init__(self, per_second: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.budget: Budget | None = None
        self.asked: list[tuple[float, int, int, float]] = []
        self.ready = 0
        self.away = False
        self.trip = TRIP
        self.set_by_us = 0
        self.used: list[float] = []
        self.quota = Quota(per_second, self.reserve, self.loop.time, PAUSES, self._ready)

    async def reserve(self, count: int, interval_us: int, lead_seconds: float) -> Reserved:
        self.asked.append((self.loop.time(), count, interval_us, lead_seconds))
        await asyncio.sleep(self.trip / 2)
        if self.away:
            raise LedgerUnavailable("away", "bring it back")
        now_us = EPOCH_US + round(self.loop.time() * 1_000_000) + self.set_by_us
        lead_us = round(lead_seconds * 1_000_000)
        answer, self.budget = reserved(self.budget, count, interval_us, lead_us, HOUR_US, now_us)
        await asyncio.sleep(self.trip / 2)
        return answer

    def delay(self, waiting: int) -> float | None:
        return self.quota.delay(self.loop.time(), waiting)

    def take(self) -> None:
        self.quota.take(self.loop.time())
        self.used.append(self.loop.time())

    async def use(self, calls: int, *, until: float = float("inf")) -> None:
        """Makes so many calls as soon as it may, or those that can be made by then."""
        while calls and self.loop.time() < until:
            wait = self.delay(calls)
            if wait == 0.0:
                self.take()
                calls -= 1
            else:
                await asyncio.sleep(0.001 if wait is None else max(wait, 1e-6))

    async def stock(self, calls: int) -> None:
        """Waits until it has slots in hand for so many calls, or as many as it may have."""
        while not self.quota._slots:
            self.delay(calls)
            await asyncio.sleep(0.001)

    def counts(self) -> list[int]:
        return [count for _, count, _, _ in self.asked if count]

    def _ready(self) -> None:
        self.ready += 1


def at_desk(per_second: float = 50.0) -> Callable[[Callable[[Desk], Coroutine[None, None, None]]], Callable[[], None]]:
    """A test of one member, on a clock that jumps."""

    def run_it(test: Callable[[Desk], Coroutine[None, None, None]]) -> Callable[[], None]:
        async def main() -> None:
            desk = Desk(per_second)
            await test(desk)
            await desk.quota.close()

        def run() -> None:
            loop = VirtualLoop(Random(0))
            try:
                loop.run_until_complete(main())
            finally:
                loop.close()

        run.__name__ = test.__name__
        return run

    return run_it


@at_desk()
async def test_without_a_slot_it_asks_and_says_when_there_is_an_answer(desk: Desk) -> None:
    assert desk.delay(1) is None
    assert desk.delay(1) is None
    assert desk.ready == 0
    await asyncio.sleep(3 * TRIP)
    assert desk.ready == 1
    assert desk.counts() == [1], "one question at a time"


@at_desk()
async def test_a_slot_is_told_by_its_time_and_may_be_used_from_then_on(desk: Desk) -> None:
    desk.delay(1)
    await asyncio.sleep(2.1 * TRIP)
    wait = desk.delay(1)
    assert wait is not None
    assert 0 < wait <= TRIP
    await asyncio.sleep(wait)
    assert desk.delay(1) == 0.0
    desk.take()
    assert desk.delay(0) is None


@at_desk()
async def test_a_slot_that_is_missed_by_more_than_a_little_is_gone(desk: Desk) -> None:
    desk.delay(1)
    await asyncio.sleep(2.1 * TRIP)
    wait = desk.delay(1)
    assert wait is not None
    await asyncio.sleep(wait + LATE_SECONDS - 0.001)
    assert desk.delay(1) == 0.0
    await asyncio.sleep(0.003)
    assert desk.delay(0) is None
    assert desk.delay(1) is None
    await asyncio.sleep(2 * TRIP)
    assert desk.counts() == [1, 1]


@at_desk()
async def test_nobody_waits_so_nothing_is_asked(desk: Desk) -> None:
    assert desk.delay(0) is None
    await asyncio.sleep(1.0)
    assert not desk.asked


@at_desk()
async def test_it_asks_for_as_many_as_wait_and_for_a_fifth_of_a_second_at_most(desk: Desk) -> None:
    desk.delay(3)
    await asyncio.sleep(0.5)
    desk.delay(1000)
    await asyncio.sleep(0.5)
    assert desk.counts() == [3, 10]


@pytest.mark.parametrize(("cap", "interval"), [(0.5, 2_100_000), (1, 1_050_000), (2.5, 420_000), (3000, 350), (7e5, 2)])
def test_slots_are_a_little_wider_apart_than_the_cap_says_and_never_nearer(cap: float, interval: int) -> None:
    @at_desk(cap)
    async def ask(desk: Desk) -> None:
        desk.delay(1)
        await asyncio.sleep(3 * TRIP)
        assert {asked[2] for asked in desk.asked} == {interval}

    ask()


@at_desk()
async def test_one_who_is_alone_uses_every_slot(desk: Desk) -> None:
    await desk.use(500)
    assert all(later - sooner == pytest.approx(0.021, abs=0.005) for sooner, later in pairwise(desk.used))
    assert desk.used[-1] - desk.used[0] == pytest.approx(499 * 0.021, abs=0.01)


@at_desk(2000.0)
async def test_calls_that_come_one_by_one_share_questions(desk: Desk) -> None:
    for _ in range(300):
        await asyncio.gather(desk.use(1), asyncio.sleep(0.003))
    assert len(desk.used) == 300
    assert min(later - sooner for (sooner, *_), (later, *_) in pairwise(desk.asked[1:])) > 0.0249


@at_desk()
async def test_the_lead_is_the_way_there_and_back_and_at_most_a_second(desk: Desk) -> None:
    desk.delay(1)
    await asyncio.sleep(0.5)
    desk.trip = 3.0
    desk.delay(1)
    await asyncio.sleep(3.5)
    desk.delay(1)
    await asyncio.sleep(3.5)
    assert [lead for _, count, _, lead in desk.asked if count] == [
        pytest.approx(TRIP, abs=1e-4),
        pytest.approx(TRIP, abs=1e-4),
        1.0,
    ]


@at_desk()
async def test_a_hold_lasts_for_the_slots_in_hand_and_for_all_that_come(desk: Desk) -> None:
    await desk.use(3)
    await desk.stock(10)
    began = desk.loop.time()
    desk.quota.hold_back(2.0)
    assert desk.delay(0) is None, "all in hand were before its end"
    await desk.use(5)
    assert desk.used[3] >= began + 2.0
    assert desk.used[3] < began + 2.1


@pytest.mark.parametrize("milliseconds", range(50, 72, 2))
def test_a_hold_that_ends_among_the_slots_in_hand_takes_those_before_its_end(milliseconds: int) -> None:
    @at_desk()
    async def hold(desk: Desk) -> None:
        await desk.stock(10)
        end = desk.loop.time() + milliseconds / 1000
        desk.quota.hold_back(milliseconds / 1000)
        await desk.use(5)
        assert end <= desk.used[0] <= end + 0.022

    hold()


@at_desk()
async def test_a_hold_is_told_at_once_though_nobody_waits(desk: Desk) -> None:
    desk.quota.hold_back(7.0)
    await asyncio.sleep(3 * TRIP)
    assert desk.budget is not None
    assert desk.budget.next_us >= EPOCH_US + 7_000_000


@at_desk()
async def test_a_hold_that_comes_while_something_is_asked_is_told_after_it(desk: Desk) -> None:
    began = desk.loop.time()
    desk.delay(5)
    await asyncio.sleep(1.5 * TRIP)
    desk.quota.hold_back(7.0)
    await asyncio.sleep(3 * TRIP)
    assert desk.budget is not None
    assert desk.budget.next_us >= EPOCH_US + 7_000_000
    await desk.use(1)
    assert desk.used[0] >= began + 7.0


@at_desk()
async def test_many_holds_at_once_are_told_in_a_few_questions_and_the_longest_counts(desk: Desk) -> None:
    for n in range(100):
        desk.quota.hold_back(5.0 + n / 100)
        desk.quota.hold_back(1.0)
    await asyncio.sleep(1.0)
    assert len(desk.asked) <= 3
    assert desk.budget is not None
    assert desk.budget.next_us >= EPOCH_US + 5_990_000


@at_desk()
async def test_without_the_database_it_asks_again_in_growing_pauses_while_somebody_waits(desk: Desk) -> None:
    desk.away = True
    await desk.use(1, until=10.0)
    pauses = [later - sooner for (sooner, *_), (later, *_) in pairwise(desk.asked)]
    assert pauses[:6] == [pytest.approx(pause, abs=0.02) for pause in (0.1, 0.2, 0.4, 0.8, 1.6, 2.0)]
    assert desk.ready == len(desk.asked)
    asked = len(desk.asked)
    await asyncio.sleep(60.0)
    assert len(desk.asked) == asked, "nobody waits"
    desk.away = False
    await desk.use(1)
    assert len(desk.used) == 1
    desk.away = True
    asked = len(desk.asked)
    await desk.use(1, until=desk.loop.time() + 1.0)
    assert len(desk.asked) - asked == 4, "after 0.1, 0.2 and 0.4 s"


@at_desk()
async def test_what_is_in_hand_is_used_while_the_database_is_away(desk: Desk) -> None:
    desk.delay(8)
    await asyncio.sleep(2.1 * TRIP)
    desk.away = True
    await desk.use(8)
    assert desk.used[-1] - desk.used[0] == pytest.approx(7 * 0.021, abs=0.005)


@pytest.mark.parametrize("seconds", [-7200.0, -0.5, 0.5, 7200.0])
def test_a_database_whose_clock_is_set_stops_nobody_for_long(seconds: float) -> None:
    @at_desk()
    async def go_on(desk: Desk) -> None:
        await desk.use(30)
        await desk.stock(10)
        desk.set_by_us = round(seconds * 1_000_000)
        await desk.use(60)
        assert max(later - sooner for sooner, later in pairwise(desk.used)) < 0.6
        assert min(later - sooner for sooner, later in pairwise(desk.used)) >= 0.0

    go_on()


@at_desk()
async def test_when_it_is_closed_nothing_more_is_asked(desk: Desk) -> None:
    desk.delay(1)
    await asyncio.sleep(TRIP / 4)
    await desk.quota.close()
    asked = len(desk.asked)
    desk.quota.hold_back(1.0)
    assert desk.delay(1) is None
    await asyncio.sleep(1.0)
    assert (len(desk.asked), desk.ready) == (asked, 0)
