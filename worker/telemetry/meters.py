"""What is counted and timed on the way of an event. Pure.

An instrument of the SDK costs 6 to 8 µs a recording, and an event has five of them; these cost a tenth of that. They
are handed to the SDK's readers when those read (worker/telemetry/metrics.py), as the specification has it for
measurements that are aggregated elsewhere (Metrics SDK, "MetricProducer").
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from worker.telemetry import instruments
from worker.telemetry.instruments import Instrument
from worker.telemetry.names import Reason

Labels = tuple[str, ...]

SERIES: Final = 1_000
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Count:
    """How often, since the start."""

    labels: Labels
    value: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How often within each of the instrument's bounds and beyond the last, since the start; `sum` in seconds."""

    labels: Labels
    counts: tuple[int, ...]
    sum: float


class Counter:
    """Counts by labels. Beyond so many series all others are one, so that no mistake fills the memory."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._counts: dict[Labels, int] = {}

    def add(self, labels: Labels, count: int = 1) -> None:
        """So many more."""
        before = self._counts.get(labels)
        if before is None and len(self._counts) >= SERIES:
            labels = (OTHER,) * len(labels)
            before = self._counts.get(labels)
        self._counts[labels] = (before or 0) + count

    def read(self) -> Sequence[Count]:
        """As it stands."""
        return [Count(labels, value) for labels, value in self._counts.items()]


class _Series:
    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0


class Timer:
    """Durations by labels, in the instrument's buckets; a bound belongs to the bucket below it."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._bounds = instrument.bounds
        self._series: dict[Labels, _Series] = {}

    def record(self, labels: Labels, seconds: float) -> None:
        """One more."""
        series = self._series.get(labels) or self._new(labels)
        series.counts[bisect_left(self._bounds, seconds)] += 1
        series.sum += seconds

    def read(self) -> Sequence[Spread]:
        """As it stands."""
        return [Spread(labels, tuple(series.counts), series.sum) for labels, series in self._series.items()]

    def _new(self, labels: Labels) -> _Series:
        if len(self._series) >= SERIES:
            labels = (OTHER,) * len(labels)
        return self._series.setdefault(labels, _Series(len(self._bounds) + 1))


class Meters:
    """All of them. On the event loop."""

    def __init__(self, topics: Iterable[str] = ()) -> None:
        """What is rare and looked for begins at 0 for these topics: what appears as 1 has not grown for anybody."""
        self.consumed = Counter(instruments.CONSUMED)
        self.settled = Counter(instruments.SETTLED)
        self.held = Counter(instruments.HELD)
        self.dead_letters = Counter(instruments.DEAD_LETTERS)
        self.attempts = Counter(instruments.ATTEMPTS)
        self.calls = Counter(instruments.CALLS)
        self.ledger_answers = Counter(instruments.LEDGER_ANSWERS)
        self.transactions = Counter(instruments.TRANSACTIONS)
        self.process = Timer(instruments.PROCESS)
        self.send = Timer(instruments.SEND)
        self.request = Timer(instruments.REQUEST)
        self.served = Timer(instruments.SERVED)
        self.ledger = Timer(instruments.LEDGER)
        self.age = Timer(instruments.AGE)
        self.waited = Timer(instruments.WAITED)
        for topic in topics:
            self.held.add((topic,), 0)
            for reason in get_args(Reason):
                self.dead_letters.add((topic, reason), 0)

    @property
    def counters(self) -> list[Counter]:
        """What is counted."""
        return [meter for meter in vars(self).values() if isinstance(meter, Counter)]

    @property
    def timers(self) -> list[Timer]:
        """What is timed."""
        return [meter for meter in vars(self).values() if isinstance(meter, Timer)]
