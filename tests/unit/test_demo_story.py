"""The story and the script: what is drawn and written."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from infra.demo import script_of
from worker.decode.decoder import Decoder, InvalidEvent, Tombstone, Undecodable
from worker.demo.fates import Kind, State
from worker.demo.script import CANCELLED_TOPIC, SOURCES, Cue, Record
from worker.demo.story import EARLY_PART, ODD, PATIENT, REFUSED, Role, length
from worker.mapping import map_event


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


async def made_of(record: Record) -> str:
    """What the worker's own decoder and mapping make of a record."""
    decoder = Decoder(dict(zip(SOURCES, ("CheckoutCompleted", "OrderCancelled", "CartAbandoned"), strict=True)), None)
    event = await decoder.decode(record.topic, record.value)
    decided = event if isinstance(event, Tombstone | Undecodable | InvalidEvent) else map_event(event)
    return type(decided).__name__


DECIDED = {
    Kind.GARBLED: "Undecodable",
    Kind.ILL_FORMED: "InvalidEvent",
    Kind.TOMBSTONE: "Tombstone",
    Kind.UNRESERVED: "NothingToDo",
}


def test_the_worker_makes_of_each_record_what_its_fate_says() -> None:
    _, script = script_of(400)

    async def check() -> None:
        for record in script.records:
            usual = "Cancellation" if record.topic == CANCELLED_TOPIC else "Call"
            assert await made_of(record) == DECIDED.get(record.fate.kind, usual), record

    asyncio.run(check())


def test_what_is_published_again_comes_behind_the_first() -> None:
    _, script = script_of(400)
    firsts = {(r.topic, r.key): r for r in reversed(script.records) if r.fate.ending != "before"}
    again = [record for record in script.records if record.fate.ending == "before"]
    assert {record.fate.kind for record in again} == {Kind.REPEATED, Kind.REPUBLISHED}
    for record in again:
        first = firsts[record.topic, record.key]
        assert record.due > first.due
        assert (record.value == first.value) == (record.fate.kind is Kind.REPEATED)
        waits = first.after is not None or first.topic == CANCELLED_TOPIC
        assert record.after == (Cue(first.number) if waits else None)


def test_cancels_that_wait_in_vain_are_there_early() -> None:
    planned, _ = script_of(400)
    assert all(cart.due <= length(400) * EARLY_PART for cart in planned if cart.role in PATIENT)


def test_a_cancelled_item_was_confirmed_and_one_that_fails_stays_held() -> None:
    planned, script = script_of(400)
    states = Counter(script.reservations.values())
    assert set(states) == set(State)
    failing = [f"rokt_item_reservation_id.{c.id}.{i.id}" for c in planned for i in c.items if i.fails]
    assert {script.reservations[id_] for id_ in failing} == {State.HELD}
