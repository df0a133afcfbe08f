"""The books: whatever is lost, added, changed or done twice, they say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from infra.demo import BEGIN, EFFECTS, GOOD, SCRIPT, of_kind, resent
from worker.demo.books import Balance, Tally, audit
from worker.demo.evidence import Evidence, Letter, Outcome, Reservation, RoktCall
from worker.demo.fates import Kind, State
from worker.demo.report import percentile, waits
from worker.demo.script import SOURCES


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


def called(kind: Kind) -> Evidence:
    """As if a call had been made for a record of this kind."""
    call = RoktCall("confirm", "k", 409, False, of_kind(kind).record.trace_id)
    return replace(GOOD, calls=(*GOOD.calls, call))


def refused_again() -> Evidence:
    """As if an event that came again had been called again, without a ledger: 409, and a dead letter."""
    again = of_kind(Kind.REPUBLISHED)
    record, evidence = again.record, called(Kind.REPUBLISHED)
    outcome = Outcome(again.position, "k", "confirm", "rejected", 409, 1, record.trace_id, BEGIN)
    topic, headers = f"{record.topic}.dlq", tuple(record.headers)
    letter = Letter(
        again.position, topic, "rejected", record.key.encode(), record.value, again.timestamp_ms, headers, BEGIN
    )
    return replace(evidence, outcomes=(*GOOD.outcomes, outcome), letters=(*GOOD.letters, letter))


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
    "a dead letter is lost": (lambda: replace(GOOD, letters=without(GOOD.letters)), ", expected ["),
    "a dead letter has another reason": (
        lambda: replace(GOOD, letters=(replace(GOOD.letters[0], reason="exhausted"), *GOOD.letters[1:])),
        "dead letters ['exhausted'",
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
    **{
        f"a call was made for: {kind.label}": (partial(called, kind), "1 calls reached Rokt, none expected")
        for kind in (Kind.REPEATED, Kind.REPUBLISHED, Kind.SOLD, Kind.LATE, Kind.NOTHING, Kind.TOMBSTONE)
    },
    "a republished event was refused": (refused_again, "dead letters ['rejected'], expected none"),
    "a republished event has an outcome": (refused_again, "1 outcomes, 0 expected"),
    "a release of what is sold has no outcome": (
        lambda: replace(GOOD, outcomes=tuple(o for o in GOOD.outcomes if o.status != "superseded")),
        "0 outcomes, 1 expected",
    ),
    "a call has no outcome": (
        lambda: replace(GOOD, calls=(*GOOD.calls, replace(GOOD.calls[0], key="other", applied=False))),
        "of key other there is no outcome",
    ),
    "an outcome has no call": (lambda: replace(GOOD, calls=without(GOOD.calls)), "there is no call"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_books_do_not_balance_when(what: str) -> None:
    tampered, said = TAMPERED[what]
    problems = audit(SCRIPT, tampered()).problems
    assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize("kind", [Kind.PAID, Kind.WHOLE, Kind.PARTLY_SOLD, Kind.EARLY])
def test_a_call_whose_answer_was_lost_may_end_as_a_duplicate(kind: Kind) -> None:
    balance = audit(SCRIPT, resent(of_kind(kind)))
    assert balance.balanced, balance.problems


def test_a_call_that_is_refused_never_ends_as_a_duplicate() -> None:
    problems = audit(SCRIPT, resent(of_kind(Kind.REFUSED))).problems
    assert any("outcome duplicate (409), expected rejected (400) or rejected (422)" in p for p in problems), problems


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
