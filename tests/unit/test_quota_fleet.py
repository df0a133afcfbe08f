"""A whole fleet on one budget: in no second more calls than the cap, whatever happens to members, and not many fewer.

Members' demand is skewed, their clocks have nothing to do with each other, ways to the database and to Rokt differ from
time to time, and members stall.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from random import Random

import pytest

from simulation.virtual_time import VirtualLoop
from worker.gate.quota import Quota
from worker.ledger.budgets import Budget, Reserved, reserved
from worker.retry import Backoff

EPOCH_US = 1_795_000_000_000_000
HOUR_US = 3_600_000_000
GRANULARITY = 0.001
SATURATED = 500


class Fleet:
    """A database, and when each call came to Rokt and from whom."""

    def __init__(self, per_second: float, chance: Random) -> None:
        self.per_second = per_second
        self.chance = chance
        self.loop = asyncio.get_running_loop()
        self.budget: Budget | None = None
        self.came: list[tuple[float, Member]] = []

    def member(self, per_second: float) -> "Member":
        return Member(self, per_second)

    async def reserve(self, count: int, interval_us: int, lead_seconds: float) -> Reserved:
        await asyncio.sleep(self.chance.uniform(0.0002, 0.008))
        now_us = EPOCH_US + round(self.loop.time() * 1_000_000)
        lead_us = round(lead_seconds * 1_000_000)
        answer, self.budget = reserved(self.budget, count, interval_us, lead_us, HOUR_US, now_us)
        await asyncio.sleep(self.chance.uniform(0.0002, 0.008))
        return answer

    def most_within(self, seconds: float) -> int:
        """The most calls that came to Rokt within so many seconds."""
        window: deque[float] = deque()
        most = 0
        for at in sorted(at for at, _ in self.came):
            window.append(at)
            while window[0] <= at - seconds:
                window.popleft()
            most = max(most, len(window))
        return most

    def between(self, begin: float, end: float, by: "Member | None" = None) -> int:
        return sum(begin <= at < end and by in (None, member) for at, member in self.came)


class Member:
    """One worker: `per_second` events come to it, evenly, or as many as it can do (SATURATED of them wait)."""

    def __init__(self, fleet: Fleet, per_second: float) -> None:
        self._fleet = fleet
        self._ahead = fleet.chance.uniform(-1e6, 1e6)
        self._rate = 1 + fleet.chance.uniform(-1e-5, 1e-5)
        self._per_second = per_second
        self._waiting = SATURATED if per_second == math.inf else 0
        self._timer: asyncio.TimerHandle | None = None
        self._stalled_until = 0.0
        self.quota = Quota(fleet.per_second, self._reserve, self._clock, Backoff(0.1, 2.0), self.go)

    def start(self) -> None:
        if self._per_second < math.inf:
            self._comes()
        self.go()

    def go(self) -> None:
        """Makes the calls that it may."""
        if self._fleet.loop.time() < self._stalled_until:
            return
        now = self._clock()
        while (wait := self.quota.delay(now, self._waiting)) == 0.0 and self._waiting:
            self.quota.take(now)
            if self._per_second < math.inf:
                self._waiting -= 1
            at = self._fleet.loop.time() + self._fleet.chance.uniform(0.0, 0.01)
            self._fleet.came.append((at, self))
        if self._timer is not None:
            self._timer.cancel()
        if wait is not None:
            self._timer = self._fleet.loop.call_later(max(wait, GRANULARITY), self.go)

    def stall(self, seconds: float) -> None:
        """Its loop does not turn."""
        self._stalled_until = self._fleet.loop.time() + seconds
        self._fleet.loop.call_later(seconds + 1e-5, self.go)

    async def stalls(self) -> None:
        chance = self._fleet.chance
        while True:
            await asyncio.sleep(chance.expovariate(1.0))
            self.stall(chance.choice([0.01, 0.03, 0.1, 0.5, 2.0]))

    async def die(self) -> None:
        self._per_second = self._waiting = 0
        await self.quota.close()
        self.stall(1e6)

    def _clock(self) -> float:
        return self._ahead + self._fleet.loop.time() * self._rate

    async def _reserve(self, count: int, interval_us: int, lead_seconds: float) -> Reserved:
        answer = await self._fleet.reserve(count, interval_us, lead_seconds)
        await asyncio.sleep(self._stalled_until - self._fleet.loop.time())
        return answer

    def _comes(self) -> None:
        if self._per_second:
            self._waiting += 1
            self._fleet.loop.call_later(self._fleet.chance.expovariate(self._per_second), self._comes)
            self.go()


def run(
    per_second: float,
    demands: list[float],
    seconds: float,
    script: Callable[[Fleet, list[Member]], object],
    seed: int = 0,
) -> Fleet:
    """A fleet of members with these demands, after so many seconds."""

    async def main() -> Fleet:
        fleet = Fleet(per_second, Random(seed))
        members = [fleet.member(demand) for demand in demands]
        for member in members:
            member.start()
        kept = script(fleet, members)
        await asyncio.sleep(seconds)
        del kept
        for member in members:
            await member.die()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return fleet

    loop = VirtualLoop(Random(seed))
    try:
        return loop.run_until_complete(main())
    finally:
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def nothing_happens(_: Fleet, __: list[Member]) -> None:
    pass


def all_stall(_: Fleet, members: list[Member]) -> object:
    return [asyncio.get_running_loop().create_task(member.stalls()) for member in members]


def assert_capped(fleet: Fleet) -> None:
    cap = fleet.per_second
    for seconds in (1.0, 2.0, 5.0):
        assert fleet.most_within(seconds) <= math.ceil(cap * seconds)
    if cap < 1:
        assert fleet.most_within(1 / cap) == 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("per_second", [0.3, 1, 2.5, 7, 50, 333.3, 1000])
def test_in_no_second_are_there_more_calls_than_the_cap(per_second: float, seed: int) -> None:
    demands = [math.inf, math.inf, per_second * 0.3, per_second * 0.05, 0.0]
    fleet = run(per_second, demands, min(60.0, max(10.0, 5000 / per_second)), all_stall, seed)
    assert_capped(fleet)
    assert len(fleet.came) > 5


@pytest.mark.parametrize("per_second", [1, 5, 8, 50, 500, 2000])
def test_one_busy_member_among_idle_ones_has_nearly_all_of_the_cap(per_second: float) -> None:
    fleet = run(per_second, [math.inf, 0.1, 0.0, 0.0, 0.0], 21.0, nothing_happens)
    assert_capped(fleet)
    assert fleet.between(1.0, 21.0) >= 0.9 * 20 * per_second


@pytest.mark.parametrize("members", [2, 5, 20])
def test_busy_members_share_the_cap(members: int) -> None:
    fleet = run(100, [math.inf] * members, 22.0, nothing_happens)
    assert_capped(fleet)
    assert fleet.between(2.0, 22.0) >= 0.9 * 2000
    each = {member: fleet.between(2.0, 22.0, member) for _, member in fleet.came}
    assert len(each) == members
    assert max(each.values()) <= 1.3 * min(each.values())


def test_what_the_cap_has_room_for_is_done() -> None:
    fleet = run(500, [150.0, 100.0, 50.0], 20.0, nothing_happens)
    assert_capped(fleet)
    assert len(fleet.came) >= 0.97 * 300 * 20


def test_a_hold_of_one_member_holds_all_but_for_what_others_have_in_hand() -> None:
    def hold(fleet: Fleet, members: list[Member]) -> None:
        fleet.loop.call_later(5.0, members[0].quota.hold_back, 5.0)

    fleet = run(50, [math.inf, math.inf, 5.0], 15.0, hold)
    assert_capped(fleet)
    stretch = 10
    assert fleet.between(5.015, 9.99) <= 2 * stretch
    assert fleet.between(6.0, 9.99) == 0
    assert fleet.between(10.0, 15.0) >= 0.9 * 50 * 4.5


@pytest.mark.parametrize("at", [5.0, 5.05, 5.1, 5.15])
def test_a_member_that_dies_with_slots_in_hand_costs_a_fifth_of_a_second_of_them(at: float) -> None:
    def die(fleet: Fleet, members: list[Member]) -> None:
        fleet.loop.call_later(at, lambda: fleet.loop.create_task(members[0].die()))

    stays = run(200, [math.inf, math.inf], 20.0, nothing_happens)
    fleet = run(200, [math.inf, math.inf], 20.0, die)
    assert_capped(fleet)
    assert fleet.between(at, 20.0) >= stays.between(at, 20.0) - 0.2 * 200 - 10
