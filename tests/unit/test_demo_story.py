"""The story, the script and the shop: what is drawn, written, and published when."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from random import Random

import pytest

from worker.decode.decoder import Decoder, InvalidEvent, Tombstone, Undecodable
from worker.demo.evidence import Outcome
from worker.demo.fates import Kind, State
from worker.demo.script import PAID_TOPIC, SOURCES, Record, Script, compose
from worker.demo.shop import Shop
from worker.demo.story import ODD, REFUSED, Cart, Role, length, plan
from worker.mapping import Calls, NothingToCancel, NothingToDo, map_event

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def script_of(carts: int, seed: int = 1) -> tuple[tuple[Cart, ...], Script]:
    random = Random(seed)
    planned = plan(carts, random)
    reserved = {(c.id, i.id): f"rokt_item_reservation_id.{c.id}.{i.id}" for c in planned for i in c.items if i.reserved}
    return planned, compose(planned, reserved, BEGIN, random)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("carts", [20, 77, 400])
def test_every_kind_of_record_occurs_from_twenty_carts_on(carts: int, seed: int) -> None:
    planned, script = script_of(carts, seed)
    assert len(planned) == carts
    assert {cart.role for cart in planned} == set(Role)
    assert {record.fate.kind for record in script.records} == set(Kind)


def test_the_same_seed_tells_the_same_story_and_another_seed_another() -> None:
    assert script_of(50, 3) == script_of(50, 3)
    assert script_of(50, 3) != script_of(50, 4)


def test_events_spread_over_the_whole_length() -> None:
    planned, _ = script_of(400)
    assert 0 <= planned[0].due < 1
    assert length(400) - 1 < planned[-1].due <= length(400)


def test_only_carts_whose_calls_are_refused_have_odd_names() -> None:
    planned, _ = script_of(400)
    assert all(cart.id.startswith(ODD) == (cart.role in REFUSED) for cart in planned)


def test_every_record_has_a_trace_of_its_own_in_a_valid_header() -> None:
    _, script = script_of(400)
    headers = [dict(record.headers)["traceparent"].decode() for record in script.records]
    assert len({header.split("-")[1] for header in headers}) == len(script.records)
    assert all([len(part) for part in header.split("-")] == [2, 32, 16, 2] for header in headers)


async def ending(record: Record) -> tuple[str, int]:
    """What the worker's own decoder and mapping make of a record: its ending as far as it is decided there."""
    decoder = Decoder(dict(zip(SOURCES, ("CheckoutCompleted", "OrderCancelled", "CartAbandoned"), strict=True)), None)
    event = await decoder.decode(record.topic, record.value)
    if isinstance(event, Tombstone | Undecodable | InvalidEvent):
        return type(event).__name__, 0
    match map_event(event):
        case Calls(calls):
            return "Calls", len(calls)
        case NothingToDo() | NothingToCancel() as nothing:
            return type(nothing).__name__, 0


DECIDED = {
    Kind.GARBLED: "Undecodable",
    Kind.ILL_FORMED: "InvalidEvent",
    Kind.TOMBSTONE: "Tombstone",
    Kind.UNNAMED: "NothingToCancel",
    Kind.UNRESERVED: "NothingToDo",
}


def test_the_worker_makes_of_each_record_what_its_fate_says() -> None:
    _, script = script_of(400)

    async def check() -> None:
        for record in script.records:
            assert await ending(record) == (DECIDED.get(record.fate.kind, "Calls"), record.fate.calls), record

    asyncio.run(check())


def test_what_is_published_again_is_the_same_call_under_the_same_key_after_the_first() -> None:
    _, script = script_of(400)
    firsts = {(r.topic, r.key): r for r in reversed(script.records) if r.fate.ending == "done"}
    for record in script.records:
        if record.fate.ending == "again":
            first = firsts[record.topic, record.key]
            assert record.due > first.due
            assert (record.value == first.value) == (record.fate.kind is Kind.REPEATED)
            assert record.after == (first.number if first.after is not None else None)


def test_a_cancelled_item_was_confirmed_and_one_that_fails_stays_held() -> None:
    planned, script = script_of(400)
    states = Counter(script.reservations.values())
    assert set(states) == set(State)
    failing = [f"rokt_item_reservation_id.{c.id}.{i.id}" for c in planned for i in c.items if i.fails]
    assert {script.reservations[id_] for id_ in failing} == {State.HELD}


class Publications:
    """What was published, in order."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def __call__(self, record: Record, _: float) -> None:
        self.records.append(record)


def outcome_of(record: Record) -> Outcome:
    return Outcome((record.topic, 0, 0), "k", "confirm", "succeeded", 200, 1, record.trace_id, BEGIN)


def test_the_shop_publishes_in_order_of_time_and_no_record_before_it_is_due() -> None:
    _, script = script_of(100)
    published = Publications()
    shop = Shop(script, published)
    shop.turn(1.0, 0.0)
    assert [r.due for r in published.records] == sorted(r.due for r in script.records if r.after is None and r.due <= 1)
    shop.turn(1000.0, 0.0)
    assert not shop.done
    assert all(record.after is None for record in published.records)


def test_the_shop_cancels_only_what_it_has_seen_confirmed() -> None:
    _, script = script_of(100)
    published = Publications()
    shop = Shop(script, published)
    cancel = next(r for r in script.records if r.after is not None and script.records[r.after].topic == PAID_TOPIC)
    assert cancel.after is not None
    shop.turn(1000.0, 0.0)
    assert cancel not in published.records
    shop.heard(outcome_of(script.records[cancel.after]))
    shop.turn(1000.0, 0.0)
    assert published.records[-1] == cancel


def test_the_shop_is_done_when_all_waited_for_outcomes_came() -> None:
    _, script = script_of(100)
    published = Publications()
    shop = Shop(script, published)
    for _ in range(3):
        shop.turn(1000.0, 0.0)
        for record in tuple(published.records):
            for _ in range(record.fate.calls):
                shop.heard(outcome_of(record))
    assert shop.done
    assert sorted(r.number for r in published.records) == list(range(len(script.records)))
