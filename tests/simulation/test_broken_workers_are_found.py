"""A simulation that finds nothing proves something only if it would have found it: workers broken on purpose."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from simulation.runs import Run, failures
from worker import keys
from worker.carts import SendItems
from worker.frontier import Frontier
from worker.ledger.entries import Ask, Entry
from worker.ledger.page import Page
from worker.verdict import Settled

SEEDS = 200

Break = Callable[[pytest.MonkeyPatch], None]


def _found(patch: pytest.MonkeyPatch, breaking: Break, check: str) -> Run | None:
    breaking(patch)
    found = (run for run in failures(range(SEEDS)) if check in [broken.name for broken in run.broken])
    return next(found, None)


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
    def settle(self: Page, asked: Ask, settled: Settled) -> Entry:
        entry = true(self, asked, settled)
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


@pytest.mark.parametrize(
    ("breaking", "check"),
    [
        (commits_one_too_far, "what is committed is settled"),
        (says_that_the_next_offset_is_settled_too, "what is committed is settled"),
        (drops_dead_letters, "poison is buried, and nothing else"),
        (writes_no_outcome, "what is committed is settled"),
        (does_not_wait_for_the_acknowledgement, "what is committed is settled"),
        (keeps_no_order, "a cart's calls are made one at a time"),
        (has_another_key_each_time, "each call has one key, and no two have the same"),
        (has_one_key_for_all_items_of_an_order, "what is committed is settled"),
        (forgets_what_was_settled, "a call that was answered 2xx is never made again"),
        (publishes_only_what_it_settles_itself, "what is committed is settled"),
        (sends_what_is_superseded, "nothing is released that is sold"),
    ],
)
def test_a_broken_worker_is_found(monkeypatch: pytest.MonkeyPatch, breaking: Break, check: str) -> None:
    found = _found(monkeypatch, breaking, check)
    assert found is not None
    print(f"seed {found.seed}: {found.broken}")
