"""The books: whatever is lost, added, changed or done twice, they say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from worker.demo.books import Balance, Tally, audit
from worker.demo.evidence import Evidence, Letter, Outcome, Published, Reservation, RoktCall
from worker.demo.fates import LETTER, Kind, State
from worker.demo.report import percentile, waits
from worker.demo.script import SOURCES, Script, compose
from worker.demo.story import plan

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATUS = {"done": "succeeded", "again": "rejected", "refused": "rejected", "partly": "partial", "failed": "rejected"}
HTTP = {"done": 200, "again": 409, "refused": 400, "partly": 200, "failed": 200}
EFFECTS = {
    State.HELD: Reservation("held", 0, 0, 0),
    State.CONFIRMED: Reservation("confirmed", 1, 0, 0),
    State.CANCELLED: Reservation("cancelled", 1, 1, 0),
    State.RELEASED: Reservation("released", 0, 0, 1),
}


def a_script() -> Script:
    random = Random(1)
    carts = plan(60, random)
    reserved = {(cart.id, item.id): f"r.{cart.id}.{item.id}" for cart in carts for item in cart.items if item.reserved}
    return compose(carts, reserved, BEGIN, random)


SCRIPT = a_script()


def published() -> tuple[Published, ...]:
    offsets: Counter[str] = Counter()
    found = []
    for record in SCRIPT.records:
        found.append(Published(record, (record.topic, 0, offsets[record.topic]), int(BEGIN.timestamp() * 1000)))
        offsets[record.topic] += 1
    return tuple(found)


def outcomes_of(one: Published) -> Iterator[Outcome]:
    fate, trace = one.record.fate, one.record.trace_id
    for call in range(fate.calls):
        status, http = STATUS[fate.ending], HTTP[fate.ending]
        yield Outcome(one.position, f"{trace}.{call}", "confirm", status, http, 1, trace, BEGIN + timedelta(seconds=1))


def letters_of(one: Published) -> Iterator[Letter]:
    record, fate = one.record, one.record.fate
    reasons = [fate.reason] if fate.reason else [LETTER[fate.ending]] * fate.calls if fate.ending in LETTER else []
    for reason in reasons:
        headers = (*record.headers, ("dlq.reason", reason.encode()))
        topic, key = f"{record.topic}.dlq", record.key.encode()
        yield Letter(one.position, topic, reason, key, record.value, one.timestamp_ms, headers, BEGIN)


def good() -> Evidence:
    """What is found when all went as it must."""
    there = published()
    ends = {(topic, 0): sum(one.record.topic == topic for one in there) for topic in SOURCES}
    outcomes = tuple(outcome for one in there for outcome in outcomes_of(one))
    return Evidence(
        published=there,
        outcomes=outcomes,
        letters=tuple(letter for one in there for letter in letters_of(one)),
        calls=tuple(
            RoktCall(o.operation, o.key, o.http_status, o.status in ("succeeded", "partial"), o.trace_id or "")
            for o in outcomes
        ),
        ends=ends,
        committed=dict(ends),
        reservations={id_: EFFECTS[state] for id_, state in SCRIPT.reservations.items()},
        orders=dict.fromkeys(SCRIPT.orders, 1),
        twice={"double_effects": 0, "release_of_confirmed": 0},
    )


GOOD = good()


def of_kind(kind: Kind) -> Published:
    return next(one for one in GOOD.published if one.record.fate.kind is kind)


def without(found: tuple[Any, ...], index: int = 0) -> tuple[Any, ...]:
    return found[:index] + found[index + 1 :]


def test_books_of_a_run_in_which_all_went_as_it_must_balance() -> None:
    balance = audit(SCRIPT, GOOD)
    assert balance.problems == ()
    assert balance.balanced
    assert all(tally.planned == tally.found > 0 for tally in balance.records.values())
    assert sum(tally.planned for tally in balance.records.values()) == len(SCRIPT.records)
    assert set(balance.letters) == {"undecodable", "invalid", "rejected", "item-rejected", "nothing-to-cancel"}
    assert set(balance.reservations) == set(State)


def confirmed() -> str:
    return next(id_ for id_, state in SCRIPT.reservations.items() if state is State.CONFIRMED)


TAMPERED: dict[str, tuple[Callable[[], Evidence], str]] = {
    "an outcome is lost": (lambda: replace(GOOD, outcomes=without(GOOD.outcomes)), "0 outcomes, 1 expected"),
    "an outcome is there twice": (
        lambda: replace(GOOD, outcomes=(*GOOD.outcomes, GOOD.outcomes[0])),
        "2 outcomes, 1 expected",
    ),
    "an outcome has another status": (
        lambda: replace(GOOD, outcomes=(replace(GOOD.outcomes[0], status="rejected"), *GOOD.outcomes[1:])),
        "outcome rejected (200), expected",
    ),
    "an outcome is of another trace": (
        lambda: replace(GOOD, outcomes=(replace(GOOD.outcomes[0], trace_id="f" * 32), *GOOD.outcomes[1:])),
        "trace is not the shop's",
    ),
    "an outcome is of no record": (
        lambda: replace(GOOD, outcomes=(*GOOD.outcomes, replace(GOOD.outcomes[0], position=(SOURCES[0], 3, 9)))),
        f"outcome for {SOURCES[0]} 3/9: no such record",
    ),
    "a first call is told as a duplicate": (
        lambda: replace(
            GOOD, outcomes=(replace(GOOD.outcomes[0], status="duplicate", http_status=409), *GOOD.outcomes[1:])
        ),
        "Rokt saw that call once",
    ),
    "a dead letter is lost": (lambda: replace(GOOD, letters=without(GOOD.letters)), "dead letters none, expected"),
    "a dead letter has another reason": (
        lambda: replace(GOOD, letters=(replace(GOOD.letters[0], reason="exhausted"), *GOOD.letters[1:])),
        "dead letters ['exhausted']",
    ),
    "a dead letter's value differs": (
        lambda: replace(GOOD, letters=(replace(GOOD.letters[0], value=b"{}"), *GOOD.letters[1:])),
        "not the original, byte for byte",
    ),
    "a dead letter's header is gone": (
        lambda: replace(
            GOOD, letters=(replace(GOOD.letters[0], headers=GOOD.letters[0].headers[1:]), *GOOD.letters[1:])
        ),
        "not the original, byte for byte",
    ),
    "a record was never published": (lambda: replace(GOOD, published=without(GOOD.published)), "never published"),
    "an offset stays behind": (
        lambda: replace(GOOD, committed={**GOOD.committed, (SOURCES[0], 0): 3}),
        "committed up to 3",
    ),
    "an offset was never committed": (lambda: replace(GOOD, committed={}), "committed up to 0"),
    "a partition holds one more": (lambda: replace(GOOD, ends={**GOOD.ends, (SOURCES[0], 1): 1}), "1 records in it, 0"),
    "a reservation is in another state": (
        lambda: replace(GOOD, reservations={**GOOD.reservations, confirmed(): EFFECTS[State.HELD]}),
        "held at Rokt, expected confirmed",
    ),
    "a reservation is unheard of": (
        lambda: replace(GOOD, reservations={**GOOD.reservations, "r.other": EFFECTS[State.HELD]}),
        "r.other: at Rokt, and in no event",
    ),
    "a reservation is confirmed twice": (
        lambda: replace(GOOD, reservations={**GOOD.reservations, confirmed(): Reservation("confirmed", 2, 0, 0)}),
        "something took effect twice",
    ),
    "an order is missing": (lambda: replace(GOOD, orders=dict(list(GOOD.orders.items())[1:])), "not known at Rokt"),
    "an order is confirmed twice": (
        lambda: replace(GOOD, orders={**GOOD.orders, next(iter(GOOD.orders)): 2}),
        "confirmed 2 times",
    ),
    "Rokt counts a double effect": (lambda: replace(GOOD, twice={"double_effects": 1}), "double effects: 1"),
    "a key was applied twice": (lambda: replace(GOOD, calls=(*GOOD.calls, GOOD.calls[0])), "done 2 times"),
    "a call is in no record's trace": (
        lambda: replace(GOOD, calls=(*GOOD.calls, RoktCall("cancel", "k", 422, False, ""))),
        "a cancel reached Rokt in a trace that is no record's",
    ),
    "a skipped record made a call": (
        lambda: replace(
            GOOD,
            calls=(*GOOD.calls, RoktCall("confirm", "k", 400, False, of_kind(Kind.TOMBSTONE).record.trace_id)),
        ),
        "1 calls reached Rokt, none expected",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_books_do_not_balance_when(what: str) -> None:
    tampered, said = TAMPERED[what]
    problems = audit(SCRIPT, tampered()).problems
    assert any(said in problem for problem in problems), problems


def resent(one: Published, *, status: str, letters: bool) -> Evidence:
    """As if the first answer to this record's calls had been a 503, and the second the 409."""
    mine = [o for o in GOOD.outcomes if o.position == one.position]
    first = tuple(RoktCall(o.operation, o.key, 503, False, o.trace_id or "") for o in mine)
    return replace(
        GOOD,
        outcomes=tuple(replace(o, status=status, attempts=2) if o in mine else o for o in GOOD.outcomes),
        calls=GOOD.calls + first,
        letters=tuple(letter for letter in GOOD.letters if letters or letter.position != one.position),
    )


def test_a_call_published_again_may_end_as_a_duplicate_when_an_answer_was_lost() -> None:
    again = of_kind(Kind.REPEATED)
    balance = audit(SCRIPT, resent(again, status="duplicate", letters=False))
    assert balance.balanced, balance.problems
    assert (
        balance.letters["rejected"].planned == audit(SCRIPT, GOOD).letters["rejected"].planned - again.record.fate.calls
    )


def test_a_call_published_again_is_not_rejected_when_an_answer_was_lost() -> None:
    problems = audit(SCRIPT, resent(of_kind(Kind.REPEATED), status="rejected", letters=True)).problems
    assert any("a 409 then says that it was done" in problem for problem in problems)


def test_a_record_with_a_problem_is_not_tallied_as_found() -> None:
    balance: Balance = audit(SCRIPT, replace(GOOD, outcomes=without(GOOD.outcomes)))
    kind = next(one for one in GOOD.published if one.position == GOOD.outcomes[0].position).record.fate.kind
    assert balance.records[kind] == Tally(
        audit(SCRIPT, GOOD).records[kind].planned, audit(SCRIPT, GOOD).records[kind].planned - 1
    )


def test_waits_reach_from_the_record_to_its_last_outcome_or_its_letter() -> None:
    found = waits(GOOD)
    assert (found.p50, found.p99, found.longest) == (1.0, 1.0, 1.0)
    assert waits(replace(GOOD, outcomes=(), letters=())).longest == 0.0


@pytest.mark.parametrize(("percent", "value"), [(50, 50.0), (99, 99.0), (100, 100.0), (1, 1.0)])
def test_a_percentile_is_the_nearest_rank(percent: float, value: float) -> None:
    assert percentile([float(n) for n in range(1, 101)], percent) == value
    assert percentile([], percent) == 0.0
