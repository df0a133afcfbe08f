"""The rules that make the three topics agree (contract, section 3, rules 3 to 5)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from worker.carts import (
    Begun,
    CalledOff,
    Decision,
    Order,
    Reservation,
    SendItems,
    State,
    Supersede,
    WaitFor,
    call_off,
    decide,
)
from worker.keys import Operation
from worker.mapping import Call, CallItem

LIVE = frozenset({"alive"})
A, B = CallItem("a", "r-a"), CallItem("b", "r-b")
UNRESERVED = CallItem("q", None)
NONE_KNOWN: Mapping[str, Reservation] = {}
NOT_HERE = ["gone", None]


def call(operation: Operation, *items: CallItem, key: str = "this") -> Call:
    return Call(operation, key, b"", bytes(16), items, "cart", "order", None, None)


def known(item: CallItem, state: State = "", pending: Operation | None = None, owner: str | None = None) -> Reservation:
    return Reservation(item.item_reservation_id or "", state, pending, owner, "another" if pending else "")


def decided(what: Call, *reservations: Reservation, order: Order | None = None) -> Decision:
    return decide(what, order, {r.id: r for r in reservations}, LIVE)


def under_way(owner: str | None, *items: CallItem, key: str = "another") -> Order:
    return Order("order", under_way={key: Begun(owner, items)})


def asked(
    order: Order, *items: CallItem, waited: bool = False, ledger: Mapping[str, Reservation] = NONE_KNOWN
) -> object:
    return call_off(order, items, ledger, LIVE, waited=waited)[0]


@pytest.mark.parametrize("operation", ["confirm", "cancel", "release"])
def test_a_call_about_an_item_of_which_nothing_is_known_is_sent(operation: Operation) -> None:
    assert decided(call(operation, A)) == SendItems((A,))


# Rule 3


@pytest.mark.parametrize("state", ["confirmed", "cancelled"])
def test_a_release_of_what_is_confirmed_is_superseded(state: State) -> None:
    assert isinstance(decided(call("release", A), known(A, state)), Supersede)


@pytest.mark.parametrize("owner", ["alive", *NOT_HERE])
@pytest.mark.parametrize("pending", ["confirm", "cancel"])
def test_a_release_of_what_is_being_confirmed_is_superseded_by_whomever_and_however_long_ago(
    pending: Operation, owner: str | None
) -> None:
    assert isinstance(decided(call("release", A), known(A, "", pending, owner)), Supersede)


def test_a_release_goes_ahead_for_those_of_its_items_that_are_not_confirmed() -> None:
    assert decided(call("release", A, B), known(A, "confirmed"), known(B, "refused")) == SendItems((B,))


def test_a_release_of_what_another_call_has_released_or_is_releasing_is_not_made_again() -> None:
    assert isinstance(decided(call("release", A), known(A, "released")), Supersede)
    assert decided(call("release", A, B), known(A, "", "release", "alive")) == SendItems((B,))
    assert decided(call("release", A, B), known(A, "", "release", None)) == SendItems((B,))


# Rule 4


def test_a_confirm_leaves_out_items_that_are_cancelled() -> None:
    assert decided(call("confirm", A, B), known(A, "cancelled")) == SendItems((B,))


@pytest.mark.parametrize("named", [A, CallItem("a", None), CallItem(None, "r-a")])
def test_a_confirm_leaves_out_items_that_its_order_called_off_by_whichever_name(named: CallItem) -> None:
    order = Order("order", called_off=frozenset({named}))
    assert decided(call("confirm", A, B), order=order) == SendItems((B,))
    assert isinstance(decided(call("confirm", A), order=order), Supersede)


def test_an_item_without_a_reservation_is_called_off_by_its_cart_item_though_the_cancel_names_a_reservation() -> None:
    order = Order("order", called_off=frozenset({CallItem("q", "r-q")}))
    assert isinstance(decided(call("confirm", UNRESERVED), order=order), Supersede)


def test_a_cart_item_that_was_reserved_anew_is_not_called_off_with_its_old_reservation() -> None:
    order = Order("order", called_off=frozenset({A}))
    again = CallItem("a", "r-a-2")
    assert decided(call("confirm", again), order=order) == SendItems((again,))


@pytest.mark.parametrize("items", [(), (A,), (A, UNRESERVED)])
def test_a_confirm_of_an_order_that_is_cancelled_as_a_whole_is_superseded(items: tuple[CallItem, ...]) -> None:
    assert isinstance(decided(call("confirm", *items), order=Order("order", whole=True)), Supersede)


def test_an_order_without_items_is_confirmed_although_some_of_its_items_are_called_off() -> None:
    assert decided(call("confirm"), order=Order("order", called_off=frozenset({A}))) == SendItems(())


@pytest.mark.parametrize("pending", ["release", "cancel"])
def test_a_confirm_waits_for_another_call_about_its_item_that_a_living_worker_makes(pending: Operation) -> None:
    assert isinstance(decided(call("confirm", A, B), known(B, "", pending, "alive")), WaitFor)


@pytest.mark.parametrize("owner", NOT_HERE)
def test_a_confirm_does_not_wait_for_a_release_that_was_cut_short_because_rokt_will_decide(owner: str | None) -> None:
    assert decided(call("confirm", A), known(A, "", "release", owner)) == SendItems((A,))


@pytest.mark.parametrize("owner", NOT_HERE)
def test_a_confirm_leaves_out_what_a_cancel_that_was_cut_short_may_have_cancelled(owner: str | None) -> None:
    assert decided(call("confirm", A, B), known(A, "", "cancel", owner)) == SendItems((B,))


@pytest.mark.parametrize("owner", [*NOT_HERE, "alive"])
def test_what_another_confirm_sold_is_another_call_and_rokt_will_decide(owner: str | None) -> None:
    assert decided(call("confirm", A, B), known(A, "confirmed")) == SendItems((A, B))
    assert decided(call("confirm", A, B), known(A, "", "confirm", owner)) == SendItems((A, B))


def test_what_was_refused_or_released_may_be_confirmed_by_another_call_because_rokt_will_decide() -> None:
    assert decided(call("confirm", A, B), known(A, "refused"), known(B, "released")) == SendItems((A, B))


def test_a_call_does_not_stand_in_its_own_way_when_it_is_taken_over() -> None:
    own = {"key": "this"}
    for operation in ("confirm", "cancel", "release"):
        pending = replace(known(A, "", operation, "gone"), key="this")
        assert decided(call(operation, A), pending, order=under_way("gone", A, **own)) == SendItems((A,))


def test_a_confirm_that_is_taken_over_is_not_sent_about_more_than_it_was_because_409_would_speak_for_that_too() -> None:
    assert decided(call("confirm", A, B), order=under_way("gone", B, key="this")) == SendItems((B,))


# Cancels, one item each


def test_a_cancel_of_what_is_cancelled_is_superseded() -> None:
    assert isinstance(decided(call("cancel", A), known(A, "cancelled")), Supersede)


@pytest.mark.parametrize("pending", ["release", "confirm", "cancel"])
def test_a_cancel_waits_for_another_call_about_its_item_that_a_living_worker_makes(pending: Operation) -> None:
    assert isinstance(decided(call("cancel", A), known(A, "", pending, "alive")), WaitFor)


@pytest.mark.parametrize("state", ["", "confirmed", "refused", "released"])
def test_a_cancel_is_sent_whatever_else_is_known_because_rokt_will_decide(state: State) -> None:
    assert decided(call("cancel", A), known(A, state, "confirm", "gone")) == SendItems((A,))


# Rule 5


def test_a_cancel_that_comes_before_its_confirm_waits_and_calls_nothing_off_yet() -> None:
    for items in ((A,), (CallItem("a", None),), ()):
        assert call_off(Order("order"), items, {}, LIVE, waited=False) == (
            WaitFor("its order's confirm"),
            Order("order"),
        )


def test_when_its_wait_is_over_a_cancel_asks_for_the_items_it_names_and_its_intent_stays() -> None:
    answer, order = call_off(Order("order"), (A, CallItem("b", None)), {}, LIVE, waited=True)
    assert answer == CalledOff((A,), (CallItem("b", None),))
    assert order == Order("order", called_off=frozenset({A, CallItem("b", None)}))


def test_when_its_wait_is_over_a_cancel_of_the_whole_order_has_nothing_to_ask_for_and_its_intent_stays() -> None:
    answer, order = call_off(Order("order"), (), {}, LIVE, waited=True)
    assert answer == CalledOff(())
    assert order.whole


@pytest.mark.parametrize("waited", [False, True])
def test_a_cancel_waits_for_a_confirm_that_a_living_worker_makes_however_long_it_takes(waited: bool) -> None:
    assert isinstance(asked(under_way("alive", A), A, waited=waited), WaitFor)
    assert isinstance(asked(under_way("alive", A), waited=waited), WaitFor)


@pytest.mark.parametrize("owner", NOT_HERE)
def test_a_confirm_that_was_cut_short_is_waited_for_and_then_counts_as_made(owner: str | None) -> None:
    order = under_way(owner, A, B)
    assert isinstance(asked(order), WaitFor)
    assert isinstance(asked(order, CallItem("a", None)), WaitFor)
    assert asked(order, waited=True) == CalledOff((A, B))
    assert asked(order, CallItem("a", None), waited=True) == CalledOff((A,))


@pytest.mark.parametrize("state", ["confirmed", "refused", "cancelled"])
def test_a_cancel_of_an_item_whose_confirm_was_answered_goes_at_once(state: State) -> None:
    assert asked(Order("order"), A, ledger={"r-a": known(A, state)}) == CalledOff((A,))


def test_a_cancel_of_an_item_that_was_released_before_goes_at_once_when_its_order_was_confirmed() -> None:
    released = {"r-a": known(A, "released")}
    assert isinstance(asked(Order("order"), A, ledger=released), WaitFor)
    assert asked(Order("order", settled=1), A, ledger=released) == CalledOff((A,))


def test_a_cancel_of_the_whole_order_asks_for_every_item_that_was_confirmed() -> None:
    assert asked(Order("order", settled=1, items=(A, B))) == CalledOff((A, B))


def test_a_cancel_of_an_order_whose_confirm_was_rejected_has_nothing_to_ask_for_and_does_not_wait() -> None:
    assert asked(Order("order", settled=1)) == CalledOff(())


def test_a_cancel_of_an_item_of_an_orders_second_confirm_waits_for_that_although_the_first_has_come() -> None:
    order = Order("order", settled=1, items=(A,))
    assert isinstance(asked(order, B), WaitFor)
    assert isinstance(asked(order, A, CallItem("b", None)), WaitFor)
    assert asked(order, CallItem("a", None)) == CalledOff((A,))


@pytest.mark.parametrize("items", [(A,), (CallItem("a", None),), ()])
def test_a_cancel_that_was_noted_before_does_not_wait_again(items: tuple[CallItem, ...]) -> None:
    _, order = call_off(Order("order"), items, {}, LIVE, waited=True)
    assert isinstance(asked(order, *items), CalledOff)


def test_a_cancel_of_an_item_of_an_order_that_is_cancelled_as_a_whole_does_not_wait() -> None:
    assert asked(Order("order", whole=True), A) == CalledOff((A,))


def test_an_item_named_by_its_cart_item_is_found_with_the_reservation_that_rokt_gave_it() -> None:
    order = Order("order", settled=1, items=(CallItem("q", "given by Rokt"),))
    assert asked(order, UNRESERVED) == CalledOff((CallItem("q", "given by Rokt"),))


def test_an_item_whose_reservation_nobody_knows_is_unresolved() -> None:
    order = Order("order", settled=1, items=(UNRESERVED, A))
    assert asked(order) == CalledOff((A,), (UNRESERVED,))
    assert asked(order, UNRESERVED) == CalledOff((), (UNRESERVED,))


def test_a_cart_item_that_was_confirmed_with_two_reservations_is_cancelled_with_both() -> None:
    order = Order("order", settled=2, items=(A, CallItem("a", "r-a-2")))
    assert asked(order, CallItem("a", None)) == CalledOff((A, CallItem("a", "r-a-2")))


def test_an_item_named_twice_is_cancelled_once() -> None:
    order = Order("order", settled=1, items=(A,))
    assert asked(order, CallItem(None, "r-a"), CallItem("a", None), A) == CalledOff((A,))
