"""The sums by which outages are measured."""

from __future__ import annotations

import pytest

from outages.rates import between, most_in_a_second, rate, seconds_until, surely_in_a_second

STEADY = [n / 10 for n in range(100)]


def test_the_most_in_a_second_is_found_wherever_it_begins() -> None:
    assert most_in_a_second([]) == 0
    assert most_in_a_second([5.0]) == 1
    assert most_in_a_second([0.0, 1.0, 2.0]) == 1, "a second is over when the next begins"
    assert most_in_a_second([0.0, 0.9, 1.1, 1.2, 1.8]) == 4


def test_what_is_taken_up_late_counts_only_for_the_second_it_must_have_come_in() -> None:
    assert surely_in_a_second([]) == 0
    assert surely_in_a_second([(0.0, 0.0), (0.9, 0.9), (1.1, 1.1), (1.2, 1.2), (1.8, 1.8)]) == 4
    assert surely_in_a_second([(0.0, 0.3), (0.1, 1.4), (0.1, 1.4), (1.4, 1.5)]) == 1, "those may have come before 0.4"
    assert surely_in_a_second([(0.0, 0.3), (0.5, 1.4), (0.5, 1.4), (1.4, 1.45)]) == 3
    assert surely_in_a_second([(0.0, 2.0)]) == 0, "it may have come in the one second or in the other"


def test_a_rate_is_of_a_stretch_with_its_beginning_and_without_its_end() -> None:
    assert rate(STEADY, 1.0, 3.0) == pytest.approx(10.0)
    assert list(between(STEADY, 0.1, 0.4)) == [0.1, 0.2, 0.3]
    assert rate(STEADY, 3.0, 3.0) == 0.0


def test_the_time_until_a_rate_ends_where_the_first_such_second_begins() -> None:
    slow_start = [0.0, 0.5, 1.0, 1.5, 2.0, 2.1, 2.2, 2.3]
    assert seconds_until(slow_start, 0.0, 2) == 0.0
    assert seconds_until(slow_start, 0.0, 4) == pytest.approx(1.5)
    assert seconds_until(slow_start, 1.8, 4) == pytest.approx(0.2)
    assert seconds_until(slow_start, 0.0, 6) is None
    assert seconds_until([], 0.0, 1) is None
