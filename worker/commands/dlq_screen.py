"""Dead letters for people: tables and sentences, from the same documents that programs get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from worker.commands.speaking import Cell, Marked, Mood, Shown, Table

MOODS: dict[str, Mood] = {"open": "doubtful", "redriven": "good", "discarded": "quiet"}
MINUTE, HOUR, DAY = 60, 3_600, 86_400
ITEMS_SHOWN = 10
SECOND = len("2026-11-20T10:00:00")


def counted(document: Mapping[str, Any], states: Sequence[str]) -> list[Shown]:
    """How many there are of each kind, in the states that were asked for, and what can be done."""
    kinds = document["kinds"]
    shown: list[Shown] = []
    if kinds:
        shown += [_table(kinds, states), ""]
    shown.append(summary(document)[:1].upper() + summary(document)[1:])
    if "open" in states and kinds:
        shown += ["", Table((), _mends(kinds))]
    return shown


def each(rows: Iterable[Mapping[str, Any]]) -> Table:
    """A line for each letter; its place is to be typed again, so it stays whole."""
    headings = ("place", "failed at", "reason", "call", "order or cart", "redrives", "state")
    return Table(headings, [_letter(row) for row in rows])


def summary(document: Mapping[str, Any]) -> str:
    """All that was seen, in one sentence."""
    states = document["states"]
    said = ", ".join(f"{count:,} {state}" for state, count in states.items() if count) or "no dead letters"
    others = sum(document["otherGroups"].values())
    if others:
        named = ", ".join(f"{group}: {count:,}" for group, count in document["otherGroups"].items())
        said += f"; {others:,} of other groups ({named})"
    if document["foreign"]:
        first = document["firstForeign"][0]
        records = "1 record is" if document["foreign"] == 1 else f"{document['foreign']:,} records are"
        said += f"; {records} no dead letter of a worker, such as {first['place']}: {first['wrong']}"
    return f"{said}."


def would_be(told: Mapping[str, Any], states: Sequence[str]) -> list[Shown]:
    """What a redrive would take."""
    often = told["leftAlone"]["redrivenTooOften"]
    said = f"{_letters(told['letters'] - often)} would be redriven; nothing was changed."
    if often:
        said += f" {_letters(often)} would be left alone: redriven too often before (--max-redrives)."
    kinds = told["before"]["kinds"]
    return [_table(kinds, states), "", said] if kinds else [said]


def redriven(told: Mapping[str, Any]) -> list[Shown]:
    """What became of the letters, and why it ended."""
    results, left = told["results"], told["leftAlone"]
    rows: list[tuple[str, int, Mood, str]] = [
        ("succeeded", results["succeeded"], "good", ""),
        ("settled before", results["settled before"], "good", "done already, nothing was sent"),
        ("superseded", results["superseded"], "good", "called off meanwhile, nothing was sent"),
        ("skipped", results["skipped"], "quiet", "asks for no call"),
        ("failed again", results["dead-lettered"], "bad", "dead-lettered again, as new letters"),
        ("left alone", left["redrivenTooOften"], "doubtful", "redriven too often before (--max-redrives)"),
        ("left alone", left["doneMeanwhile"], "quiet", "somebody else did it, or put it aside, meanwhile"),
        ("left alone", left["takenByAnother"], "doubtful", "another redrive has it; at most a minute"),
        ("not settled", told["unsettled"], "doubtful", "as it was; run it again"),
        ("defects", told["defects"], "bad", "as it was; the log has the stack: tell us"),
    ]
    cells: list[list[Cell]] = [[Marked(name, mood), count, what] for name, count, mood, what in rows if count]
    ended = {
        "done": "",
        "stopped": "Stopped. Run it again to go on.",
        "timed out": "Nothing was settled for too long (--timeout). Run it again to go on.",
        "failed": f"It could not go on: {told['why']}",
    }[told["ended"]]
    waits = [f"  {each}" for each in told["waitedFor"]] if told["ended"] in ("timed out", "stopped") else []
    all_told = f"{_letters(told['letters'])} in all."
    if not told["letters"] and told["ended"] == "done":
        all_told = f"Nothing to do: {summary(told['before'])}"
    said: list[Shown] = [f"{all_told} {ended}".rstrip(), *waits]
    return [Table((), cells), "", *said] if cells else said


def letter(told: Mapping[str, Any]) -> list[Shown]:
    """One letter, whole."""
    rows: list[tuple[str, Any]] = [
        ("place", told["place"]),
        ("state", Marked(told["state"], MOODS[told["state"]])),
        ("became", _became(told["mark"])),
        ("reason", told["reason"]),
        ("message", told["message"]),
        ("exception", told["exception"]),
        ("call", _call(told)),
        ("Rokt said", told["answer"]),
        ("attempts", told["attempts"]),
        ("failed at", told["failedAt"]),
        ("redrives", told["redrives"]),
        ("trace", told["traceLink"] or told["traceId"]),
        ("read from", f"{told['source']}, by group {told['group']}"),
        ("published at", told["publishedAt"]),
        ("key", _key(told)),
        ("headers", ", ".join(_header(each) for each in told["headers"])),
        ("event", _event(told)),
        *(("item", _item(item)) for item in (told["event"] or {}).get("items", ())[:ITEMS_SHOWN]),
        *(("ledger", _entry(entry)) for entry in told["ledger"]),
        ("ledger", "" if told["ledger"] else "knows no call of it"),
        ("mend", told["mend"]),
    ]
    cells: list[list[Cell]] = [
        [name, value if isinstance(value, Marked) else str(value)] for name, value in rows if value not in (None, "")
    ]
    return [Table((), cells)]


def age(seconds: int | None) -> str:
    """A duration in the two units that matter: `3d 4h`."""
    if seconds is None:
        return "-"
    for unit, name, smaller, its in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "m"), (MINUTE, "m", 1, "s")):
        if seconds >= unit:
            rest = seconds % unit // smaller
            return f"{seconds // unit}{name} {rest}{its}" if rest else f"{seconds // unit}{name}"
    return f"{seconds}s"


def _table(kinds: Sequence[Mapping[str, Any]], states: Sequence[str]) -> Table:
    headings = ("topic", "reason", "operation", "http", *states, "oldest", "newest")
    return Table(headings, [_kind(kind, states) for kind in kinds])


def _letters(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count:,} dead letters"


def _kind(kind: Mapping[str, Any], states: Sequence[str]) -> list[Cell]:
    counts: list[Cell] = [kind[state] for state in states]
    named: list[Cell] = [kind["topic"], kind["reason"], kind["operation"] or "-", str(kind["httpStatus"] or "-")]
    return [*named, *counts, age(kind["oldestSeconds"]), age(kind["newestSeconds"])]


def _mends(kinds: Sequence[Mapping[str, Any]]) -> list[list[Cell]]:
    told: dict[str, str] = {}
    for kind in kinds:
        if kind["open"]:
            told.setdefault(kind["mend"], f"{kind['reason']} {kind['httpStatus'] or ''}".strip())
    return [[name, mend] for mend, name in told.items()]


def _letter(row: Mapping[str, Any]) -> list[Cell]:
    return [
        Marked(row["place"], "whole"),
        Marked(f"{row['failedAt'][:SECOND]}Z", "whole"),
        row["reason"],
        f"{row['operation'] or '-'} {row['httpStatus'] or ''}".strip(),
        row["orderId"] or row["cartId"] or "-",
        row["redrives"],
        Marked(row["state"], MOODS[row["state"]]),
    ]


def _became(mark: Mapping[str, Any] | None) -> str:
    if mark is None:
        return ""
    if mark["state"] == "discarded":
        return f"discarded at {mark['at']} by {mark['by']}: {mark['because']}"
    trace = mark["traceLink"] or mark["traceId"]
    return f"redriven at {mark['at']}: {mark['result']}" + (f", trace {trace}" if trace else "")


def _call(told: Mapping[str, Any]) -> str:
    parts = [told["operation"] or ""]
    if told["httpStatus"] is not None:
        parts.append(f"HTTP {told['httpStatus']}")
    if told["idempotencyKey"]:
        parts.append(f"key {told['idempotencyKey']}")
    return ", ".join(part for part in parts if part)


def _key(told: Mapping[str, Any]) -> str | None:
    bytes_ = told["keyBytes"]
    return told["key"] or (None if bytes_ is None else f"no id of the event ({bytes_} bytes)")


def _header(each: Mapping[str, Any]) -> str:
    return f"{each['name']} ({each['bytes']} bytes)" if each["value"] is None else f"{each['name']} {each['value']}"


def _event(told: Mapping[str, Any]) -> str:
    event = told["event"]
    if event is None:
        return f"cannot be read: {told['unreadable']} ({told['valueBytes']} bytes)"
    named = [f"{name} {event[field]}" for name, field in (("cart", "cartId"), ("order", "orderId")) if event[field]]
    count = len(event["items"])
    session = {None: "", True: ", with a session", False: ", without a session"}[event["hasSession"]]
    items = "1 item" if count == 1 else f"{count} items"
    return f"{event['type']} {event['eventId']} of {event['occurredAt']}: {', '.join(named)}, {items}{session}"


def _item(item: Mapping[str, Any]) -> str:
    named = (
        ("", "cartItemId"),
        ("reservation ", "itemReservationId"),
        ("catalog ", "catalogItemId"),
        ("quantity ", "quantity"),
    )
    return ", ".join(f"{word}{item[field]}" for word, field in named if item.get(field) is not None)


def _entry(entry: Mapping[str, Any]) -> str:
    status = entry["status"] or "not settled"
    http = f", HTTP {entry['httpStatus']}" if entry["httpStatus"] is not None else ""
    again = f", begun again: {entry['redone']}" if entry["redone"] else ""
    at = f" at {entry['settledAt']}" if entry["settledAt"] else f", begun at {entry['begunAt']}"
    return (
        f"{entry['operation']} {status}{at}{http}, attempts: {entry['attempts']}, key {entry['idempotencyKey']}{again}"
    )
