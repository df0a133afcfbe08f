"""Another machine's clock, by its answers: never off by more than half the quickest way there and back."""

from random import Random

import pytest

from worker.gate.remote_clock import DRIFT, GRAIN_US, RemoteClock

EPOCH_US = 1_795_000_000_000_000
AHEAD_US = EPOCH_US - 1_000_000_000  # when our clock begins at 1000 s
GRAIN = GRAIN_US / 1_000_000


def there(at: float) -> int:
    """Its time when ours is this."""
    return AHEAD_US + round(at * 1_000_000)


def off(clock: RemoteClock, at: float) -> float:
    return clock.here(there(at)) - at


def test_nothing_is_known_before_it_is_heard() -> None:
    clock = RemoteClock()
    assert not clock.known
    assert clock.heard(1000.0, 1000.01, there(1000.0))
    assert clock.known


@pytest.mark.parametrize("answered_by", [0.0, 0.002, 0.004])
def test_one_answer_tells_it_to_half_of_the_way(answered_by: float) -> None:
    clock = RemoteClock()
    clock.heard(1000.0, 1000.004, there(1000.0 + answered_by))
    assert abs(off(clock, 1000.0)) <= 0.002 + 1e-6


def test_a_slow_answer_takes_nothing_away_from_what_a_quick_one_told() -> None:
    clock = RemoteClock()
    clock.heard(1000.0, 1000.001, there(1000.0005))
    for n in range(1, 20):
        clock.heard(1000.0 + n * 0.1, 1000.9 + n * 0.1, there(1000.0 + n * 0.1))
    assert abs(off(clock, 1002.0)) < 0.005


@pytest.mark.parametrize("seed", range(20))
def test_however_long_answers_take_it_is_as_near_as_the_quickest(seed: int) -> None:
    chance, clock, at, quickest = Random(seed), RemoteClock(), 1000.0, 1.0
    for _ in range(50):
        there_in, back_in = chance.expovariate(100), chance.expovariate(100)
        quickest = min(quickest + DRIFT * 2, there_in + back_in)
        assert clock.heard(at, at + there_in + back_in, there(at + there_in)), "nothing contradicts"
        assert abs(off(clock, at)) <= quickest / 2 + GRAIN + 0.001
        at += chance.uniform(0.0, 1.0)


def test_a_clock_that_ticks_in_milliseconds_contradicts_nothing() -> None:
    clock = RemoteClock()
    for n in range(1000):
        at = 1000.0 + n * 0.0037
        assert clock.heard(at, at, there(at) // 1000 * 1000)
    assert abs(off(clock, 1003.7)) <= 0.001


def test_a_clock_that_goes_a_little_faster_is_followed() -> None:
    clock = RemoteClock()
    for n in range(3600):
        at = 1000.0 + n
        assert clock.heard(at, at + 0.002, there(at) + n * 500), "500 us a second"
    assert abs(clock.here(there(at) + n * 500) - at) < 0.004


@pytest.mark.parametrize("by", [-3600.0, -0.1, 0.1, 3600.0])
def test_a_clock_that_is_set_is_begun_anew(by: float) -> None:
    clock = RemoteClock()
    clock.heard(1000.0, 1000.002, there(1000.001))
    at = 1001.0
    assert not clock.heard(at, at + 0.002, there(at + 0.001 + by))
    assert abs(clock.here(there(at + by)) - at) <= 0.002
    assert clock.heard(at + 1, at + 1.002, there(at + 1.001 + by))


def test_an_answer_after_a_long_silence_is_taken_for_what_it_says() -> None:
    clock = RemoteClock()
    clock.heard(1000.0, 1000.002, there(1000.001))
    assert clock.heard(4600.0, 4600.002, there(4600.001) + 300_000)
    assert abs(clock.here(there(4600.0) + 300_000) - 4600.0) <= 0.002
