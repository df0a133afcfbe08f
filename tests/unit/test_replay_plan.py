"""A replay's plan: found again by what was asked for, kept as text, and refused where it is another's."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from infra.memory_ledger import MemoryStore, Shelf
from worker.errors import CannotReplay
from worker.events import AbandonedItem, CartAbandoned, CheckoutCompleted, OrderCancelled
from worker.replay.keeping import keep_first, kept
from worker.replay.plan import (
    NAME,
    Cut,
    Plan,
    Stretch,
    Wanted,
    concerns,
    derived_name,
    described,
    differences,
    from_text,
    to_text,
)

SINCE = 1_763_632_800_000  # 2025-11-20T10:00:00Z
WANTED = Wanted(
    SINCE,
    SINCE + 3_600_000,
    topics=frozenset({"b", "a"}),
    partitions=frozenset({("", 3), ("a", 0)}),
    carts=frozenset({"x", "c"}),
    orders=frozenset({"o"}),
    again=True,
)
PLAN = Plan("tuesday", WANTED, SINCE, (Stretch("a", 0, 5, 9), Stretch("b", 3, 0, 1)), (Cut("a", 0, 5, None),))


def test_a_plan_is_kept_as_text_and_read_again() -> None:
    assert from_text(to_text(PLAN)) == PLAN
    assert from_text(to_text(PLAN)).offsets == 5
    assert PLAN.topics == ("a", "b")


def test_the_same_plan_is_the_same_text_whatever_order_its_ids_were_typed_in() -> None:
    other = replace(PLAN, wanted=replace(WANTED, carts=frozenset(["c", "x"]), topics=frozenset(["a", "b"])))
    assert to_text(other) == to_text(PLAN)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1}', '{"version": 2, "plan": {}}', '{"version": "x"}', "[]"])
def test_a_plan_that_cannot_be_read_says_what_can_be_done(text: str) -> None:
    with pytest.raises(CannotReplay) as raised:
        from_text(text)
    assert "--name" in raised.value.mend


def test_a_plan_of_a_later_version_is_not_guessed_at() -> None:
    later = json.loads(to_text(PLAN)) | {"version": 2}
    with pytest.raises(CannotReplay, match="another version"):
        from_text(json.dumps(later))


def test_the_name_is_that_of_the_same_replay_asked_for_again() -> None:
    name = derived_name(WANTED)
    assert name == derived_name(replace(WANTED, carts=frozenset(["c", "x"])))
    assert name.startswith("20251120T100000Z-")
    assert NAME.fullmatch(name)


@pytest.mark.parametrize(
    "other",
    [
        replace(WANTED, since_ms=SINCE + 1),
        replace(WANTED, until_ms=None),
        replace(WANTED, topics=frozenset()),
        replace(WANTED, partitions=frozenset({("", 3)})),
        replace(WANTED, carts=frozenset({"x"})),
        replace(WANTED, orders=frozenset()),
        replace(WANTED, again=False),
    ],
)
def test_another_replay_has_another_name_and_is_told_apart(other: Wanted) -> None:
    assert derived_name(other) != derived_name(WANTED)
    assert len(differences(other, WANTED)) == 1
    assert differences(WANTED, WANTED) == []


def test_the_first_plan_is_kept_and_every_other_process_reads_it() -> None:
    async def story() -> None:
        store = MemoryStore(Shelf(lambda: SINCE))
        assert await kept(store, "tuesday", WANTED) is None
        assert await keep_first(store, PLAN) == PLAN
        later = replace(PLAN, made_at_ms=SINCE + 9, stretches=(Stretch("a", 0, 5, 99),))
        assert await keep_first(store, later) == PLAN
        assert await kept(store, "tuesday", WANTED) == PLAN

    asyncio.run(story())


def test_a_name_that_stands_for_something_else_is_refused_with_what_differs() -> None:
    async def story() -> None:
        store = MemoryStore(Shelf(lambda: SINCE))
        await keep_first(store, PLAN)
        other = replace(WANTED, since_ms=SINCE - 1, again=False)
        with pytest.raises(CannotReplay, match="--since, --again"):
            await kept(store, "tuesday", other)

    asyncio.run(story())


def test_events_of_a_cart_or_an_order_that_was_asked_for() -> None:
    completed = CheckoutCompleted("e", SINCE, "cart", "order")
    cancelled = OrderCancelled("e", SINCE, "order", ())
    abandoned = CartAbandoned("e", SINCE, "cart", (AbandonedItem("i"),))
    by_cart, by_order = Wanted(0, carts=frozenset({"cart"})), Wanted(0, orders=frozenset({"order"}))
    assert [concerns(by_cart, e) for e in (completed, cancelled, abandoned)] == [True, False, True]
    assert [concerns(by_order, e) for e in (completed, cancelled, abandoned)] == [True, True, False]
    assert all(concerns(Wanted(0), e) for e in (completed, cancelled, abandoned))
    both = Wanted(0, carts=frozenset({"other"}), orders=frozenset({"order"}))
    assert concerns(both, completed)


def test_what_was_asked_for_is_said_in_words() -> None:
    said = dict(described(WANTED))
    assert said["since"] == "2025-11-20T10:00:00.000Z"
    assert said["partitions"] == "3, a/0"
    assert said["carts"] == "c, x"
    assert "again" in said
    assert dict(described(Wanted(SINCE)))["until"] == "what was there when it was planned"
