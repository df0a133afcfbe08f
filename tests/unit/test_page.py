"""What the ledger answers, request by request, and what it knows after each (contract, section 3, rules 1 and 2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from worker.carts import Begun, CalledOff, Order, Owners, Reservation
from worker.keys import Operation
from worker.ledger.entries import (
    Answer,
    Ask,
    CallOff,
    Disputed,
    Done,
    Entry,
    GiveBack,
    Origin,
    Published,
    Send,
    Settle,
    Touched,
    Wait,
    touched,
)
from worker.ledger.page import Page
from worker.mapping import Call, CallItem
from worker.rokt.answers import ItemAnswer
from worker.telemetry.names import Status
from worker.verdict import Death, Settled

A, B, UNRESERVED = CallItem("a", "r-a"), CallItem("b", "r-b"), CallItem("q", None)
ORIGIN = Origin("event", 1, "checkout-completed", 0, 7, None)
LOST = Death("unknown-outcome", "no answer")


def confirm(*items: CallItem, key: str = "confirm") -> Call:
    return Call("confirm", key, b"", bytes(16), items or (A, B), "cart", "order", None, None)


def cancel(item: CallItem = A) -> Call:
    return Call("cancel", f"cancel {item.item_reservation_id}", b"", bytes(16), (item,), "cart", "order", None, None)


def release(*items: CallItem) -> Call:
    return Call("release", "release", b"", bytes(16), items or (A, B), "cart", None, None, None)


class Ledger:
    """One page for ever, and the workers one and two, of which some are alive."""

    def __init__(self) -> None:
        self.live: Owners = frozenset({"one", "two"})
        self.page = Page(1000, self.live, {}, {}, {})
        self._token = 0

    def crash(self, owner: str) -> None:
        self.page.live = self.page.live - {owner}

    def ask(self, call: Call, owner: str = "one") -> tuple[Ask, Answer]:
        self._token += 1
        ask = Ask(call, ORIGIN, owner, self._token)
        return ask, self.again(ask)

    def again(self, ask: Ask) -> Answer:
        answer = self.page.work(ask)
        assert isinstance(answer, Send | Wait | Done | Disputed)
        return answer

    def begun(self, call: Call, owner: str = "one") -> Ask:
        ask, answer = self.ask(call, owner)
        assert isinstance(answer, Send), answer
        return ask

    def settle(self, ask: Ask, status: Status = "succeeded", *items: CallItem, **rest: object) -> Entry:
        success = status in ("succeeded", "duplicate")
        answers = tuple(ItemAnswer(i.cart_item_id, i.item_reservation_id, None, None, success) for i in items)
        settled = Settled(status, answers or self._all(ask, success=success), 200, 1)
        entry = self.page.work(Settle(ask, replace(settled, **rest)))  # type: ignore[arg-type]
        assert isinstance(entry, Entry)
        return entry

    def made(self, call: Call, status: Status = "succeeded", **rest: object) -> Entry:
        return self.settle(self.begun(call), status, **rest)

    def call_off(self, *items: CallItem, waited: bool = False) -> object:
        return self.page.work(CallOff("order", items, waited))

    def give_back(self, ask: Ask, *, maybe_sent: bool) -> None:
        assert self.page.work(GiveBack(ask, 1, maybe_sent)) is None

    def of(self, item: CallItem) -> Reservation:
        return self.page.reservations.get(item.item_reservation_id or "", Reservation("?"))

    @property
    def order(self) -> Order:
        return self.page.orders["order"]

    @staticmethod
    def _all(ask: Ask, *, success: bool) -> tuple[ItemAnswer, ...]:
        return tuple(ItemAnswer(i.cart_item_id, i.item_reservation_id, None, None, success) for i in ask.call.items)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


# Rule 1: a call that is settled is never made again


@pytest.mark.parametrize("status", ["succeeded", "duplicate", "partial", "rejected"])
def test_a_call_that_is_settled_is_not_made_again(ledger: Ledger, status: Status) -> None:
    entry = ledger.made(confirm(), status)
    assert ledger.ask(confirm(), "one")[1] == Done(entry)
    ledger.page.work(Published("confirm"))
    assert ledger.ask(confirm(), "two")[1] == Done(replace(entry, published=True))


def test_what_was_superseded_stays_so(ledger: Ledger) -> None:
    ledger.made(confirm())
    _, first = ledger.ask(release())
    assert isinstance(first, Done)
    assert (first.entry.status, first.entry.attempts, first.entry.http_status) == ("superseded", 0, None)
    assert first.why
    assert not any(item.success for item in first.entry.items)
    ledger.page.reservations.clear()
    assert ledger.ask(release())[1] == Done(first.entry)


def test_another_body_under_a_key_that_is_settled_is_said_and_not_sent(ledger: Ledger) -> None:
    ledger.made(confirm())
    _, answer = ledger.ask(replace(confirm(), fingerprint=b"another"))
    assert isinstance(answer, Done)
    assert answer.other_body


def test_an_outcome_that_a_living_worker_still_has_to_write_is_waited_for_and_that_of_a_dead_one_is_not(
    ledger: Ledger,
) -> None:
    entry = ledger.made(confirm())
    assert isinstance(ledger.ask(confirm(), "two")[1], Wait)
    ledger.crash("one")
    assert ledger.ask(confirm(), "two")[1] == Done(entry)


def test_the_death_of_a_call_is_kept_until_its_letter_is_written(ledger: Ledger) -> None:
    death = Death("rejected", "no")
    assert ledger.made(confirm(), "rejected", death=death).death == death
    ledger.page.work(Published("confirm"))
    entry = ledger.page.entries["confirm"]
    assert (entry.published, entry.death) == (True, None)


# Rule 2: no call is in flight twice, and a claim expires with its worker


def test_a_call_that_a_living_worker_makes_is_waited_for(ledger: Ledger) -> None:
    ledger.begun(confirm())
    assert isinstance(ledger.ask(confirm(), "two")[1], Wait)
    assert isinstance(ledger.ask(confirm(), "one")[1], Wait)


def test_the_same_question_asked_again_has_the_same_answer(ledger: Ledger) -> None:
    ask, answer = ledger.ask(confirm())
    assert ledger.again(ask) == answer == Send((A, B), 0, maybe_sent=False)


def test_a_call_whose_worker_crashed_is_taken_over_as_one_that_may_have_reached_rokt(ledger: Ledger) -> None:
    ledger.begun(confirm())
    ledger.crash("one")
    assert ledger.ask(confirm(), "two")[1] == Send((A, B), 1, maybe_sent=True)


def test_a_call_that_was_given_back_goes_on_from_where_it_was(ledger: Ledger) -> None:
    ledger.give_back(ledger.begun(confirm()), maybe_sent=False)
    assert ledger.page.entries["confirm"].owner is None
    ask, answer = ledger.ask(confirm(), "two")
    assert answer == Send((A, B), 1, maybe_sent=False)
    ledger.give_back(ask, maybe_sent=True)
    assert ledger.ask(confirm())[1] == Send((A, B), 1, maybe_sent=True)


def test_who_does_not_have_a_call_any_more_cannot_give_it_back(ledger: Ledger) -> None:
    first = ledger.begun(confirm())
    ledger.crash("one")
    second = ledger.begun(confirm(), "two")
    ledger.give_back(first, maybe_sent=False)
    assert ledger.page.entries["confirm"].owner == "two"
    ledger.settle(second)
    ledger.give_back(first, maybe_sent=False)
    assert ledger.page.entries["confirm"].owner == "two"


def test_an_outcome_that_a_worker_gives_back_unwritten_is_left_to_whoever_asks_next(ledger: Ledger) -> None:
    ask = ledger.begun(confirm())
    entry = ledger.settle(ask)
    ledger.give_back(ask, maybe_sent=True)
    assert ledger.ask(confirm(), "two")[1] == Done(replace(entry, owner=None))


def test_a_call_is_settled_once(ledger: Ledger) -> None:
    ask = ledger.begun(confirm())
    assert ledger.settle(ask) == ledger.settle(ask, "rejected")
    assert ledger.order.settled == 1


def test_another_body_is_not_sent_while_it_is_not_known_what_became_of_the_first(ledger: Ledger) -> None:
    ask = ledger.begun(confirm())
    other = replace(confirm(), fingerprint=b"another")
    assert isinstance(ledger.ask(other, "two")[1], Wait)
    ledger.give_back(ask, maybe_sent=True)
    assert isinstance(ledger.ask(other, "two")[1], Disputed)


def test_another_body_is_sent_when_the_first_certainly_was_not(ledger: Ledger) -> None:
    ledger.give_back(ledger.begun(confirm()), maybe_sent=False)
    other = replace(confirm(), fingerprint=b"another")
    assert isinstance(ledger.ask(other, "two")[1], Send)
    assert ledger.page.entries["confirm"].fingerprint == b"another"


# What is known of the reservations and the order


def test_what_is_begun_stands_against_its_reservations_and_its_order(ledger: Ledger) -> None:
    ledger.begun(confirm(A, UNRESERVED))
    assert ledger.of(A) == Reservation("r-a", "", "confirm", "one", "confirm")
    assert ledger.order.under_way == {"confirm": Begun("one", (A, UNRESERVED))}


def test_what_rokt_acknowledged_is_known_item_by_item(ledger: Ledger) -> None:
    answers = (ItemAnswer("a", "r-a", "c", "u", True), ItemAnswer("b", "r-b", None, None, False))
    ledger.made(confirm(), "partial", items=answers)
    assert (ledger.of(A).state, ledger.of(B).state) == ("confirmed", "refused")
    assert ledger.of(A).pending is ledger.of(B).pending is None
    assert ledger.order == Order("order", settled=1, items=(A,))


def test_a_reservation_that_rokts_answer_names_is_known_from_then_on(ledger: Ledger) -> None:
    ledger.made(confirm(UNRESERVED), items=(ItemAnswer("q", "given", "c", "u", True),))
    given = CallItem("q", "given")
    assert ledger.of(given).state == "confirmed"
    assert ledger.call_off(UNRESERVED) == ledger.call_off() == CalledOff((given,))
    assert isinstance(ledger.ask(release(given))[1], Done)


def test_a_rejected_confirm_leaves_its_items_to_be_released_and_its_order_with_nothing_to_cancel(
    ledger: Ledger,
) -> None:
    ledger.made(confirm(), "rejected")
    assert ledger.call_off() == CalledOff(())
    assert isinstance(ledger.ask(release())[1], Send)


@pytest.mark.parametrize("maybe_sent", [False, True])
def test_a_confirm_that_was_given_back_comes_again_so_it_still_stands_against_releases_and_for_cancels(
    ledger: Ledger, maybe_sent: bool
) -> None:
    ledger.give_back(ledger.begun(confirm()), maybe_sent=maybe_sent)
    assert isinstance(ledger.ask(release())[1], Done)
    assert isinstance(ledger.call_off(), Wait)
    assert ledger.call_off(waited=True) == CalledOff((A, B))


def test_a_cancelled_item_stays_cancelled_whatever_comes_in_late(ledger: Ledger) -> None:
    late = ledger.begun(confirm())
    ledger.crash("one")
    ledger.call_off(waited=True)
    ledger.settle(ledger.begun(cancel(A), "two"))
    ledger.settle(late)
    assert (ledger.of(A).state, ledger.of(B).state) == ("cancelled", "confirmed")


# An outcome that nobody will know


def test_a_confirm_of_unknown_outcome_can_be_cancelled_and_is_not_released(ledger: Ledger) -> None:
    ledger.made(confirm(), "dead", death=LOST)
    assert isinstance(ledger.ask(release())[1], Done)
    assert isinstance(ledger.call_off(), Wait)
    assert ledger.call_off(waited=True) == CalledOff((A, B))
    assert isinstance(ledger.ask(cancel(A))[1], Send)


def test_a_confirm_given_up_that_cannot_have_been_sent_leaves_nothing_behind(ledger: Ledger) -> None:
    ledger.made(confirm(), "dead", death=Death("exhausted", "no"))
    assert ledger.call_off() == CalledOff(())
    assert isinstance(ledger.ask(release())[1], Send)


def test_a_cancel_given_up_unsent_does_not_clear_the_way_for_a_release_of_what_may_be_sold(ledger: Ledger) -> None:
    ledger.made(confirm(), "dead", death=LOST)
    ledger.made(cancel(A), "dead", death=Death("exhausted", "no"))
    assert isinstance(ledger.ask(release(A))[1], Done)


# A confirm that was cut short, and then is not made again, or not about all of its items


def cut_short(ledger: Ledger) -> None:
    ledger.begun(confirm(A, B, UNRESERVED))
    ledger.crash("one")


def test_a_confirm_that_was_cut_short_and_then_superseded_leaves_what_it_may_have_sold_to_the_cancel(
    ledger: Ledger,
) -> None:
    cut_short(ledger)
    assert isinstance(ledger.call_off(waited=True), CalledOff)  # and crashes before it asks for any cancel
    _, answer = ledger.ask(confirm(A, B, UNRESERVED), "two")
    assert isinstance(answer, Done)
    assert answer.entry.status == "superseded"
    assert ledger.call_off() == CalledOff((A, B), (UNRESERVED,))
    assert isinstance(ledger.ask(release(), "two")[1], Done), "it may be sold"


def test_a_confirm_that_was_cut_short_and_then_made_for_fewer_items_leaves_the_others_to_the_cancel(
    ledger: Ledger,
) -> None:
    cut_short(ledger)
    named = CallItem("a", None)
    assert ledger.call_off(named, waited=True) == CalledOff((A,))
    again = ledger.begun(confirm(A, B, UNRESERVED), "two")
    ledger.settle(again, "duplicate", B, UNRESERVED)
    assert ledger.call_off(named) == CalledOff((A,))
    assert isinstance(ledger.ask(release(A), "two")[1], Done), "it may be sold"
    ledger.settle(ledger.begun(cancel(A), "two"))
    assert ledger.of(A) == Reservation("r-a", "cancelled")


def test_a_confirm_that_was_never_sent_and_then_superseded_leaves_nothing_to_cancel(ledger: Ledger) -> None:
    assert ledger.call_off(waited=True) == CalledOff(())
    _, answer = ledger.ask(confirm())
    assert isinstance(answer, Done)
    assert ledger.call_off() == CalledOff(())


# What a store has to read and lock


@pytest.mark.parametrize(("operation", "order"), [("confirm", ("order",)), ("cancel", ("order",)), ("release", ())])
def test_a_group_names_what_it_touches_once_and_sorted(operation: Operation, order: tuple[str, ...]) -> None:
    call = replace(confirm(B, A, UNRESERVED), operation=operation, order_id="order" if order else None)
    ask = Ask(call, ORIGIN, "one", 1)
    answered = Settled("succeeded", (ItemAnswer("q", "given", None, None, True),), 200, 1)
    assert touched([ask, GiveBack(ask, 0, False)]) == Touched(order, ("r-a", "r-b"), ("confirm",))
    assert touched([Settle(ask, answered)]) == Touched(order, ("given", "r-a", "r-b"), ("confirm",))


def test_a_cancel_touches_its_order_and_a_publication_only_its_call() -> None:
    assert touched([CallOff("order", (A, UNRESERVED), False)]) == Touched(("order",), ("r-a",), ())
    assert touched([Published("b"), Published("a"), Published("b")]) == Touched((), (), ("a", "b"))


def test_only_what_changed_is_to_be_written(ledger: Ledger) -> None:
    ledger.made(confirm())
    ledger.page = replace(ledger.page, changed_entries={}, changed_reservations={}, changed_orders={})
    assert isinstance(ledger.ask(confirm())[1], Done)
    assert ledger.call_off(A) == CalledOff((A,))
    assert (ledger.page.changed_entries, ledger.page.changed_reservations) == ({}, {})
    assert ledger.page.changed_orders.keys() == {"order"}
