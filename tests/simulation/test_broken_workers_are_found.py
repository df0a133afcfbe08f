"""A simulation that finds nothing proves something only if it would have found it: workers broken on purpose."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from simulation.conditions import FEW, Conditions, draw
from simulation.runs import Run, failures
from worker import keys
from worker.carts import SendItems
from worker.frontier import Frontier
from worker.gate.circuit import Circuit, StillOpen
from worker.gate.turn import Turn
from worker.ledger import redoing
from worker.ledger.entries import REDONE, Answer, Ask, Entry
from worker.ledger.page import Page
from worker.rokt.client import RoktClient
from worker.settle import Settlement
from worker.telemetry.names import Status
from worker.verdict import Settled
from worker.work import Work

SEEDS = 3_000

Break = Callable[[pytest.MonkeyPatch], None]
Fit = Callable[[Conditions], bool]


def _found(patch: pytest.MonkeyPatch, breaking: Break, check: str, fit: Fit) -> Run | None:
    breaking(patch)
    seeds = (seed for seed in range(SEEDS) if fit(draw(Random(seed))))
    found = (run for run in failures(seeds) if check in [broken.name for broken in run.broken])
    return next(found, None)


def few_carts_and_no_customers(given: Conditions) -> bool:
    """A world that is soon through, even where it never comes to an end."""
    return given.carts <= FEW and not given.customers and given.redrives is None


def a_cart_that_always_fails(given: Conditions) -> bool:
    return given.poison is not None


def a_wrong_address(given: Conditions) -> bool:
    return "wrong address" in given.mishaps and given.rejections < given.carts <= FEW


def commits_one_too_far(patch: pytest.MonkeyPatch) -> None:
    true = Frontier.to_commit

    def to_commit(self: Frontier) -> tuple[int, frozenset[int]] | None:
        due = true(self)
        return due and (due[0] + 1, due[1])

    patch.setattr(Frontier, "to_commit", to_commit)


def says_that_the_next_offset_is_settled_too(patch: pytest.MonkeyPatch) -> None:
    true = Frontier.to_commit

    def to_commit(self: Frontier) -> tuple[int, frozenset[int]] | None:
        due = true(self)
        return due and (due[0], due[1] | {due[0]})

    patch.setattr(Frontier, "to_commit", to_commit)


def drops_dead_letters(patch: pytest.MonkeyPatch) -> None:
    async def dead_letter(*_: Any) -> None:
        return

    patch.setattr("worker.settle.Settlement.dead_letter", dead_letter)


def writes_no_outcome(patch: pytest.MonkeyPatch) -> None:
    async def outcome(*_: Any) -> None:
        return

    patch.setattr("worker.settle.Settlement.outcome", outcome)


def does_not_wait_for_the_acknowledgement(patch: pytest.MonkeyPatch) -> None:
    async def until_written(*_: Any) -> bool:
        return False

    patch.setattr("worker.settle.Settlement._until_written", until_written)


def keeps_no_order(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("worker.dispatch.lane_keys", lambda _: ())


def has_another_key_each_time(patch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()
    true = keys.confirm_key
    patch.setattr("worker.mapping.confirm_key", lambda cart, order, items: true(cart, f"{order}{next(numbers)}", items))


def has_one_key_for_all_items_of_an_order(patch: pytest.MonkeyPatch) -> None:
    true = keys.cancel_key
    patch.setattr("worker.mapping.cancel_key", lambda order, _: true(order, "any"))


def forgets_what_was_settled(patch: pytest.MonkeyPatch) -> None:
    def settle(self: Page, asked: Ask, settled: Settled, redo: int) -> Entry:
        entry = true(self, asked, settled, redo)
        self.changed_entries.pop(entry.key, None)
        return entry

    true = Page._settle
    patch.setattr(Page, "_settle", settle)


def publishes_only_what_it_settles_itself(patch: pytest.MonkeyPatch) -> None:
    async def settled_before(*_: Any) -> None:
        return

    patch.setattr("worker.calling.Calling._settled_before", settled_before)


def sends_what_is_superseded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("worker.carts.decide", lambda call, *_: SendItems(call.items))


def never_opens_a_circuit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("worker.gate.others.Failures.failed", lambda *_: False)


def judges_a_cart_without_looking_at_others(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("worker.gate.others.Latest.thrive_besides", lambda *_: True)
    patch.setattr("worker.gate.road.Road.is_poison", lambda _, turn, max_attempts, __: turn.failures >= max_attempts)


def takes_what_was_long_ago_for_a_sign_of_life(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("worker.gate.others.Latest.taken_besides", lambda *_: True)


def gives_up_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("worker.gate.road.Road.is_poison", lambda *_: False)


def goes_on_when_all_is_rejected(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("worker.gate.others.Rejections.settled", lambda *_, **__: False)


def does_not_wait_when_it_is_asked_to(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RoktClient, "_hold", lambda *_: None)


def sends_no_canary_after_the_first(patch: pytest.MonkeyPatch) -> None:
    true = Circuit.came_back

    def came_back(self: Circuit, turn: Turn, now: float, why: str | None) -> StillOpen | None:
        canary = self.canary
        told = true(self, turn, now, why)
        self.canary = canary
        return told

    patch.setattr(Circuit, "came_back", came_back)


def redriven(given: Conditions) -> bool:
    """A world that is soon through, in which dead letters are redriven."""
    return given.redrives is not None and given.carts <= FEW and given.poison is None


def redrives_under_the_same_key_after_a_rejection(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("worker.calling.again", lambda key, _: key)


def redrives_what_was_given_up_under_another_key(patch: pytest.MonkeyPatch) -> None:
    def reopened(entry: Entry) -> Entry:
        return true(replace(entry, status="rejected"))

    true = redoing.reopened
    patch.setattr(redoing, "reopened", reopened)


def redrives_what_succeeded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(redoing, "REDONE", frozenset(get_args(Status)))


def redrives_all_items_of_a_partial_call(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(redoing, "left", lambda items, _: items)


def redrives_whatever_key_the_letter_has(patch: pytest.MonkeyPatch) -> None:
    def asked_again(ask: Ask, entry: Entry) -> bool:
        return ask.redo is not None and entry.status in REDONE

    patch.setattr(redoing, "asked_again", asked_again)


def redrives_without_asking_whether_another_does(patch: pytest.MonkeyPatch) -> None:
    def ask(self: Page, asked: Ask) -> Answer:
        live = self.live
        self.live = self.live - {owner for owner in live if asked.redo is not None and owner != asked.owner}
        try:
            return true(self, asked)
        finally:
            self.live = live

    true = Page._ask
    patch.setattr(Page, "_ask", ask)


def redrives_what_is_called_off(patch: pytest.MonkeyPatch) -> None:
    def ask(self: Page, asked: Ask) -> Answer:
        with pytest.MonkeyPatch.context() as inside:
            if asked.redo is not None and asked.call.operation == "confirm":
                inside.setattr("worker.carts.decide", lambda call, *_: SendItems(call.items))
            return true(self, asked)

    true = Page._ask
    patch.setattr(Page, "_ask", ask)


def writes_no_letter_again(patch: pytest.MonkeyPatch) -> None:
    async def dead_letter(self: Settlement, work: Work, *more: Any) -> None:
        if work.redo is None:
            await true(self, work, *more)

    true = Settlement.dead_letter
    patch.setattr(Settlement, "dead_letter", dead_letter)


@pytest.mark.parametrize(
    ("breaking", "check", "fit"),
    [
        (commits_one_too_far, "what is committed is settled", few_carts_and_no_customers),
        (says_that_the_next_offset_is_settled_too, "what is committed is settled", few_carts_and_no_customers),
        (drops_dead_letters, "poison is buried, and nothing else", few_carts_and_no_customers),
        (writes_no_outcome, "what is committed is settled", few_carts_and_no_customers),
        (does_not_wait_for_the_acknowledgement, "what is committed is settled", few_carts_and_no_customers),
        (keeps_no_order, "a cart's calls are made one at a time", few_carts_and_no_customers),
        (has_another_key_each_time, "each call has one key, and no two have the same", few_carts_and_no_customers),
        (has_one_key_for_all_items_of_an_order, "what is committed is settled", few_carts_and_no_customers),
        (forgets_what_was_settled, "a call that was answered 2xx is never made again", few_carts_and_no_customers),
        (publishes_only_what_it_settles_itself, "what is committed is settled", few_carts_and_no_customers),
        (sends_what_is_superseded, "nothing is released that is sold", few_carts_and_no_customers),
        (never_opens_a_circuit, "in an outage there is one call in a while", few_carts_and_no_customers),
        (judges_a_cart_without_looking_at_others, "only what fails alone is given up", few_carts_and_no_customers),
        (takes_what_was_long_ago_for_a_sign_of_life, "only what fails alone is given up", a_cart_that_always_fails),
        (gives_up_nothing, "it comes to an end", a_cart_that_always_fails),
        (goes_on_when_all_is_rejected, "where all is rejected it stops", a_wrong_address),
        (does_not_wait_when_it_is_asked_to, "nothing is sent before Rokt's wait is over", few_carts_and_no_customers),
        (sends_no_canary_after_the_first, "it comes to an end", few_carts_and_no_customers),
        (redrives_under_the_same_key_after_a_rejection, "a key that was rejected is never sent again", redriven),
        (redrives_what_was_given_up_under_another_key, "a call is begun again for its last letter only", redriven),
        (redrives_what_succeeded, "what is done with is never begun again", redriven),
        (redrives_all_items_of_a_partial_call, "what is done with is never begun again", redriven),
        (redrives_whatever_key_the_letter_has, "a call is begun again for its last letter only", redriven),
        (redrives_without_asking_whether_another_does, "no two workers have the same call under way", redriven),
        (redrives_what_is_called_off, "nothing is confirmed that was cancelled", redriven),
        (writes_no_letter_again, "every redriven letter ends", redriven),
    ],
)
def test_a_broken_worker_is_found(monkeypatch: pytest.MonkeyPatch, breaking: Break, check: str, fit: Fit) -> None:
    found = _found(monkeypatch, breaking, check, fit)
    assert found is not None
    print(f"seed {found.seed}: {found.broken}")
