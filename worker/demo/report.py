"""What a run came to, as values: for the screen and as JSON. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from worker.demo.books import Balance, Tally
from worker.demo.crash import Traces
from worker.demo.evidence import Evidence, Outcome, Published
from worker.demo.spans import Span, of_trace
from worker.telemetry import names


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from an event's publication until the worker had settled it."""

    p50: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True)
class Trace:
    """One event from end to end: where it was published, what became of it, its spans in order of their start."""

    published: Published
    outcome: Outcome
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is told at the end."""

    carts: int
    seed: int
    seconds: float
    outage_seconds: float
    topics: dict[str, int]
    calls: dict[str, Counter[str]]
    outcomes: dict[str, Counter[str]]
    balance: Balance
    waits: Waits
    spans: int
    trace: Trace | None

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        records = self.balance.records
        return {
            "balanced": self.balance.balanced,
            "problems": list(self.balance.problems),
            "carts": self.carts,
            "seed": self.seed,
            "seconds": round(self.seconds, 2),
            "outage_seconds": self.outage_seconds,
            "crash": None if self.balance.crash is None else _crash(self.balance.crash),
            "events": {"total": sum(self.topics.values()), "topics": self.topics},
            "records": {kind.key: _tally(tally) for kind, tally in records.items()},
            "calls": {operation: dict(sorted(counts.items())) for operation, counts in self.calls.items()},
            "outcomes": {operation: dict(sorted(counts.items())) for operation, counts in self.outcomes.items()},
            "reservations": {state.value: _tally(tally) for state, tally in self.balance.reservations.items()},
            "dead_letters": {reason: _tally(tally) for reason, tally in self.balance.letters.items()},
            "seconds_to_settled": {
                "p50": round(self.waits.p50, 3),
                "p99": round(self.waits.p99, 3),
                "max": round(self.waits.longest, 3),
            },
            "spans": self.spans,
            "trace": None if self.trace is None else _trace(self.trace),
        }


def waits(evidence: Evidence) -> Waits:
    """From the record's timestamp to its last outcome, or to its dead letter where no call was made."""
    settled: dict[tuple[str, int, int], float] = defaultdict(float)
    for letter in evidence.letters:
        settled[letter.position] = max(settled[letter.position], letter.failed_at.timestamp())
    for outcome in evidence.outcomes:
        settled[outcome.position] = max(settled[outcome.position], outcome.settled_at.timestamp())
    took = sorted(
        max(0.0, settled[one.position] - one.timestamp_ms / 1000)
        for one in evidence.published
        if one.position in settled
    )
    return Waits(percentile(took, 50), percentile(took, 99), took[-1] if took else 0.0)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest rank; 0 of nothing."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0


def choose_trace(evidence: Evidence, spans: Iterable[Span]) -> Trace | None:
    """A confirm that needed more than one attempt, best one whose answer was lost; else any with all of its spans.

    Spans that a killed worker had not sent are lost.
    """
    received = list(spans)
    by_trace = {one.record.trace_id: one for one in evidence.published}
    ranked = sorted(
        (
            outcome
            for outcome in evidence.outcomes
            if outcome.operation == "confirm" and outcome.attempts and outcome.trace_id in by_trace
        ),
        key=lambda outcome: (
            by_trace[outcome.trace_id or ""].record.fate.ending != "done",
            outcome.attempts == 1,
            outcome.status != "duplicate",
            outcome.attempts > 4,
            -outcome.attempts,
        ),
    )
    for outcome in ranked:
        published, found = by_trace[outcome.trace_id or ""], of_trace(received, outcome.trace_id or "")
        known = {published.record.span_id, *(span.span_id for span in found)}
        attempts = sum(names.HTTP_RESEND_COUNT in span.attributes for span in found)
        if attempts == outcome.attempts and all(span.parent_id in known for span in found):
            return Trace(published, outcome, tuple(found))
    return None


def count_outcomes(outcomes: Iterable[Outcome]) -> dict[str, Counter[str]]:
    """By operation and status."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        counts[outcome.operation][outcome.status] += 1
    return dict(counts)


def _tally(tally: Tally) -> dict[str, int]:
    return {"expected": tally.planned, "found": tally.found}


def _crash(traces: Traces) -> dict[str, Any]:
    return {
        "after_seconds": round(traces.after, 2),
        "records_in_hand": traces.in_hand,
        "calls_made_again": traces.calls,
        "written_again": {"outcomes": traces.outcomes, "dead_letters": traces.letters},
    }


def _trace(trace: Trace) -> dict[str, Any]:
    return {
        "trace_id": trace.published.record.trace_id,
        "cart_id": trace.published.record.key,
        "status": trace.outcome.status,
        "attempts": trace.outcome.attempts,
        "spans": [
            {
                "name": span.name,
                "span_id": span.span_id,
                "parent_id": span.parent_id,
                "milliseconds": round(span.milliseconds, 1),
                "failed": span.failed,
                "http_status": span.attributes.get(names.HTTP_STATUS),
                "resend_count": span.attributes.get(names.HTTP_RESEND_COUNT),
            }
            for span in trace.spans
        ],
    }
