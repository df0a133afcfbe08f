"""When to try again: full jitter within its bounds, and Retry-After whatever it holds."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.retry import Backoff, retry_after

quick = settings(deadline=None, max_examples=100)

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
BOUND = 300.0

chances = st.floats(min_value=0, max_value=1, exclude_max=True)
seconds = st.floats(min_value=0.001, max_value=1e6)


@quick
@given(seconds, seconds, st.integers(1, 10_000_000), chances)
def test_a_wait_lies_between_nothing_and_the_bound_however_many_attempts_there_were(
    initial: float, longest: float, attempts: int, chance: float
) -> None:
    wait = Backoff(initial, longest).delay(attempts, lambda: chance)
    assert 0 <= wait <= longest


@quick
@given(st.integers(1, 12), chances)
def test_a_wait_is_a_uniform_part_of_the_initial_one_doubled_for_every_attempt(attempts: int, chance: float) -> None:
    assert Backoff(0.1, 30.0).delay(attempts, lambda: chance) == pytest.approx(
        chance * min(30.0, 0.1 * 2 ** (attempts - 1))
    )


def test_the_jitter_is_full_so_a_wait_can_be_nothing_and_nearly_all() -> None:
    backoff = Backoff(1.0, 30.0)
    assert backoff.delay(4, lambda: 0.0) == 0
    assert backoff.delay(4, lambda: 0.999) == pytest.approx(7.992)


def test_waits_grow_up_to_the_bound_and_stay_there() -> None:
    backoff = Backoff(0.5, 10.0)
    assert [backoff.ceiling(n) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize(
    ("value", "wait"),
    [("1", 1.0), ("120", 120.0), (" 7 ", 7.0), ("007", 7.0), ("300", 300.0)],
)
def test_retry_after_in_seconds_is_kept_to(value: str, wait: float) -> None:
    assert retry_after(value, NOW, BOUND) == wait


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 22 Nov 2026 10:00:30 GMT",
        "Sunday, 22-Nov-26 10:00:30 GMT",
        "Sun Nov 22 10:00:30 2026",
        "Sun, 22 Nov 2026 12:00:30 +0200",
    ],
)
def test_retry_after_as_a_date_in_any_of_https_forms_is_kept_to(value: str) -> None:
    assert retry_after(value, NOW, BOUND) == pytest.approx(30.0)


@pytest.mark.parametrize(
    "value",
    [
        "31536000",
        "9" * 20,
        "9" * 5000,
        format_datetime(NOW + timedelta(days=365), usegmt=True),
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ],
)
def test_an_absurdly_long_retry_after_is_bounded(value: str) -> None:
    assert retry_after(value, NOW, BOUND) == BOUND


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "   ",
        "-5",
        "0",
        "soon",
        "1e3",
        "1.5",
        "+5",
        "NaN",
        "inf",
        "٣٣",
        "²",
        "0x10",
        "1 second",
        "Sun, 22 Nov 2026 09:59:30 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Mon, 99 Foo 2026 99:99:99 GMT",
        "Sun, 06 Nov 99999 08:49:37 GMT",
        "Sun, 22 Nov 2026 10:00:30 +99999999",
        ",",
        "\x00",
    ],
)
def test_a_retry_after_that_says_nothing_usable_holds_nobody_back(value: str | None) -> None:
    assert retry_after(value, NOW, BOUND) is None


@settings(deadline=None, max_examples=300)
@given(
    st.text(max_size=40)
    | st.text("0123456789 :,-+GMTSunNov", max_size=40)
    | st.integers().map(str)
    | st.datetimes().map(lambda d: format_datetime(d.replace(tzinfo=UTC), usegmt=True))
)
def test_whatever_retry_after_holds_the_wait_is_none_or_within_the_bound(value: str) -> None:
    wait = retry_after(value, NOW, BOUND)
    assert wait is None or 0 < wait <= BOUND
