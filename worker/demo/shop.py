"""The shop: publishes each record when it is due, and what has a cue only once it has seen that."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from worker.demo.evidence import Letter, Outcome, RoktCall
from worker.demo.script import Cue, Record, Script


class Shop:
    """`publish` gets a record and the wall clock's time. Pure but for that."""

    def __init__(self, script: Script, publish: Callable[[Record, float], None]) -> None:
        self._publish = publish
        self._records = script.records
        self._by_trace = {record.trace_id: record for record in script.records}
        self._results: dict[int, set[str]] = defaultdict(set)
        self._due: list[tuple[float, int]] = []
        self._waiting: dict[Cue, deque[Record]] = {}
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

    def seen(self, call: RoktCall) -> None:
        """Takes a call that reached Rokt."""
        if (record := self._by_trace.get(call.trace_id)) is not None:
            self._free(Cue(record.number, "begun"))

    def heard(self, result: Outcome | Letter) -> None:
        """Takes an outcome or a dead letter; one that comes twice counts once."""
        record = self._by_trace.get(result.trace_id or "")
        if record is None:
            return
        results = self._results[record.number]
        results.add(result.key if isinstance(result, Outcome) else result.reason)
        if len(results) >= record.fate.outcomes + len(set(record.fate.letters)):
            self._free(Cue(record.number))

    def _free(self, cue: Cue) -> None:
        """What waited for this is due as soon as its time has come."""
        for freed in self._waiting.pop(cue, ()):
            heappush(self._due, (freed.due, freed.number))
