"""A dry run's weighing of events: each record counts once, each call once, by the ledger's own rules."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from infra.ledger_clerk import AT, Clerk, confirm, release
from infra.memory_ledger import MemoryStore, Shelf
from worker.events import AbandonedItem, CancelledItem, CartAbandoned, CheckoutCompleted, CompletedItem, Event
from worker.events import OrderCancelled as Cancelled
from worker.replay.forecast import Forecast, Limits, document, estimate, hints
from worker.replay.plan import Plan, Stretch, Wanted
from worker.replay.weighing import Recent, Weighing
from worker.telemetry.names import Status

PLAN = Plan("p", Wanted(0), 0, (Stretch("t", 0, 0, 9),))


def completed(order: str, *reservations: str) -> CheckoutCompleted:
    items = tuple(CompletedItem(f"item of {r}", r) for r in reservations)
    return CheckoutCompleted("event-1", AT, f"cart of {order}", order, items=items)


def abandoned(cart: str, *reservations: str) -> CartAbandoned:
    return CartAbandoned("event-2", AT, cart, tuple(AbandonedItem(f"item of {r}", r) for r in reservations))


def cancelled(order: str, *items: CancelledItem) -> Cancelled:
    return Cancelled("event-3", AT, order, items)


def forecast(*groups: list[Event], before: dict[str, Status] | None = None, wanted: Wanted = PLAN.wanted) -> Forecast:
    """What groups of events come to, on a ledger where the confirms of these orders are settled, each of `r-`."""

    async def story() -> Forecast:
        shelf = Shelf(lambda: AT)
        clerk = await Clerk(MemoryStore(shelf), "anna").begin()
        for order, status in (before or {}).items():
            await clerk.do(confirm(order, f"r-{order}"), status)
        calls = dict(shelf.calls)
        found = Forecast()
        weighing = Weighing(MemoryStore(shelf), wanted, found)
        for group in groups:
            await weighing.weigh(group)
        assert shelf.calls == calls, "a dry run wrote"
        return found

    return asyncio.run(story())


def test_what_is_settled_is_counted_by_its_status() -> None:
    found = forecast([completed("a", "r-a"), completed("b", "r-b")], before={"a": "succeeded", "b": "duplicate"})
    assert found.records == {"settled before": 2}
    assert found.settled == {"succeeded": 1, "duplicate": 1}
    assert not found.calls


def test_what_is_not_settled_is_a_call_to_make() -> None:
    found = forecast([completed("a", "r-a"), abandoned("c", "r-c"), cancelled("o", CancelledItem("i", "r-o"))])
    assert found.records == {"calls to make": 3}
    assert found.calls == {"confirm": 1, "release": 1, "cancel": 1}


def test_the_same_event_twice_is_one_call_whichever_group_it_comes_in() -> None:
    event = completed("a", "r-a")
    found = forecast([event, event], [event])
    assert found.records == {"calls to make": 1, "settled before": 2}
    assert found.calls == {"confirm": 1}
    assert found.repeated == 2


def test_rejected_and_given_up_calls_are_made_only_with_again() -> None:
    events: list[Event] = [completed("a", "r-a"), completed("b", "r-b"), completed("c", "r-c")]
    before: dict[str, Status] = {"a": "rejected", "b": "dead", "c": "succeeded"}
    found = forecast(events, before=before)
    assert found.records == {"settled before": 3}
    assert found.given_up == 2
    assert "--again" in hints(found, PLAN)[0]

    again = forecast(events, before=before, wanted=Wanted(0, again=True))
    assert again.records == {"settled before": 1, "calls to make": 2}
    assert again.calls == {"confirm": 2}
    assert hints(again, replace(PLAN, wanted=Wanted(0, again=True))) == []


def test_a_release_of_what_is_confirmed_is_superseded() -> None:
    found = forecast([abandoned("cart of a", "r-a")], before={"a": "succeeded"})
    assert found.records == {"superseded": 1}
    assert found.superseded == {"release": 1}


def test_a_release_of_what_this_replay_would_confirm_is_superseded_too() -> None:
    found = forecast([completed("a", "r-a")], [abandoned("cart of a", "r-a")])
    assert found.records == {"calls to make": 1, "superseded": 1}


def test_a_cancel_of_a_whole_order_is_a_call_for_each_item_that_was_confirmed() -> None:
    found = forecast([cancelled("a")], before={"a": "succeeded"})
    assert found.records == {"calls to make": 1}
    assert found.calls == {"cancel": 1}


def test_a_cancel_of_what_this_replay_would_confirm_is_found_by_its_cart_items() -> None:
    found = forecast([completed("a", "r-1", "r-2")], [cancelled("a", CancelledItem("item of r-2"))])
    assert found.calls == {"confirm": 1, "cancel": 1}


def test_a_cancel_of_which_nothing_is_known_is_a_dead_letter_and_that_is_said() -> None:
    found = forecast([cancelled("nobody"), cancelled("nobody either", CancelledItem("i"))])
    assert found.records == {"dead-lettered": 2}
    assert found.letters == {"nothing-to-cancel": 2}
    assert "nothing-to-cancel" in hints(found, PLAN)[0]


def test_an_event_of_several_calls_counts_once_by_the_weightiest() -> None:
    event = cancelled("a", CancelledItem("item of r-a"), CancelledItem("other"))
    found = forecast([event], before={"a": "succeeded"})
    assert found.records == {"dead-lettered": 1}
    assert found.calls == {"cancel": 1}


def test_an_item_that_a_cancel_names_twice_is_one_call() -> None:
    found = forecast([cancelled("a", CancelledItem("x", "r-1"), CancelledItem("y", "r-1"))])
    assert found.calls == {"cancel": 1}


def test_an_abandoned_cart_without_a_reservation_is_skipped() -> None:
    assert forecast([CartAbandoned("e", AT, "c", (AbandonedItem("i"),))]).records == {"skipped": 1}


def test_what_another_worker_has_under_way_is_a_call() -> None:
    async def story() -> Forecast:
        shelf = Shelf(lambda: AT)
        clerk = await Clerk(MemoryStore(shelf), "anna").begin()
        await clerk.ask(release("c", "r-c"))
        found = Forecast()
        await Weighing(MemoryStore(shelf), Wanted(0), found).weigh([abandoned("c", "r-c")])
        return found

    assert asyncio.run(story()).calls == {"release": 1}


def test_only_so_much_is_remembered() -> None:
    recent: Recent[int] = Recent(2)
    for n, id_ in enumerate(("a", "b", "a", "c")):
        recent.put(id_, n)
    assert recent.of(("a", "b", "c", "d")) == {"a": 2, "c": 3}


def test_time_is_estimated_by_the_lower_limit_and_without_one_it_is_not_known() -> None:
    found = forecast([completed("a", "r-a"), completed("b", "r-b")])
    found.seconds = 1.0
    assert estimate(found, Limits(rate=1.0, cap=20.0, at_once=4)).seconds == 3.0
    assert "--rate" in estimate(found, Limits(1.0, 20.0, 4)).why
    assert "MAX_CALLS_PER_SECOND" in estimate(found, Limits(None, 20.0, 4)).why
    unknown = estimate(found, Limits(None, None, 4))
    assert not unknown.known
    assert "0.2 s" in unknown.why
    assert estimate(Forecast(), Limits(None, None, 4)).seconds == 0


def test_the_document_adds_up() -> None:
    found = forecast(
        [completed("a", "r-a"), completed("b", "r-b"), abandoned("cart of a", "r-a"), cancelled("nobody")],
        before={"a": "succeeded"},
    )
    told = document(PLAN, found, estimate(found, Limits(None, 5.0, 4)))
    assert told["records"] == sum(told["expected"].values()) == 4
    assert told["expected"] == {
        "settledBefore": 1,
        "superseded": 1,
        "callsToMake": 1,
        "deadLettered": 1,
        "skipped": 0,
        "passedOver": 0,
    }
    assert told["replay"]["name"] == "p"
