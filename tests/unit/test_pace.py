"""How many calls a second Rokt takes: found from its refusals, kept close beneath, and forgotten when they end."""

from collections.abc import Callable
from itertools import pairwise
from math import inf

import pytest

from infra.limiters import (
    Everything,
    FixedWindow,
    InTurn,
    Limiter,
    Nothing,
    SlidingWindow,
    TokenBucket,
    flood,
)
from worker.gate.pace import Pace

ALLOWING: dict[str, Callable[[float], Limiter]] = {
    "so many a second of the clock": FixedWindow,
    "so many in any second": SlidingWindow,
    "a bucket of a fifth of a second": lambda calls: TokenBucket(calls, calls / 5),
    "a bucket of a second": lambda calls: TokenBucket(calls, calls),
}
limiters = pytest.mark.parametrize("allowing", list(ALLOWING.values()), ids=list(ALLOWING))
retry_after = pytest.mark.parametrize("retry_after", [0.0, 1.0], ids=["none or 0", "1 s"])
latencies = pytest.mark.parametrize("latency", [0.005, 0.03, 0.3])
CONCURRENCY = 64


@limiters
@retry_after
@latencies
@pytest.mark.parametrize("allowed", [2, 10, 100, 1000])
def test_nine_tenths_of_what_is_allowed_get_through_with_few_refusals(
    allowing: Callable[[float], Limiter], retry_after: float, latency: float, allowed: int
) -> None:
    calls = flood(allowing(allowed), latency=latency, retry_after=retry_after, seconds=310 if allowed <= 10 else 71)
    assert calls.taken_per_second(10, 70) >= 0.9 * min(allowed, CONCURRENCY / latency)
    assert calls.refused_share(10, inf) < 0.02


@limiters
@retry_after
@pytest.mark.parametrize("begin", [0.3, 0.6, 0.99])
def test_it_does_not_matter_when_in_the_second_it_begins(
    allowing: Callable[[float], Limiter], retry_after: float, begin: float
) -> None:
    calls = flood(allowing(100), latency=0.03, retry_after=retry_after, seconds=71, begin=begin)
    assert calls.taken_per_second(10, 70) >= 0.9 * 100


@limiters
@retry_after
@pytest.mark.parametrize("latency", [0.005, 0.3])
def test_a_limit_that_changes_is_found_again(
    allowing: Callable[[float], Limiter], retry_after: float, latency: float
) -> None:
    most = min(500, 0.9 * CONCURRENCY / latency)
    limiter = InTurn((0, allowing(100)), (60, allowing(20)), (150, allowing(most)))
    calls = flood(limiter, latency=latency, retry_after=retry_after, seconds=220)
    assert calls.reached(0.9 * 20, after=60) <= 15
    assert calls.reached(0.9 * most, after=150) <= 60
    assert calls.refused_share(10, inf) < 0.02


@limiters
@pytest.mark.parametrize("latency", [0.05, 0.3])
def test_a_limit_that_is_lifted_is_forgotten(allowing: Callable[[float], Limiter], latency: float) -> None:
    limiter = InTurn((0, allowing(100)), (60, Everything()))
    calls = flood(limiter, latency=latency, retry_after=1.0, seconds=130)
    assert calls.reached(0.95 * CONCURRENCY / latency, after=60, for_seconds=2) <= 60
    assert calls.rate is None


@limiters
@retry_after
@pytest.mark.parametrize("latency", [0.03, 0.3])
def test_while_everything_is_refused_one_call_a_second_goes_and_it_comes_back_at_once(
    allowing: Callable[[float], Limiter], retry_after: float, latency: float
) -> None:
    most = min(500, 0.9 * CONCURRENCY / latency)
    limiter = InTurn((0, allowing(most)), (20.3, Nothing()), (80.3, allowing(most)))
    calls = flood(limiter, latency=latency, retry_after=retry_after, seconds=100)
    assert calls.between(25, 80)[0] <= 56
    assert calls.reached(0.9 * most, after=80.3) <= 10


@limiters
def test_where_nothing_was_ever_taken_it_begins_as_if_nothing_had_been_refused(
    allowing: Callable[[float], Limiter],
) -> None:
    calls = flood(InTurn((0, Nothing()), (30.3, allowing(1000))), latency=0.03, seconds=52)
    assert calls.between(1, 30)[0] <= 30
    assert calls.reached(900, after=30.3) <= 15


def test_while_nothing_is_refused_nothing_is_paced() -> None:
    pace = Pace()
    for call in range(1000):
        assert pace.delay(call * 1e-4) == 0.0
        pace.went(call * 1e-4)
        pace.taken(call * 1e-4, call * 1e-4)
    assert pace.rate is None


def refused(*, taken: int, at: float) -> Pace:
    """A pace that heard its first refusal, after so many were taken."""
    pace = Pace()
    for call in range(taken):
        pace.went(at - 0.5)
        pace.taken(at - 0.4 + call * 1e-3, at - 0.5)
    assert pace.throttled(at, at - 0.3)
    return pace


def test_those_under_way_when_a_refusal_is_heard_are_no_news() -> None:
    pace = refused(taken=100, at=10.0)
    rate = pace.rate
    assert not any(pace.throttled(10.0 + late / 100, 9.9) for late in range(64))
    assert pace.rate == rate
    assert pace.throttled(11.1, 11.05)


def test_the_first_guess_is_what_was_taken_in_a_second() -> None:
    assert refused(taken=100, at=10.0).rate == pytest.approx(96)


def test_what_was_taken_before_the_refusal_and_is_heard_after_it_belongs_to_the_guess() -> None:
    pace = refused(taken=80, at=10.0)
    for call in range(20):
        pace.taken(10.01 + call * 1e-3, 9.9)
    assert pace.rate == pytest.approx(96)


def test_after_a_refusal_nothing_goes_for_a_second() -> None:
    pace = refused(taken=100, at=10.0)
    assert pace.delay(10.0) == 1.0
    assert pace.delay(10.9) == pytest.approx(0.1)
    assert pace.delay(11.0) == 0.0


def departures(pace: Pace, begin: float, count: int) -> list[float]:
    now, times = begin, []
    for _ in range(count):
        now += pace.delay(now)
        pace.went(now)
        times.append(now)
    return times


def test_calls_go_evenly_spaced() -> None:
    pace = refused(taken=100, at=10.0)
    times = departures(pace, 11.0, 50)
    assert [b - a for a, b in pairwise(times)] == pytest.approx([1 / 96] * 49)


def test_after_a_stall_no_more_is_made_up_for_than_25_milliseconds() -> None:
    pace = refused(taken=1000, at=10.0)
    departures(pace, 11.0, 50)
    times = departures(pace, 12.0, 100)
    assert 24 <= times.count(12.0) <= 26


def test_a_slow_pace_makes_up_for_nothing() -> None:
    pace = refused(taken=2, at=10.0)
    departures(pace, 11.0, 2)
    times = departures(pace, 20.0, 3)
    assert times[1] - times[0] > 0.45
    assert times[2] - times[1] == pytest.approx(1 / 1.92)


def test_demand_below_the_pace_ends_it() -> None:
    pace = refused(taken=100, at=10.0)
    for call in range(600):
        now = 11.0 + call / 10
        assert pace.delay(now) == 0.0
        pace.went(now)
        pace.taken(now, now)
    assert pace.rate is None
