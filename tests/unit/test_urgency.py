"""Confirms before cancels before releases, and room for each whatever the others pile up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.events import TYPES, CancelledItem, CartAbandoned, CheckoutCompleted, OrderCancelled
from worker.urgency import BY_URGENCY, KEPT, Kind, Ready, kind_in, kind_of, room

KINDS = st.sampled_from(BY_URGENCY)


def begun(ready: Ready[Kind]) -> list[Kind]:
    found: list[Kind] = []
    while (kind := ready.begin()) is not None:
        found.append(kind)
    return found


def filled(limit: int, *kinds: Kind, each: int = 1_000) -> Ready[Kind]:
    ready: Ready[Kind] = Ready(limit)
    for kind in kinds:
        for _ in range(each):
            ready.add(kind, kind)
    return ready


def test_what_is_ready_begins_by_its_urgency_and_in_its_order_among_equals() -> None:
    ready: Ready[str] = Ready(100)
    kinds: tuple[tuple[str, Kind], ...] = (
        ("release 1", "release"),
        ("cancel 1", "cancel"),
        ("confirm 1", "confirm"),
        ("tombstone", "no-call"),
        ("confirm 2", "confirm"),
        ("cancel 2", "cancel"),
    )
    for name, kind in kinds:
        ready.add(name, kind)
    order = [ready.begin() for _ in range(7)]
    assert order == ["tombstone", "confirm 1", "confirm 2", "cancel 1", "cancel 2", "release 1", None]


@pytest.mark.parametrize(
    ("kinds", "most"),
    [
        (("release",), 50),
        (("cancel",), 63),
        (("release", "cancel"), 75),
        (("confirm",), 63),
        (("confirm", "cancel"), 88),
        (("confirm", "cancel", "release"), 100),
    ],
)
def test_a_backlog_takes_so_much_of_the_room_and_leaves_the_rest(kinds: tuple[Kind, ...], most: int) -> None:
    assert len(begun(filled(100, *kinds))) == most


@pytest.mark.parametrize("late", ["confirm", "cancel", "release"])
def test_whatever_the_others_pile_up_there_is_room_for_each_kind(late: Kind) -> None:
    others: list[Kind] = [kind for kind in BY_URGENCY if kind != late]
    ready = filled(100, *others)
    begun(ready)
    ready.add(late, late)
    assert ready.begin() == late


@given(KINDS, st.integers(1, 10))
def test_with_hardly_any_room_every_kind_still_begins(kind: Kind, limit: int) -> None:
    assert filled(limit, kind).begin() == kind


@given(st.integers(1, 50), st.lists(st.tuples(st.booleans(), KINDS), max_size=200))
def test_never_more_than_the_limit_are_begun_and_what_is_kept_for_a_kind_is_there_for_it(
    limit: int, steps: list[tuple[bool, Kind]]
) -> None:
    ready: Ready[Kind] = Ready(limit)
    under_way: Counter[Kind] = Counter()
    for ends, kind in steps:
        if ends and under_way[kind]:
            ready.over(kind)
            under_way[kind] -= 1
        else:
            ready.add(kind, kind)
        under_way.update(begun(ready))
        assert under_way.total() <= limit
        for other in BY_URGENCY:
            assert room(other, {k: under_way[k] for k in BY_URGENCY}, limit) >= int(limit * KEPT[other])


def test_an_event_is_as_urgent_as_the_call_that_it_asks_for() -> None:
    assert kind_of(CheckoutCompleted("e", 0, "c", "o")) == "confirm"
    assert kind_of(OrderCancelled("e", 0, "o", (CancelledItem("i"),))) == "cancel"
    assert kind_of(CartAbandoned("e", 0, "c", ())) == "release"
    assert kind_of(None) == "no-call"


def test_a_topic_is_as_urgent_as_the_type_that_it_is_configured_for() -> None:
    assert [kind_in(name) for name in TYPES] == ["confirm", "cancel", "release"]
    assert kind_in(None) == "confirm"
