"""When a call may go: at once while nothing speaks against it, and not before Rokt's Retry-After is over."""

import asyncio

import pytest

from infra.gate_calls import BROKEN, DENIED, REFUSED, TAKEN, THROTTLED, Calls, held, rules, together
from infra.virtual_loop import now, run
from worker.gate.circuit import HeldBack
from worker.gate.turn import Turn
from worker.rokt.answers import Answer, Failed

FEW = 8


def test_without_trouble_calls_go_at_once_and_side_by_side() -> None:
    async def main() -> None:
        calls = Calls()
        await together([calls.one(f"cart-{n}", TAKEN, takes=0.5) for n in range(FEW)])
        assert calls.times() == [0.0] * FEW
        assert now() == pytest.approx(0.5)
        assert calls.notices == []

    run(main)


def test_never_more_calls_are_under_way_than_the_fixed_cap_however_many_wait() -> None:
    async def main() -> None:
        calls = Calls(rules=rules(concurrency=5))
        await together([calls.one(f"cart-{n}", TAKEN, takes=0.5) for n in range(40)])
        assert len(calls.sent) == 40
        assert calls.most_under_way == 5
        assert now() == pytest.approx(4.0)

    run(main)


def test_the_fixed_cap_holds_over_all_operations_and_counts_calls_that_hang() -> None:
    async def main() -> None:
        calls = Calls(rules=rules(concurrency=3))
        turns = [Turn(operation, f"cart-{n}") for n in range(6) for operation in ("confirm", "cancel", "release")]
        await together([calls.attempt(turn, TAKEN, takes=30.0) for turn in turns])
        assert len(calls.sent) == 18
        assert calls.most_under_way == 3

    run(main)


def test_of_one_kind_who_came_first_goes_first() -> None:
    async def main() -> None:
        calls = Calls(rules=rules(concurrency=1))
        await together([calls.one(str(n), TAKEN, takes=0.1) for n in range(FEW)])
        assert calls.names() == [str(n) for n in range(FEW)]

    run(main)


@pytest.mark.parametrize("answer", [held(7.0), Failed("server-error", "Rokt answered 503", True, 503, "", 7.0)])
def test_retry_after_holds_back_every_call_and_not_only_the_one_that_heard_it(answer: Answer) -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("first", answer)
        others = [Turn(operation, operation) for operation in ("confirm", "cancel", "release")]
        await together([calls.attempt(turn, TAKEN) for turn in others])
        later = calls.times(since=0.0)
        assert len(later) == 3
        assert later[0] == min(later) == pytest.approx(7.0)
        assert HeldBack(7.0) in calls.notices

    run(main)


def test_a_shorter_retry_after_does_not_cut_a_longer_one_short() -> None:
    async def main() -> None:
        calls = Calls()
        await together([calls.one("a", held(7.0), takes=0.1), calls.one("b", held(1.0), takes=0.2)])
        await calls.one("c", TAKEN)
        assert calls.times()[-1] >= 7.1

    run(main)


def test_a_retry_after_heard_while_calls_wait_already_holds_them_too() -> None:
    async def main() -> None:
        calls = Calls()
        slow = asyncio.ensure_future(calls.one("slow", held(9.0), takes=1.0))
        await calls.one("quick", held(2.0))
        waiting = asyncio.ensure_future(calls.one("waits", TAKEN))
        await together([slow, waiting])
        assert calls.sent[-1].at >= 10.0

    run(main)


def test_a_call_under_way_is_not_cut_off_by_a_retry_after() -> None:
    async def main() -> None:
        calls = Calls()
        under_way = asyncio.ensure_future(calls.one("a", TAKEN, takes=1.0))
        await calls.one("b", held(100.0), takes=0.5)
        await under_way
        assert now() == pytest.approx(1.0)

    run(main)


def test_a_hold_of_minutes_is_told_once_and_no_call_goes_in_it_whatever_else_comes_back() -> None:
    async def main() -> None:
        calls = Calls()
        answers: list[Answer] = [held(60.0), TAKEN, REFUSED, BROKEN, held(30.0), held(60.0)]
        await together([calls.one(str(n), one, takes=0.1 * (n + 1)) for n, one in enumerate(answers)])
        await together([calls.one(f"later-{n}", TAKEN) for n in range(FEW)])
        assert min(calls.times(since=1.0)) > 60.5
        assert [notice for notice in calls.notices if isinstance(notice, HeldBack)] == [HeldBack(60.0)]

    run(main)


def test_canaries_wait_for_the_end_of_a_retry_after_too() -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("a", DENIED)
        await calls.one("b", held(20.0))
        await calls.one("c", TAKEN)
        assert calls.sent[1].at >= 1.0
        assert calls.sent[2].at >= 21.0

    run(main)


def test_how_the_gate_stands_can_be_read() -> None:
    async def main() -> None:
        calls = Calls(rules=rules(concurrency=1))
        under_way = asyncio.ensure_future(calls.one("a", DENIED, takes=1.0))
        waiting = asyncio.ensure_future(calls.one("b", TAKEN))
        await asyncio.sleep(0.5)
        state = calls.gate.state
        assert (state.under_way, state.waiting["confirm"], state.waiting["cancel"], state.circuits) == (1, 1, 0, ())
        await under_way
        await asyncio.sleep(0.25)
        (circuit,) = calls.gate.state.circuits
        assert (circuit.circuit, circuit.why, circuit.seconds) == ("credentials", "Rokt answered 401", 0.25)
        await waiting
        await calls.one("c", held(9.0))
        assert calls.gate.state.held_back_seconds == 9.0

    run(main)


def test_one_call_that_is_throttled_without_a_retry_after_holds_up_nobody() -> None:
    async def main() -> None:
        calls = Calls()
        await calls.one("a", THROTTLED)
        await together([calls.one(str(n), TAKEN) for n in range(FEW)])
        assert now() < 0.1
        assert calls.gate.state.calls_per_second is None

    run(main)


def test_calls_that_are_throttled_one_after_another_make_the_others_slower_and_open_nothing() -> None:
    async def main() -> None:
        calls = Calls()
        for n in range(4):
            await calls.one(f"throttled-{n}", THROTTLED)
        assert calls.gate.state.calls_per_second is not None
        await together([calls.one(str(n), TAKEN) for n in range(FEW)])
        assert 1.0 <= now() < 20.0
        assert calls.is_open == set()

    run(main)


def test_one_call_in_ten_that_is_throttled_at_any_rate_slows_nobody() -> None:
    async def main() -> None:
        calls = Calls()
        for n in range(200):
            await calls.one(str(n), THROTTLED if n % 10 == 5 else TAKEN, takes=0.01)
        assert calls.gate.state.calls_per_second is None

    run(main)


def test_slow_calls_take_no_room_from_others() -> None:
    """Those that hang still count for the fixed cap, which leaves room for more."""

    async def main() -> None:
        calls = Calls(rules=rules(concurrency=64))
        hanging = [asyncio.ensure_future(calls.one(f"hangs-{n}", TAKEN, takes=600.0)) for n in range(30)]
        await asyncio.sleep(10.0)
        assert len(calls.sent) == 30
        before = now()
        for n in range(20):
            await calls.one(f"quick-{n}", TAKEN, takes=0.05)
        assert now() - before < 2.0
        await together(hanging)

    run(main)


def test_a_call_that_has_to_wait_is_told_for_what_and_one_that_goes_at_once_for_nothing() -> None:
    async def main() -> None:
        free, calls = Turn("confirm", "free"), Calls(rules=rules(concurrency=1))
        full, shut, asked = Turn("confirm", "full"), Turn("confirm", "shut"), Turn("cancel", "asked")
        await together([asyncio.ensure_future(calls.attempt(turn, TAKEN, takes=0.1)) for turn in (free, full)])
        await calls.one("a", DENIED)
        await calls.attempt(shut, TAKEN)
        await calls.one("b", held(5.0))
        await calls.attempt(asked, TAKEN)
        assert [turn.held_by for turn in (free, full, shut, asked)] == [None, "concurrency", "circuit", "retry-after"]
        await calls.attempt(shut, TAKEN)
        assert shut.held_by == "rate"  # learned of the 429

    run(main)
