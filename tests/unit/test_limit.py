"""How many calls may be under way at once: what the server bears, and no less for one cart's sake."""

from itertools import pairwise
from math import sqrt

import pytest

from infra.crowd import Queueing, crowd, stalling, steady
from worker.gate.limit import ENOUGH_ANSWERS, Limit

CEILING = 64
LATENCY = 0.03


class AsVector:
    """The rule that ours is measured against, of vectordotdev/vector: any pressure counts, and any 2.5 deviations."""

    def __init__(self) -> None:
        self.value = 1
        self._mean: float | None = None
        self._variance = self._ends_at = 0.0
        self._heard: list[float] = []
        self._pressed = self._reached = False

    def heard(self, now: float, *, sent_at: float, took: float | None, pressure: bool, reached: bool) -> None:
        self._pressed |= pressure
        self._reached |= reached
        self._heard += [] if took is None else [took]
        latest = sum(self._heard) / len(self._heard) if self._heard else None
        if self._mean is None:
            self._mean, self._ends_at = latest, now + (latest or 0.0)
        elif now >= self._ends_at:
            self._consider(self._mean, latest)
            self._ends_at = now + self._mean
            self._heard, self._pressed, self._reached = [], False, False

    def _consider(self, mean: float, latest: float | None) -> None:
        if self._reached and not self._pressed and latest is not None and latest <= mean:
            self.value = min(CEILING, self.value + 1)
        elif self._pressed or (latest or 0.0) >= mean + 2.5 * sqrt(self._variance):
            self.value = max(1, int(0.9 * self.value))
        if latest is not None:
            self._mean = mean + 0.4 * (latest - mean)
            self._variance = 0.6 * (self._variance + 0.4 * (latest - mean) ** 2)


def grown(seconds: float = 5.0) -> Limit:
    limit = Limit(CEILING)
    crowd(limit, steady(LATENCY), seconds=seconds)
    assert limit.value == CEILING
    return limit


def answer(limit: Limit, now: float, *, good: bool = True, reached: bool = True) -> None:
    limit.heard(now, sent_at=now - LATENCY, took=LATENCY if good else None, pressure=not good, reached=reached)


@pytest.mark.parametrize("latency", [0.005, 0.3, 2.0])
def test_it_begins_with_one_call_and_doubles_every_round_trip(latency: float) -> None:
    course = crowd(Limit(CEILING), steady(latency), seconds=20 * latency)
    assert course.limits[0][1] <= 2
    assert course.first_at(CEILING) < 12 * latency


@pytest.mark.parametrize(("ceiling", "start", "value"), [(64, 1, 1), (64, 8, 8), (8, 64, 8), (4, 0, 1)])
def test_it_begins_where_it_is_told_between_one_and_the_ceiling(ceiling: int, start: int, value: int) -> None:
    assert Limit(ceiling, start).value == value


def test_it_never_leaves_one_to_ceiling() -> None:
    for failing in (0.0, 0.3, 1.0):
        course = crowd(Limit(8), steady(LATENCY, failing=failing), seconds=5)
        assert {value for _, value in course.limits} <= set(range(1, 9))


def test_what_is_not_reached_does_not_grow() -> None:
    limit = Limit(CEILING)
    course = crowd(limit, steady(LATENCY), seconds=10, most_under_way=10)
    assert course.most(0, 10) <= 20
    assert course.most(0, 1) == course.limits[-1][1]


@pytest.mark.parametrize("every", [0.2, 1.0, 5.0])
def test_the_jitter_of_our_own_process_does_not_shrink_it(every: float) -> None:
    stalls = stalling(every, 0.02)
    course = crowd(Limit(CEILING), steady(LATENCY), seconds=20, heard_at=stalls)
    assert course.mean(1, 20) >= 60


def test_vectors_rule_would_shrink_by_it() -> None:
    course = crowd(AsVector(), steady(LATENCY), seconds=20, heard_at=stalling(0.2, 0.02))
    assert course.mean(10, 20) < 50


@pytest.mark.parametrize("failing", [0.01, 0.03, 0.05])
def test_a_few_errors_in_a_hundred_do_not_shrink_it(failing: float) -> None:
    course = crowd(Limit(CEILING), steady(LATENCY, failing=failing), seconds=20)
    assert course.mean(2, 20) >= 0.9 * CEILING


def test_vectors_rule_would_collapse_under_one_error_in_a_hundred() -> None:
    course = crowd(AsVector(), steady(LATENCY, failing=0.01), seconds=20)
    assert course.mean(10, 20) < 0.4 * CEILING


def test_many_errors_shrink_it_by_a_tenth_a_round_trip() -> None:
    limit = grown()
    course = crowd(limit, steady(LATENCY, failing=0.5), begin=5, seconds=0.5)
    assert course.limits[-1][1] < 20
    steps = [before[1] - after[1] for before, after in pairwise(course.limits)]
    assert 0 <= min(steps) <= max(steps) <= 7


def test_one_cart_that_fails_for_ever_does_not_shrink_it_while_nothing_else_goes_on() -> None:
    limit = grown()
    for tick in range(200):
        answer(limit, 100.0 + tick, good=False, reached=False)
    assert limit.value == CEILING


@pytest.mark.parametrize(
    ("capacity", "service"), [(2, 0.03), (5, 0.03), (20, 0.03), (2, 0.3), (10, 0.3), (20, 0.3), (40, 0.3)]
)
def test_a_server_that_queues_is_kept_busy_and_its_queue_short(capacity: int, service: float) -> None:
    course = crowd(Limit(CEILING), Queueing(capacity, service), seconds=200)
    assert course.per_second(20, 200) >= 0.9 * capacity / service
    assert course.most(20, 200) <= min(CEILING, 4 * capacity + 1)
    assert course.mean(140, 200) <= 2 * capacity + 4


@pytest.mark.parametrize("slower", [0.06, 0.09, 0.3])
def test_a_server_that_became_slower_without_a_queue_gets_as_many_calls_as_before(slower: float) -> None:
    limit = grown()
    course = crowd(limit, steady(slower), begin=5, seconds=90)
    assert course.mean(5, 40) >= 0.75 * CEILING
    assert course.mean(75, 95) >= 0.95 * CEILING


def test_after_an_outage_it_begins_with_one_again_and_is_soon_where_it_was() -> None:
    limit = grown()
    limit.begin_again(100.0)
    assert limit.value == 1
    course = crowd(limit, steady(1.0), begin=100.0, seconds=20)
    assert course.first_at(CEILING) < 110.0


def test_after_an_outage_what_went_before_it_is_not_heard() -> None:
    limit = grown()
    limit.begin_again(100.0)
    for _ in range(50):
        limit.heard(100.1, sent_at=99.0, took=1.1, pressure=False, reached=True)
    assert limit.value == 1


def test_an_outage_that_shrank_it_first_does_not_make_the_way_back_longer() -> None:
    limit = grown()
    crowd(limit, steady(LATENCY, failing=1.0), begin=5, seconds=1)
    assert limit.value < 5
    limit.begin_again(100.0)
    assert crowd(limit, steady(0.3), begin=100.0, seconds=6).first_at(CEILING) < 104.0


def test_the_first_pressure_gives_back_what_the_last_doubling_overshot() -> None:
    limit = Limit(CEILING)
    crowd(limit, steady(LATENCY), seconds=0.2)
    before = limit.value
    assert 8 < before < CEILING
    for at in (0.3, *[0.4] * ENOUGH_ANSWERS):
        answer(limit, at, good=False)
    assert limit.value == before // 2


def unknown(limit: Limit, now: float) -> None:
    """A success of which it is not known how long Rokt took."""
    limit.heard(now, sent_at=now - LATENCY, took=None, pressure=False, reached=True)


@pytest.mark.parametrize("begun", [False, True])
def test_successes_whose_time_is_not_known_let_it_grow(begun: bool) -> None:
    limit = Limit(CEILING)
    if begun:
        crowd(limit, steady(LATENCY), seconds=1.0, most_under_way=10)
    before = limit.value
    for n in range(20_000):
        unknown(limit, 2.0 + n * 0.001)
    assert limit.value == CEILING > before


def test_a_look_at_the_latency_that_shows_none_leaves_it_as_it_was() -> None:
    limit, now = grown(), 5.0
    values = set()
    while now < 200.0:
        now += 0.001
        unknown(limit, now)
        values.add(limit.value)
    assert values == {CEILING, CEILING // 2}
    assert limit.value == CEILING
