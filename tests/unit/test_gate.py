"""When a call may go: Retry-After holds back all; refused credentials let one call through at a growing interval."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest

from worker.errors import Abandoned
from worker.gate import AcceptedAgain, Credentials, Gate, Notice, Refused, Turn
from worker.retry import Backoff
from worker.stopping import Stop

PROBE = Backoff(1.0, 8.0)


class Clockwork(asyncio.SelectorEventLoop):
    """An event loop whose time passes at once: what would be waited for is simply later."""

    def __init__(self) -> None:
        super().__init__(Leap(self))
        self.at = 1000.0

    def time(self) -> float:
        return self.at


class Leap(selectors.DefaultSelector):
    def __init__(self, loop: Clockwork) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everybody waits, and nothing will ever happen")
        self._loop.at += max(timeout, 0.0)
        return super().select(0)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=Clockwork) as runner:
        runner.run(main())


def now() -> float:
    return asyncio.get_running_loop().time() - 1000.0


class Caller:
    """Calls that go through one gate, as the pipeline sends them; `sent` has each attempt's time and name."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.gate = Gate(lambda: asyncio.get_running_loop().time(), PROBE, self.notices.append, max_concurrency=100)
        self.stop = Stop()
        self.sent: list[tuple[float, str]] = []

    async def attempt(
        self, turn: Turn, credentials: Credentials, *, name: str = "", takes: float = 0.0, finish: bool = False
    ) -> None:
        async with self.gate.turn(turn, self.stop, finish=finish):
            self.sent.append((now(), name))
            await asyncio.sleep(takes)
            turn.credentials = credentials

    async def until_taken(self, name: str, answer: Callable[[], Credentials], gives_up: int = 10_000) -> None:
        turn = Turn()
        for _ in range(gives_up):
            await self.attempt(turn, answer(), name=name)
            if turn.credentials == "taken":
                return

    def refusals(self) -> list[Refused]:
        return [notice for notice in self.notices if isinstance(notice, Refused)]


async def together(*calls: Awaitable[None]) -> None:
    await asyncio.gather(*calls)


def test_without_trouble_calls_go_at_once_and_side_by_side() -> None:
    async def main() -> None:
        caller = Caller()
        await together(*[caller.attempt(Turn(), "taken", takes=1.0) for _ in range(100)])
        assert [at for at, _ in caller.sent] == [0.0] * 100
        assert now() == pytest.approx(1.0)
        assert caller.notices == []

    run(main)


def test_retry_after_holds_back_every_call_and_not_only_the_one_that_heard_it() -> None:
    async def main() -> None:
        caller = Caller()
        caller.gate.hold_back(7.0)
        await together(*[caller.attempt(Turn(), "taken") for _ in range(5)])
        assert all(at >= 7.0 for at, _ in caller.sent)
        assert all(at < 7.5 for at, _ in caller.sent)

    run(main)


def test_a_shorter_retry_after_does_not_cut_a_longer_one_short() -> None:
    async def main() -> None:
        caller = Caller()
        caller.gate.hold_back(7.0)
        caller.gate.hold_back(1.0)
        await caller.attempt(Turn(), "taken")
        assert caller.sent[0][0] >= 7.0

    run(main)


def test_a_retry_after_heard_while_calls_wait_already_holds_them_too() -> None:
    async def main() -> None:
        caller = Caller()
        caller.gate.hold_back(2.0)
        waiting = asyncio.ensure_future(caller.attempt(Turn(), "taken"))
        await asyncio.sleep(1.0)
        caller.gate.hold_back(9.0)
        await waiting
        assert caller.sent[0][0] >= 10.0

    run(main)


def test_a_call_under_way_is_not_cut_off_by_a_retry_after() -> None:
    async def main() -> None:
        caller = Caller()
        under_way = asyncio.ensure_future(caller.attempt(Turn(), "taken", takes=1.0))
        await asyncio.sleep(0.5)
        caller.gate.hold_back(100.0)
        await under_way
        assert now() == pytest.approx(1.0)

    run(main)


def test_refused_credentials_close_the_gate_and_it_is_said_so() -> None:
    async def main() -> None:
        caller = Caller()
        await caller.attempt(Turn(), "refused")
        assert caller.gate.refused
        assert [notice.tries for notice in caller.refusals()] == [1]

    run(main)


def test_while_the_credentials_are_refused_one_call_at_a_time_goes_at_a_growing_interval() -> None:
    async def main() -> None:
        caller = Caller()
        async with asyncio.timeout(100):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(60):
                    await together(*[caller.until_taken(str(n), lambda: "refused") for n in range(20)])
        closed = [at for at, _ in caller.sent if at > 0]
        assert len([at for at, _ in caller.sent if at == 0.0]) <= 20
        gaps = [later - earlier for earlier, later in zip([0.0, *closed], closed, strict=False)]
        assert gaps[:4] == sorted(gaps[:4])
        assert gaps[0] >= 1.0
        assert all(gap == pytest.approx(8.0, abs=0.5) for gap in gaps[4:])
        assert len(gaps) >= 8

    run(main)


def test_each_try_is_made_with_another_call() -> None:
    async def main() -> None:
        caller = Caller()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await together(*[caller.until_taken(str(n), lambda: "refused") for n in range(5)])
        tried = [name for at, name in caller.sent if at > 0]
        assert len(tried) >= 5
        assert sorted(tried[:5]) == ["0", "1", "2", "3", "4"]

    run(main)


def test_the_next_try_starts_only_after_the_one_before_has_an_answer() -> None:
    async def main() -> None:
        caller = Caller()
        await caller.attempt(Turn(), "refused")
        slow = asyncio.ensure_future(caller.attempt(Turn(), "refused", name="slow", takes=30.0))
        await asyncio.sleep(2.0)
        assert [name for _, name in caller.sent[1:]] == ["slow"]
        other = asyncio.ensure_future(caller.attempt(Turn(), "taken", name="other"))
        await asyncio.sleep(20.0)
        assert [name for _, name in caller.sent[1:]] == ["slow"]
        await together(slow, other)
        assert caller.sent[-1][0] > 31.0

    run(main)


def test_once_a_call_is_taken_the_gate_is_open_for_all_and_it_is_said_so() -> None:
    async def main() -> None:
        caller = Caller()
        answers: Iterator[Credentials] = iter(["refused"] * 3)
        await together(*[caller.until_taken(str(n), lambda: next(answers, "taken")) for n in range(10)])
        assert not caller.gate.refused
        assert caller.notices.count(AcceptedAgain()) == 1
        assert caller.notices[-1] == AcceptedAgain()
        before = now()
        await together(*[caller.attempt(Turn(), "taken") for _ in range(10)])
        assert now() == before

    run(main)


def test_after_reopening_a_new_refusal_starts_again_with_the_shortest_interval() -> None:
    async def main() -> None:
        caller = Caller()
        answers: Iterator[Credentials] = iter(["refused", "refused", "refused", "refused", "refused", "taken"])
        await caller.until_taken("a", lambda: next(answers))
        await caller.attempt(Turn(), "refused")
        assert caller.refusals()[-1].tries == 1
        assert caller.refusals()[-1].next_try_seconds == 1.0

    run(main)


def test_many_refusals_at_the_same_moment_are_one_refusal() -> None:
    async def main() -> None:
        caller = Caller()
        await together(*[caller.attempt(Turn(), "refused", takes=1.0) for _ in range(64)])
        assert [notice.tries for notice in caller.refusals()] == [1]

    run(main)


@pytest.mark.parametrize("credentials", ["unknown"])
def test_a_try_that_hears_nothing_of_the_credentials_leaves_the_gate_closed(credentials: Credentials) -> None:
    async def main() -> None:
        caller = Caller()
        await caller.attempt(Turn(), "refused")
        await caller.attempt(Turn(), credentials)
        assert caller.gate.refused
        await caller.attempt(Turn(), "taken")
        assert not caller.gate.refused

    run(main)


def test_no_more_events_are_wanted_while_a_call_tries_refused_credentials_again() -> None:
    async def main() -> None:
        caller = Caller()
        assert not caller.gate.stops_reading
        trying = asyncio.ensure_future(caller.until_taken("one", lambda: "refused"))
        for _ in range(100):
            await asyncio.sleep(0.3)
            assert caller.gate.stops_reading
        trying.cancel()
        await asyncio.wait({trying})

    run(main)


def test_where_no_call_is_left_to_try_refused_credentials_events_are_wanted_again() -> None:
    async def main() -> None:
        caller = Caller()
        await caller.attempt(Turn(), "refused")
        assert caller.gate.stops_reading
        await asyncio.sleep(1.0)
        assert caller.gate.refused
        assert not caller.gate.stops_reading

    run(main)


def test_a_call_without_any_answer_does_not_open_or_close_the_gate() -> None:
    async def main() -> None:
        caller = Caller()
        await caller.attempt(Turn(), "unknown")
        assert not caller.gate.refused
        assert caller.notices == []

    run(main)


def test_a_try_that_is_cancelled_does_not_lock_the_gate() -> None:
    async def main() -> None:
        caller = Caller()
        await caller.attempt(Turn(), "refused")
        cancelled = asyncio.ensure_future(caller.attempt(Turn(), "taken", name="cancelled", takes=1000.0))
        await asyncio.sleep(5.0)
        assert caller.sent[-1][1] == "cancelled"
        cancelled.cancel()
        await asyncio.wait({cancelled})
        async with asyncio.timeout(20.0):
            await caller.attempt(Turn(), "taken", name="next")
        assert not caller.gate.refused

    run(main)


def test_a_call_that_is_cancelled_while_it_waits_does_not_lock_the_gate() -> None:
    async def main() -> None:
        caller = Caller()
        await caller.attempt(Turn(), "refused")
        first = asyncio.ensure_future(caller.attempt(Turn(), "taken"))
        second = asyncio.ensure_future(caller.attempt(Turn(), "taken"))
        await asyncio.sleep(0.1)
        first.cancel()
        async with asyncio.timeout(20.0):
            await second
        assert not caller.gate.refused

    run(main)


def test_a_try_that_raises_does_not_lock_the_gate() -> None:
    async def main() -> None:
        caller = Caller()
        await caller.attempt(Turn(), "refused")
        with pytest.raises(ZeroDivisionError):
            async with caller.gate.turn(Turn(), caller.stop, finish=False):
                raise ZeroDivisionError
        async with asyncio.timeout(20.0):
            await caller.attempt(Turn(), "taken")

    run(main)


def test_a_stop_ends_the_wait_at_once_and_no_call_is_made() -> None:
    async def main() -> None:
        caller = Caller()
        caller.gate.hold_back(1000.0)
        waiting = asyncio.ensure_future(caller.attempt(Turn(), "taken"))
        await asyncio.sleep(1.0)
        caller.stop.ask()
        with pytest.raises(Abandoned):
            await waiting
        assert now() == pytest.approx(1.0)
        assert caller.sent == []

    run(main)


def test_a_stop_ends_the_wait_for_the_credentials_too_and_leaves_the_gate_usable() -> None:
    async def main() -> None:
        caller = Caller()
        await caller.attempt(Turn(), "refused")
        waiting = [asyncio.ensure_future(caller.attempt(Turn(), "taken")) for _ in range(3)]
        await asyncio.sleep(0.1)
        caller.stop.ask()
        assert [type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)] == [Abandoned] * 3
        caller.stop = Stop()
        await caller.attempt(Turn(), "taken")
        assert not caller.gate.refused

    run(main)


def test_a_call_that_may_have_reached_rokt_waits_on_through_a_stop() -> None:
    async def main() -> None:
        caller = Caller()
        caller.gate.hold_back(5.0)
        caller.stop.ask()
        await caller.attempt(Turn(), "taken", finish=True)
        assert len(caller.sent) == 1

    run(main)


def test_a_call_that_is_refused_while_others_are_taken_is_told_apart() -> None:
    async def main() -> None:
        caller = Caller()
        alone = Turn()
        await caller.attempt(alone, "refused")
        assert not caller.gate.about_this_call(alone)
        await caller.attempt(Turn(), "taken")
        await caller.attempt(alone, "refused")
        assert caller.gate.about_this_call(alone)

    run(main)


def test_a_call_that_is_refused_alone_does_not_stop_the_others() -> None:
    async def main() -> None:
        caller = Caller()
        alone = Turn()
        await caller.attempt(alone, "refused")
        await caller.attempt(Turn(), "taken")
        await caller.attempt(alone, "refused")
        assert not caller.gate.refused

    run(main)


def test_a_call_that_is_refused_for_the_first_time_is_never_told_apart() -> None:
    async def main() -> None:
        caller = Caller()
        for _ in range(3):
            await caller.attempt(Turn(), "taken")
        late = Turn()
        await caller.attempt(late, "refused")
        assert not caller.gate.about_this_call(late)
        assert caller.gate.refused

    run(main)


def test_while_every_call_is_refused_none_is_told_apart_however_often() -> None:
    async def main() -> None:
        caller = Caller()
        turns = [Turn() for _ in range(5)]
        for _ in range(20):
            for turn in turns:
                await caller.attempt(turn, "refused")
                assert not caller.gate.about_this_call(turn)

    run(main)


def test_credentials_revoked_while_calls_are_under_way_make_none_of_them_the_one_to_blame() -> None:
    """An older call answered later than a younger one: the younger was taken before the older was refused."""

    async def main() -> None:
        caller = Caller()
        older, younger = Turn(), Turn()
        slow = asyncio.ensure_future(caller.attempt(older, "refused", takes=1.0))
        await asyncio.sleep(0.1)
        await caller.attempt(younger, "taken", takes=0.1)
        await slow
        assert caller.gate.refused
        await caller.attempt(older, "refused")
        assert not caller.gate.about_this_call(older)
        assert caller.gate.refused

    run(main)


def test_a_call_taken_that_was_under_way_when_the_credentials_were_refused_says_nothing_of_later() -> None:
    """It was sent before the refusal was heard: since then no call was taken."""

    async def main() -> None:
        caller = Caller()
        refused = Turn()
        first = asyncio.ensure_future(caller.attempt(refused, "refused", takes=0.1))
        await asyncio.sleep(0.05)
        under_way = asyncio.ensure_future(caller.attempt(Turn(), "taken", takes=0.5))
        await together(first, under_way)
        await caller.attempt(refused, "refused")
        assert not caller.gate.about_this_call(refused)

    run(main)


def test_without_any_call_to_make_the_gate_does_not_stay_closed_for_the_next_one() -> None:
    async def main() -> None:
        caller = Caller()
        await caller.attempt(Turn(), "refused")
        await asyncio.sleep(3600)
        asked = now()
        await caller.attempt(Turn(), "taken")
        assert now() - asked < 0.5

    run(main)
