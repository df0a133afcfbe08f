"""Sums over the times of calls: sorted monotonic seconds. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

WINDOW_SECONDS = 1.0


def most_in_a_second(times: Sequence[float]) -> int:
    """The most calls in any second, wherever it begins."""
    return max((bisect_left(times, at + WINDOW_SECONDS) - n for n, at in enumerate(times)), default=0)


def surely_in_a_second(times: Sequence[tuple[float, float]]) -> int:
    """The same where it is only known between which two times each came, both of them sorted: the least it can be."""
    since, until = [first for first, _ in times], [last for _, last in times]
    most = (bisect_left(until, at + WINDOW_SECONDS) - bisect_left(since, at) for at in since)
    return max(0, max(most, default=0))


def between(times: Sequence[float], begin: float, end: float) -> Sequence[float]:
    """Those from `begin` up to `end`."""
    return times[bisect_left(times, begin) : bisect_left(times, end)]


def rate(times: Sequence[float], begin: float, end: float) -> float:
    """Calls a second from `begin` up to `end`."""
    return len(between(times, begin, end)) / (end - begin) if end > begin else 0.0


def seconds_until(times: Sequence[float], since: float, wanted: float) -> float | None:
    """How long after `since` the first second begins that has so many calls; None: there is none."""
    first = bisect_left(times, since)
    for n in range(first, len(times)):
        if bisect_left(times, times[n] + WINDOW_SECONDS) - n >= wanted:
            return times[n] - since
    return None
