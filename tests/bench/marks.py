"""What the project sets itself, and how far it is: each mark as a ratio in one run, where a rival is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.alone import Alone
from bench.arms import ARMS
from bench.paced import Added
from bench.running import Run

CEILING = {arm.name: arm.ceiling for arm in ARMS}

RATES = (
    ("the same: times as many as httpx in batches", "httpx batches", 5),
    ("the same: times as many as one at a time", "one at a time", 90),
    ("the same: times as many as pyrallel-consumer", "pyrallel", 1.5),
)
OTHERS_RATES = (
    ("PostgreSQL: of SQLite's events a second", "PostgreSQL", 0.85),
    ("two processes: times as many as one", "2 processes", 1.8),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """`least`: what is measured is to be so much or more; else so much or less."""

    what: str
    measured: float
    wanted: float
    least: bool = True

    @property
    def met(self) -> bool:
        return self.measured >= self.wanted if self.least else self.measured <= self.wanted

    def __str__(self) -> str:
        sign, met = "at least" if self.least else "at most", "met" if self.met else "NOT MET"
        return f"{self.what:<60} {self.measured:>10,.2f}   {sign} {self.wanted:,.2f}   {met}"


def marks(runs: Mapping[str, Run], paced: Mapping[str, Added], alone: Alone | None) -> Iterator[Mark]:
    """Those for which there are figures."""
    if (shipped := runs.get("shipped")) is not None:
        yield Mark("256 in flight, 30 ms, SQLite, 1 % sampled: events a second", shipped.rate, 3_000)
        for what, other, times in RATES:
            if other in runs:
                yield Mark(what, shipped.rate / runs[other].rate, times)
        for what, other, times in OTHERS_RATES:
            if other in runs:
                yield Mark(what, runs[other].rate / shipped.rate, times)
        if "bare loop" in runs:
            ratio = shipped.cpu / runs["bare loop"].cpu
            yield Mark("the same: CPU of an event, in bare loops", ratio, 1.9, least=False)
    yield from _one_by_one(runs)
    if alone is not None:
        yield Mark("settled events passed on a replay, a second", alone.again_rate, 20_000)
    if (even := paced.get("half load")) is not None:
        yield Mark("half load: p99 of added time, ms", even.p99, 20, least=False)
        if (hot := paced.get("a hot cart")) is not None:
            yield Mark("a hot cart: p99 of the others, times that without it", hot.p99 / even.p99, 1.2, least=False)


def _one_by_one(runs: Mapping[str, Run]) -> Iterator[Mark]:
    if (one := runs.get("64 in flight")) is not None:
        yield Mark("64 in flight, 30 ms: of what the answer time allows", one.rate / CEILING["64 in flight"], 0.95)
    if (one := runs.get("all traces")) is not None:
        yield Mark("every span exported: events a second", one.rate, 1_700)
    if (one := runs.get("1000 in flight")) is not None:
        yield Mark("1,000 in flight: MiB at most", one.memory, 200, least=False)
