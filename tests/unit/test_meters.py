"""What is counted and timed: buckets, sums, and a bound on how many series there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.telemetry.instruments import AGE, ATTEMPTS, Instrument
from worker.telemetry.meters import SERIES, Count, Counter, Meters, Spread, Timer

SHORT = Instrument("test", "histogram", "s", "a test", ("topic",), bounds=(0.1, 1.0))


def test_counts_are_kept_by_labels() -> None:
    counter = Counter(ATTEMPTS)
    counter.add(("confirm", "200"))
    counter.add(("confirm", "200"), 2)
    counter.add(("cancel", "503"))
    assert counter.read() == [Count(("confirm", "200"), 3), Count(("cancel", "503"), 1)]


@pytest.mark.parametrize(
    ("seconds", "counts"), [(0.0, (1, 0, 0)), (0.1, (1, 0, 0)), (0.11, (0, 1, 0)), (1.0, (0, 1, 0)), (7.0, (0, 0, 1))]
)
def test_a_bound_belongs_to_the_bucket_below_it(seconds: float, counts: tuple[int, ...]) -> None:
    timer = Timer(SHORT)
    timer.record(("orders",), seconds)
    assert timer.read() == [Spread(("orders",), counts, seconds)]


@given(st.lists(st.floats(0, 100_000), max_size=50))
def test_every_duration_is_in_one_bucket_and_in_the_sum(durations: list[float]) -> None:
    timer = Timer(AGE)
    for seconds in durations:
        timer.record(("orders", "succeeded"), seconds)
    read = timer.read()
    assert sum(sum(spread.counts) for spread in read) == len(durations)
    assert sum(spread.sum for spread in read) == pytest.approx(sum(durations))


def test_labels_without_bound_do_not_fill_the_memory() -> None:
    counter, timer = Counter(ATTEMPTS), Timer(SHORT)
    for n in range(3 * SERIES):
        counter.add(("confirm", str(n)))
        timer.record((str(n),), 0.5)
    assert len(counter.read()) == len(timer.read()) == SERIES + 1
    assert Count(("other", "other"), 2 * SERIES) in counter.read()
    assert sum(sum(spread.counts) for spread in timer.read()) == 3 * SERIES


def test_what_is_rare_begins_at_0_for_each_topic() -> None:
    """For Prometheus what appears as 1 has not grown."""
    meters = Meters(["orders"])
    begun = {count.labels for count in meters.dead_letters.read() if count.value == 0}
    assert {("orders", "unknown-outcome"), ("orders", "undecodable")} <= begun
    assert meters.held.read() == [Count(("orders",), 0)]
