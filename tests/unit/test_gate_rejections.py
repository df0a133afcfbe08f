"""Rejections of all calls are a fault of set-up: so many are settled, the others are held until one is taken."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from infra.gate_calls import (
    BROKEN,
    CONFLICT,
    DENIED,
    REFUSED,
    TAKEN,
    UNREACHED,
    Calls,
    Sent,
    gaps,
    rules,
    together,
)
from infra.virtual_loop import now, run
from worker.gate.circuit import Opened
from worker.gate.turn import URGENCY
from worker.rokt.answers import Accepted, Answer, Conflict, ItemAnswer, Refused, Throttled

UNREAD_ITEM = ItemAnswer("i", "r", None, None, False)


def begin(calls: Calls, count: int, name: str = "cart") -> list[asyncio.Task[object]]:
    return [asyncio.ensure_future(calls.call(f"{name}-{n}", URGENCY[n % 3], takes=0.05)) for n in range(count)]


def statuses(calls: Calls) -> Counter[str]:
    return Counter(settled.status for settled in calls.settled.values())


async def end(tasks: list[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def later_right(answer: Answer, at: float) -> Callable[[Sent], Answer]:
    return lambda sent: answer if sent.at < at else TAKEN


@pytest.mark.parametrize("answer", [Refused(404, ""), Refused(301, ""), Refused(422, ""), CONFLICT])
def test_after_fifty_rejections_of_different_carts_no_other_is_settled_as_one(answer: Answer) -> None:
    async def main() -> None:
        calls = Calls(lambda _: answer)
        tasks = begin(calls, 300)
        await asyncio.sleep(600.0)
        assert statuses(calls) == {"rejected": 50}
        assert calls.is_open == {"rejections"}
        assert calls.openings == ["rejections"]
        await end(tasks)

    run(main)


def test_the_reason_is_said_and_one_call_at_a_time_is_tried_each_time_another() -> None:
    async def main() -> None:
        calls = Calls(lambda _: REFUSED, rules(rejections=5))
        tasks = begin(calls, 60)
        await asyncio.sleep(200.0)
        why = "the last 5 calls, each of another cart, were all rejected"
        assert calls.notices[0] == Opened("rejections", why, 1.0)
        assert {probe.why for probe in calls.probes} == {why}
        canaries = [sent for sent in calls.sent if sent.at > 0.5]
        assert min(gaps([sent.at for sent in canaries])) >= 0.999
        assert len({sent.cart for sent in canaries}) == len(canaries) > 30
        assert calls.gate.stops_reading(None) == {"rejections"}
        await end(tasks)

    run(main)


@pytest.mark.parametrize(
    "answer",
    [TAKEN, Accepted(200, (), "unreadable"), Accepted(200, (ItemAnswer("j", "s", None, None, True), UNREAD_ITEM))],
)
def test_it_closes_by_one_that_is_taken_and_all_that_were_held_go(answer: Answer) -> None:
    async def main() -> None:
        calls = Calls(lambda sent: REFUSED if sent.at < 30.0 else answer, rules(rejections=20))
        await together(begin(calls, 100))
        assert statuses(calls)["rejected"] == 20
        assert statuses(calls).total() == 100
        assert calls.closings == ["rejections"]
        assert now() < 40.0

    run(main)


def test_one_that_was_under_way_and_is_taken_closes_it_too() -> None:
    async def main() -> None:
        calls = Calls(lambda sent: TAKEN if sent.cart == "slow" else REFUSED, rules(rejections=5))
        slow = asyncio.ensure_future(calls.call("slow", takes=0.9))
        tasks = begin(calls, 8)
        await slow
        assert calls.closings == ["rejections"]
        assert now() < 1.0
        await end(tasks)

    run(main)


def test_a_duplicate_is_no_rejection_and_closes_it() -> None:
    """The first attempt got no answer; the second is told that it had been done."""

    async def main() -> None:
        first: set[str] = set()

        def rokt(sent: Sent) -> Answer:
            if sent.cart.startswith("cart"):
                return REFUSED
            if sent.cart in first:
                return Conflict(409, "")
            first.add(sent.cart)
            return BROKEN

        calls = Calls(rokt, rules(rejections=6))
        duplicate = asyncio.ensure_future(calls.call("duplicate", takes=0.05))
        tasks = begin(calls, 20)
        assert (await duplicate).status == "duplicate"
        assert calls.closings == ["rejections"]
        await end(tasks)

    run(main)


def test_rejections_with_one_success_among_them_now_and_then_stop_nothing() -> None:
    async def main() -> None:
        calls = Calls(lambda sent: TAKEN if int(sent.cart.split("-")[1]) % 40 == 0 else REFUSED)
        for n in range(400):
            await calls.call(f"cart-{n}", takes=0.001)
        assert statuses(calls) == {"rejected": 390, "succeeded": 10}
        assert calls.openings == []

    run(main)


def test_one_cart_whose_calls_are_all_rejected_stops_nothing() -> None:
    async def main() -> None:
        calls = Calls(lambda _: REFUSED)
        for _ in range(200):
            await calls.call("cart")
        assert calls.openings == []

    run(main)


def test_with_a_limit_of_zero_all_are_settled_as_rejected() -> None:
    async def main() -> None:
        calls = Calls(lambda _: REFUSED, rules(rejections=0))
        await together(begin(calls, 300))
        assert statuses(calls) == {"rejected": 300}

    run(main)


@pytest.mark.parametrize("other", [BROKEN, UNREACHED, DENIED, Throttled(429, "", 3.0)])
def test_another_fault_in_the_midst_of_it_changes_nothing_for_those_that_are_held(other: Answer) -> None:
    async def main() -> None:
        def rokt(sent: Sent) -> Answer:
            return other if 20.0 < sent.at < 60.0 else REFUSED if sent.at < 100.0 else TAKEN

        calls = Calls(rokt, rules(rejections=10))
        await together(begin(calls, 60))
        assert statuses(calls) == {"rejected": 10, "succeeded": 50}
        assert now() < 130.0

    run(main)
