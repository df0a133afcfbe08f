"""A crash of the worker: what it may have written twice, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from infra.demo import BEGIN, GOOD, SCRIPT, of_kind, resent
from worker.demo.books import audit
from worker.demo.crash import Traces
from worker.demo.evidence import Crash, Evidence
from worker.demo.fates import Kind


def crashed(*, in_hand: bool, times: int = 1, before: bool = True) -> Evidence:
    """As if a crash had the outcome and the letter of an order with an item that fails written so often again."""
    one = of_kind(Kind.ITEM_FAILS)
    outcomes = [o for o in GOOD.outcomes if o.position == one.position]
    first = [letter for letter in GOOD.letters if letter.position == one.position]
    letters = [replace(letter, failed_at=BEGIN + timedelta(9)) for letter in first]
    there = (len(GOOD.outcomes), len(GOOD.letters)) if before else (0, 0)
    hand = frozenset({one.position}) if in_hand else frozenset()
    return replace(
        GOOD,
        outcomes=(*GOOD.outcomes, *outcomes * times),
        letters=(*GOOD.letters, *letters * times),
        crash=Crash(3.5, len(GOOD.calls), *there, hand),
    )


def test_what_was_in_hand_when_the_worker_was_killed_may_be_written_once_more() -> None:
    balance = audit(SCRIPT, crashed(in_hand=True))
    assert balance.balanced, balance.problems
    assert balance.crash == Traces(3.5, in_hand=1, calls=0, outcomes=1, letters=1)
    assert all(tally.planned == tally.found for tally in balance.letters.values())


@pytest.mark.parametrize(
    "evidence",
    [
        crashed(in_hand=False),
        crashed(in_hand=True, times=2),
        crashed(in_hand=True, before=False),
        replace(crashed(in_hand=True), crash=None),
    ],
    ids=["not in hand", "two times more", "both after the crash", "no crash"],
)
def test_anything_else_that_is_written_twice_is_not_the_crashs(evidence: Evidence) -> None:
    problems = audit(SCRIPT, evidence).problems
    assert any("outcomes, 1 expected" in problem for problem in problems), problems
    assert any("dead letters ['item-rejected', 'item-rejected'" in problem for problem in problems), problems


def test_a_second_outcome_that_says_something_else_is_not_the_crashs() -> None:
    evidence = crashed(in_hand=True)
    other = replace(evidence.outcomes[-1], attempts=2)
    problems = audit(SCRIPT, replace(evidence, outcomes=(*evidence.outcomes[:-1], other))).problems
    assert any("2 outcomes, 1 expected" in problem for problem in problems), problems


def test_a_call_that_was_settled_before_the_crash_is_not_made_again() -> None:
    evidence = crashed(in_hand=True)
    again = replace(GOOD.calls[0], status=409, applied=False)
    problems = audit(SCRIPT, replace(evidence, calls=(*GOOD.calls, again))).problems
    assert problems == (f"idempotency key {again.key}: called again after the crash, though it was settled before",)


def test_calls_that_the_crash_cut_short_are_counted() -> None:
    crash = Crash(3.5, len(GOOD.calls), 0, 0, frozenset())
    evidence = replace(resent(of_kind(Kind.PAID)), crash=crash)
    balance = audit(SCRIPT, evidence)
    assert balance.balanced, balance.problems
    assert balance.crash is not None
    assert balance.crash.calls == 1
