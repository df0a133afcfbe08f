"""Dead letters as JSON: what a program may rely on. Pure. No price, no attribute of a customer, no session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from worker.decode.decoder import Decoded, InvalidEvent, Tombstone, Undecodable
from worker.dlq.counting import Count, Counts, Kind
from worker.dlq.filters import cart_of, event_of, order_of
from worker.dlq.letter import Foreign, Letter
from worker.dlq.marks import STATES, Mark, state_of
from worker.dlq.mends import mend
from worker.dlq.unquoted import unquoted
from worker.events import CartAbandoned, CheckoutCompleted, CompletedItem, Event, milliseconds
from worker.explain.document import linked, moment
from worker.ledger.entries import Entry
from worker.record import Headers
from worker.rokt.said import read_said
from worker.work import FATES

if TYPE_CHECKING:
    from worker.dlq.redriving import Report

TRACE = ("traceparent", "tracestate")


def row(letter: Letter, mark: Mark | None, decoded: Decoded | None, link: str | None) -> dict[str, Any]:
    """One letter of several."""
    event = event_of(decoded)
    return {
        "place": str(letter.place),
        "state": state_of(mark),
        "failedAt": moment(letter.failed_at_ms),
        "reason": letter.reason,
        "operation": letter.operation,
        "httpStatus": letter.http_status,
        "cartId": cart_of(event),
        "orderId": order_of(event),
        "idempotencyKey": letter.key,
        "attempts": letter.attempts,
        "redrives": letter.redrives,
        "traceId": letter.trace_id,
        "traceLink": linked(link, letter.trace_id),
    }


def whole(
    letter: Letter, mark: Mark | None, decoded: Decoded, calls: Sequence[Entry], *, group: str, link: str | None
) -> dict[str, Any]:
    """All of one letter that may be shown."""
    original = letter.original
    return row(letter, mark, decoded, link) | {
        "message": letter.message,
        "exception": letter.exception or None,
        "answer": answer(letter.http_body, event_of(decoded)),
        "source": str(letter.source),
        "publishedAt": moment(original.timestamp_ms),
        "group": letter.group,
        "key": _key(original.key, event_of(decoded)),
        "keyBytes": None if original.key is None else len(original.key),
        "valueBytes": len(original.value or b""),
        "headers": headers(original.headers),
        "event": _event(decoded),
        "unreadable": _unreadable(decoded),
        "ledger": [_call(entry) for entry in calls],
        "mark": marked(mark, link),
        "mend": advice(letter, mark, group),
    }


def stranger(foreign: Foreign) -> dict[str, Any]:
    """A record that is no letter."""
    return {"place": str(foreign.place), "wrong": foreign.wrong}


def counted(counts: Counts, now_ms: int) -> dict[str, Any]:
    """What was counted."""
    return {
        "states": {state: counts.states[state] for state in STATES},
        "kinds": [_kind(kind, count, now_ms) for kind, count in counts.asked_for()],
        "otherGroups": dict(sorted(counts.others.items())),
        "foreign": counts.foreign,
        "firstForeign": [stranger(each) for each in counts.first_foreign],
    }


def marked(mark: Mark | None, link: str | None) -> dict[str, Any] | None:
    """What became of a letter that is not open."""
    if mark is None or mark.state == "taken":
        return None
    return {
        "state": mark.state,
        "at": moment(mark.at_ms),
        "result": mark.result,
        "traceId": mark.trace_id,
        "traceLink": linked(link, mark.trace_id),
        "by": mark.by,
        "because": mark.because,
    }


def advice(letter: Letter, mark: Mark | None, group: str) -> str:
    """What a person can do now."""
    if letter.group != group:
        return f"It is of group {letter.group}: ask for it with WORKER_KAFKA__GROUP_ID={letter.group}."
    if mark is not None and mark.state == "redriven":
        again = mark.result == "dead-lettered"
        return "It failed again: see its newer letter." if again else "Nothing: it was redriven."
    if mark is not None and mark.state == "discarded":
        return "Nothing: it was discarded. To change your mind: rokt-worker dlq redrive --state discarded " + str(
            letter.place
        )
    return mend(letter.reason, letter.http_status)


def answer(body: str, event: Event | None) -> str | None:
    """Rokt's answer in its own words; what they quote of the event is left out. None where there was none."""
    if not body:
        return None
    if event is None:
        return f"{len(body)} characters, of an event that cannot be read now; they stand in the header dlq.http.body"
    said = read_said(body)
    if said is None:
        return f"{len(body)} characters in another form than Rokt's; they stand in the header dlq.http.body"
    return unquoted("; ".join(said.sentences), event) or None


def headers(original: Headers) -> list[dict[str, Any]]:
    """Names, and of the trace the values; what others mean, and whether it is personal, nobody here knows."""
    return [
        {"name": name, "value": _text(value) if name in TRACE else None, "bytes": len(value or b"")}
        for name, value in original
    ]


def redriven(report: Report) -> dict[str, Any]:
    """How a redrive ended; `letters` is the sum of what became of them."""
    tally = report.tally
    return {
        "ended": report.ended,
        "why": None if report.failure is None else str(report.failure),
        "waitedFor": report.waited_for,
        "letters": report.letters,
        "results": {fate: tally.results[fate] for fate in FATES},
        "leftAlone": {
            "redrivenTooOften": report.too_often,
            "doneMeanwhile": tally.left["done meanwhile"],
            "takenByAnother": tally.left["taken by another redrive"],
        },
        "unsettled": tally.unsettled,
        "defects": tally.defects,
    }


def _kind(kind: Kind, count: Count, now_ms: int) -> dict[str, Any]:
    return {
        "topic": kind.topic,
        "reason": kind.reason,
        "operation": kind.operation,
        "httpStatus": kind.http_status,
        **{state: count.states[state] for state in STATES},
        "oldest": moment(count.oldest_ms),
        "newest": moment(count.newest_ms),
        "oldestSeconds": _ago(count.oldest_ms, now_ms),
        "newestSeconds": _ago(count.newest_ms, now_ms),
        "mend": mend(kind.reason, kind.http_status),
    }


def _ago(at_ms: int | None, now_ms: int) -> int | None:
    return None if at_ms is None else max(0, now_ms - at_ms) // 1000


def _event(decoded: Decoded) -> dict[str, Any] | None:
    event = event_of(decoded)
    if event is None:
        return None
    return {
        "type": type(event).__name__,
        "eventId": event.event_id,
        "occurredAt": moment(milliseconds(event.occurred_at)),
        "cartId": cart_of(event),
        "orderId": order_of(event),
        "hasSession": _has_session(event),
        "items": [
            {"cartItemId": item.cart_item_id or None, "itemReservationId": item.item_reservation_id or None}
            | (
                {"catalogItemId": item.catalog_item_id, "quantity": item.quantity}
                if isinstance(item, CompletedItem)
                else {}
            )
            for item in event.items
        ],
    }


def _has_session(event: Event) -> bool | None:
    return bool(event.rokt_session_id) if isinstance(event, CheckoutCompleted | CartAbandoned) else None


def _unreadable(decoded: Decoded) -> str | None:
    match decoded:
        case Undecodable(message) | InvalidEvent(message):
            return message
        case Tombstone():
            return "a tombstone"
    return None


def _call(entry: Entry) -> dict[str, Any]:
    return {
        "idempotencyKey": entry.key,
        "operation": entry.operation,
        "status": entry.status,
        "httpStatus": entry.http_status,
        "attempts": entry.attempts,
        "begunAt": moment(entry.begun_at_ms),
        "settledAt": moment(entry.settled_at_ms),
        "outcomePublished": entry.published,
        "redone": entry.redo,
    }


def _key(key: bytes | None, event: Event | None) -> str | None:
    """The record's key where it is an id of the event; what another one is, and whether personal, nobody here knows."""
    if event is None:
        return None
    ids = {event.event_id, cart_of(event), order_of(event)}
    ids |= {id_ for item in event.items for id_ in (item.cart_item_id, item.item_reservation_id)}
    text = _text(key)
    return text if text in ids else None


def _text(value: bytes | None) -> str | None:
    """Bytes as text where they are any."""
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()
