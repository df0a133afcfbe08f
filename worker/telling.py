"""What is told of an event on its way: to its span, to the meters, and in its one line of the log.

Ids, statuses and reasons only: nothing of a price, of what customers are like, or of credentials.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from worker.ledger.entries import Entry, Origin
from worker.rokt.answers import Answer, Failed
from worker.surroundings import Surroundings
from worker.telemetry import names
from worker.telemetry.names import Cause, Reason, Status
from worker.telemetry.recent import Recent
from worker.telemetry.tracing import failed, linked
from worker.telemetry.tracing import waited as waited_on
from worker.work import Ids, Work

GIVEN_UP: Final[frozenset[Reason]] = frozenset({"exhausted", "unknown-outcome"})
"""Of these a person has to find out what Rokt did."""


TAKEN: Final[frozenset[Status]] = frozenset({"succeeded", "duplicate", "superseded"})


def settled(work: Work, around: Surroundings) -> None:
    """It is settled, and what was to be written of it is acknowledged."""
    topic, fate, now, calls = work.record.topic, work.fate, around.now(), work.settled
    seconds, age = around.clock() - work.read_at, _age(work, now)
    reason = work.deaths[-1].reason if work.deaths else ""
    around.meters.process.record((topic, reason), seconds)
    if age is not None:
        around.meters.age.record((topic, fate), age)
    _mark(work, reason)
    trace, ids = work.trace_id, work.ids
    _level(work, around)(names.LOG_SETTLED, **_told(work, ids, seconds, age), trace_id=trace)
    said = reason or (calls[-1].status or "" if calls else work.why)
    attempts = calls[0].attempts if len(calls) == 1 else sum(entry.attempts for entry in calls)
    around.recent.append(Recent(now, topic, fate, said, *ids, attempts, seconds, trace))


def attempted(around: Surroundings, operation: str, path: str, answer: Answer, seconds: float) -> None:
    """An attempt has ended."""
    status = "" if answer.status is None else str(answer.status)
    error = (answer.error or status) if isinstance(answer, Failed) else status if int(status) >= 400 else ""
    around.meters.attempts.add((operation, status or (answer.failure if isinstance(answer, Failed) else "")))
    around.meters.request.record((path, status, error), seconds)


def waited(
    work: Work, around: Surroundings, cause: Cause, seconds: float, *, operation: str = "", detail: str = ""
) -> None:
    """It has waited for something, which is over; a call of an `operation`, if it was one."""
    waited_on(work.span, cause, seconds, detail)
    if operation:
        around.meters.waited.record((operation, cause), seconds)


def done_before(work: Work, first: Origin | None) -> None:
    """The same was begun, or done, for an event before; None: it was not."""
    if first is not None:
        linked(work.span, first.trace_id, first.span_id)


def _age(work: Work, now: datetime) -> float | None:
    timestamp_ms = work.record.timestamp_ms
    return None if timestamp_ms is None else max(0.0, now.timestamp() - timestamp_ms / 1000)


def _mark(work: Work, reason: str) -> None:
    if not work.span.is_recording():
        return
    work.span.set_attribute(names.ROKT_FATE, work.fate)
    if len(work.settled) > 1:
        work.span.set_attribute(names.ROKT_STATUS, _weightiest(work.settled))
    if work.why:
        work.span.set_attribute(names.ROKT_WHY, work.why)
    if reason:
        failed(work.span, reason)


def _weightiest(settled: Sequence[Entry]) -> str:
    """The status of several calls: of one that Rokt did not take, if there is any."""
    statuses = [entry.status or "" for entry in settled]
    return next((status for status in statuses if status not in TAKEN), statuses[-1])


def _told(work: Work, ids: Ids, seconds: float, age: float | None) -> dict[str, Any]:
    told: dict[str, Any] = {**work.place, "fate": work.fate}
    if (event := work.event) is not None:
        told["event_type"], told["event_id"] = type(event).__name__, event.event_id
        told["cart_id"], told["order_id"] = ids
    if work.settled:
        told |= _one_or_all("calls", [_call(entry) for entry in work.settled])
    if work.deaths:
        deaths = [{"reason": death.reason, "message": death.message} for death in work.deaths]
        told |= _one_or_all("dead_letters", deaths)
    if work.why:
        told["why"] = work.why
    told["seconds"] = round(seconds, 3)
    if age is not None:
        told["age_seconds"] = round(age, 3)
    return told


def _level(work: Work, around: Surroundings) -> Any:
    log = around.log
    if work.deaths:
        return log.error if any(death.reason in GIVEN_UP for death in work.deaths) else log.warning
    return log.debug if work.fate == "settled before" else log.info


def _call(entry: Entry) -> dict[str, Any]:
    return {
        "operation": entry.operation,
        "status": entry.status,
        "idempotency_key": entry.sent_key,
        "attempts": entry.attempts,
        "http_status": entry.http_status,
    }


def _one_or_all(name: str, all_of_them: list[dict[str, Any]]) -> dict[str, Any]:
    """One stands in the line itself, where it is easily looked for."""
    if len(all_of_them) == 1:
        return all_of_them[0]
    return {name: all_of_them}
