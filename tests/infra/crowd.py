"""A server under as many calls as a limit lets go, in virtual time."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Protocol

Answer = tuple[float, bool]
Server = Callable[[Random, float], Answer]
"""For a call that comes at a time: the seconds until its answer, and whether that is a success."""


class Limiting(Protocol):
    @property
    def value(self) -> int: ...

    def heard(self, now: float, *, sent_at: float, took: float | None, pressure: bool, reached: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Course:
    """The limit after each answer, and when the successes came."""

    limits: Sequence[tuple[float, int]]
    successes: Sequence[float]

    def mean(self, begin: float, end: float) -> float:
        """The limit, weighted by time."""
        pairs = pairwise(self.limits)
        return sum(value * (until - at) for (at, value), (until, _) in pairs if begin <= at < end) / (end - begin)

    def most(self, begin: float, end: float) -> int:
        return max(value for at, value in self.limits if begin <= at < end)

    def per_second(self, begin: float, end: float) -> float:
        return (bisect_left(self.successes, end) - bisect_left(self.successes, begin)) / (end - begin)

    def first_at(self, limit: int) -> float:
        return next(at for at, value in self.limits if value >= limit)


def steady(latency: float, *, noise: float = 0.05, failing: float = 0.0) -> Server:
    """The same latency for any number of calls; a share of them fails."""
    return lambda chance, _: (max(0.001, chance.gauss(latency, noise * latency)), chance.random() >= failing)


class Queueing:
    """So many calls at a time, each a little more or less than `seconds`; the others wait for them."""

    def __init__(self, capacity: int, seconds: float) -> None:
        self._free_at = [0.0] * capacity
        self._seconds = seconds

    def __call__(self, chance: Random, at: float) -> Answer:
        done_at = max(at, heapq.heappop(self._free_at)) + self._seconds * chance.gauss(1.0, 0.05)
        heapq.heappush(self._free_at, done_at)
        return done_at - at, True


def punctual(at: float) -> float:
    """An answer is heard when it comes."""
    return at


def stalling(every: float, seconds: float) -> Callable[[float], float]:
    """The process stands still for so long, once in `every` seconds: what comes meanwhile is heard at its end."""
    return lambda at: max(at, at // every * every + seconds)


def crowd(
    limit: Limiting,
    server: Server,
    *,
    seconds: float,
    begin: float = 0.0,
    heard_at: Callable[[float], float] = punctual,
    most_under_way: int = 1000,
) -> Course:
    """An endless backlog, or one that keeps `most_under_way` busy at the most."""
    chance = Random(1)
    under_way: list[tuple[float, int, float, bool, bool]] = []
    limits: list[tuple[float, int]] = []
    successes: list[float] = []
    now, sent = begin, 0
    while now < begin + seconds:
        while len(under_way) < min(limit.value, most_under_way):
            after, good = server(chance, now)
            sent += 1
            heapq.heappush(under_way, (now + after, sent, now, good, len(under_way) + 1 >= limit.value))
        at, _, sent_at, good, reached = heapq.heappop(under_way)
        now = max(now, heard_at(at))
        limit.heard(now, sent_at=sent_at, took=now - sent_at if good else None, pressure=not good, reached=reached)
        limits.append((now, limit.value))
        if good:
            successes.append(now)
    return Course(limits, successes)
