"""In an outage one call at a time is tried, for each operation on its own; and it ends with the first that is taken."""

import asyncio

import pytest

from infra.gate_calls import BROKEN, TAKEN, UNREACHED, Calls, Sent, gaps, rules, together
from infra.virtual_loop import now, run
from worker.gate.circuit import Closed, Opened
from worker.gate.turn import URGENCY, Turn
from worker.keys import Operation
from worker.rokt.answers import Answer

HOUR = 3600.0


def down(until: float, *operations: Operation) -> Calls:
    """A Rokt of which these endpoints, or all, are down up to a moment."""

    def rokt(sent: Sent) -> Answer:
        return BROKEN if sent.at < until and sent.operation in (operations or URGENCY) else TAKEN

    return Calls(rokt)


def every(calls: Calls, count: int, *operations: Operation) -> list[asyncio.Task[object]]:
    return [
        asyncio.ensure_future(calls.call(f"{operation}-{n}", operation))
        for n in range(count)
        for operation in operations or URGENCY
    ]


def test_calls_of_different_carts_that_fail_one_after_another_open_the_circuit_of_their_operation() -> None:
    async def main() -> None:
        calls = Calls()
        for n in range(5):
            assert calls.notices == []
            await calls.one(f"cart-{n}", BROKEN)
        assert calls.notices == [Opened("confirm", "the last 5 calls failed: Rokt answered 503", 1.0)]

    run(main)


def test_one_cart_that_fails_for_ever_opens_nothing_and_neither_do_two() -> None:
    async def main() -> None:
        calls = Calls()
        for n in range(300):
            await calls.one(f"cart-{n % 2}", BROKEN)
        assert calls.notices == []

    run(main)


def test_where_others_are_answered_between_them_failures_open_nothing() -> None:
    async def main() -> None:
        calls = Calls()
        for n in range(100):
            await together([calls.one(f"bad-{n}-{k}", BROKEN) for k in range(4)])
            await calls.one(f"good-{n}", TAKEN)
        assert calls.notices == []

    run(main)


def test_where_rokt_was_proven_to_work_it_takes_a_longer_run_of_failures() -> None:
    async def main() -> None:
        calls = Calls()
        for n in range(30):
            await calls.one(f"good-{n}", TAKEN)
        for n in range(19):
            await calls.one(f"bad-{n}", BROKEN)
        assert calls.openings == []
        await calls.one("bad-19", BROKEN)
        assert calls.openings == ["confirm"]

    run(main)


def test_an_endpoint_that_is_down_leaves_the_others_alone() -> None:
    async def main() -> None:
        calls = down(600.0, "cancel")
        cancels = every(calls, 20, "cancel")
        await asyncio.sleep(30.0)
        assert calls.is_open == {"cancel"}
        before = now()
        await together(every(calls, 30, "confirm", "release"))
        assert now() - before < 1.0
        assert calls.gate.stops_reading("cancel") == {"cancel"}
        assert calls.gate.stops_reading("confirm") == calls.gate.stops_reading(None) == frozenset()
        await together(cancels)

    run(main)


def test_at_most_one_canary_a_second_goes_over_all_circuits_and_each_has_its_share() -> None:
    async def main() -> None:
        calls = down(600.0)
        tasks = every(calls, 20)
        await asyncio.sleep(600.0)
        canaries = [sent for sent in calls.sent if 5.0 < sent.at < 600.0]
        assert min(gaps([sent.at for sent in canaries])) >= 0.999
        shares = [sum(sent.operation == operation for sent in canaries) for operation in URGENCY]
        assert min(shares) > 90
        assert len(canaries) <= 600
        await together(tasks)

    run(main)


def test_ten_minutes_of_503_cost_one_call_in_five_seconds_and_no_event() -> None:
    async def main() -> None:
        calls = down(600.0, "confirm")
        await together(every(calls, 200, "confirm"))
        during = [at for at in calls.times() if 10.0 < at < 600.0]
        assert gaps(during) == [pytest.approx(5.0, abs=0.1)] * (len(during) - 1)
        assert {settled.status for settled in calls.settled.values()} == {"succeeded"}
        assert calls.openings == ["confirm"]
        assert calls.closings == ["confirm"]
        assert now() < 615.0

    run(main)


def test_each_canary_is_another_call_so_one_cart_that_is_poison_cannot_keep_the_circuit_open() -> None:
    async def main() -> None:
        calls = Calls(lambda sent: BROKEN if sent.at < 10.0 or sent.cart.startswith("bad") else TAKEN)
        bad = [asyncio.ensure_future(calls.call(f"bad-{n}")) for n in range(4)]
        good = [asyncio.ensure_future(calls.call(f"good-{n}")) for n in range(20)]
        async with asyncio.timeout(40.0):
            await together(good)
        for task in bad:
            task.cancel()
        await asyncio.wait(bad)

    run(main)


def test_no_more_events_are_wanted_while_a_call_waits_that_was_no_canary_yet() -> None:
    async def main() -> None:
        calls = down(HOUR, "confirm")
        tasks = every(calls, 8, "confirm")
        await asyncio.sleep(2.0)
        while any(turn.tried is None for turn in calls.gate._ready):
            assert calls.gate.stops_reading("confirm") == {"confirm"}
            await asyncio.sleep(0.7)
        for _ in range(50):
            await asyncio.sleep(0.7)
            assert calls.gate.stops_reading("confirm") == frozenset()
        tasks += [asyncio.ensure_future(calls.call(f"new-{n}")) for n in range(2)]
        await asyncio.sleep(0.1)
        assert calls.gate.stops_reading("confirm") == {"confirm"}
        await together(tasks)

    run(main)


def test_calls_that_all_fail_by_their_own_fault_do_not_keep_new_events_from_being_read() -> None:
    async def main() -> None:
        calls = Calls(lambda sent: TAKEN if sent.cart.startswith("good") else BROKEN)
        bad = every(calls, 5, "confirm")
        await asyncio.sleep(60.0)
        assert calls.is_open == {"confirm"}
        while not all(task.done() for task in bad):
            assert now() < 600.0
            await asyncio.sleep(0.1)
            if not calls.gate.stops_reading("confirm"):
                await calls.call(f"good-{now()}")
        assert {settled.status for name, settled in calls.settled.items() if "good" not in name} == {"dead"}

    run(main)


def test_what_waits_when_the_circuit_closes_goes_at_once() -> None:
    async def main() -> None:
        calls = down(60.0, "confirm")
        await together(every(calls, 9, "confirm"))
        (closed,) = [at for at, notice in calls.told if isinstance(notice, Closed)]
        assert now() - closed < 0.5

    run(main)


def test_what_waits_when_the_circuit_opens_waits_for_the_canary() -> None:
    async def main() -> None:
        calls = Calls(rules=rules(concurrency=1))
        for n in range(4):
            await calls.one(f"cart-{n}", BROKEN)
        last = calls.one("last", BROKEN, takes=0.5)
        waiting = [calls.one(f"later-{n}", TAKEN, takes=0.1) for n in range(3)]
        await together([last, *waiting])
        assert calls.times()[4:] == [pytest.approx(at) for at in (0.0, 1.5, 1.6, 1.7)]

    run(main)


def test_when_one_circuit_closes_the_others_are_tried_at_once() -> None:
    async def main() -> None:
        calls = down(300.0)
        await together(every(calls, 9))
        closings = [at for at, notice in calls.told if isinstance(notice, Closed)]
        assert len(closings) == 3
        assert closings[2] - closings[0] < 0.1

    run(main)


def test_when_calls_are_no_longer_all_rejected_the_other_circuits_are_tried_at_once() -> None:
    async def main() -> None:
        calls = Calls(rules=rules(rejections=5))
        for n in range(5):
            await calls.one(f"broken-{n}", BROKEN)
        for n in range(5):
            turn = Turn("cancel", f"cart-{n}")
            calls.gate.settled(turn, rejected=True)
        assert calls.is_open == {"confirm", "rejections"}
        calls.rokt = lambda _: TAKEN
        waiting = every(calls, 3, "confirm", "cancel")
        await together(waiting)
        assert calls.closings == ["rejections", "confirm"]
        assert now() < 1.5

    run(main)


def test_a_fault_that_comes_back_is_told_again_and_probed_from_the_shortest_interval() -> None:
    async def main() -> None:
        calls = Calls(lambda sent: BROKEN if sent.at % 120.0 < 60.0 else TAKEN)
        for _ in range(5):
            await together(every(calls, 10, "confirm"))
            await asyncio.sleep(120.0 - now() % 120.0)
        assert calls.openings == calls.closings == ["confirm"] * 5
        assert [notice.next_try_seconds for notice in calls.notices if isinstance(notice, Opened)] == [1.0] * 5

    run(main)


@pytest.mark.parametrize("answer", [BROKEN, UNREACHED])
def test_the_reason_is_what_the_last_call_said(answer: Answer) -> None:
    async def main() -> None:
        calls = Calls()
        await together([calls.one(f"cart-{n}", answer) for n in range(5)])
        await calls.one("canary", UNREACHED)
        assert calls.gate.state.circuits[0].why == "connection refused"
        assert calls.probes[-1].why == "connection refused"

    run(main)
