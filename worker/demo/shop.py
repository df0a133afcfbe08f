"""The shop: publishes each record when it is due, and a cancel only once it has seen the order confirmed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from worker.demo.evidence import Outcome
from worker.demo.script import Record, Script


class Shop:
    """`publish` gets a record and the wall clock's time. Pure but for that."""

    def __init__(self, script: Script, publish: Callable[[Record, float], None]) -> None:
        self._publish = publish
        self._records = script.records
        self._by_trace = {record.trace_id: record for record in script.records}
        self._outcomes: Counter[int] = Counter()
        self._due: list[tuple[float, int]] = []
        self._waiting: dict[int, deque[Record]] = {}
        for record in script.records:
            if record.after is None:
                self._due.append((record.due, record.number))
            else:
                self._waiting.setdefault(record.after, deque()).append(record)
        heapify(self._due)
        self.published = 0

    @property
    def done(self) -> bool:
        """Whether every record is published."""
        return self.published == len(self._records)

    def turn(self, elapsed: float, now: float) -> None:
        """Publishes what is due `elapsed` seconds after the beginning, in order."""
        while self._due and self._due[0][0] <= elapsed:
            _, number = heappop(self._due)
            self._publish(self._records[number], now)
            self.published += 1

    def heard(self, outcome: Outcome) -> None:
        """Takes an outcome; what waited for the last one of a record is due as soon as its time has come."""
        record = self._by_trace.get(outcome.trace_id or "")
        if record is None:
            return
        self._outcomes[record.number] += 1
        if self._outcomes[record.number] >= record.fate.calls:
            for freed in self._waiting.pop(record.number, ()):
                heappush(self._due, (freed.due, freed.number))
