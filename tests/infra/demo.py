"""What the demo's books compare, as it is when all has gone as it must: a script played without a worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from worker.demo.evidence import Evidence, Letter, Outcome, Published, Reservation, RoktCall
from worker.demo.fates import SENT, Ending, Kind, State
from worker.demo.script import SOURCES, Script, compose
from worker.demo.story import Cart, plan

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANSWERED: dict[Ending, tuple[str, int | None]] = {
    "done": ("succeeded", 200),
    "superseded": ("superseded", None),
    "refused": ("rejected", 400),
    "partly": ("partial", 200),
    "failed": ("rejected", 200),
}
EFFECTS = {
    State.HELD: Reservation("held", 0, 0, 0),
    State.CONFIRMED: Reservation("confirmed", 1, 0, 0),
    State.CANCELLED: Reservation("cancelled", 1, 1, 0),
    State.RELEASED: Reservation("released", 0, 0, 1),
}


def script_of(carts: int, seed: int = 1) -> tuple[tuple[Cart, ...], Script]:
    """The carts of a seed, and their script."""
    random = Random(seed)
    planned = plan(carts, random)
    reserved = {(c.id, i.id): f"rokt_item_reservation_id.{c.id}.{i.id}" for c in planned for i in c.items if i.reserved}
    return planned, compose(planned, reserved, BEGIN, random)


SCRIPT = script_of(60)[1]


def published() -> tuple[Published, ...]:
    offsets: Counter[str] = Counter()
    found = []
    for record in SCRIPT.records:
        found.append(Published(record, (record.topic, 0, offsets[record.topic]), int(BEGIN.timestamp() * 1000)))
        offsets[record.topic] += 1
    return tuple(found)


def outcomes_of(one: Published) -> Iterator[Outcome]:
    fate, trace = one.record.fate, one.record.trace_id
    for call in range(fate.outcomes):
        status, http = ANSWERED[fate.ending]
        yield Outcome(one.position, f"{trace}.{call}", "confirm", status, http, 1, trace, BEGIN + timedelta(seconds=1))


def letters_of(one: Published) -> Iterator[Letter]:
    record = one.record
    for reason in record.fate.letters:
        headers = (*record.headers, ("traceparent", b"00-1-2-01"), ("dlq.reason", reason.encode()))
        topic, key = f"{record.topic}.dlq", record.key.encode()
        yield Letter(one.position, topic, reason, key, record.value, one.timestamp_ms, headers, BEGIN)


def good() -> Evidence:
    """What is found when all went as it must."""
    there = published()
    ends = {(topic, 0): sum(one.record.topic == topic for one in there) for topic in SOURCES}
    outcomes = tuple(outcome for one in there for outcome in outcomes_of(one))
    sent = {one.record.trace_id for one in there if one.record.fate.ending in SENT}
    return Evidence(
        published=there,
        outcomes=outcomes,
        letters=tuple(letter for one in there for letter in letters_of(one)),
        calls=tuple(
            RoktCall(o.operation, o.key, o.http_status, o.status in ("succeeded", "partial"), o.trace_id or "")
            for o in outcomes
            if o.trace_id in sent
        ),
        ends=ends,
        committed=dict(ends),
        reservations={id_: EFFECTS[state] for id_, state in SCRIPT.reservations.items()},
        orders=dict.fromkeys(SCRIPT.orders, 1),
        twice={"double_effects": 0, "release_of_confirmed": 0},
    )


GOOD = good()


def of_kind(kind: Kind) -> Published:
    """The first record of a kind."""
    return next(one for one in GOOD.published if one.record.fate.kind is kind)


def resent(one: Published) -> Evidence:
    """As if the answer to this record's call had been lost, and the second attempt had been answered 409."""
    first = tuple(replace(call, status=None) for call in GOOD.calls if call.trace_id == one.record.trace_id)
    second = tuple(replace(call, status=409, applied=False) for call in first)
    told = tuple(
        replace(o, status="duplicate", http_status=409, attempts=2) if o.position == one.position else o
        for o in GOOD.outcomes
    )
    others = tuple(call for call in GOOD.calls if call.trace_id != one.record.trace_id)
    return replace(GOOD, outcomes=told, calls=others + first + second)
