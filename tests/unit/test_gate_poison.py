"""Poison is dead-lettered while others succeed; an outage makes nothing poison, however long it lasts."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from infra.gate_calls import BROKEN, REFUSED, TAKEN, THROTTLED, UNREACHED, Calls, Sent, rules, together
from infra.virtual_loop import now, run
from worker.rokt.answers import Answer, Failed
from worker.verdict import Settled

SIX_HOURS = 6 * 3600.0
LOST = Failed("no-answer", "no answer in 10 s", True)


class Shop:
    """Events that come all the time, those of a cart one after another, as long as they are wanted."""

    def __init__(self, seed: int, rokt: Callable[[Sent], Answer], *, carts: int, per_second: float) -> None:
        self.chance = Random(seed)
        self.calls = Calls(rokt)
        self.tasks: list[asyncio.Task[None]] = []
        self.dead: list[Settled] = []
        self._carts = [asyncio.Lock() for _ in range(carts)]
        self._per_second = per_second

    async def event(self, number: int) -> None:
        cart = number % len(self._carts)
        async with self._carts[cart]:
            settled = await self.calls.call(f"{cart}", takes=0.02, wait=self.chance.random)
            if settled.status != "succeeded":
                self.dead.append(settled)

    async def sell(self, until: float) -> None:
        number = 0
        while now() < until:
            self.tasks = [task for task in self.tasks if not task.done()]
            if len(self.tasks) < 200 and not self.calls.gate.stops_reading("confirm"):
                self.tasks.append(asyncio.ensure_future(self.event(number)))
                number += 1
            await asyncio.sleep(self.chance.expovariate(self._per_second))


def failing(chance: Random, share: float, until: float, *more: Answer) -> Callable[[Sent], Answer]:
    answers: list[Answer] = [BROKEN, UNREACHED, LOST, *more]
    return lambda sent: chance.choice(answers) if 30.0 < sent.at < until and chance.random() < share else TAKEN


async def supply(calls: Calls, bad: list[asyncio.Task[object]], *, every: float = 0.2, longest: float = 900.0) -> None:
    """Good calls, until all of these are settled."""
    number = 0
    while not all(task.done() for task in bad):
        assert now() < longest
        number += 1
        asyncio.ensure_future(calls.call(f"good-{number}"))  # noqa: RUF006
        await asyncio.sleep(every)


def begin(calls: Calls, *carts: str) -> list[asyncio.Task[object]]:
    return [asyncio.ensure_future(calls.call(cart)) for cart in carts]


def poisoned(answer: Answer) -> Callable[[Sent], Answer]:
    return lambda sent: answer if sent.cart.startswith("bad") else TAKEN


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(BROKEN, "unknown-outcome"), (LOST, "unknown-outcome"), (UNREACHED, "exhausted"), (THROTTLED, "exhausted")],
)
def test_a_call_that_fails_while_others_succeed_is_given_up_after_its_last_attempt(answer: Answer, reason: str) -> None:
    async def main() -> None:
        calls = Calls(poisoned(answer))
        await supply(calls, begin(calls, "bad"))
        settled = calls.settled["bad"]
        assert settled.death is not None
        assert (settled.status, settled.death.reason, settled.attempts) == ("dead", reason, 8)
        assert calls.openings == []

    run(main)


def test_how_many_attempts_those_are_is_a_setting() -> None:
    async def main() -> None:
        calls = Calls(poisoned(BROKEN), rules(attempts=3))
        await supply(calls, begin(calls, "bad"), every=0.02)
        assert calls.settled["bad"].attempts == 3

    run(main)


def test_two_poison_carts_among_good_ones_both_die() -> None:
    async def main() -> None:
        calls = Calls(poisoned(BROKEN))
        await supply(calls, begin(calls, "bad-1", "bad-2"))
        assert {calls.settled[cart].status for cart in ("bad-1", "bad-2")} == {"dead"}

    run(main)


def test_poison_dies_among_others_of_which_one_in_ten_fails_now_and_then() -> None:
    async def main() -> None:
        chance = Random(1)
        calls = Calls(lambda sent: BROKEN if sent.cart == "bad" or chance.random() < 0.1 else TAKEN)
        await supply(calls, begin(calls, "bad"))
        assert calls.settled["bad"].status == "dead"
        assert calls.settled["bad"].attempts >= 8

    run(main)


def test_several_poison_carts_that_come_first_die_when_the_good_ones_come() -> None:
    """They open the circuit at first; a good call closes it."""

    async def main() -> None:
        calls = Calls(poisoned(BROKEN))
        bad = begin(calls, *[f"bad-{n}" for n in range(5)])
        await asyncio.sleep(120.0)
        assert calls.is_open == {"confirm"}
        await supply(calls, bad)
        assert {calls.settled[f"bad-{n}"].status for n in range(5)} == {"dead"}

    run(main)


def test_poison_that_was_tried_in_an_outage_dies_soon_after_it() -> None:
    """Forty wait for the end of it, and few come later: that all of them failed in the outage tells nothing then."""

    async def main() -> None:
        calls = Calls(lambda sent: BROKEN if sent.at < 60.0 or sent.cart == "bad" else TAKEN, rules(attempts=3))
        waiting = begin(calls, "bad", *[f"waits-{n}" for n in range(40)])
        await asyncio.sleep(60.0)
        late = [asyncio.ensure_future(calls.call(f"late-{n}")) for n in range(10)]
        await asyncio.wait([*waiting, *late], timeout=60.0)
        assert calls.settled["bad"].status == "dead"
        assert {s.status for cart, s in calls.settled.items() if cart != "bad"} == {"succeeded"}

    run(main)


@pytest.mark.parametrize("others", [(), ("good",)])
def test_where_nobody_or_one_other_cart_succeeds_it_is_tried_on(others: tuple[str, ...]) -> None:
    async def main() -> None:
        calls = Calls(poisoned(BROKEN))
        (bad,) = begin(calls, "bad")
        while now() < 3600.0:
            await together([calls.call(cart) for cart in others])
            await asyncio.sleep(5.0)
        assert not bad.done()
        bad.cancel()
        await asyncio.wait([bad])

    run(main)


def test_where_others_are_rejected_and_none_succeeds_it_is_tried_on() -> None:
    async def main() -> None:
        calls = Calls(lambda sent: BROKEN if sent.cart == "bad" else REFUSED, rules(rejections=0))
        (bad,) = begin(calls, "bad")
        for n in range(200):
            await calls.call(f"other-{n}")
            await asyncio.sleep(5.0)
        assert not bad.done()
        bad.cancel()
        await asyncio.wait([bad])

    run(main)


def test_poison_of_one_operation_is_not_judged_by_the_others() -> None:
    async def main() -> None:
        calls = Calls(lambda sent: BROKEN if sent.operation == "cancel" else TAKEN)
        cancels = [asyncio.ensure_future(calls.call(f"cancel-{n}", "cancel")) for n in range(2)]
        for n in range(300):
            await calls.call(f"good-{n}")
            await asyncio.sleep(2.0)
        assert not any(task.done() for task in cancels)
        for task in cancels:
            task.cancel()
        await asyncio.wait(cancels)

    run(main)


@pytest.mark.parametrize("carts", [3, 4, 20, 1000])
@pytest.mark.parametrize("share", [1.0, 0.97, 0.9, 0.7, 0.5, 0.3])
def test_an_outage_of_half_an_hour_whole_or_in_part_costs_no_event(share: float, carts: int) -> None:
    async def main() -> None:
        seed = round(share * 100) * 1000 + carts
        shop = Shop(seed, failing(Random(seed), share, 1800.0, THROTTLED), carts=carts, per_second=1.0)
        await shop.sell(until=2100.0)
        await together(shop.tasks)
        assert shop.dead == []

    run(main)


@pytest.mark.parametrize("share", [1.0, 0.97, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_an_outage_under_load_costs_no_event_and_is_over_soon_after_its_end(share: float, seed: int) -> None:
    async def main() -> None:
        shop = Shop(seed, failing(Random(seed), share, 150.0), carts=100_000, per_second=30.0)
        await shop.sell(until=170.0)
        async with asyncio.timeout(40.0):
            await together(shop.tasks)
        assert shop.dead == []

    run(main)


def test_six_hours_without_rokt_cost_no_event_and_one_call_in_five_seconds() -> None:
    async def main() -> None:
        calls = Calls(lambda sent: BROKEN if sent.at < SIX_HOURS else TAKEN)
        await together([calls.call(f"cart-{n}") for n in range(30)])
        assert {settled.status for settled in calls.settled.values()} == {"succeeded"}
        assert now() < SIX_HOURS + 15.0
        assert len(calls.sent) < SIX_HOURS / 5 + 100

    run(main)
