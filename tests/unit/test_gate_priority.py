"""When calls are scarce a confirm goes before a cancel, and a cancel before a release; and nobody starves."""

import asyncio
from collections.abc import Callable

import pytest

from infra.gate_calls import DENIED, TAKEN, Calls, Sent, held, rules, together
from infra.virtual_loop import now, run
from worker.gate.quota import Quota
from worker.gate.turn import URGENCY, Turn
from worker.keys import Operation

BACKWARDS = tuple(reversed(URGENCY))


def begin(calls: Calls, count: int, *operations: Operation, takes: float = 0.1) -> list[asyncio.Task[object]]:
    return [
        asyncio.ensure_future(calls.attempt(Turn(operation, f"{operation}-{n}"), TAKEN, takes=takes))
        for operation in operations
        for n in range(count)
    ]


def kinds(sent: list[Sent]) -> list[Operation]:
    return [one.operation for one in sent]


def in_order(count: int) -> list[Operation]:
    return [operation for operation in URGENCY for _ in range(count)]


def test_where_the_cap_is_reached_the_most_urgent_go_first_whoever_came_first() -> None:
    async def main() -> None:
        calls = Calls(rules=rules(concurrency=1))
        first = begin(calls, 1, "release")
        await asyncio.sleep(0)
        await together([*first, *begin(calls, 5, *BACKWARDS)])
        assert kinds(calls.sent[1:]) == in_order(5)

    run(main)


def test_after_a_retry_after_the_most_urgent_go_first() -> None:
    async def main() -> None:
        calls = Calls(rules=rules(concurrency=2))
        await calls.one("a", held(5.0))
        await together(begin(calls, 5, *BACKWARDS))
        assert kinds(calls.sent[1:]) == in_order(5)

    run(main)


def test_the_canary_of_refused_credentials_is_the_most_urgent_that_waits() -> None:
    async def main() -> None:
        calls = Calls(rules=rules(concurrency=2))
        await calls.one("a", DENIED)
        await together(begin(calls, 5, *BACKWARDS))
        assert kinds(calls.sent[1:]) == in_order(5)

    run(main)


class Ration(Quota):
    """A quota of so many calls a second."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._seconds = 1 / per_second
        self._next = 0.0
        self.asked: list[int] = []

    def delay(self, now: float, waiting: int) -> float | None:
        self.asked.append(waiting)
        return max(0.0, self._next - now)

    def take(self, now: float) -> None:
        assert now >= self._next
        self._next = now + self._seconds

    def hold_back(self, seconds: float) -> None:
        """Nothing to tell."""


def test_where_the_fleets_rate_is_scarce_the_most_urgent_go_first_at_that_rate() -> None:
    async def main() -> None:
        ration = Ration(10.0, asyncio.get_running_loop().time)
        calls = Calls(quota=ration)
        await together(begin(calls, 10, *BACKWARDS))
        assert calls.sent[0].operation == "release"
        assert kinds(calls.sent[1:]) == in_order(10)[:-1]
        assert now() == pytest.approx(3.0)
        assert max(ration.asked) >= 29

    run(main)


def test_who_comes_later_and_is_more_urgent_goes_before_those_who_wait() -> None:
    async def main() -> None:
        calls = Calls(quota=Ration(10.0, asyncio.get_running_loop().time))
        releases = begin(calls, 30, "release")
        await asyncio.sleep(1.05)
        confirm = begin(calls, 1, "confirm")
        await together(confirm)
        assert now() < 1.3
        await together(releases)

    run(main)


def test_releases_are_not_starved_by_confirms_that_never_end() -> None:
    """One call in ten is for those who have waited for half a minute."""

    async def main() -> None:
        calls = Calls(quota=Ration(10.0, asyncio.get_running_loop().time))
        releases = begin(calls, 5, "release")
        confirms: list[asyncio.Task[object]] = []
        for n in range(200):
            confirms += [asyncio.ensure_future(calls.one(f"{n}-{k}", TAKEN)) for k in range(6)]
            await asyncio.sleep(0.5)
        assert all(task.done() for task in releases)
        late = [sent.at for sent in calls.sent if sent.operation == "release"][1:]
        assert min(late) >= 30.0
        await together(confirms)

    run(main)


def test_an_operation_that_is_not_scarce_does_not_wait_for_one_whose_limit_is_reached() -> None:
    async def main() -> None:
        calls = Calls(rules=rules(concurrency=500))
        confirms = begin(calls, 450, "confirm", takes=0.9)
        await asyncio.sleep(0.1)
        before = now()
        await together(begin(calls, 5, "cancel", "release", takes=0.1))
        assert now() - before == pytest.approx(0.1)
        await together(confirms)

    run(main)
